"""The diagram grammar: GPU a square, node a rounded box, job a bar, bytes an arrow's width.

A `Canvas` collects shapes in pixels, y down, and refuses to become a picture while a line crosses
a text, two texts touch, or something stands outside.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal
from xml.sax.saxutils import escape

from gpudeck.errors import InputError
from gpudeck.figures.geometry import Box, Point, polyline, rounded, stroke_box
from gpudeck.figures.lettering import (
    FAMILY,
    LINE_HEIGHT,
    MIDDLE_EM,
    TEXT_MIN_PX,
    fit,
    text_width_px,
)
from gpudeck.figures.style import (
    INK,
    MUTED,
    PANEL,
    PAPER,
    RULE,
    USEFUL,
    WAITING,
    WASTE,
    text_colour,
    text_on,
    tint,
)
from gpudeck.figures.svg import frame, number

__all__ = ["TONES", "Anchor", "Box", "Canvas", "Point", "Share", "Tone", "bytes_width_px"]

STROKE_PX = 1.75
GRID_PX = 8
CORNER_PX = 8

Tone = Literal["plain", "quiet", "useful", "waste", "waiting", "dark"]
Anchor = Literal["start", "middle", "end"]

# fill, stroke, text
TONES: dict[str, tuple[str, str, str]] = {
    "plain": (PAPER, "#6E7781", INK),
    "quiet": (PANEL, RULE, INK),
    "useful": (tint(USEFUL, 0.10), USEFUL, INK),
    "waste": (tint(WASTE, 0.12), WASTE, INK),
    "waiting": (tint(WAITING, 0.22), WAITING, INK),
    "dark": ("#2D3640", "#2D3640", PAPER),
}


@dataclass(frozen=True)
class Share:
    """A part of a GPU that one tenant or purpose holds."""

    fraction: float
    colour: str = USEFUL
    text: str = ""


def bytes_width_px(bytes_: float, bytes_at_widest: float, widest_px: float = 24) -> float:
    """Return the width of an arrow for a number of bytes: in proportion, at least 1.5 px.

    >>> bytes_width_px(50, 100)
    12.0
    """
    return max(1.5, widest_px * bytes_ / bytes_at_widest)


@dataclass
class Canvas:
    """A drawing surface in pixels, y down; shapes are drawn in the order of the calls."""

    width_px: float
    height_px: float
    _body: list[str] = field(default_factory=list)
    _hatches: set[str] = field(default_factory=set)
    _texts: list[tuple[Box, str]] = field(default_factory=list)
    _strokes: list[Box] = field(default_factory=list)

    def rect(
        self,
        box: Box,
        fill: str = "none",
        stroke: str = "none",
        *,
        radius_px: float = 0,
        width_px: float = STROKE_PX,
        dashed: bool = False,
    ) -> Box:
        """Draw a rectangle; a dashed stroke marks what is planned, absent or only logical."""
        look = f' stroke="{stroke}" stroke-width="{number(width_px)}"' if stroke != "none" else ""
        look += ' stroke-dasharray="6 4"' if dashed else ""
        radius = f' rx="{number(radius_px)}"' if radius_px else ""
        self._body.append(
            f'<rect x="{number(box.x)}" y="{number(box.y)}" width="{number(box.width)}" '
            f'height="{number(box.height)}"{radius} fill="{fill}"{look}/>'
        )
        if stroke != "none":
            self._block_edges(box, width_px)
        return box

    def path(self, data: str, fill: str = "none", stroke: str = "none", extra: str = "") -> None:
        """Draw any other shape, by SVG path data."""
        look = f' stroke="{stroke}" stroke-width="{STROKE_PX}"' if stroke != "none" else ""
        self._body.append(f'<path d="{data}" fill="{fill}"{look}{extra}/>')

    def line(
        self,
        start: Point,
        end: Point,
        colour: str = MUTED,
        width_px: float = STROKE_PX,
        *,
        dashed: bool = False,
    ) -> None:
        """Draw a straight line."""
        dashes = ' stroke-dasharray="6 4"' if dashed else ""
        self._body.append(
            f'<path d="{polyline(start, end)}" fill="none" stroke="{colour}" '
            f'stroke-width="{number(width_px)}"{dashes}/>'
        )
        self._strokes.append(stroke_box(start, end, width_px))

    def text(
        self,
        x: float,
        y: float,
        text: str,
        size_px: float = TEXT_MIN_PX,
        *,
        weight: int = 400,
        colour: str = INK,
        anchor: Anchor = "start",
    ) -> Box:
        """Write one line of text, y being the middle of its letters; return the area it covers.

        Raises
        ------
        InputError
            the text is smaller than 16 px.
        """
        if size_px < TEXT_MIN_PX:
            msg = f"text {text!r} at {size_px:g} px: figure text is at least {TEXT_MIN_PX} px"
            raise InputError(msg)
        width = text_width_px(text, size_px, weight)
        left = x - width * {"start": 0, "middle": 0.5, "end": 1}[anchor]
        area = Box(left, y - size_px * 0.5, width, size_px)
        bold = f' font-weight="{weight}"' if weight != 400 else ""
        place = f' text-anchor="{anchor}"' if anchor != "start" else ""
        self._body.append(
            f'<text x="{number(x)}" y="{number(y + MIDDLE_EM * size_px)}"{place}{bold} '
            f'font-size="{number(size_px)}" fill="{colour}">{escape(text)}</text>'
        )
        self._texts.append((area, text))
        return area

    def paragraph(
        self,
        box: Box,
        text: str,
        size_px: float = TEXT_MIN_PX,
        *,
        weight: int = 400,
        colour: str = INK,
        anchor: Anchor = "middle",
    ) -> None:
        """Write text wrapped into a box, set smaller where it must be; centred from top to bottom.

        Raises
        ------
        InputError
            it does not fit at 16 px.
        """
        fitted = fit(text, box.width, box.height, size_px, weight)
        x = {"start": box.x, "middle": box.centre[0], "end": box.right}[anchor]
        pitch = fitted.size_px * LINE_HEIGHT
        first = box.centre[1] - pitch * (len(fitted.lines) - 1) / 2
        for index, line in enumerate(fitted.lines):
            self.text(
                x,
                first + index * pitch,
                line,
                fitted.size_px,
                weight=weight,
                colour=colour,
                anchor=anchor,
            )

    def box(
        self,
        box: Box,
        text: str,
        detail: str = "",
        *,
        tone: Tone = "plain",
        size_px: float = 18,
        radius_px: float = CORNER_PX,
        dashed: bool = False,
    ) -> Box:
        """Draw a box with its name in bold and, below, what it does, both measured to fit.

        Raises
        ------
        InputError
            the text does not fit at 16 px.
        """
        fill, stroke, ink = TONES[tone]
        self.rect(box, fill, stroke, radius_px=radius_px, dashed=dashed)
        inner = box.grown(-GRID_PX)
        if not detail:
            self.paragraph(inner, text, size_px, weight=700, colour=ink)
            return box
        name = fit(text, inner.width, inner.height, size_px, 700)
        rest = fit(detail, inner.width, inner.height - name.height_px, TEXT_MIN_PX)
        top = inner.centre[1] - (name.height_px + rest.height_px) / 2
        upper = Box(inner.x, top, inner.width, name.height_px)
        lower = Box(inner.x, upper.bottom, inner.width, rest.height_px)
        self.paragraph(upper, text, name.size_px, weight=700, colour=ink)
        quiet = ink if tone == "dark" else MUTED
        self.paragraph(lower, detail, rest.size_px, colour=quiet)
        return box

    def node(self, box: Box, text: str = "", *, tone: Tone = "quiet") -> Box:
        """Draw a server, a rounded box named at the top left; return the room left inside."""
        fill, stroke, ink = TONES[tone]
        self.rect(box, fill, stroke, radius_px=1.5 * CORNER_PX)
        inner = box.grown(-1.5 * GRID_PX)
        if not text:
            return inner
        self.text(inner.x, inner.y + 10, text, TEXT_MIN_PX, weight=700, colour=ink)
        return Box(inner.x, inner.y + 28, inner.width, inner.height - 28)

    def gpu(
        self,
        x: float,
        y: float,
        size_px: float,
        shares: Sequence[Share] = (),
        *,
        slices: int = 0,
        upright: bool = True,
        stroke: str = INK,
    ) -> Box:
        """Draw a GPU: a square, filled from below or from the left by what its tenants hold.

        Parameters
        ----------
        x, y
            its left upper corner, px.
        size_px
            its edge, px.
        shares
            fractions of the whole, at most 1 together; waste is hatched.
        slices
            hardware partitions to mark with thin lines (7 for MIG); none if 0.
        upright
            fill from below; otherwise from the left, in columns.
        stroke
            colour of its edge.

        Raises
        ------
        InputError
            the shares exceed the whole, or a share's text does not fit into it.
        """
        total = sum(share.fraction for share in shares)
        if total > 1 + 1e-9 or any(share.fraction < 0 for share in shares):
            msg = f"shares of a GPU = {[s.fraction for s in shares]}: from 0 to 1 together"
            raise InputError(msg)
        square = Box(x, y, size_px, size_px)
        self.rect(square, PAPER)
        named, taken = [], 0.0
        for share in shares:
            length = share.fraction * size_px
            part = (
                Box(x, y + size_px - taken - length, size_px, length)
                if upright
                else Box(x + taken, y, length, size_px)
            )
            self.rect(part, self._fill(share.colour))
            if share.text:
                self._name_part(part, share.text, share.colour)
                named.append((taken, taken + length))
            taken += length
        for index in range(1, slices):
            at = index * size_px / slices
            # Inside a named part a slice is marked at the edges only: no line crosses letters.
            inside = any(low < at < high for low, high in named)
            reach = size_px / 12 if inside else size_px / 2
            colour = PAPER if at < taken else RULE
            for start, end in ((0.0, reach), (size_px - reach, size_px)):
                ends = ((x + start, y + size_px - at), (x + end, y + size_px - at))
                if not upright:
                    ends = ((x + at, y + start), (x + at, y + end))
                self.path(polyline(*ends), stroke=colour)
        self.rect(square, stroke=stroke, radius_px=2)
        return square

    def job(self, box: Box, text: str = "", colour: str = USEFUL, *, hollow: bool = False) -> Box:
        """Draw a job, a bar named where the name fits; hollow is work lost or not begun."""
        fill = tint(colour, 0.12) if hollow else self._fill(colour)
        self.rect(
            box,
            fill,
            colour if hollow else PAPER,
            radius_px=3,
            width_px=1.5 if hollow else 1,
            dashed=hollow,
        )
        if text and text_width_px(text, TEXT_MIN_PX) + 8 <= box.width and box.height >= 20:
            self._name_part(box, text, tint(colour, 0.12) if hollow else colour)
        return box

    def arrow(
        self,
        points: Sequence[Point],
        *,
        width_px: float = STROKE_PX,
        colour: str = MUTED,
        dashed: bool = False,
    ) -> None:
        """Draw an arrow along the points, corners rounded; its width may stand for bytes."""
        head = max(10.0, 1.6 * width_px)
        *before, last = points
        tail = before[-1]
        length = max(abs(last[0] - tail[0]) + abs(last[1] - tail[1]), 1e-9)
        along = ((last[0] - tail[0]) / length, (last[1] - tail[1]) / length)
        neck = (last[0] - along[0] * head, last[1] - along[1] * head)
        dashes = ' stroke-dasharray="6 4"' if dashed else ""
        self._body.append(
            f'<path d="{rounded([*before, neck], CORNER_PX)}" fill="none" stroke="{colour}" '
            f'stroke-width="{number(width_px)}"{dashes}/>'
        )
        half = max(5.0, width_px * 0.9)
        across = (-along[1] * half, along[0] * half)
        left = (neck[0] + across[0], neck[1] + across[1])
        right = (neck[0] - across[0], neck[1] - across[1])
        self.path(f"{polyline(left, last, right)}Z", fill=colour)
        for start, end in pairwise(points):
            self._strokes.append(stroke_box(start, end, width_px))

    def label(
        self, x: float, y: float, text: str, *, anchor: Anchor = "middle", colour: str = MUTED
    ) -> Box:
        """Write a note beside an arrow or a mark, in a shade that reads on white."""
        return self.text(x, y, text, TEXT_MIN_PX, colour=text_colour(colour), anchor=anchor)

    def texts(self) -> list[Box]:
        """Return the areas that text covers so far."""
        return [area for area, _ in self._texts]

    def free(self, area: Box) -> bool:
        """Tell whether an area is inside the canvas and crosses no text, border or arrow so far."""
        canvas = Box(0, 0, self.width_px, self.height_px)
        inside = (
            area.x >= 0
            and area.y >= 0
            and area.right <= canvas.right
            and area.bottom <= canvas.bottom
        )
        return inside and not any(area.overlaps(other) for other in [*self._strokes, *self.texts()])

    def svg(self, key: str, title: str, description: str) -> str:
        """Return the finished picture as one line of SVG.

        Raises
        ------
        InputError
            a text is outside, meets another, or is crossed by a line.
        """
        self._check()
        defs = "".join(_hatch(colour) for colour in sorted(self._hatches))
        body = (f"<defs>{defs}</defs>" if defs else "") + "".join(self._body)
        group = f'<g font-family="{FAMILY}">{body}</g>'
        return frame(group, key, title, description, self.width_px, self.height_px)

    def _fill(self, colour: str) -> str:
        if colour != WASTE:
            return colour
        self._hatches.add(colour)
        return f"url(#hatch-{colour[1:]})"

    def _name_part(self, part: Box, text: str, fill: str) -> None:
        """Write a name on a fill; stripes get a plate, for nothing may cross letters."""
        if fill == WASTE:
            width = min(text_width_px(text, TEXT_MIN_PX) + 12, part.width)
            x, y = part.centre
            self.rect(Box(x - width / 2, y - 12, width, 24), PAPER, radius_px=3)
        ink = text_colour(WASTE) if fill == WASTE else text_on(fill)
        self.paragraph(part.grown(-2), text, TEXT_MIN_PX, colour=ink)

    def _block_edges(self, box: Box, width_px: float) -> None:
        corners = [(box.x, box.y), (box.right, box.y), (box.right, box.bottom), (box.x, box.bottom)]
        for start, end in zip(corners, [*corners[1:], corners[0]], strict=True):
            self._strokes.append(stroke_box(start, end, width_px))

    def _check(self) -> None:
        for index, (area, text) in enumerate(self._texts):
            if (
                area.x < -0.5
                or area.y < -0.5
                or area.right > self.width_px + 0.5
                or area.bottom > self.height_px + 0.5
            ):
                msg = (
                    f"text {text!r} leaves the canvas of {self.width_px:g} by {self.height_px:g} px"
                )
                raise InputError(msg)
            tight = area.grown(-0.5)
            if any(tight.overlaps(stroke) for stroke in self._strokes):
                msg = f"a line crosses the text {text!r}: move one of them or leave more room"
                raise InputError(msg)
            for other, words in self._texts[:index]:
                if tight.overlaps(other):
                    msg = f"the texts {words!r} and {text!r} overlap: leave more room between them"
                    raise InputError(msg)


def _hatch(colour: str) -> str:
    """Return a pattern of stripes, so that waste is told without its hue."""
    return (
        f'<pattern id="hatch-{colour[1:]}" width="8" height="8" patternUnits="userSpaceOnUse" '
        f'patternTransform="rotate(45)"><rect width="8" height="8" fill="{colour}"/>'
        '<path d="M0 0V8" stroke="#FFFFFF" stroke-opacity="0.55" stroke-width="3"/></pattern>'
    )
