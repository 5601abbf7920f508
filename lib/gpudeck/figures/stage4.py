"""The pictures of page 22: the same requests before and after the serving software."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gpudeck.figures.before_after import Change, draw_pair, plus_minus, print_change
from gpudeck.figures.caption import Captioned
from gpudeck.figures.sheet import table_sheet
from gpudeck.figures.style import (
    INK,
    MUTED,
    PAPER,
    SERIES,
    USEFUL,
    WAITING,
    WASTE,
    bar_style,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
)
from gpudeck.interval import band_of, interval_of
from gpudeck.journey.stage4 import AFTER, BEFORE, LOADED, MEASURES, ServingEffect
from gpudeck.models.serving import ServingResult
from gpudeck.models.serving.pooled import pooled_quantile
from gpudeck.units import format_number, format_quantity

# the four of the main slide, with the digits that each needs
_SHOWN = {"throughput": 0, "ttft_p50_s": 2, "tbt_p99_ms": 1, "memory_overhead": 1}
# the seven of the table; the first is the one that matters
_ROWS = {
    "throughput": 0,
    "ttft_p50_s": 3,
    "tbt_p99_ms": 1,
    "mfu": 1,
    "memory_overhead": 1,
    "prefill_efficiency": 1,
    "decoding_parallelism": 1,
}
_USES = ("busy", "mfu", "mbu")
_SHARES = np.linspace(0.005, 0.995, 100)
_BEFORE: dict[str, object] = {"color": MUTED, "linestyle": (0, (6, 2)), "linewidth": 2.5}
_BETWEEN: dict[str, object] = {
    "color": SERIES[0].colour,
    "linestyle": SERIES[0].linestyle,
    "linewidth": 2.0,
}
_AFTER: dict[str, object] = {"color": USEFUL, "linewidth": 3.5}


def draw_effect(effect: ServingEffect, page: Captioned) -> str:
    """Draw four measures before and after, each with its 95 % interval and its change.

    Parameters
    ----------
    effect : ServingEffect
        From `run_stage4`.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    for axes, (measure, digits) in zip(
        figure.subplots(1, len(_SHOWN)), _SHOWN.items(), strict=True
    ):
        _draw_measure(axes, effect, measure, digits, page)
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_measure(
    axes: Axes, effect: ServingEffect, measure: str, digits: int, page: Captioned
) -> None:
    both = tuple(interval_of(effect.samples(measure, name)) for name in (BEFORE, AFTER))
    write = partial(format_number, lang=page.lang, decimals=digits)
    if MEASURES[measure][1] == "%":
        write = partial(format_quantity, unit="%", lang=page.lang, decimals=digits)
    elif MEASURES[measure][1] == "s":
        write = partial(_seconds, lang=page.lang)
    change = _change(effect, measure, page.lang)
    draw_pair(axes, (both[0], both[1]), write, change, page.label(measure), page)


def _change(effect: ServingEffect, measure: str, lang: str) -> Change:
    unit = MEASURES[measure][1]
    return print_change(effect, measure, unit, lang, 1 if unit == "s" else 0)


def _seconds(value_s: float, lang: str) -> str:
    """Write a time in the unit in which it reads well."""
    if value_s < 1:
        return format_quantity(1000 * value_s, "ms", lang)
    return format_quantity(value_s, "s", lang)


def tabulate_effect(effect: ServingEffect, page: Captioned) -> str:
    """Set seven metrics before and after, with their 95 % intervals, in a table."""
    rows = []
    for measure, digits in _ROWS.items():
        cells = [page.label(measure)]
        cells += [
            plus_minus(effect.samples(measure, name), page.lang, digits) for name in (BEFORE, AFTER)
        ]
        change = _change(effect, measure, page.lang)
        cells.append(f"{change.mean} ({change.span})" if change.mean else "–")
        rows.append(cells)
    header = [page.label(name) for name in ("measure", "before", "after", "change")]
    return table_sheet(page.title, header, rows, marked=0)


def draw_steps(effect: ServingEffect, page: Captioned) -> str:
    """Draw each engine's throughput, and how much of its allocated cache holds no token."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    panels = figure.subplots(1, 2, sharey=True, width_ratios=(1.5, 1))
    names = [runs.step.name for runs in effect.steps]
    for axes, measure in zip(panels, ("throughput", "cache_overhead"), strict=True):
        tops = [_draw_step(axes, effect, measure, row, page) for row in range(len(names))]
        axes.set(xlim=(0, 1.5 * max(*tops, 1e-9)), xticks=[])
        axes.grid(visible=False)
        axes.set_title(page.label(measure), loc="left", fontsize=17, color=INK)
    panels[0].set_yticks(
        range(len(names)), [page.label(name) for name in names], color=INK, fontsize=18
    )
    panels[0].set_ylim(len(names) - 0.45, -0.55)
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_step(axes: Axes, effect: ServingEffect, measure: str, row: int, page: Captioned) -> float:
    """Draw one step's bar with its interval and number; return the interval's upper end."""
    runs = effect.steps[row]
    name = runs.step.name
    interval = interval_of(effect.samples(measure, name))
    waste = measure == "cache_overhead"
    colour = WASTE if waste else USEFUL if name == AFTER else WAITING
    axes.barh(row, interval.mean, 0.6, **bar_style(colour))  # type: ignore[arg-type]  # keywords
    spread = [[interval.mean - max(interval.low, 0.0)], [interval.high - interval.mean]]
    axes.errorbar(interval.mean, row, xerr=spread, color=INK, capsize=5, linewidth=2, zorder=4)
    text = format_quantity(interval.mean, MEASURES[measure][1], page.lang, decimals=1)
    if not waste:
        served = float(runs.capacity_per_s.mean())
        rate = format_quantity(served, "request/s", page.lang, decimals=1)
        text = f"{format_number(interval.mean, page.lang, decimals=0)}  ({rate})"
    axes.annotate(
        text,
        (interval.high, row),
        (10, 0),
        textcoords="offset points",
        va="center",
        fontsize=18,
        fontweight=700 if name in (BEFORE, AFTER) else 400,
        color=text_colour(USEFUL) if name == AFTER and not waste else INK,
    )
    return interval.high


def draw_latency(effect: ServingEffect, page: Captioned) -> tuple[str, str]:
    """Draw how TTFT and TBT are distributed before, dynamic and after, with 95 % bands."""
    pictures = []
    for measure, unit_s in (("ttft", 1.0), ("tbt", 1e-3)):
        figure = new_figure(page.slot.width_px, page.slot.height_px)
        axes = figure.subplots()
        curves = []
        for name, look in zip(LOADED, (_BEFORE, _BETWEEN, _AFTER), strict=True):
            results = effect.find(name).results
            quantiles = np.array([_quantiles(result, measure) for result in results]) / unit_s
            band = band_of(np.log(quantiles))
            curves.append(np.exp(band.mean))
            axes.plot(np.exp(band.mean), 100 * _SHARES, **look)  # type: ignore[arg-type]  # keywords
            axes.fill_betweenx(
                100 * _SHARES,
                np.exp(band.low),
                np.exp(band.high),
                color=look["color"],
                alpha=0.25,
                lw=0,
            )
        axes.set_xscale("log")
        _mark_decades(axes, curves, page.lang)
        axes.set(ylim=(0, 104), yticks=range(0, 101, 25))
        _name_curves(axes, curves, page)
        name_axes(axes, page.label(measure), page.label("share"))
        pictures.append(svg_text(figure, f"{page.key}-{measure}", page.label(measure), page.alt))
    return pictures[0], pictures[1]


def _mark_decades(axes: Axes, curves: list[NDArray[np.float64]], lang: str) -> None:
    """Mark 1, 10, 100 … as plain numbers, on a short axis 2 and 5 too."""
    low, high = min(map(np.min, curves)), max(map(np.max, curves))
    steps = (1.0,) if high / low > 100 else (1.0, 2.0, 5.0)
    powers = range(int(np.floor(np.log10(low))) - 1, int(np.ceil(np.log10(high))) + 2)
    marks = [step * 10.0**power for power in powers for step in steps]
    axes.set_xticks(marks, [format_number(mark, lang, scale="plain") for mark in marks])
    axes.set_xticks([], minor=True)


def _quantiles(result: ServingResult, measure: str) -> NDArray[np.float64]:
    """Return latencies at `_SHARES`, seconds; at least a microsecond, for the logarithm."""
    values = result.ttft_s
    counts = np.ones(len(values), np.int64)
    if measure == "tbt":
        values, counts = result.gaps()
    return np.maximum(pooled_quantile(values, counts, _SHARES), 1e-6)


def _name_curves(axes: Axes, curves: list[NDArray[np.float64]], page: Captioned) -> None:
    """Name the curves: the outer two at their medians on the outside, the middle one lower."""
    low, high = min(map(np.min, curves)), max(map(np.max, curves))
    # room on both sides for a name
    reach = max(2.2, (high / low) ** 0.25)
    axes.set_xlim(low / reach, high * reach)
    middle, low_share = len(_SHARES) // 2, len(_SHARES) // 8
    left = int(curves[-1][middle] < curves[0][middle])
    names = (
        ("before", middle, INK),
        ("dynamic", low_share, SERIES[0].colour),
        ("after", middle, USEFUL),
    )
    for (name, at, colour), curve in zip(names, curves, strict=True):
        at_left = (name == "after") == bool(left) and name != "dynamic"
        axes.annotate(
            page.label(name),
            (float(curve[at]), 100 * float(_SHARES[at])),
            (-14 if at_left else 14, 0),
            textcoords="offset points",
            ha="right" if at_left else "left",
            va="center",
            fontsize=18,
            fontweight=700,
            color=text_colour(colour),
            bbox={"boxstyle": "round,pad=0.1", "facecolor": PAPER, "edgecolor": "none"},
        )


def draw_use(effect: ServingEffect, page: Captioned) -> str:
    """Draw the three senses of utilisation before and after: busy, MFU, MBU."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    panels = figure.subplots(1, len(_USES), sharey=True)
    for axes, measure in zip(panels, _USES, strict=True):
        _draw_measure(axes, effect, measure, 1, page)
    for axes in panels:
        axes.set_ylim(0, 145)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_economy(effect: ServingEffect, page: Captioned) -> tuple[str, str]:
    """Draw tokens for a dollar and for a joule of the GPUs, before and after."""
    pictures = []
    for measure, digits in (("per_usd", 2), ("per_joule", 2)):
        figure = new_figure(page.slot.width_px, page.slot.height_px)
        _draw_measure(figure.subplots(), effect, measure, digits, page)
        pictures.append(svg_text(figure, f"{page.key}-{measure}", page.label(measure), page.alt))
    return pictures[0], pictures[1]
