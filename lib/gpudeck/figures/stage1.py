"""The pictures of page 9: the same days without and with sharing."""

from __future__ import annotations

from functools import partial

import numpy as np
from matplotlib.axes import Axes

from gpudeck.fact import Fact
from gpudeck.figures.baseline import COST_GROUPS, RANKED_PCT, draw_ranked, group_look
from gpudeck.figures.before_after import draw_pair, percent_change, plus_minus, signed, span_text
from gpudeck.figures.caption import Captioned
from gpudeck.figures.sheet import table_sheet
from gpudeck.figures.style import (
    INK,
    MUTED,
    PAPER,
    USEFUL,
    WAITING,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
)
from gpudeck.interval import interval_of
from gpudeck.journey import StageEffect
from gpudeck.tables import read_sources
from gpudeck.units import format_number, format_quantity

# the four of the main slide, with the digits that each needs
_SHOWN = {"tenancy": 2, "useful": 1, "gpus_needed": 0, "cost_useful": 2}
# the rows of the table, and their digits
_ROWS = {
    "tenancy": 2,
    "asked": 1,
    "sm": 1,
    "useful": 1,
    "waiting_pods": 0,
    "gpus_needed": 0,
    "cost_useful": 2,
}
# a part of a bar that has no room for its number
_NARROW_PCT = 6


def draw_effect(effect: StageEffect, page: Captioned) -> str:
    """Draw four measures before and after sharing, each with its 95 % interval and its change.

    Parameters
    ----------
    effect : StageEffect
        Days without and with sharing.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    panels = figure.subplots(1, len(_SHOWN))
    for axes, (measure, decimals) in zip(panels, _SHOWN.items(), strict=True):
        _draw_pair(axes, effect, measure, decimals, page)
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_pair(
    axes: Axes, effect: StageEffect, measure: str, decimals: int, page: Captioned
) -> None:
    before, after = (interval_of(values) for values in effect.samples(measure))
    change = percent_change(interval_of(effect.change_pct(measure)), page.lang)
    write = partial(format_number, lang=page.lang, decimals=decimals)
    draw_pair(axes, (before, after), write, change, page.label(measure), page)


def draw_distributions(effect: StageEffect, page: Captioned) -> tuple[str, str]:
    """Draw each GPU's share asked for, and its SM activity, before and after, busiest first."""
    pictures = []
    for field in ("asked", "sm"):
        figure = new_figure(page.slot.width_px, page.slot.height_px)
        axes = figure.subplots()
        curves = []
        for runs, look in (
            (effect.before, {"color": MUTED, "linestyle": (0, (6, 2)), "linewidth": 2.5}),
            (effect.after, {"color": USEFUL, "linewidth": 3.5}),
        ):
            curves.append(draw_ranked(axes, runs, field, look))
        axes.set(xlim=(0, 100), ylim=(0, 112), yticks=range(0, 101, 20))
        name_axes(axes, page.label("x"), page.label(f"y_{field}"))
        _name_curves(axes, effect, field, curves, page)
        key = f"{page.key}-{field}"
        pictures.append(svg_text(figure, key, page.label(f"y_{field}"), page.alt))
    return pictures[0], pictures[1]


def _name_curves(
    axes: Axes,
    effect: StageEffect,
    field: str,
    curves: list[np.ndarray],
    page: Captioned,
) -> None:
    """Name both curves with their means, where they are furthest from each other."""
    gap = np.abs(curves[1] - curves[0])
    # where there is room on both sides: 40 to 85 % of the GPUs
    inner = slice(int(0.4 * len(gap)), int(0.85 * len(gap)))
    at = int(gap[inner].argmax()) + inner.start
    upper = int(curves[1][at] >= curves[0][at])
    for place, (name, runs) in enumerate((("before", effect.before), ("after", effect.after))):
        mean = format_quantity(float(runs.gpu_pct(field).mean()), "%", page.lang, decimals=1)
        above = place == upper
        # right of the middle there is no room beside the upper curve
        corner = above and RANKED_PCT[at] > 60
        axes.annotate(
            f"{page.label(name)} {mean}",
            (100, 103) if corner else (float(RANKED_PCT[at]), float(curves[place][at])),
            (0, 0) if corner else (14, 16) if above else (-12, -12),
            textcoords="offset points",
            ha="left" if above and not corner else "right",
            va="bottom" if above else "top",
            fontsize=18,
            fontweight=700,
            color=USEFUL if place else INK,
        )


def draw_sized(effect: StageEffect, sized: Fact, page: Captioned) -> str:
    """Draw the GPUs that the same pods need: exclusive, shared, and shared with sized requests.

    Parameters
    ----------
    effect : StageEffect
        Days without and with sharing.
    sized : Fact
        GPUs with sized requests, with its interval.
    page : Captioned
        The page that shows it.
    """
    exclusive, shared = (interval_of(values) for values in effect.samples("gpus_needed"))
    assert sized.interval is not None
    bars = (("before", exclusive), ("after", shared), ("sized", sized.interval))
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    for place, (_, interval) in enumerate(bars):
        row = len(bars) - 1 - place
        axes.barh(row, interval.mean, 0.56, color=USEFUL if place else WAITING)
        axes.errorbar(interval.mean, row, xerr=interval.half_width, color=INK, capsize=7, lw=2)
        change = 100 * (interval.mean / exclusive.mean - 1)
        text = format_number(interval.mean, page.lang, decimals=0, scale="plain")
        axes.annotate(
            f"{text}  ({signed(change, page.lang)}%)" if place else text,
            (interval.high, row),
            (12, 0),
            textcoords="offset points",
            va="center",
            fontsize=22,
            fontweight=700,
            color=text_colour(USEFUL) if place else INK,
        )
    axes.set(xlim=(0, 1.2 * exclusive.high), ylim=(-0.5, 2.5))
    names = [page.label(name) for name, _ in reversed(bars)]
    axes.set_yticks(range(len(bars)), names, color=INK, fontsize=18)
    axes.grid(visible=False)
    name_axes(axes, page.label("x"))
    return svg_text(figure, page.key, page.title, page.alt)


def draw_parts(effect: StageEffect, page: Captioned) -> str:
    """Draw where the GPU-hours go before and after sharing, as two stacked bars."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    for row, runs in ((1, effect.before), (0, effect.after)):
        left = 0.0
        for name, parts in COST_GROUPS.items():
            part = float(runs.percent(*parts).mean())
            axes.barh(row, part, 0.5, left, edgecolor=PAPER, linewidth=1.5, **group_look(name))
            if part > _NARROW_PCT:
                axes.annotate(
                    format_quantity(part, "%", page.lang, decimals=1),
                    (left + part / 2, row),
                    ha="center",
                    va="center",
                    fontsize=18,
                    fontweight=700,
                    bbox={"boxstyle": "round,pad=0.25", "facecolor": PAPER, "edgecolor": "none"},
                )
            elif name == "free" and part > 0.05:
                axes.annotate(
                    format_quantity(part, "%", page.lang, decimals=1),
                    (100, row),
                    (10, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=18,
                    fontweight=700,
                    annotation_clip=False,
                )
            left += part
    _name_parts(axes, effect, page)
    axes.set(xlim=(0, 100), ylim=(-0.45, 1.5))
    axes.set_yticks([1, 0], [page.label("before"), page.label("after")], color=INK, fontsize=18)
    axes.grid(visible=False)
    name_axes(axes, page.label("x"))
    return svg_text(figure, page.key, page.title, page.alt)


def _name_parts(axes: Axes, effect: StageEffect, page: Captioned) -> None:
    """Name each part above the bar in which it is larger."""
    for row, runs, other in ((1, effect.before, effect.after), (0, effect.after, effect.before)):
        left = 0.0
        for name, parts in COST_GROUPS.items():
            part = float(runs.percent(*parts).mean())
            larger = part >= float(other.percent(*parts).mean())
            narrow = part <= _NARROW_PCT
            if (larger and part > 0.05) or name in ("useful", "idle"):
                axes.annotate(
                    page.label(name),
                    (left + part if narrow else left + part / 2, row + 0.25),
                    (0, 10),
                    textcoords="offset points",
                    ha="right" if narrow else "center",
                    fontsize=18,
                    color=INK,
                )
            left += part


def tabulate_effect(effect: StageEffect, page: Captioned) -> str:
    """Set all measures before and after, with their 95 % intervals, in a table."""
    rows = []
    for measure, decimals in _ROWS.items():
        cells = [page.label(measure)]
        cells += [plus_minus(values, page.lang, decimals) for values in effect.samples(measure)]
        change = interval_of(effect.change_pct(measure))
        cells.append(f"{signed(change.mean, page.lang)}% ({span_text(change, page.lang)})")
        rows.append(cells)
    header = [page.label(name) for name in ("measure", "before", "after", "change")]
    return table_sheet(page.title, header, rows, marked=len(rows) - 1)


def tabulate_gains(effect: StageEffect, gains: tuple[Fact, ...], page: Captioned) -> str:
    """Set published gains of sharing beside this scenario's, in a table."""
    value = {fact.key: float(fact.value) for fact in gains}
    saved = interval_of(-effect.change_pct("gpus_needed")).mean
    cheaper = interval_of(-effect.change_pct("cost_useful")).mean
    aegaeon = 100 * (1 - value["aegaeon_after"] / value["aegaeon_before"])
    orion = 100 * (1 - 1 / value["orion_cost"])
    numbers = {
        "ours_gpus": (saved, ""),
        "ours_cost": (cheaper, ""),
        "pai": (value["pai_saved"], "pai_saved"),
        "aegaeon": (aegaeon, "aegaeon_after"),
        "orion": (orion, "orion_cost"),
        "miso": (value["miso_whole"], "miso_whole"),
        "miso_static": (value["miso_static"], "miso_static"),
    }
    sources = {fact.key: read_sources()[fact.source] for fact in gains}
    rows = []
    for name, (number, key) in numbers.items():
        source = f"{sources[key].author} {sources[key].year}" if key else page.label("computed")
        rows.append([page.label(name), source, format_quantity(number, "%", page.lang, decimals=0)])
    header = [page.label(name) for name in ("what", "source", "less")]
    return table_sheet(page.title, header, rows, marked=0)
