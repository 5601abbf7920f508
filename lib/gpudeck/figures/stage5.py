"""The pictures of page 25: the same failures before and after fault tolerance."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gpudeck.figures.before_after import (
    draw_pair,
    percent_change,
    point_change,
)
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.duration import mark_durations, write_duration
from gpudeck.figures.lettering import text_width_px
from gpudeck.figures.style import (
    INK,
    MEASURED,
    MUTED,
    PAPER,
    SERIES,
    TEXT_PX,
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
from gpudeck.figures.timeline import Bar, Marker, timeline
from gpudeck.interval import Interval, band_of, interval_of
from gpudeck.journey.stage5 import AFTER, BEFORE, SLACKS_PCT, STEPS, ResilienceEffect
from gpudeck.models.resilience.published_ratio import read_published_ratios
from gpudeck.models.resilience.save_timeline import recovery_phases
from gpudeck.units import format_number, format_quantity

_BEFORE: dict[str, object] = {"color": MUTED, "linestyle": (0, (6, 2)), "linewidth": 2.6}
_AFTER: dict[str, object] = {"color": USEFUL, "linewidth": 3.5}
_LOOKS = {BEFORE: _BEFORE, AFTER: _AFTER}
_SHARES = np.linspace(0.005, 0.995, 100)
# a group of recoveries smaller than this says nothing about its quantiles
_LEAST_GROUP = 20
# where lost time goes, in the order of the bar: what is summed, and how each part is drawn
_PARTS: dict[str, tuple[tuple[str, ...], dict[str, object]]] = {
    "rework": (("rework",), bar_style(WASTE)),
    "stall": (("stall",), {"color": SERIES[2].colour, "hatch": ".."}),
    "detect": (("detect",), {"color": SERIES[5].colour}),
    "restart": (("restart", "load"), {"color": SERIES[3].colour}),
    "wait": (("wait",), {"color": WAITING}),
    "slowed": (("slowed",), {"color": SERIES[1].colour, "hatch": "xx"}),
}
# of a picture's width, what the bars and the room behind the longest may take; a name's plate
_BAR_SHARE, _ROOM, _PLATE_PX = 0.82, 1.2, 4
# the least part, in % of the time, that is named at all
_LEAST_PCT = 0.05
MINUTE_S = 60.0


def draw_effect(effect: ResilienceEffect, page: Captioned) -> str:
    """Draw four measures before and after, each with its 95 % interval and its change.

    Parameters
    ----------
    effect : ResilienceEffect
        From `run_stage5`.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    lang = page.lang
    percent = partial(format_quantity, unit="%", lang=lang, decimals=1)
    ratio, recovery, success, lost = figure.subplots(1, 4)
    pair = tuple(interval_of(effect.effective_pct(name)) for name in (BEFORE, AFTER))
    change = point_change(effect.gain_pct(), lang)
    draw_pair(ratio, (pair[0], pair[1]), percent, change, page.label("effective"), page)
    times = tuple(_recovery(effect, name) for name in (BEFORE, AFTER))
    write = partial(_minutes, lang=lang)
    change = percent_change(effect.recovery_change_pct(), lang)
    draw_pair(recovery, (times[0], times[1]), write, change, page.label("recovery"), page)
    rates = tuple(_percent(effect.success(name).share) for name in (BEFORE, AFTER))
    change = point_change(effect.success_gain(), lang)
    draw_pair(success, (rates[0], rates[1]), percent, change, page.label("success"), page)
    hours = tuple(interval_of(effect.lost_gpu_hours(name)) for name in (BEFORE, AFTER))
    count = partial(format_number, lang=lang)
    change = percent_change(effect.lost_change_pct(), lang)
    draw_pair(lost, (hours[0], hours[1]), count, change, page.label("lost"), page)
    return svg_text(figure, page.key, page.title, page.alt)


def _recovery(effect: ResilienceEffect, name: str) -> Interval:
    """Return the mean recovery with its interval; the expected one where jobs met no failures."""
    samples = effect.mean_recovery_min(name)
    if len(samples) < 2:
        expected = effect.find(name).protection.recovery_s() / MINUTE_S
        return Interval(expected, expected, expected)
    return interval_of(samples)


def _minutes(value_min: float, lang: str) -> str:
    return write_duration(MINUTE_S * value_min, lang)


def _percent(share: Interval) -> Interval:
    return Interval(100 * share.mean, 100 * share.low, 100 * share.high)


def draw_recovery(effect: ResilienceEffect, page: Captioned) -> str:
    """Draw how recovery times are distributed before and after, with 95 % bands over groups."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    curves: dict[str, NDArray[np.float64]] = {}
    for name, look in _LOOKS.items():
        groups = _groups(effect, name)
        if not len(groups):
            continue
        curves[name] = np.quantile(np.concatenate(groups), _SHARES)
        axes.plot(curves[name], 100 * _SHARES, **look)  # type: ignore[arg-type]  # keywords
        if len(groups) > 1:
            samples = np.log([np.quantile(group, _SHARES) for group in groups])
            band = band_of(samples)
            axes.fill_betweenx(
                100 * _SHARES, np.exp(band.low), np.exp(band.high), color=look["color"],
                alpha=0.25, lw=0,
            )  # fmt: skip
    if curves:
        low = min(float(curve[0]) for curve in curves.values())
        high = max(float(curve[-1]) for curve in curves.values())
        mark_durations(axes, low / 1.6, high * 1.6, page.lang, dense_marks=True)
        _name_recoveries(axes, curves, page)
    axes.set(ylim=(0, 104), yticks=range(0, 101, 25))
    name_axes(axes, page.label("x"), page.label("y"))
    return svg_text(figure, page.key, page.title, page.alt)


def _groups(effect: ResilienceEffect, name: str) -> list[NDArray[np.float64]]:
    """Split the recoveries of all jobs, seconds at least one, into groups of enough."""
    values = np.maximum(60 * effect.recovery_min(name), 1.0)
    count = max(1, min(10, len(values) // _LEAST_GROUP))
    return [part for part in np.array_split(values, count) if len(part)]


def _name_recoveries(axes: Axes, curves: dict[str, NDArray[np.float64]], page: Captioned) -> None:
    """Write each curve's median beside it, on its outer side."""
    middle = len(_SHARES) // 2
    first = min(curves, key=lambda name: curves[name][middle])
    for name, curve in curves.items():
        left = name == first and len(curves) > 1
        typical = write_duration(float(curve[middle]), page.lang)
        axes.annotate(
            f"{page.label(name)}\n{page.label('median')} {typical}",
            (float(curve[middle]), 50),
            (-34 if left else 34, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=18,
            fontweight=700,
            linespacing=1.3,
            color=text_colour(USEFUL) if name == AFTER else INK,
        )


def draw_anatomy(effect: ResilienceEffect, page: Captioned) -> str:
    """Draw one recovery of mean length before and after on one clock, the failure between."""
    words = page.label
    phases = {name: recovery_phases(effect.find(name).protection) for name in (BEFORE, AFTER)}
    worked_s = 1.15 * max(one.lost_s for one in phases.values())
    end_s = worked_s + 1.1 * max(one.total_s for one in phases.values())
    bars = []
    for name, one in phases.items():
        lane = words(name)
        at = worked_s
        bars.append(Bar(lane, 0.0, at - one.lost_s, words("kept")))
        pieces = (
            ("lost", -one.lost_s, 0.0, WASTE, True),
            ("detect", 0.0, one.detection_s, SERIES[5].colour, False),
            ("restart", 0.0, one.restart_s, WAITING, False),
            ("load", 0.0, one.load_s, SERIES[3].colour, False),
            ("redo", 0.0, one.lost_s, WASTE, False),
        )
        for key, begin, length, colour, hollow in pieces:
            if hollow:
                bars.append(Bar(lane, at + begin, at, words(key), colour, hollow=True))
            elif length > 0:
                bars.append(Bar(lane, at, at + length, words(key), colour))
                at += length
        bars.append(Bar(lane, at, end_s, words("on")))
    unit_s = MINUTE_S
    bars = [
        Bar(b.lane, b.start / unit_s, b.end / unit_s, b.text, b.colour, b.span, b.hollow)
        for b in bars
        if b.end > b.start
    ]
    markers = [Marker(worked_s / unit_s, words("failure"), WASTE)]
    for name, colour in ((AFTER, USEFUL), (BEFORE, INK)):
        back = (worked_s + phases[name].total_s) / unit_s
        markers.append(Marker(back, words(f"back_{name}"), colour))
    return timeline(
        [words(name) for name in phases],
        bars,
        markers,
        **describe(page),
        unit=words("unit"),
        end=end_s / unit_s,
    )


def draw_scale(effect: ResilienceEffect, page: Captioned) -> str:
    """Draw the effective training time ratio by the size of the job, published ones as points."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    scale = effect.scale
    ends = []
    for name, samples in ((BEFORE, scale.before), (AFTER, scale.after)):
        look, band = _LOOKS[name], band_of(samples)
        axes.fill_between(scale.gpus, band.low, band.high, color=look["color"], alpha=0.25, lw=0)
        axes.plot(scale.gpus, band.mean, marker="o", **look)  # type: ignore[arg-type]
        text = f"{page.label(name)} {format_quantity(band.mean[-1], '%', page.lang, decimals=0)}"
        colour = USEFUL if name == AFTER else MUTED
        ends.append(LineEnd(float(scale.gpus[-1]), float(band.mean[-1]), text, colour, 700))
    axes.set_xscale("log")
    axes.set_xticks(scale.gpus, [f"{size:,}" for size in scale.gpus])
    axes.set_xticks([], minor=True)
    axes.set(xlim=(scale.gpus[0] * 0.9, scale.gpus[-1]), ylim=(0, 104), yticks=range(0, 101, 25))
    _draw_published(axes, page)
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=18)
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_published(axes: Axes, page: Captioned) -> None:
    """Draw published ratios with their names; a lower bound is an arrow that points up."""
    low, high = axes.get_xlim()
    for ratio in read_published_ratios():
        if not low <= ratio.gpus <= high:
            continue
        marker = "^" if ratio.bound else "o"
        axes.plot(ratio.gpus, ratio.pct, marker, color=MEASURED, markersize=10, zorder=5)
        # names stand above the upper line, or left of points below a line that falls
        above, left = ratio.name in ("hlat", "byterobust"), ratio.name in ("hlat_manual", "llama")
        axes.annotate(
            page.label(ratio.name),
            (ratio.gpus, ratio.pct),
            (0, 10) if above else (-12 if left else 12, -8),
            textcoords="offset points",
            ha="center" if above else "right" if left else "left",
            va="bottom" if above else "top",
            color=MEASURED,
            bbox={
                "boxstyle": "round,pad=0.1",
                "facecolor": PAPER,
                "edgecolor": "none",
                "alpha": 0.8,
            },
        )


def draw_success(effect: ResilienceEffect, page: Captioned) -> str:
    """Draw the part of the jobs that are done, by how much later than planned they may be."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    ends = []
    for name in STEPS:
        if name not in (BEFORE, "automatic", AFTER):
            continue
        rates = [_percent(effect.success(name, float(slack)).share) for slack in SLACKS_PCT]
        mean = np.array([rate.mean for rate in rates])
        look = _LOOKS.get(name, {**SERIES[0].line(), "marker": "", "linewidth": 2.0})
        axes.fill_between(
            SLACKS_PCT,
            [rate.low for rate in rates],
            [rate.high for rate in rates],
            color=look["color"],
            alpha=0.22,
            lw=0,
        )
        axes.plot(SLACKS_PCT, mean, **look)  # type: ignore[arg-type]  # keywords
        colour = {BEFORE: MUTED, AFTER: USEFUL}.get(name, SERIES[0].colour)
        ends.append(LineEnd(float(SLACKS_PCT[-1]), float(mean[-1]), page.label(name), colour, 700))
    axes.axvline(effect.slack_pct, color=MUTED, lw=1.5, ls=(0, (2, 3)))
    axes.annotate(
        page.label("deadline"),
        (effect.slack_pct, 0.05),
        (8, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        color=MUTED,
    )
    axes.set(xlim=(0, SLACKS_PCT[-1]), ylim=(0, 104), yticks=range(0, 101, 25))
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=18)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_ladder(effect: ResilienceEffect, page: Captioned) -> str:
    """Draw what each step leaves lost, and how many jobs are done in time, with intervals."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    lost, success = figure.subplots(1, 2, sharey=True, width_ratios=(1.4, 1))
    names = list(STEPS)
    top = 0.0
    for row, name in enumerate(names):
        interval = interval_of(100 - effect.effective_pct(name))
        _bar(lost, row, interval, bar_style(WASTE), page.lang, name)
        top = max(top, interval.high)
        rate = _percent(effect.success(name).share)
        colour = USEFUL if name == AFTER else WAITING
        _bar(success, row, rate, bar_style(colour), page.lang, name)
    lost.set(xlim=(0, 1.3 * max(top, 1e-9)), xticks=[])
    success.set(xlim=(0, 135), xticks=[])
    for axes, key in ((lost, "lost"), (success, "success")):
        axes.grid(visible=False)
        axes.set_title(page.label(key), loc="left", fontsize=17, color=INK)
    lost.set_yticks(range(len(names)), [page.label(name) for name in names], color=INK, fontsize=18)
    lost.set_ylim(len(names) - 0.45, -0.55)
    return svg_text(figure, page.key, page.title, page.alt)


def _bar(
    axes: Axes, row: int, interval: Interval, style: dict[str, object], lang: str, name: str
) -> None:
    axes.barh(row, interval.mean, 0.58, **style)  # type: ignore[arg-type]  # keywords
    reach = [[interval.mean - max(interval.low, 0.0)], [interval.high - interval.mean]]
    axes.errorbar(interval.mean, row, xerr=reach, color=INK, capsize=5, linewidth=2, zorder=4)
    axes.annotate(
        format_quantity(interval.mean, "%", lang, decimals=1),
        (interval.high, row),
        (10, 0),
        textcoords="offset points",
        va="center",
        fontsize=18,
        fontweight=700 if name in (BEFORE, AFTER) else 400,
        color=INK,
    )


def draw_times(effect: ResilienceEffect, page: Captioned) -> str:
    """Draw where the lost time of each step goes, as parts of a bar that sum to all of it."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    names = list(STEPS)
    shares = {
        name: {
            part: 100 * float(effect.find(name).result.share(*summed).mean())
            for part, (summed, _) in _PARTS.items()
        }
        for name in names
    }
    top = max(sum(parts.values()) for parts in shares.values())
    for row, name in enumerate(names):
        _draw_parts(axes, row, shares[name], top, page)
    axes.set(xlim=(0, _ROOM * max(top, 1e-9)))
    axes.set_yticks(range(len(names)), [page.label(name) for name in names], color=INK, fontsize=18)
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.grid(visible=False)
    name_axes(axes, page.label("x"), page.label("y"))
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_parts(axes: Axes, row: int, parts: dict[str, float], top: float, page: Captioned) -> None:
    """Draw one bar; name its wide parts on it, and on the first bar the narrow ones beside it."""
    left, narrow = 0.0, []
    plate = {"boxstyle": "round,pad=0.15", "facecolor": PAPER, "edgecolor": "none"}
    for part, width in parts.items():
        axes.barh(row, width, 0.58, left=left, **_PARTS[part][1])  # type: ignore[arg-type]  # keywords
        room_px = _BAR_SHARE * page.slot.width_px * width / (_ROOM * max(top, 1e-9))
        if text_width_px(page.label(part), TEXT_PX) + _PLATE_PX <= room_px:
            middle = (left + width / 2, row)
            axes.annotate(page.label(part), middle, ha="center", va="center", color=INK, bbox=plate)
        elif width >= _LEAST_PCT:
            share = format_quantity(width, "%", page.lang, decimals=1)
            narrow.append(f"{page.label(part)} {share}")
        left += width
    whole = format_quantity(left, "%", page.lang, decimals=1)
    axes.annotate(
        "\n".join([whole, *(narrow if row == 0 else [])]),
        (left, row),
        (10, 0),
        textcoords="offset points",
        va="center",
        fontsize=18,
        fontweight=700,
        color=INK,
    )
