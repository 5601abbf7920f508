"""The pictures of page 20: chunked prefill, batches by length, memory pools, and the knobs."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter
from numpy.typing import NDArray

from gpudeck.figures.before_after import plus_minus
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.flowchart import Step, flowchart
from gpudeck.figures.pseudocode import pseudocode
from gpudeck.figures.routing import Edge
from gpudeck.figures.sheet import table_sheet
from gpudeck.figures.style import (
    INK,
    MUTED,
    SERIES,
    USEFUL,
    WASTE,
    bar_style,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
)
from gpudeck.figures.timeline import Bar, Marker, timeline
from gpudeck.interval import interval_of
from gpudeck.models.serving.bucketing import BucketStudy
from gpudeck.models.serving.knobs import KnobStudy, PoolStudy
from gpudeck.models.serving.memory_pool import PoolUse
from gpudeck.models.serving.result import ServingResult
from gpudeck.models.serving.stall import StallTrace
from gpudeck.units import format_quantity

PROMPT = SERIES[2].colour
EXTERNAL = SERIES[2].colour
BATCHES_SHOWN = 4
POINTS_SHOWN = 120


def draw_stall(trace: StallTrace, page: Captioned) -> str:
    """Draw the iterations of both runs: prompts above, decoding below, the stall hatched."""
    bars: list[Bar] = []
    for name, run in (("whole", trace.whole), ("chunked", trace.chunked)):
        bars += _iteration_bars(trace, run, name, page)
    first = {
        name: 1e3 * (float(run.first_token_s.max()) - trace.start_s)
        for name, run in (("whole", trace.whole), ("chunked", trace.chunked))
    }
    markers = [
        Marker(1e3 * (trace.arrival_s - trace.start_s), page.label("arrive")),
        *(Marker(at, page.label(f"first_{name}"), MUTED) for name, at in first.items()),
    ]
    lanes = [page.label(f"{name}_{lane}") for name in first for lane in ("prompt", "decode")]
    return timeline(
        lanes,
        bars,
        markers,
        **describe(page),
        unit=page.label("x"),
        end=1e3 * (trace.end_s - trace.start_s),
    )


def _iteration_bars(trace: StallTrace, run: ServingResult, name: str, page: Captioned) -> list[Bar]:
    """Return prompts by iteration, and each gap between tokens of the requests that decode."""
    span_ms = 1e3 * (trace.end_s - trace.start_s)

    def clipped(start_s: float, end_s: float) -> tuple[float, float] | None:
        ends = (1e3 * (moment - trace.start_s) for moment in (start_s, end_s))
        start, end = (min(max(moment, 0.0), span_ms) for moment in ends)
        return (start, end) if end - start > 1e-6 else None

    bars = []
    for index in np.flatnonzero(run.prefill_tokens):
        if place := clipped(float(run.start_s[index]), float(run.end_s[index])):
            tokens = str(int(run.prefill_tokens[index]))
            bars.append(Bar(page.label(f"{name}_prompt"), *place, tokens, PROMPT))
    times = run.token_times(0)
    # iterations that compute prompts alone: nobody gets a token meanwhile
    alone = run.start_s[(run.decodes == 0) & (run.start_s >= trace.arrival_s)]
    longest = trace.longest_s(run)
    for start_s, end_s in pairwise(times.tolist()):
        if place := clipped(start_s, end_s):
            stalled = bool(((alone >= start_s) & (alone < end_s)).any())
            length = format_quantity(1e3 * (end_s - start_s), "ms", page.lang, decimals=0)
            words = page.label("stalled").format(length) if stalled else length
            text = words if end_s - start_s > 0.999 * longest else ""
            colour = WASTE if stalled else USEFUL
            bars.append(Bar(page.label(f"{name}_decode"), *place, text, colour))
    return bars


def draw_step(page: Captioned) -> tuple[str, str]:
    """Return one step of the engine as pseudocode and as a flow chart."""
    words = page.label
    code = pseudocode(
        words("code").split("\n"),
        key=f"{page.key}-code",
        title=page.title,
        description="",
        marked=(9,),
    )
    steps = [
        Step("start", words("start"), 0, 0, "start"),
        Step("decode", words("decode"), 0, 1, tone="useful"),
        Step("block", words("block"), 0, 2, "decision"),
        Step("preempt", words("preempt"), 1, 2, tone="waste"),
        Step("budget", words("budget"), 0, 3, "decision"),
        Step("chunk", words("chunk"), 1, 3),
        Step("run", words("run"), 0, 4, "end"),
    ]
    edges = [
        Edge("start", "decode"),
        Edge("decode", "block"),
        Edge("block", "preempt", words("no")),
        Edge("preempt", "decode", exit="top", enter="right"),
        Edge("block", "budget", words("yes")),
        Edge("budget", "chunk", words("yes")),
        Edge("budget", "run", words("no")),
        Edge("chunk", "run", exit="bottom", enter="right"),
    ]
    chart = flowchart(
        steps,
        edges,
        **describe(page),
        gutter_y_px=28,
        column_weights=(5, 3),
        row_weights=(3, 4, 6, 6, 3),
    )
    return code, chart


def draw_buckets(study: BucketStudy, page: Captioned) -> str:
    """Draw batches as they come and by length, and the padding by number of buckets."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    left, middle, right = figure.subplots(1, 3, width_ratios=(5, 5, 4))
    longest = max(int(batch.max()) for batch in (*study.fifo, *study.bucketed))
    for axes, batches, name in ((left, study.fifo, "fifo"), (middle, study.bucketed, "bucketed")):
        _draw_batches(axes, batches, longest)
        name_axes(axes, page.label("length"), page.label(name))
    places = range(len(study.buckets))
    for place, count in zip(places, study.buckets, strict=True):
        interval = interval_of(study.padding_pct[count])
        right.bar(place, interval.mean, 0.66, **bar_style(WASTE))
        right.errorbar(place, interval.mean, interval.half_width, color=INK, capsize=6)
        right.annotate(
            f"{interval.mean:.0f}%",
            (place, interval.high),
            (0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=18,
            fontweight=700,
            color=text_colour(WASTE),
        )
    right.set_xticks(list(places), [str(count) for count in study.buckets])
    right.yaxis.set_major_formatter(PercentFormatter(decimals=0))
    right.set(ylim=(0, 100), yticks=(0, 25, 50, 75, 100))
    right.grid(visible=False, axis="x")
    name_axes(right, page.label("count"), page.label("padding"))
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_batches(axes: Axes, batches: tuple[NDArray[np.int64], ...], longest: int) -> None:
    """Draw some full batches, evenly picked: a row a prompt, padded to the longest."""
    batches = tuple(batch for batch in batches if len(batch) == max(map(len, batches)))
    picked = np.unique(np.linspace(0, len(batches) - 1, BATCHES_SHOWN).round().astype(int))
    row = 0.0
    for index in picked:
        batch = batches[index]
        rows = row + np.arange(len(batch))
        axes.barh(rows, batch, 0.85, color=USEFUL)
        pad = batch.max() - batch
        axes.barh(rows, pad, 0.85, left=batch, color=WASTE, hatch="//")
        row += len(batch) + 2
    axes.set(xlim=(0, longest), ylim=(row - 1, -1), yticks=[])
    axes.xaxis.set_major_locator(MaxNLocator(3))
    axes.grid(visible=False, axis="y")


def draw_pools(study: PoolStudy, page: Captioned) -> str:
    """Draw what each pool's memory is used for over the stream, one panel a pool."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    panels = figure.subplots(1, len(study.drawn), sharey=True)
    for axes, (name, use) in zip(panels, study.drawn.items(), strict=True):
        _draw_use(axes, use)
        waste = (study.internal_pct[name].mean(), study.external_pct[name].mean())
        numbers = page.label("waste").format(*(f"{value:.1f}%" for value in waste))
        axes.set_title(
            f"{page.label(name)}\n{numbers}", loc="left", fontsize=17, color=INK, linespacing=1.35
        )
        axes.set(ylim=(0, 100), xlim=(0, use.step[-1]))
        axes.xaxis.set_major_locator(MaxNLocator(3))
        axes.yaxis.set_major_formatter(PercentFormatter(decimals=0))
        axes.set_xlabel(page.label("x"), loc="right")
    _name_areas(panels[1], study.drawn["slab"], page)
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_use(axes: Axes, use: PoolUse) -> None:
    thin = slice(None, None, max(1, len(use.step) // POINTS_SHOWN))
    step, asked = use.step[thin], use.asked_pct[thin]
    held = asked + use.internal_pct[thin]
    lost = held + use.external_pct[thin]
    axes.fill_between(step, 0, asked, color=USEFUL, lw=0, step="post")
    for low, high, colour, hatch in ((asked, held, WASTE, "//"), (held, lost, EXTERNAL, "..")):
        axes.fill_between(
            step, low, high, facecolor=colour, hatch=hatch, edgecolor="white", lw=0, step="post"
        )


def _name_areas(axes: Axes, use: PoolUse, page: Captioned) -> None:
    """Write into the panel with the widest areas what they are."""
    middle = len(use.step) // 2
    asked = float(use.asked_pct[middle])
    held = asked + float(use.internal_pct[middle])
    lost = held + float(use.external_pct[middle])
    plate = {"facecolor": "white", "edgecolor": "none", "pad": 3}
    places = (
        ("asked", asked / 2),
        ("internal", (asked + held) / 2),
        ("external", (held + lost) / 2),
    )
    for name, y in places:
        axes.text(
            float(use.step[middle]), y, page.label(name), ha="center", va="center", bbox=plate
        )


def draw_knobs(study: KnobStudy, page: Captioned) -> str:
    """Set the effect of each knob in a table: throughput and both latencies, with half widths."""
    # one unit for the column, so that its numbers compare
    long = max(float(samples["ttft_s"].mean()) for samples in study.samples.values()) >= 1
    unit, scale, decimals = ("s", 1.0, 2) if long else ("ms", 1e3, 0)
    header = [page.label(name) for name in ("setting", "tokens", f"ttft_{unit}", "tbt")]
    rows = []
    for name, samples in study.samples.items():
        words = page.label(name)
        if name in study.values:
            words = words.format(format_quantity(study.values[name], "count", page.lang))
        rows.append(
            (
                words,
                plus_minus(samples["tokens_s"], page.lang, 0),
                plus_minus(scale * samples["ttft_s"], page.lang, decimals),
                plus_minus(1e3 * samples["tbt_s"], page.lang, 1),
            )
        )
    return table_sheet(page.title, header, rows, marked=0)
