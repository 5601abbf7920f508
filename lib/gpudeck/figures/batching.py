"""The pictures of page 11: latency over carried load, the batch former, and its feedback."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gpudeck.figures.architecture import Block, Group, architecture
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.flowchart import Step, flowchart
from gpudeck.figures.pseudocode import pseudocode
from gpudeck.figures.routing import Edge
from gpudeck.figures.style import (
    INK,
    MUTED,
    SERIES,
    USEFUL,
    WAITING,
    WASTE,
    LineEnd,
    bar_style,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
)
from gpudeck.interval import Interval, band_of, interval_of
from gpudeck.models.serving.equal_latency import EqualLatency
from gpudeck.models.serving.load_curve import ENGINES, LoadCurve
from gpudeck.units import format_number, format_quantity

ENGINE_STYLE: dict[str, dict[str, object]] = {
    "static": {"color": WASTE, "linestyle": (0, (5, 2)), "linewidth": 3},
    "dynamic": {"color": SERIES[0].colour, "linestyle": SERIES[0].linestyle},
    "continuous": {"color": SERIES[4].colour, "linestyle": SERIES[4].linestyle},
    "adaptive": {"color": USEFUL, "linestyle": "-", "linewidth": 3.5},
}


def draw_load_curve(curve: LoadCurve, page: Captioned) -> str:
    """Draw TTFT and time between tokens over what is carried, one line an engine.

    Parameters
    ----------
    curve : LoadCurve
        Two seeds or more.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    panels = figure.subplots(1, 2)
    shown = (
        ("ttft", curve.ttft_s, curve.goal.ttft_s),
        ("tbt", {name: 1000 * gaps for name, gaps in curve.tbt_s.items()}, 1000 * curve.goal.tbt_s),
    )
    drawn = [
        _draw_latency(axes, curve, latency, objective, name, page)
        for axes, (name, latency, objective) in zip(panels, shown, strict=True)
    ]
    for axes, ends in zip(panels, drawn, strict=True):
        label_line_ends(axes, ends, size_px=17)
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_latency(
    axes: Axes,
    curve: LoadCurve,
    latency: dict[str, NDArray[np.float64]],
    objective: float,
    measure: str,
    page: Captioned,
) -> list[LineEnd]:
    """Draw one latency of all engines; return the right ends of the lines to be labelled."""
    ends = []
    for name in ENGINES:
        style = ENGINE_STYLE[name]
        # a logarithmic axis has no place for zero: a run without gaps between tokens
        band = band_of(np.log10(np.maximum(latency[name], objective / 1000)))
        carried, mean = curve.carried_per_s[name].mean(axis=0), 10**band.mean
        around = np.r_[10**band.low, 10 ** band.high[::-1]]
        axes.fill(np.r_[carried, carried[::-1]], around, color=style["color"], alpha=0.22, lw=0)
        axes.plot(carried, mean, **style)  # type: ignore[arg-type]  # keywords
        _mark_capacity(axes, curve, name, mean, objective, page)
        text, colour = page.label(name), str(style["color"])
        if name in ("continuous", "adaptive"):
            weight = 700 if name == "adaptive" else 400
            ends.append(LineEnd(float(carried[-1]), float(mean[-1]), text, colour, weight))
        else:
            # the upper one above its beginning, the lower one below its middle
            upper = name == "static"
            at = 0 if upper else len(carried) // 2
            axes.annotate(
                text,
                (carried[at], mean[at]),
                (0, 10) if upper else (4, -18),
                textcoords="offset points",
                va="bottom" if upper else "top",
                fontsize=17,
                fontweight=700 if upper else 400,
                color=text_colour(colour),
            )
    axes.axhline(objective, color=INK, linewidth=1.5, linestyle=(0, (2, 3)))
    axes.set(xscale="log", yscale="log")
    low, high = axes.get_ylim()
    axes.set(ylim=(low, 1.5 * high))
    _mark_plainly(axes)
    axes.annotate(
        page.label(f"objective_{measure}"),
        (0, objective),
        (6, -5),
        xycoords=axes.get_yaxis_transform(),
        textcoords="offset points",
        va="top",
        color=MUTED,
    )
    name_axes(axes, page.label("x"), page.label(f"y_{measure}"))
    return ends


def _mark_capacity(
    axes: Axes,
    curve: LoadCurve,
    name: str,
    mean: NDArray[np.float64],
    objective: float,
    page: Captioned,
) -> None:
    """Mark the highest rate within the objectives with a dot; the adaptive engine's in figures."""
    capacity = float(curve.capacity_per_s[name].mean())
    if capacity <= 0:
        return
    # between two rates that were run; it was searched for, and is within the objective
    at = 10 ** float(np.interp(capacity, curve.offered_per_s[name], np.log10(mean)))
    at = min(at, objective)
    colour = ENGINE_STYLE[name]["color"]
    axes.plot(capacity, at, "o", color=colour, markersize=12, zorder=5)
    if name == "adaptive":
        axes.annotate(
            format_number(capacity, page.lang, decimals=1),
            (capacity, at),
            (0, -12),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=20,
            fontweight=700,
            color=text_colour(str(colour)),
        )


def _mark_plainly(axes: Axes) -> None:
    """Write plain numbers on both logarithmic axes, where they are short also 2 and 5."""
    for axis, (low, high) in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        steps = (1.0, 2.0, 5.0) if high / low < 500 else (1.0,)
        powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
        marks = [step * 10.0**power for power in powers for step in steps]
        axis.set_ticks([mark for mark in marks if low <= mark <= high])
        axis.set_ticks([], minor=True)
        axis.set_major_formatter("{x:g}")


def draw_equal(equal: EqualLatency, page: Captioned) -> str:
    """Draw what each engine carries at equal latency: within the objectives, and TTFT relaxed."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    panels = figure.subplots(1, 2, sharey=True)
    names = list(equal.within_per_s)
    for axes, samples, title in zip(
        panels, (equal.within_per_s, equal.relaxed_per_s), ("within", "relaxed"), strict=True
    ):
        intervals = [interval_of(samples[name]) for name in names]
        for row, (name, interval) in enumerate(zip(names, intervals, strict=True)):
            _draw_carried(axes, row, interval, name, page)
        axes.set(xlim=(0, 1.6 * max(*(i.high for i in intervals), 1e-9)), xticks=[])
        axes.grid(visible=False)
        axes.set_title(page.label(title), loc="left", fontsize=18, color=INK)
    panels[0].set_yticks(
        range(len(names)), [page.label(name) for name in names], color=INK, fontsize=18
    )
    panels[0].set_ylim(len(names) - 0.45, -0.55)
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_carried(axes: Axes, row: int, interval: Interval, name: str, page: Captioned) -> None:
    shade = USEFUL if name == "adaptive" else WASTE if name == "static" else WAITING
    axes.barh(row, interval.mean, 0.6, **bar_style(shade))  # type: ignore[arg-type]  # keywords
    spread = [[interval.mean - max(interval.low, 0.0)], [interval.high - interval.mean]]
    if interval.mean > 0:
        axes.errorbar(interval.mean, row, xerr=spread, color=INK, capsize=5, linewidth=2, zorder=4)
    text = format_quantity(interval.mean, "request/s", page.lang, decimals=1)
    axes.annotate(
        text if interval.mean > 0 else page.label("none"),
        (interval.high, row),
        (10, 0),
        textcoords="offset points",
        va="center",
        fontsize=18,
        fontweight=700,
        color=text_colour(USEFUL) if name == "adaptive" else INK,
    )


def draw_batcher(page: Captioned) -> str:
    """Draw load-aware batching: queue, batch former, executor, and the loop back from latency."""
    words = page.label
    names = ("queue", "former", "executor", "tokens")
    blocks = [
        Block("queue", words("queue"), 0, 0, words("queue_detail"), tone="waiting"),
        Block("former", words("former"), 1, 0, words("former_detail"), tone="useful"),
        Block("executor", words("executor"), 2, 0, words("executor_detail")),
        Block("tokens", words("tokens"), 3, 0, words("tokens_detail")),
        Block("control", words("control"), 1, 1, words("control_detail"), tone="useful"),
        Block("monitor", words("monitor"), 2, 1, words("monitor_detail"), columns=2),
    ]
    edges = [
        *(Edge(a, b) for a, b in pairwise(names)),
        Edge("tokens", "monitor", words("gaps"), exit="bottom", enter="top"),
        Edge("monitor", "control"),
        Edge("control", "former", words("cap"), colour=USEFUL),
    ]
    groups = [Group(words("loop"), ("control", "monitor"))]
    return architecture(blocks, edges, groups, **describe(page), gutter_y_px=112)


def draw_adaptation(page: Captioned) -> tuple[str, str]:
    """Return the feedback on the batch cap as pseudocode and as a flow chart."""
    words = page.label
    code = pseudocode(
        words("code").split("\n"), key=f"{page.key}-code", title=page.title, marked=(9, 11)
    )
    steps = [
        Step("start", words("start"), 0, 0, "start"),
        Step("late", words("late"), 0, 1, "decision"),
        Step("shrink", words("shrink"), 1, 1, tone="waste"),
        Step("full", words("full"), 0, 2, "decision"),
        Step("keep", words("keep"), 1, 2),
        Step("grow", words("grow"), 0, 3, tone="useful"),
    ]
    edges = [
        Edge("start", "late"),
        Edge("late", "shrink", words("yes")),
        Edge("late", "full", words("no")),
        Edge("full", "keep", words("no")),
        Edge("full", "grow", words("yes")),
    ]
    chart = flowchart(
        steps, edges, **describe(page), gutter_y_px=34, column_weights=(4, 3),
        row_weights=(3, 6, 6, 4),
    )  # fmt: skip
    return code, chart
