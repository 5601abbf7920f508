"""Right-angled arrows between boxes: the shortest way with few bends that crosses no box."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

from gpudeck.errors import InputError
from gpudeck.figures.geometry import Box, Point, stroke_box
from gpudeck.figures.lettering import LINE_HEIGHT, TEXT_MIN_PX, text_width_px
from gpudeck.figures.shapes import STROKE_PX, Canvas
from gpudeck.figures.style import MUTED

LEAD_PX = 16
CLEAR_PX = 7
NO_WAY = 1e5
_OUTWARD = {"left": (-1, 0), "right": (1, 0), "top": (0, -1), "bottom": (0, 1)}


@dataclass(frozen=True)
class Edge:
    """An arrow from one named box to another.

    `exit` and `enter` (left, right, top, bottom) fix the sides; otherwise the shortest way decides.
    A width other than the usual stands for bytes (see `bytes_width_px`).
    """

    source: str
    target: str
    text: str = ""
    width_px: float = STROKE_PX
    colour: str = MUTED
    dashed: bool = False
    exit: str = ""
    enter: str = ""


@dataclass(frozen=True)
class End:
    """A box that an arrow may touch; a pointed one (a diamond) only at its four corners."""

    box: Box
    pointed: bool = False

    def shares(self) -> tuple[float, ...]:
        """Return where along a side an arrow may touch, the best place first."""
        return (0.5,) if self.pointed else (0.5, 0.3, 0.7)


def _straight(source: End, target: End, exit_: str, enter: str) -> Iterator[tuple[Point, ...]]:
    """Yield straight ways between two sides that face each other."""
    horizontal = exit_ in ("left", "right")
    axis = 1 if horizontal else 0
    spans = []
    for end in (source, target):
        middle = end.box.centre[axis]
        length = end.box.height if horizontal else end.box.width
        reach = 0 if end.pointed else length / 2 - min(12, length / 4)
        spans.append((middle - reach, middle + reach))
    low, high = max(spans[0][0], spans[1][0]), min(spans[0][1], spans[1][1])
    if low > high:
        return
    start, stop = source.box.side(exit_), target.box.side(enter)
    wanted = (source.box.centre[axis], target.box.centre[axis], (low + high) / 2, low, high)
    for at in sorted({min(max(value, low), high) for value in wanted}):
        yield ((start[0], at), (stop[0], at)) if horizontal else ((at, start[1]), (at, stop[1]))


def _bent(start: Point, stop: Point, sides: tuple[str, str], lanes: Sequence[Point]) -> Iterator:
    """Yield ways with one or two bends from a point to another."""
    vertical_out, vertical_in = (side in ("top", "bottom") for side in sides)
    if vertical_out != vertical_in:
        corner = (start[0], stop[1]) if vertical_out else (stop[0], start[1])
        yield (start, corner, stop)
    elif vertical_out:
        for y in {(start[1] + stop[1]) / 2, *(lane[1] for lane in lanes)}:
            yield (start, (start[0], y), (stop[0], y), stop)
    else:
        for x in {(start[0] + stop[0]) / 2, *(lane[0] for lane in lanes)}:
            yield (start, (x, start[1]), (x, stop[1]), stop)


def _leaves(start: Point, after: Point, side: str) -> bool:
    """Tell whether a way runs outward from a side, far enough for an arrow head."""
    out = _OUTWARD[side]
    return (after[0] - start[0]) * out[0] + (after[1] - start[1]) * out[1] >= LEAD_PX


def _length(points: Sequence[Point]) -> float:
    """Return the length of a way, each bend counting as much as 60 px."""
    steps = sum(abs(b[0] - a[0]) + abs(b[1] - a[1]) for a, b in pairwise(points))
    return steps + 60.0 * (len(points) - 2)


def _conflicts(points: Sequence[Point], obstacles: Sequence[Box], used: Sequence[Box]) -> float:
    """Return the cost of what a way meets: boxes most, lines along it less, crossings least."""
    cost = 0.0
    for start, end in pairwise(points):
        area = stroke_box(start, end, STROKE_PX)
        near = area.grown(CLEAR_PX)
        cost += NO_WAY * sum(near.overlaps(box) for box in obstacles)
        for other in used:
            if near.overlaps(other):
                along = (area.width > area.height) == (other.width > other.height)
                cost += 400 + 4 * max(near.shared(other)) if along else 60
    return cost


def route(
    source: End,
    target: End,
    obstacles: Iterable[Box],
    used: Sequence[Box],
    *,
    bounds: Box,
    exit_: str = "",
    enter: str = "",
) -> list[Point]:
    """Return the points of the best way from one box to another, all turns being right angles.

    Parameters
    ----------
    source, target
        the boxes to join.
    obstacles
        other boxes, none of which the way may cross.
    used
        strokes already drawn, which the way avoids running along.
    bounds
        the canvas, which no way leaves.
    exit_, enter
        sides that the way has to leave from and to arrive at; empty for any.

    Raises
    ------
    InputError
        every way crosses a box.
    """
    blocked = list(obstacles)
    lanes = _lanes([*blocked, source.box, target.box])
    # The two ends are obstacles too, inside their edges: no way may pass through them.
    walls = [*blocked, source.box.grown(-CLEAR_PX - 2), target.box.grown(-CLEAR_PX - 2)]
    best, best_cost = None, NO_WAY
    for sides in product((exit_,) if exit_ else _OUTWARD, (enter,) if enter else _OUTWARD):
        ways = _ways(source, target, sides, lanes)
        for detour, points in ways:
            cost = detour + _length(points)
            if cost >= best_cost or not _sound(points, sides, bounds):
                continue
            cost += _conflicts(points, walls, used)
            if cost < best_cost:
                best, best_cost = points, cost
    if best is None:
        msg = f"no way from box {source.box} to {target.box} without crossing another: move one"
        raise InputError(msg)
    return list(best)


def _sound(points: Sequence[Point], sides: tuple[str, str], bounds: Box) -> bool:
    """Tell whether a way leaves and arrives outside its boxes and stays on the canvas."""
    return (
        _leaves(points[0], points[1], sides[0])
        and _leaves(points[-1], points[-2], sides[1])
        and all(bounds.x <= x <= bounds.right and bounds.y <= y <= bounds.bottom for x, y in points)
    )


def _ways(source: End, target: End, sides: tuple[str, str], lanes: Sequence[Point]) -> Iterator:
    """Yield all ways between two sides, with the cost of leaving the middle of a side."""
    out, back = _OUTWARD[sides[0]], _OUTWARD[sides[1]]
    if out[0] == -back[0] and out[1] == -back[1]:
        for points in _straight(source, target, *sides):
            axis = 1 if sides[0] in ("left", "right") else 0
            middle = (source.box.centre[axis], target.box.centre[axis])
            yield min(abs(points[0][axis] - at) for at in middle), points
    for share, other in product(source.shares(), target.shares()):
        start, stop = source.box.side(sides[0], share), target.box.side(sides[1], other)
        detour = 24 * ((share != 0.5) + (other != 0.5))
        for points in _bent(start, stop, sides, lanes):
            yield detour, points


def _lanes(boxes: Sequence[Box]) -> list[Point]:
    """Return lines to travel on: beside every box, and between neighbours."""
    margin = LEAD_PX + CLEAR_PX
    lanes = [(box.x - margin, box.y - margin) for box in boxes]
    lanes += [(box.right + margin, box.bottom + margin) for box in boxes]
    return sorted(set(lanes))


def draw_edges(canvas: Canvas, edges: Iterable[Edge], ends: dict[str, End]) -> None:
    """Draw the arrows, then write each one's text beside it where nothing crosses it.

    Raises
    ------
    InputError
        an edge names an unknown box, finds no way, or finds no place for its text.
    """
    used: list[Box] = []
    ways: list[tuple[Edge, list[Point]]] = []
    bounds = Box(0, 0, canvas.width_px, canvas.height_px).grown(-1)
    solid = [end.box for end in ends.values()]
    titles = [area for area in canvas.texts() if not any(area.overlaps(box) for box in solid)]
    for edge in edges:
        for name in (edge.source, edge.target):
            if name not in ends:
                msg = f"edge {edge.source!r} to {edge.target!r}: no box {name!r}; have {list(ends)}"
                raise InputError(msg)
        others = [end.box for name, end in ends.items() if name not in (edge.source, edge.target)]
        points = route(
            ends[edge.source],
            ends[edge.target],
            others + titles,
            used,
            bounds=bounds,
            exit_=edge.exit,
            enter=edge.enter,
        )
        used += [stroke_box(start, end, edge.width_px) for start, end in pairwise(points)]
        ways.append((edge, points))
    for edge, points in ways:
        canvas.arrow(points, width_px=edge.width_px, colour=edge.colour, dashed=edge.dashed)
    for edge, points in ways:
        if edge.text:
            _label(canvas, edge, points, solid)


def _label(canvas: Canvas, edge: Edge, points: Sequence[Point], solid: Sequence[Box]) -> None:
    """Write an edge's text beside its longest free stretch."""
    lines = edge.text.split("\n")
    width = max(text_width_px(line, TEXT_MIN_PX) for line in lines)
    height = TEXT_MIN_PX * (1 + LINE_HEIGHT * (len(lines) - 1))
    for area in _places(points, width, height, edge.width_px / 2):
        wide = area.grown(3)
        if canvas.free(wide) and not any(wide.overlaps(box) for box in solid):
            for index, line in enumerate(lines):
                y = area.y + TEXT_MIN_PX * (0.5 + LINE_HEIGHT * index)
                canvas.label(area.centre[0], y, line, colour=edge.colour)
            return
    msg = f"no room for {edge.text!r} beside its arrow: leave wider gutters or shorten it"
    raise InputError(msg)


def _places(points: Sequence[Point], width: float, height: float, half_px: float) -> Iterator[Box]:
    """Yield places for a label: along the longest stretch first, from its middle outward."""
    stretches = sorted(
        pairwise(points), key=lambda s: -abs(s[1][0] - s[0][0]) - abs(s[1][1] - s[0][1])
    )
    for (start, end), share in product(stretches, (0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.1, 0.9)):
        x = start[0] + share * (end[0] - start[0])
        y = start[1] + share * (end[1] - start[1])
        if start[1] == end[1]:
            yield Box(x - width / 2, y - half_px - 6 - height, width, height)
            yield Box(x - width / 2, y + half_px + 6, width, height)
        else:
            yield Box(x + half_px + 8, y - height / 2, width, height)
            yield Box(x - half_px - 8 - width, y - height / 2, width, height)
