"""The template of every flow chart: pills, boxes, diamonds, and right-angled arrows."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from gpudeck.errors import InputError
from gpudeck.figures.architecture import tracks
from gpudeck.figures.lettering import LINE_HEIGHT, TEXT_MIN_PX, text_width_px, wrap
from gpudeck.figures.routing import Edge, End, draw_edges
from gpudeck.figures.shapes import TONES, Box, Canvas, Tone

# The tallest that each kind becomes, whatever room there is.
_TALLEST_PX = {"start": 56, "end": 56, "process": 88, "data": 88, "decision": 128}


@dataclass(frozen=True)
class Step:
    """A step of an algorithm and its place on the grid."""

    id: str
    text: str
    column: int
    row: int
    kind: Literal["start", "end", "process", "decision", "data"] = "process"
    tone: Tone = "plain"
    columns: int = 1


def flowchart(
    steps: Sequence[Step],
    edges: Iterable[Edge],
    *,
    key: str,
    title: str,
    description: str,
    width_px: float = 1168,
    height_px: float = 480,
    gutter_x_px: float = 64,
    gutter_y_px: float = 40,
    margin_px: float = 2,
    column_weights: Sequence[float] = (),
    row_weights: Sequence[float] = (),
) -> str:
    """Return a flow chart as SVG; columns and rows decide whether it runs down or across.

    Parameters
    ----------
    steps
        start and end are pills, process a box, data a slanted box, decision a diamond.
    edges
        arrows by the steps' ids; the texts of a decision's arrows are its answers.
    key, title, description
        prefix of ids, alternative text, and the longer description for a screen reader.
    width_px, height_px, gutter_x_px, gutter_y_px
        size of the slot and the gaps in which arrows and their texts run.
    margin_px
        free border, wider where an arrow has to go round the outside.
    column_weights, row_weights
        relative widths of the columns and heights of the rows; equal if empty.

    Raises
    ------
    InputError
        a text does not fit, two names are one, or an arrow finds no way.
    """
    canvas = Canvas(width_px, height_px)
    columns = max(step.column + step.columns for step in steps)
    across = tracks(columns, width_px - 2 * margin_px, gutter_x_px, column_weights)
    down = tracks(
        max(s.row for s in steps) + 1, height_px - 2 * margin_px, gutter_y_px, row_weights
    )
    ends: dict[str, End] = {}
    for step in steps:
        if step.id in ends:
            msg = f"two steps have the id {step.id!r}: ids are unique in a flow chart"
            raise InputError(msg)
        left, right = across[step.column][0], sum(across[step.column + step.columns - 1])
        top, height = down[step.row]
        tall = min(height, _TALLEST_PX[step.kind])
        box = Box(margin_px + left, margin_px + top + (height - tall) / 2, right - left, tall)
        _draw(canvas, step, box)
        ends[step.id] = End(box, pointed=step.kind == "decision")
    draw_edges(canvas, edges, ends)
    return canvas.svg(key, title, description)


def _draw(canvas: Canvas, step: Step, box: Box) -> None:
    fill, stroke, ink = TONES[step.tone]
    if step.kind == "decision":
        _draw_decision(canvas, step, box)
    elif step.kind in ("start", "end"):
        # No strokes to block: a pill's corners are empty, and its text stands well inside.
        canvas.rect(box, fill, stroke, radius_px=box.height / 2)
        inner = Box(box.x + 16, box.y + 4, box.width - 32, box.height - 8)
        canvas.paragraph(inner, step.text, 18, weight=700, colour=ink)
    elif step.kind == "data":
        lean = 14
        canvas.path(
            f"M{box.x + lean} {box.y}H{box.right}L{box.right - lean} {box.bottom}H{box.x}Z",
            fill,
            stroke,
        )
        canvas.paragraph(
            Box(box.x + lean, box.y + 4, box.width - 2 * lean, box.height - 8),
            step.text,
            17,
            colour=ink,
        )
    else:
        canvas.rect(box, fill, stroke, radius_px=6)
        canvas.paragraph(box.grown(-8), step.text, 17, colour=ink)


def _draw_decision(canvas: Canvas, step: Step, box: Box) -> None:
    fill, stroke, ink = TONES[step.tone]
    x, y = box.centre
    canvas.path(f"M{x} {box.y}L{box.right} {y}L{x} {box.bottom}L{box.x} {y}Z", fill, stroke)
    lines, size_px = _fit_diamond(step.text, box)
    pitch = size_px * LINE_HEIGHT
    for index, line in enumerate(lines):
        middle = y + pitch * (index - (len(lines) - 1) / 2)
        canvas.text(x, middle, line, size_px, colour=ink, anchor="middle")


def _fit_diamond(text: str, box: Box) -> tuple[tuple[str, ...], float]:
    """Wrap text so that every line stays inside the slanted edges."""
    for size_px in (18, 17, TEXT_MIN_PX):
        for share in (0.85, 0.75, 0.66, 0.6, 0.55, 0.5, 0.45, 0.4):
            try:
                lines = wrap(text, box.width * share, size_px)
            except InputError:
                continue
            pitch = size_px * LINE_HEIGHT
            middles = [pitch * (index - (len(lines) - 1) / 2) for index in range(len(lines))]
            if all(
                text_width_px(line, size_px) / box.width
                + (abs(middle) + size_px / 2) / (box.height / 2)
                <= 1
                for line, middle in zip(lines, middles, strict=True)
            ):
                return lines, size_px
    msg = (
        f"text {text!r} does not fit a diamond of {box.width:g} by {box.height:g} px "
        f"at {TEXT_MIN_PX} px: shorten it, or give its row or column more room"
    )
    raise InputError(msg)
