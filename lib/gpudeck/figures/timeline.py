"""The template of every timeline: lanes, jobs as bars on them, and moments that matter."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

from gpudeck.errors import InputError
from gpudeck.figures.geometry import Box
from gpudeck.figures.lettering import TEXT_MIN_PX, text_width_px
from gpudeck.figures.shapes import Canvas
from gpudeck.figures.style import INK, MUTED, PANEL, RULE, USEFUL, spread, text_colour

_AXIS_PX = 40
_MARKERS_PX = 32
_LANE_GAP_PX = 6


@dataclass(frozen=True)
class Bar:
    """A job on a lane from start to end; a gang's bar spans several neighbouring lanes.

    A hollow bar is work that is lost, waiting, or not yet begun.
    """

    lane: str
    start: float
    end: float
    text: str = ""
    colour: str = USEFUL
    span: int = 1
    hollow: bool = False


@dataclass(frozen=True)
class Marker:
    """A moment to point out, by a dashed line through all lanes."""

    time: float
    text: str
    colour: str = INK


def tick_step(length: float, ticks_at_most: int = 10) -> float:
    """Return a round distance of ticks (1, 2 or 5 times a power of ten).

    >>> tick_step(60), tick_step(0.7)
    (10.0, 0.1)
    """
    raw = length / ticks_at_most
    power = 10.0 ** floor(log10(raw))
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= raw * (1 - 1e-9))


def timeline(
    lanes: Sequence[str],
    bars: Sequence[Bar],
    markers: Sequence[Marker] = (),
    *,
    key: str,
    title: str,
    description: str,
    unit: str,
    width_px: float = 1168,
    height_px: float = 480,
    end: float | None = None,
    tick: float | None = None,
) -> str:
    """Return a timeline as SVG, beginning at 0.

    Parameters
    ----------
    lanes
        names of the lanes, from the top: GPUs, nodes, tenants.
    bars
        jobs; a bar's name is left out where the bar is too short to hold it.
    markers
        moments; their texts stand above the lanes and make room for each other.
    key, title, description
        prefix of ids, alternative text, and the longer description for a screen reader.
    unit
        what the axis counts, written at its right end, such as "时间（s）".
    width_px, height_px
        size of the slot.
    end, tick
        last moment shown and distance of ticks, in the axis's unit; from the bars if not given.

    Raises
    ------
    InputError
        a bar names an unknown lane, spans beyond the last, or does not end after it starts.
    """
    _check(lanes, bars)
    last = end or max(bar.end for bar in bars)
    canvas = Canvas(width_px, height_px)
    left = max(text_width_px(lane, TEXT_MIN_PX) for lane in lanes) + 16
    top = _MARKERS_PX if markers else 4
    plot = Box(left, top, width_px - left - 16, height_px - top - _AXIS_PX)
    pitch = plot.height / len(lanes)

    def x_of(time: float) -> float:
        return plot.x + plot.width * time / last

    for index, lane in enumerate(lanes):
        y = plot.y + index * pitch + _LANE_GAP_PX / 2
        strip = Box(plot.x, y, plot.width, pitch - _LANE_GAP_PX)
        canvas.rect(strip, PANEL, radius_px=3)
        canvas.text(plot.x - 12, strip.centre[1], lane, colour=INK, anchor="end")
    _draw_axis(canvas, plot, last, tick or tick_step(last), unit)
    _draw_markers(canvas, plot, markers, last)
    for bar in bars:
        row = lanes.index(bar.lane)
        x = x_of(bar.start)
        box = Box(
            x,
            plot.y + row * pitch + _LANE_GAP_PX / 2,
            x_of(min(bar.end, last)) - x,
            bar.span * pitch - _LANE_GAP_PX,
        )
        canvas.job(box, bar.text, bar.colour, hollow=bar.hollow)
    return canvas.svg(key, title, description)


def _check(lanes: Sequence[str], bars: Sequence[Bar]) -> None:
    for bar in bars:
        if bar.lane not in lanes or lanes.index(bar.lane) + bar.span > len(lanes):
            place = f"lane {bar.lane!r}, spanning {bar.span}"
            msg = f"bar {bar.text!r} on {place}: the lanes are {list(lanes)}"
            raise InputError(msg)
        if bar.end <= bar.start:
            msg = f"bar {bar.text!r} runs from {bar.start} to {bar.end}: it has to end later"
            raise InputError(msg)


def _draw_axis(canvas: Canvas, plot: Box, last: float, step: float, unit: str) -> None:
    """Draw ticks and their numbers; the unit takes the place of numbers at the right end."""
    y = plot.bottom + 20
    named = canvas.text(canvas.width_px - 2, y, unit, colour=MUTED, anchor="end")
    for index in range(floor(last / step + 1e-9) + 1):
        x = plot.x + plot.width * index * step / last
        canvas.path(f"M{x:.2f} {plot.y:.2f}V{plot.bottom + 4:.2f}", stroke=RULE)
        text = f"{index * step:g}"
        if x + text_width_px(text, TEXT_MIN_PX) / 2 + 8 < named.x:
            canvas.text(x, y, text, colour=MUTED, anchor="middle")


def _draw_markers(canvas: Canvas, plot: Box, markers: Sequence[Marker], last: float) -> None:
    """Draw the moments below the bars, so that a line never crosses a bar's name."""
    wanted = [plot.x + plot.width * marker.time / last for marker in markers]
    widths = [text_width_px(marker.text, TEXT_MIN_PX) + 16 for marker in markers]
    placed = spread(wanted, widths, 0, canvas.width_px)
    for marker, x, text_x in zip(markers, wanted, placed, strict=True):
        canvas.path(
            f"M{x:.2f} {plot.y - 8:.2f}V{plot.bottom:.2f}",
            stroke=marker.colour,
            extra=' stroke-dasharray="5 4"',
        )
        ink = text_colour(marker.colour)
        canvas.text(text_x, plot.y - 19, marker.text, weight=700, colour=ink, anchor="middle")
