"""The pictures of page 11: latency over carried load, the batch former, and its feedback."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
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
    WASTE,
    LineEnd,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
)
from gpudeck.interval import band_of
from gpudeck.models.serving.load_curve import ENGINES, LoadCurve

ENGINE_STYLE: dict[str, dict[str, object]] = {
    "static": {"color": WASTE, "linestyle": (0, (5, 2)), "linewidth": 3},
    "dynamic": {"color": SERIES[0].colour, "linestyle": SERIES[0].linestyle},
    "continuous": {"color": SERIES[4].colour, "linestyle": SERIES[4].linestyle},
    "adaptive": {"color": USEFUL, "linestyle": "-", "linewidth": 3.5},
}


def draw_load_curve(curve: LoadCurve, page: Captioned) -> str:
    """Draw p99 TTFT over the rate of arrival, one line an engine, with the objective.

    Parameters
    ----------
    curve : LoadCurve
        Two seeds or more.
    page : Captioned
        The page that shows it.
    """
    return _draw_latency(curve, page, curve.ttft_p99_s, curve.ttft_objective_s)


def draw_token_gaps(curve: LoadCurve, page: Captioned) -> str:
    """Draw p99 time between tokens over the rate of arrival, in milliseconds."""
    gaps_ms = {name: 1000 * values for name, values in curve.tbt_p99_s.items()}
    return _draw_latency(curve, page, gaps_ms, 1000 * curve.tbt_objective_s)


def _draw_latency(
    curve: LoadCurve,
    page: Captioned,
    latency: dict[str, NDArray[np.float64]],
    objective: float,
) -> str:
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    rates = curve.rates_per_s
    # a logarithmic axis has no place for zero: a run without gaps between tokens
    shown = {name: np.maximum(latency[name], objective / 1000) for name in ENGINES}
    ends = []
    for name in ENGINES:
        style = ENGINE_STYLE[name]
        band = band_of(np.log10(shown[name]))
        mean = 10**band.mean
        axes.fill_between(
            rates, 10**band.low, 10**band.high, color=style["color"], alpha=0.22, lw=0
        )
        axes.plot(rates, mean, **style)  # type: ignore[arg-type]
        sustained = float(curve.sustained_per_s[name].mean())
        if sustained > 0:
            at = float(np.interp(sustained, rates, mean))
            axes.plot(sustained, at, "o", color=style["color"], markersize=12, zorder=5)
        weight = 700 if name in ("static", "adaptive") else 400
        ends.append(
            LineEnd(
                float(rates[-1]), float(mean[-1]), page.label(name), str(style["color"]), weight
            )
        )
    axes.axhline(objective, color=INK, linewidth=1.5, linestyle=(0, (2, 3)))
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set(xlim=(0, rates[-1]))
    axes.annotate(
        page.label("objective"),
        (rates[-1] / 2, objective),
        (0, 6),
        textcoords="offset points",
        ha="center",
        color=MUTED,
    )
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=17)
    return svg_text(figure, page.key, page.title, page.alt)


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
        words("code").split("\n"), key=f"{page.key}-code", title=page.title, marked=(5, 7)
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


def draw_cap(curve: LoadCurve, page: Captioned) -> str:
    """Draw the batch cap and the running requests of the adaptive engine over time."""
    run = curve.trace
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    seconds = run.end_s - run.requests.arrival_s.min()
    # a screen has no room for more points, and the file none for more bytes
    step = max(1, len(seconds) // 800)
    lines = (("cap", run.cap, USEFUL, "-"), ("running", run.iteration_requests, MUTED, ":"))
    ends = []
    for name, values, colour, dash in lines:
        axes.plot(seconds[::step], values[::step], color=colour, linestyle=dash)
        ends.append(LineEnd(float(seconds[-1]), float(values[-1]), page.label(name), colour))
    axes.set(xlim=(0, seconds[-1]), ylim=(0, None))
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=17)
    return svg_text(figure, page.key, page.title, page.alt)
