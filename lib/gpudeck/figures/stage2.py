"""The pictures of page 14: fragmentation, queue and tenants before and after orchestration."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes

from gpudeck.figures.before_after import (
    Change,
    draw_pair,
    percent_change,
    plus_minus,
    point_change,
    print_change,
)
from gpudeck.figures.caption import Captioned
from gpudeck.figures.sheet import table_sheet
from gpudeck.figures.style import (
    INK,
    MUTED,
    USEFUL,
    WAITING,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
)
from gpudeck.interval import Interval, band_of, interval_of
from gpudeck.journey import OrchestrationEffect
from gpudeck.journey.fragments import mean_free_pct
from gpudeck.journey.stage2 import MEASURES, QUOTAS
from gpudeck.models.scheduling.queue import QueueResult, delay_unit
from gpudeck.units import format_number, format_quantity

_SHOWN = ("stranded", "delay_mean_s", "utilisation_pct", "useful_pct")
_DELAYS = ("delay_mean_s", "delay_p50_s", "delay_p90_s", "urgent_delay_mean_s")
# rows of the table with their digits, and the one that matters
_METRICS = {
    "asked": 1,
    "sm": 1,
    "throughput": 0,
    "started_per_h": 1,
    "per_usd": 3,
    "per_kwh": 3,
}
_MARKED = "per_usd"
_BEFORE = {"color": MUTED, "linestyle": (0, (6, 2)), "linewidth": 2.0}
_AFTER = {"color": USEFUL, "linewidth": 3.0}
_HOUR_S, _DAY_S = 3600.0, 86_400.0


def draw_effect(effect: OrchestrationEffect, page: Captioned) -> str:
    """Draw four measures before and after orchestration, with their 95 % intervals and changes.

    Parameters
    ----------
    effect : OrchestrationEffect
        From `run_stage2`.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    for axes, measure in zip(figure.subplots(1, len(_SHOWN)), _SHOWN, strict=True):
        before, after = (interval_of(values) for values in effect.samples(measure))
        unit = MEASURES[measure][1]
        write = partial(format_quantity, unit="%", lang=page.lang, decimals=1)
        if unit == "s":
            write = partial(_delay, lang=page.lang)
        change = print_change(effect, measure, unit, page.lang)
        draw_pair(axes, (before, after), write, change, page.label(measure), page)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_fragments(effect: OrchestrationEffect, page: Captioned) -> tuple[str, str]:
    """Draw what is stranded in each hour, and where free GPU lies: in fragments or as a whole."""
    return _draw_stranded(effect, page), _draw_free(effect, page)


def _draw_stranded(effect: OrchestrationEffect, page: Captioned) -> str:
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    top = 0.0
    for name, runs, look in zip(("before", "after"), effect.days, (_BEFORE, _AFTER), strict=True):
        hourly = runs.hourly_pct("stranded")
        band = band_of(np.column_stack([hourly, hourly[:, -1:]]))
        hours = np.arange(len(band.mean))
        axes.step(hours, band.mean, where="post", **look)
        axes.fill_between(
            hours, band.low, band.high, step="post", color=look["color"], alpha=0.25, lw=0
        )
        at = min(max(int(band.high.argmax()), 5), 19)
        around = slice(at - 5, at + 6)
        # a lower band close to the one above it has its name below
        below = 0 < top < 1.25 * float(band.high[around].max())
        mean = format_quantity(float(hourly.mean()), "%", page.lang, decimals=1)
        axes.annotate(
            _named(name, mean, page),
            (at, band.low[around].min() if below else band.high[around].max()),
            (0, -8 if below else 8),
            textcoords="offset points",
            ha="center",
            va="top" if below else "bottom",
            fontsize=18,
            fontweight=700,
            color=text_colour(USEFUL) if name == "after" else INK,
        )
        top = max(top, float(band.high.max()))
    axes.set(xlim=(0, 24), ylim=(0, 1.2 * top or 1), xticks=range(0, 25, 4))
    name_axes(axes, page.label("hour"), page.label("stranded"))
    return svg_text(figure, f"{page.key}-hours", page.label("stranded"), page.alt)


def _draw_free(effect: OrchestrationEffect, page: Captioned) -> str:
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    split = [mean_free_pct(runs) for runs in effect.days]
    write = partial(format_quantity, unit="%", lang=page.lang, decimals=1)
    for axes, place, name in zip(
        figure.subplots(1, 2, sharey=True), (0, 1), ("fragments", "whole_free"), strict=True
    ):
        before, after = split[0][place], split[1][place]
        change = point_change(interval_of(after - before), page.lang)
        both = interval_of(before), interval_of(after)
        draw_pair(axes, both, write, change, page.label(name), page)
    top = max(interval_of(values).high for day in split for values in day)
    figure.axes[0].set_ylim(0, 1.45 * top)
    return svg_text(figure, f"{page.key}-free", page.label("fragments"), page.alt)


def draw_queue(effect: OrchestrationEffect, page: Captioned) -> tuple[str, str]:
    """Draw queueing delays before and after, and one run: GPUs held and jobs waiting over time."""
    return _draw_delays(effect, page), _draw_run(effect, page)


def _draw_delays(effect: OrchestrationEffect, page: Captioned) -> str:
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    top = 0.0
    for row, measure in enumerate(_DELAYS):
        for lower, samples in enumerate(effect.samples(measure)):
            interval = interval_of(samples / _HOUR_S)
            place = row + (0.18 if lower else -0.18)
            colour = USEFUL if lower else WAITING
            axes.barh(place, interval.mean, 0.34, color=colour)
            below = interval.mean - max(0.0, interval.low)
            spread = [[below], [interval.high - interval.mean]]
            axes.errorbar(
                interval.mean, place, xerr=spread, color=INK, capsize=4, linewidth=1.5, zorder=4
            )
            axes.annotate(
                _named(("before", "after")[lower], _delay(samples.mean(), page.lang), page),
                (interval.high, place),
                (10, 0),
                textcoords="offset points",
                va="center",
                fontsize=17,
                fontweight=700,
                color=text_colour(USEFUL) if lower else INK,
            )
            top = max(top, interval.high)
    axes.set(xlim=(0, 1.45 * top or 1), ylim=(len(_DELAYS) - 0.5, -0.5))
    axes.set_yticks(range(len(_DELAYS)), [page.label(name) for name in _DELAYS], color=INK)
    axes.grid(visible=False)
    name_axes(axes, page.label("delay"))
    return svg_text(figure, f"{page.key}-delays", page.label("delay"), page.alt)


def _draw_run(effect: OrchestrationEffect, page: Captioned) -> str:
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    held, queued = figure.subplots(2, 1, sharex=True)
    runs = [queue.first for queue in effect.queues]
    days = float(np.ceil(max(run.jobs.arrival_s.max() for run in runs) / _DAY_S))
    for name, run, look in zip(("before", "after"), runs, (_BEFORE, _AFTER), strict=True):
        _draw_course(held, queued, run, days, look)
        waiting = run.queued_at(_hours(days) * _HOUR_S)
        peak = int(waiting.argmax())
        queued.annotate(
            page.label(name),
            (min(max(peak / 24, 0.15 * days), 0.85 * days), waiting[peak]),
            (0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=17,
            fontweight=700,
            color=text_colour(USEFUL) if name == "after" else INK,
        )
    top = max(float(run.queued_at(_hours(days) * _HOUR_S).max()) for run in runs)
    held.set(xlim=(0, days), ylim=(0, 105), yticks=(0, 50, 100))
    queued.set(ylim=(0, 1.3 * top or 1))
    queued.yaxis.get_major_locator().set_params(nbins=3)
    name_axes(held, "", page.label("held"))
    name_axes(queued, page.label("day"), page.label("queued"))
    return svg_text(figure, f"{page.key}-run", page.label("held"), page.alt)


def _draw_course(
    held: Axes, queued: Axes, run: QueueResult, days: float, look: dict[str, object]
) -> None:
    """Draw hour by hour what a run holds, in % of its GPUs, and how many jobs wait."""
    hours = _hours(days)
    percent = 100 * run.allocated_at(hours * _HOUR_S) / run.pool.total
    held.plot(hours / 24, percent, **look)  # type: ignore[arg-type]  # keywords
    queued.plot(hours / 24, run.queued_at(hours * _HOUR_S), **look)  # type: ignore[arg-type]  # keywords


def _hours(days: float) -> np.ndarray:
    return np.arange(0, 24 * days + 1)


def draw_tenants(effect: OrchestrationEffect, page: Captioned) -> str:
    """Draw use, gap between shares, and time to reclaim, from static quotas to fair sharing."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    panels = figure.subplots(1, 3, sharey=True)
    for axes, measure in zip(
        panels, ("useful_pct", "share_gap_pct", "mean_reclaim_s"), strict=True
    ):
        _draw_policies(axes, effect, measure, page)
        axes.set_title(page.label(measure), loc="left", fontsize=17, color=INK)
    panels[0].set_yticks(
        range(len(QUOTAS)), [page.label(name) for name in QUOTAS], color=INK, fontsize=18
    )
    panels[0].set_ylim(len(QUOTAS) - 0.45, -0.55)
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_policies(axes: Axes, effect: OrchestrationEffect, measure: str, page: Captioned) -> None:
    top = 0.0
    for row, policy in enumerate(QUOTAS):
        found = effect.tenants.samples[policy]
        interval = interval_of(found[measure])
        last = row == len(QUOTAS) - 1
        axes.barh(row, interval.mean, 0.56, color=USEFUL if last else WAITING)
        below = interval.mean - max(0.0, interval.low)
        spread = [[below], [interval.high - interval.mean]]
        axes.errorbar(interval.mean, row, xerr=spread, color=INK, capsize=5, linewidth=2, zorder=4)
        axes.annotate(
            _policy_text(measure, interval, float(found["jain"].mean()), policy, page),
            (interval.high, row),
            (10, 0),
            textcoords="offset points",
            va="center",
            fontsize=18,
            fontweight=700,
            color=text_colour(USEFUL) if last else INK,
        )
        top = max(top, interval.high)
    # two numbers need more room than one
    room = 2.0 if measure == "share_gap_pct" else 1.6
    axes.set(xlim=(0, room * top or 1), xticks=[])
    axes.grid(visible=False)


def _policy_text(
    measure: str, interval: Interval, jain: float, policy: str, page: Captioned
) -> str:
    if measure == "mean_reclaim_s":
        return page.label("none") if policy == QUOTAS[0] else _delay(interval.mean, page.lang)
    text = format_quantity(interval.mean, "%", page.lang, decimals=1)
    if measure == "share_gap_pct":
        text += f"  Jain {format_number(jain, page.lang, decimals=3)}"
    return text


def tabulate_metrics(effect: OrchestrationEffect, page: Captioned) -> str:
    """Set the metrics that orchestration changes, before and after, in a table."""
    rows = []
    for measure, decimals in _METRICS.items():
        cells = [page.label(measure)]
        cells += [plus_minus(values, page.lang, decimals) for values in effect.samples(measure)]
        change: Change = percent_change(effect.change_pct(measure), page.lang)
        cells.append(f"{change.mean} ({change.span})" if change.mean else "–")
        rows.append(cells)
    header = [page.label(name) for name in ("measure", "before", "after", "change")]
    return table_sheet(page.title, header, rows, marked=list(_METRICS).index(_MARKED))


def _delay(seconds: float, lang: str) -> str:
    unit, size = delay_unit(float(seconds))
    return format_quantity(seconds / size, unit, lang)


def _named(name: str, value: str, page: Captioned) -> str:
    colon = "：" if page.lang == "zh" else ": "
    return f"{page.label(name)}{colon}{value}"
