"""Goodput by the ratio of prefill to decode replicas: a chart of page 19, and its what-if slide."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import (
    INK,
    MEASURED,
    SERIES,
    USEFUL,
    LineEnd,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
)
from gpudeck.figures.what_if import Line, Slider, State, WhatIf, readable, what_if_frame
from gpudeck.interval import band_of
from gpudeck.models.serving.disaggregation_study import (
    TTFT_FACTORS,
    FleetLatencies,
    SplitStudy,
    study_splits,
)
from gpudeck.scenario.schema import Serving
from gpudeck.units import format_number

TOGETHER = SERIES[0].colour
_MARKS = ("o", "^", "D", "v", "P", "X")
_TICKS_MS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700, 1000)


def draw_splits(study: SplitStudy, page: Captioned) -> str:
    """Draw goodput a GPU over the objective between tokens: every split, and all together.

    Parameters
    ----------
    study : SplitStudy
        From `study_splits`, two runs or more.
    page : Captioned
        The slide.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    tbt_ms = 1000 * study.tbt_s
    ends = []
    for fleet, samples in study.goodput.items():
        colour = USEFUL if fleet else TOGETHER
        band = band_of(samples)
        axes.fill_between(
            tbt_ms, np.maximum(band.low, 0), band.high, color=colour, alpha=0.18, lw=0
        )
        axes.plot(
            tbt_ms,
            band.mean,
            color=colour,
            linestyle="-" if fleet else "--",
            marker=_MARKS[(fleet - 1) % len(_MARKS)] if fleet else "",
            markersize=7,
            linewidth=2 if fleet else 4,
        )
        name = _name(page, fleet, study.latencies.replicas)
        ends.append(LineEnd(float(tbt_ms[-1]), float(band.mean[-1]), name, colour, 700))
    top = 1.12 * max(float(band_of(samples).high.max()) for samples in study.goodput.values())
    axes.set_xscale("log")
    axes.set(xlim=(tbt_ms[0], tbt_ms[-1]), ylim=(0, top or 1))
    _mark_objective(axes, page, 1000 * study.goal.tbt_s, top or 1)
    axes.xaxis.set_major_locator(FixedLocator(_TICKS_MS))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: format_number(value, page.lang, decimals=0))
    )
    axes.xaxis.set_minor_formatter(NullFormatter())
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=18)
    return svg_text(figure, page.key, page.title, page.alt)


def _mark_objective(axes: Axes, page: Captioned, tbt_ms: float, top: float) -> None:
    axes.axvline(tbt_ms, color=MEASURED, linewidth=1.5, linestyle=(0, (4, 3)))
    axes.annotate(
        page.label("objective"), (tbt_ms, 0.04 * top), (-8, 0), textcoords="offset points",
        ha="right", color=INK,
    )  # fmt: skip


def _name(page: Captioned, fleet: int, replicas: int) -> str:
    if not fleet:
        return page.label("together")
    return f"{page.label('apart')} {fleet}:{replicas - fleet}"


def splits_what_if(
    serving: Serving, grid: Mapping[float, FleetLatencies], page: Captioned
) -> WhatIf:
    """Return the explorer of goodput over the objective, for a ratio, prompts and a TTFT.

    Parameters
    ----------
    serving
        The scenario's section: its objectives.
    grid
        From `split_grid`.
    page
        The slide.
    """
    studies = {
        (factor, ttft): study_splits(
            serving.model_copy(update={"ttft_objective_s": ttft * serving.ttft_objective_s}),
            latencies,
        )
        for factor, latencies in grid.items()
        for ttft in TTFT_FACTORS
    }
    some = next(iter(studies.values()))
    replicas, x = some.latencies.replicas, 1000 * some.tbt_s
    top = max(float(table.max()) for one in studies.values() for table in one.goodput.values())

    def look_up(prefill: int, prompts: float, ttft: float) -> State:
        study = studies[prompts, ttft]
        apart, together = (study.goodput[fleet].mean(axis=0) for fleet in (prefill, 0))
        own = study.own
        words = {
            "tbt": readable(float(x[own]), "ms", page.lang, 0),
            "apart": readable(float(apart[own]), "request/s", page.lang, 1),
            "together": readable(float(together[own]), "request/s", page.lang, 1),
            "ahead": str(int((apart > 1.02 * together).sum())),
            "points": str(len(x)),
        }
        return State(x, np.array([apart, together]), words)

    ratios = tuple(range(1, replicas))
    best = ratios.index(studies[next(iter(grid)), 1.0].best_split(some.own))
    shown = tuple(f"{prefill}:{replicas - prefill}" for prefill in ratios)
    ttfts = tuple(
        readable(factor * serving.ttft_objective_s, "s", page.lang, 2) for factor in TTFT_FACTORS
    )
    sliders = (
        Slider("prefill", page.label("ratio"), ratios, shown, best),
        Slider("prompts", page.label("prompts"), tuple(grid), tuple(f"{f:g}×" for f in grid), 0),
        Slider("ttft", page.label("ttft"), TTFT_FACTORS, ttfts, TTFT_FACTORS.index(1.0)),
    )
    lines = (Line(page.label("apart"), USEFUL), Line(page.label("together"), TOGETHER, "10 4"))
    frame = what_if_frame(page, (float(x[0]), float(x[-1])), (0, 1.1 * (top or 1)), rows=2)
    return WhatIf(frame, lines, sliders, look_up)
