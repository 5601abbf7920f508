"""Rectangles and paths in pixels, y down: what shapes are placed and arrows are routed by."""

from collections.abc import Sequence
from dataclasses import dataclass

from gpudeck.figures.svg import number

Point = tuple[float, float]


@dataclass(frozen=True)
class Box:
    """A rectangle on the canvas: left, top, width and height in pixels."""

    x: float
    y: float
    width: float
    height: float

    @property
    def right(self) -> float:
        """The x of its right edge."""
        return self.x + self.width

    @property
    def bottom(self) -> float:
        """The y of its lower edge."""
        return self.y + self.height

    @property
    def centre(self) -> Point:
        """Its middle."""
        return (self.x + self.width / 2, self.y + self.height / 2)

    def grown(self, margin_px: float) -> "Box":
        """Return the rectangle with a margin around it (or, if negative, inside it)."""
        double = 2 * margin_px
        return Box(
            self.x - margin_px, self.y - margin_px, self.width + double, self.height + double
        )

    def overlaps(self, other: "Box") -> bool:
        """Tell whether the two have an area in common."""
        return (
            self.x < other.right
            and other.x < self.right
            and self.y < other.bottom
            and other.y < self.bottom
        )

    def shared(self, other: "Box") -> tuple[float, float]:
        """Return the width and the height that two overlapping rectangles have in common."""
        return (
            min(self.right, other.right) - max(self.x, other.x),
            min(self.bottom, other.bottom) - max(self.y, other.y),
        )

    def side(self, name: str, share: float = 0.5) -> Point:
        """Return a point of an edge: left, right, top or bottom, at a share of its length."""
        if name in ("left", "right"):
            return (self.x if name == "left" else self.right, self.y + share * self.height)
        return (self.x + share * self.width, self.y if name == "top" else self.bottom)


def stroke_box(start: Point, end: Point, width_px: float) -> Box:
    """Return the area that a stroke covers, or its bounding box when slanted."""
    left, right = sorted((start[0], end[0]))
    top, bottom = sorted((start[1], end[1]))
    return Box(left, top, right - left, bottom - top).grown(width_px / 2)


def polyline(*points: Point) -> str:
    """Return SVG path data through the points.

    >>> polyline((0, 0), (8, 2.5))
    'M0 0L8 2.5'
    """
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def rounded(points: Sequence[Point], radius_px: float) -> str:
    """Return path data through the points, its corners rounded.

    >>> rounded([(0, 0), (20, 0), (20, 20)], 8)
    'M0 0L12 0Q20 0 20 8L20 20'
    """
    data = polyline(points[0])
    for before, corner, after in zip(points, points[1:], points[2:], strict=False):
        start, stop = (_toward(corner, other, radius_px) for other in (before, after))
        curve = " ".join(number(value) for value in (*corner, *stop))
        data += f"L{number(start[0])} {number(start[1])}Q{curve}"
    return data + "L" + " ".join(number(value) for value in points[-1])


def _toward(start: Point, end: Point, length_px: float) -> Point:
    """Return the point a length from the start toward the end, at most half the way."""
    whole = max(abs(end[0] - start[0]) + abs(end[1] - start[1]), 1e-9)
    share = min(length_px / whole, 0.5)
    return (start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share)
