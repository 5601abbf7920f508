"""The charts of page 15: transports, messages, congestion, collectives and oversubscription."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter
from numpy.typing import NDArray

from gpudeck.fact import Fact
from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import (
    INK,
    MEASURED,
    MUTED,
    SERIES,
    USEFUL,
    WASTE,
    LineEnd,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
)
from gpudeck.interval import interval_of
from gpudeck.models.fabric.loss import LossStudy
from gpudeck.models.fabric.study import (
    CurveRange,
    MessageStudy,
    NodeStudy,
    RatioStudy,
    ScaleStudy,
    TransportStudy,
)
from gpudeck.units import format_quantity

# colour, dash of a line, hatch of a bar
TRANSPORT_STYLE = {
    "tcp": (WASTE, (0, (8, 3)), "//"),
    "rocev2": (SERIES[0].colour, (0, (2, 1)), ".."),
    "infiniband": (USEFUL, "-", ""),
}
_NODE_STYLE = {
    "A100-80G-SXM": ("A100", SERIES[0].colour, "--"),
    "H100-SXM": ("H100, H200", USEFUL, "-"),
    "B200": ("B200", SERIES[5].colour, (0, (3, 2))),
}
_MEASURED_BYTES = 2.0**29
LEAST = 1e-6
_MEASURED_CLUSTER = (32, 2.0**33)  # GPUs, bytes
_BYTE_STEPS = ((1, "B"), (2**10, "KiB"), (2**20, "MiB"), (2**30, "GiB"))


def write_bytes(size: float) -> str:
    """Write a power of two of bytes.

    >>> write_bytes(2**16), write_bytes(512)
    ('64 KiB', '512 B')
    """
    step, unit = next((s, u) for s, u in reversed(_BYTE_STEPS) if size >= s)
    return f"{size / step:g} {unit}"


def draw_transports(study: TransportStudy, page: Captioned) -> str:
    """Draw one sync of the job on each transport, and the time by size of the buffer."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    left, right = figure.subplots(1, 2, width_ratios=(5, 6))
    most = max(time.high for time in study.sync_s.values())
    for row, (name, time) in enumerate(study.sync_s.items()):
        colour, _, hatch = TRANSPORT_STYLE[name]
        left.barh(row, time.value, 0.5, color=colour, hatch=hatch)
        left.plot([time.low, time.high], [row, row], color=INK, linewidth=3)
        words = f"{page.label(name)}  {format_quantity(time.value, 's', page.lang)}"
        left.text(
            0, row - 0.4, words, va="center", fontsize=20, fontweight=700, color=text_colour(colour)
        )
    left.set(ylim=(2.5, -0.7), xlim=(-0.04 * most, 1.05 * most or 1.0), yticks=[])
    left.grid(visible=False, axis="y")
    left.grid(visible=True, axis="x")
    name_axes(left, page.label("seconds"), page.label("sync"))
    ends = _draw_ranges(right, study.size_bytes, study.curve_s, page, 1e3)
    _byte_axis(right, study.size_bytes)
    _decade_axis(right)
    size = study.job.gradient_bytes
    right.axvline(size, color=MUTED, linewidth=1.5, linestyle=":")
    right.annotate(
        page.label("job"),
        (size, 0.02),
        (-8, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color=MUTED,
    )
    name_axes(right, page.label("size"), page.label("milliseconds"))
    label_line_ends(right, ends, size_px=18)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_messages(study: MessageStudy, page: Captioned) -> str:
    """Draw the time of a message, and the share of the port that it attains, by size."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1))
    _draw_ranges(left, study.size_bytes, study.time_us, page, 1.0)
    first = study.size_bytes[0]
    for name, place in (("tcp", (6, 8)), ("rocev2", (6, 8)), ("infiniband", (6, -24))):
        start = float(study.time_us[name].value[0])
        words = f"{page.label(name)} {format_quantity(start, 'us', page.lang)}"
        left.annotate(
            words,
            (first, start),
            place,
            textcoords="offset points",
            color=text_colour(TRANSPORT_STYLE[name][0]),
            fontsize=18,
            fontweight=700,
        )
    _byte_axis(left, study.size_bytes)
    _decade_axis(left)
    left.set_ylim(0.25, None)
    name_axes(left, page.label("size"), page.label("time"))
    ends = _draw_ranges(right, study.size_bytes, study.share_pct, page, 1.0)
    _byte_axis(right, study.size_bytes)
    right.set(ylim=(0, 100), yticks=(0, 25, 50, 75, 100))
    right.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    name_axes(right, page.label("size"), page.label("share"))
    label_line_ends(right, ends, size_px=18)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_loss(study: LossStudy, page: Captioned) -> str:
    """Draw the goodput by loss for both ways to send again, and by connections of a flow."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1))
    for name, share, colour, line in (
        ("selective", study.selective, USEFUL, "-"),
        ("back", study.go_back_n, WASTE, (0, (8, 3))),
    ):
        left.plot(100 * study.loss, 100 * share, color=colour, linestyle=line, linewidth=3)
        at = 38 if name == "back" else 30
        left.annotate(
            page.label(name),
            (100 * study.loss[at], 100 * share[at]),
            (-10, -14) if name == "back" else (-4, 10),
            textcoords="offset points",
            ha="right" if name == "back" else "center",
            va="top" if name == "back" else "bottom",
            color=text_colour(colour),
            fontsize=18,
            fontweight=700,
        )
    left.set_xscale("log")
    left.xaxis.set_minor_locator(NullLocator())
    left.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}%"))
    _percent(left, 112)
    name_axes(left, page.label("loss"), page.label("goodput"))
    counts = list(study.equal.share)
    places = np.arange(len(counts))
    for load, colour, line, name in (
        (study.under, USEFUL, "-", "under"),
        (study.equal, WASTE, (0, (8, 3)), "equal"),
    ):
        bands = [interval_of(100 * load.share[count]) for count in counts]
        mean = np.array([band.mean for band in bands])
        right.fill_between(
            places,
            [band.low for band in bands],
            [band.high for band in bands],
            color=colour,
            alpha=0.25,
            lw=0,
        )
        right.plot(places, mean, color=colour, linestyle=line, marker="o", linewidth=3)
        right.annotate(
            page.label(name),
            (places[2], mean[2]),
            (-12, 8) if name == "under" else (12, -10),
            textcoords="offset points",
            ha="right" if name == "under" else "left",
            va="bottom" if name == "under" else "top",
            color=text_colour(colour),
            fontsize=18,
            fontweight=700,
        )
    right.set_xticks(places, [str(count) for count in counts])
    _percent(right, 112)
    name_axes(right, page.label("connections"), page.label("slowest"))
    return svg_text(figure, page.key, page.title, page.alt)


def draw_collectives(
    nodes: NodeStudy, scale: ScaleStudy, facts: Mapping[str, Fact], page: Captioned
) -> str:
    """Draw bus bandwidth in a node by size with measured points, and time by GPUs."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    left, right = figure.subplots(1, 2, width_ratios=(1, 1))
    top = max(float(nodes.bus_gb_s[gpu].max()) for gpu in _NODE_STYLE)
    for gpu, (name, colour, line) in _NODE_STYLE.items():
        bus = nodes.bus_gb_s[gpu]
        left.plot(nodes.size_bytes, bus, color=colour, linestyle=line, linewidth=3)
        left.annotate(
            name,
            (nodes.size_bytes[-1], bus[-1]),
            (0, 8),
            textcoords="offset points",
            ha="right",
            color=text_colour(colour),
            fontsize=18,
            fontweight=700,
        )
    measured = [float(facts[f"published_{n}"].value) for n in ("a100", "h100", "h200", "b200")]
    left.plot([_MEASURED_BYTES] * len(measured), measured, "o", color=MEASURED, markersize=8)
    left.text(0.02, 0.93, page.label("measured"), transform=left.transAxes, color=MEASURED)
    _byte_axis(left, nodes.size_bytes)
    left.set_ylim(0, 1.12 * top)
    name_axes(left, page.label("size"), page.label("bus"))
    ends = []
    styles = [USEFUL, *(style.colour for style in SERIES)]
    for (size, time), colour in zip(scale.time_s.items(), styles, strict=False):
        right.plot(scale.gpus, 1e3 * time, color=colour, marker="o", linewidth=2.5)
        ends.append(LineEnd(scale.gpus[-1], 1e3 * float(time[-1]), write_bytes(size), colour, 700))
    ranks, size = _MEASURED_CLUSTER
    measured_gb_s = float(facts["measured"].value)
    time_ms = size * 2 * (ranks - 1) / ranks / measured_gb_s * 1e-6
    right.plot([ranks], [time_ms], "o", color=MEASURED, markersize=9, zorder=5)
    right.set(xscale="log", yscale="log")
    _count_axis(right, scale.gpus)
    _decade_axis(right)
    name_axes(right, page.label("gpus"), page.label("milliseconds"))
    label_line_ends(right, ends, size_px=18)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_ratios(study: RatioStudy, facts: Mapping[str, Fact], page: Captioned) -> str:
    """Draw a sync by oversubscription, flat and in pods, with Llama 3's ratio marked."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    ends = []
    for name, times, colour, line in (
        ("flat", study.flat_s, WASTE, (0, (8, 3))),
        ("split", study.pods_s, USEFUL, "-"),
    ):
        axes.plot(study.ratio, times, color=colour, linestyle=line, marker="o", linewidth=3)
        ends.append(
            LineEnd(float(study.ratio[-1]), float(times[-1]), page.label(name), colour, 700)
        )
    ratio = float(facts["ratio"].value)
    for name, times, place in (
        ("flat_x", study.flat_s, (-14, 16)),
        ("split_x", study.pods_s, (-14, 16)),
    ):
        at = int(abs(study.ratio - ratio).argmin())
        axes.annotate(
            format_quantity(float(facts[name].value), "x", page.lang),
            (ratio, float(times[at])),
            place,
            textcoords="offset points",
            fontsize=20,
            fontweight=700,
            ha="right",
            va="center",
        )
    axes.axvline(ratio, color=MEASURED, linewidth=1.5, linestyle=":")
    axes.annotate(
        page.label("llama"),
        (ratio, 1),
        (-8, -4),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="right",
        va="top",
        color=MEASURED,
        fontsize=18,
    )
    axes.set(ylim=(0, 1.1 * float(study.flat_s.max()) or 1.0), xlim=(1, float(study.ratio[-1])))
    axes.set_xticks(range(1, int(study.ratio[-1]) + 1))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"1:{value:g}"))
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=18)
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_ranges(
    axes: Axes,
    x: NDArray[np.float64],
    curves: Mapping[str, CurveRange],
    page: Captioned,
    scale: float,
) -> list[LineEnd]:
    """Draw each transport's curve in its range; return the ends to label."""
    ends = []
    for name, curve in curves.items():
        colour, line, _ = TRANSPORT_STYLE[name]
        parts = (curve.low, curve.value, curve.high)
        # a group of one GPU takes no time, which no logarithm shows
        low, value, high = (np.maximum(scale * part, LEAST) for part in parts)
        axes.fill_between(x, low, high, color=colour, alpha=0.18, lw=0)
        axes.plot(x, value, color=colour, linestyle=line, linewidth=3)
        ends.append(LineEnd(float(x[-1]), float(value[-1]), page.label(name), colour, 700))
    return ends


def _byte_axis(axes: Axes, sizes: NDArray[np.float64]) -> None:
    """Make x logarithmic in bytes, with a tick every 1,024 times."""
    axes.set_xscale("log", base=2)
    steps = [step for step, _ in _BYTE_STEPS if sizes[0] <= step <= sizes[-1]]
    axes.xaxis.set_major_locator(FixedLocator([float(step) for step in steps]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write_bytes(value)))
    axes.set_xlim(float(sizes[0]), float(sizes[-1]))


def _decade_axis(axes: Axes) -> None:
    axes.set_yscale("log")
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))


def _count_axis(axes: Axes, counts: Sequence[int]) -> None:
    axes.xaxis.set_major_locator(FixedLocator([float(count) for count in counts[::3]]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))


def _percent(axes: Axes, top: float) -> None:
    axes.set(ylim=(0, top), yticks=(0, 25, 50, 75, 100))
    axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
