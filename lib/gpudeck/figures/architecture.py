"""The template of every architecture diagram: boxes on a grid, groups around them, arrows."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Literal

from gpudeck.errors import InputError
from gpudeck.figures.routing import Edge, End, draw_edges
from gpudeck.figures.shapes import GRID_PX, TONES, Box, Canvas, Tone

_GROUP_PAD_PX = 16
_GROUP_TITLE_PX = 40


@dataclass(frozen=True)
class Block:
    """A component: where it stands on the grid, what it is called, what it does.

    A block of kind "node" is a server; `content` may draw its GPUs and jobs into the room inside.
    """

    id: str
    text: str
    column: int
    row: int
    detail: str = ""
    columns: int = 1
    rows: int = 1
    kind: Literal["box", "node"] = "box"
    tone: Tone = "plain"
    dashed: bool = False
    content: Callable[[Canvas, Box], None] | None = None


@dataclass(frozen=True)
class Group:
    """A titled container around some blocks."""

    text: str
    members: tuple[str, ...]
    tone: Tone = "quiet"


def tracks(
    count: int, length_px: float, gutter_px: float, weights: Sequence[float] = ()
) -> list[tuple[float, float]]:
    """Return the start and the length of each column (or row) that share a length in px.

    >>> tracks(2, 100, 20)
    [(0.0, 40.0), (60.0, 40.0)]
    """
    shares = list(weights) or [1.0] * count
    if len(shares) != count:
        msg = f"{len(shares)} weights for {count} columns or rows: give one for each"
        raise InputError(msg)
    room = length_px - gutter_px * (count - 1)
    sizes = [room * share / sum(shares) for share in shares]
    starts = accumulate([0.0, *(size + gutter_px for size in sizes[:-1])])
    return list(zip(starts, sizes, strict=True))


def share_columns(columns: int, count: int) -> list[tuple[int, int]]:
    """Return the first column and the number of columns of each of a few blocks that fill a row.

    >>> share_columns(4, 3)
    [(0, 2), (2, 1), (3, 1)]
    """
    widths = [columns // count] * count
    widths[0] += columns - sum(widths)
    return [(sum(widths[:place]), width) for place, width in enumerate(widths)]


def architecture(
    blocks: Sequence[Block],
    edges: Iterable[Edge] = (),
    groups: Sequence[Group] = (),
    *,
    key: str,
    title: str,
    description: str,
    width_px: float = 1168,
    height_px: float = 480,
    gutter_x_px: float = 72,
    gutter_y_px: float = 56,
    margin_px: float = 2,
    column_weights: Sequence[float] = (),
    row_weights: Sequence[float] = (),
) -> str:
    """Return an architecture diagram as SVG.

    Parameters
    ----------
    blocks
        components, placed by column and row from 0, and spanning one or more of each.
    edges
        arrows between blocks by their ids.
    groups
        containers; a group above another row needs `gutter_y_px` of 72 or more for its title.
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
    places = _place(
        blocks,
        _room(canvas, groups, margin_px),
        (gutter_x_px, gutter_y_px),
        (column_weights, row_weights),
    )
    for group in groups:
        _draw_group(canvas, group, places)
    for block in blocks:
        _draw_block(canvas, block, places[block.id])
    draw_edges(canvas, edges, {name: End(box) for name, box in places.items()})
    return canvas.svg(key, title, description)


def _room(canvas: Canvas, groups: Sequence[Group], margin_px: float) -> Box:
    """Return the area for blocks: inside the strokes, and inside the groups' frames if any."""
    whole = Box(0, 0, canvas.width_px, canvas.height_px).grown(-margin_px)
    if not groups:
        return whole
    inner = whole.grown(-_GROUP_PAD_PX)
    extra = _GROUP_TITLE_PX - _GROUP_PAD_PX
    return Box(inner.x, inner.y + extra, inner.width, inner.height - extra)


def _place(
    blocks: Sequence[Block],
    room: Box,
    gutters: tuple[float, float],
    weights: tuple[Sequence[float], Sequence[float]],
) -> dict[str, Box]:
    columns = max(block.column + block.columns for block in blocks)
    rows = max(block.row + block.rows for block in blocks)
    across = tracks(columns, room.width, gutters[0], weights[0])
    down = tracks(rows, room.height, gutters[1], weights[1])
    places: dict[str, Box] = {}
    for block in blocks:
        if block.id in places:
            msg = f"two blocks have the id {block.id!r}: ids are unique in a diagram"
            raise InputError(msg)
        left, top = across[block.column][0], down[block.row][0]
        right = sum(across[block.column + block.columns - 1])
        bottom = sum(down[block.row + block.rows - 1])
        places[block.id] = Box(room.x + left, room.y + top, right - left, bottom - top)
    return places


def _draw_group(canvas: Canvas, group: Group, places: dict[str, Box]) -> None:
    inside = [places[member] for member in group.members]
    left = min(box.x for box in inside) - _GROUP_PAD_PX
    top = min(box.y for box in inside) - _GROUP_TITLE_PX
    right = max(box.right for box in inside) + _GROUP_PAD_PX
    bottom = max(box.bottom for box in inside) + _GROUP_PAD_PX
    fill, stroke, ink = TONES[group.tone]
    canvas.rect(
        Box(left, top, right - left, bottom - top), fill, stroke, radius_px=12, width_px=1.5
    )
    canvas.text(left + _GROUP_PAD_PX, top + 21, group.text, 16, weight=700, colour=ink)


def _draw_block(canvas: Canvas, block: Block, place: Box) -> None:
    if block.kind == "node" or block.content:
        room = canvas.node(place, block.text, tone=block.tone)
        if block.content:
            block.content(canvas, room)
        return
    canvas.box(
        place,
        block.text,
        block.detail,
        tone=block.tone,
        dashed=block.dashed,
        radius_px=GRID_PX,
    )
