"""The pictures of page 18: GPUs that wait for data, before and after the paths were rebuilt."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from matplotlib.axes import Axes

from gpudeck.figures.before_after import draw_pair, print_change, signed
from gpudeck.figures.caption import Captioned
from gpudeck.figures.sheet import table_sheet
from gpudeck.figures.style import (
    INK,
    MUTED,
    PAPER,
    USEFUL,
    WAITING,
    WASTE,
    bar_style,
    new_figure,
    svg_text,
)
from gpudeck.figures.validation import Compared
from gpudeck.interval import interval_of
from gpudeck.journey.stage3 import MEASURES, PARTS, STEPS, DataPathEffect
from gpudeck.units import format_number, format_quantity

_BEHIND = {"boxstyle": "round,pad=0.15", "facecolor": PAPER, "edgecolor": "none"}
_SHOWN = {"starving": 1, "read_gb_s": 1, "batch_s": None, "cores_per_gb_s": 2}


def draw_effect(effect: DataPathEffect, page: Captioned) -> str:
    """Draw four measures before and after, with their 95 % intervals and changes.

    Parameters
    ----------
    effect : DataPathEffect
        From `run_stage3`.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    for axes, (measure, digits) in zip(
        figure.subplots(1, len(_SHOWN)), _SHOWN.items(), strict=True
    ):
        both = [interval_of(effect.samples(measure, name)) for name in ("before", "after")]
        write = partial(_write, unit=MEASURES[measure], lang=page.lang, digits=digits)
        change = print_change(effect, measure, MEASURES[measure], page.lang, 0)
        draw_pair(axes, (both[0], both[1]), write, change, page.label(measure), page)
    return svg_text(figure, page.key, page.title, page.alt)


def _write(value: float, unit: str, lang: str, digits: int | None) -> str:
    if unit == "1":
        return format_number(value, lang, decimals=digits)
    return format_quantity(value, unit, lang, decimals=digits)


def draw_steps(effect: DataPathEffect, page: Captioned) -> str:
    """Draw, for each step, how the GPUs' time divides, and what a GPU may read, with its limit.

    Parameters
    ----------
    effect : DataPathEffect
        From `run_stage3`.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    shares, supplies = figure.subplots(1, 2, sharey=True, width_ratios=(1.25, 1))
    for row, step in enumerate(effect.steps):
        _draw_share(shares, effect, step.path.name, row, page.lang)
        supply = step.path.gpu_gb_s
        enough = supply >= effect.job.need_gb_s
        supplies.barh(row, supply, 0.6, color=USEFUL if enough else WAITING)
        text = format_quantity(supply, "GB/s", page.lang)
        supplies.annotate(
            f"{text}  {page.label(step.path.limit)}",
            (supply if enough else effect.job.need_gb_s, row),
            (8, 0),
            textcoords="offset points",
            va="center",
            fontsize=18,
            bbox=_BEHIND,
            zorder=5,
        )
    top = max(effect.job.need_gb_s, *(step.path.gpu_gb_s for step in effect.steps))
    supplies.axvline(effect.job.need_gb_s, color=INK, linewidth=2, linestyle=(0, (6, 3)))
    supplies.annotate(
        page.label("need"),
        (effect.job.need_gb_s, len(STEPS) - 0.5),
        (6, 2),
        textcoords="offset points",
        color=MUTED,
        fontsize=17,
    )
    supplies.set(xlim=(0, 1.75 * top), xticks=[])
    shares.set(xlim=(0, 100), xticks=range(0, 101, 25))
    names = [page.label(step.path.name) for step in effect.steps]
    shares.set_yticks(range(len(names)), names, color=INK, fontsize=18)
    shares.set_ylim(len(names) - 0.3, -0.55)
    for axes, name in ((shares, "share"), (supplies, "supply")):
        axes.grid(visible=False)
        axes.set_title(page.label(name), loc="left", fontsize=17, color=INK)
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_share(axes: Axes, effect: DataPathEffect, name: str, row: int, lang: str) -> None:
    """Draw the GPUs' time as one bar: computing, and waiting for data, with its interval."""
    busy = interval_of(effect.samples("utilisation", name))
    axes.barh(row, busy.mean, 0.6, color=USEFUL)
    waste = bar_style(WASTE)
    axes.barh(row, 100 - busy.mean, 0.6, left=busy.mean, **waste)  # type: ignore[arg-type]  # keywords
    spread = [[busy.mean - busy.low], [busy.high - busy.mean]]
    axes.errorbar(busy.mean, row, xerr=spread, color=INK, capsize=5, linewidth=2, zorder=4)
    inside = busy.mean > 30
    axes.annotate(
        format_quantity(busy.mean, "%", lang, decimals=1),
        (busy.mean, row),
        (-10 if inside else 10, 0),
        textcoords="offset points",
        ha="right" if inside else "left",
        va="center",
        fontsize=18,
        fontweight=700,
        color=PAPER if inside else INK,
        bbox=None if inside else _BEHIND,
        zorder=5,
    )


def tabulate_limits(effect: DataPathEffect, page: Captioned) -> str:
    """Set what each part of the path lets a GPU read at each step; a star marks the least.

    Parameters
    ----------
    effect : DataPathEffect
        From `run_stage3`.
    page : Captioned
        The page that shows it.
    """
    rows = []
    for part in PARTS:
        cells = [page.label(part)]
        for step in effect.steps:
            text = format_number(float(getattr(step.path, f"{part}_gb_s")), page.lang)
            cells.append(f"* {text}" if step.path.limit == part else text)
        rows.append(cells)
    least = [format_number(step.path.gpu_gb_s, page.lang) for step in effect.steps]
    rows.append([page.label("least"), *least])
    cores = [format_number(step.path.cores_per_gb_s, page.lang) for step in effect.steps]
    rows.append([page.label("cores_per_gb_s"), *cores])
    header = [page.label("part"), *(page.label(step.path.name) for step in effect.steps)]
    return table_sheet(page.title, header, rows, marked=len(PARTS))


def tabulate_submissions(results: Sequence[Compared], page: Captioned) -> str:
    """Set published rates of MLPerf Storage beside those of the closed form, with the error.

    Parameters
    ----------
    results : sequence of Compared
        The results that the model `loader` is held to, ids ``workload@accelerators:use``.
    page : Captioned
        The page that shows it.
    """
    cells = []
    for result in results:
        workload, _, setting = result.id.partition("@")
        gpus, _, use = setting.partition(":")
        error_pct = 100 * (result.computed / result.published - 1)
        cells.append(
            [
                f"{workload.removesuffix('-h100')} × {gpus}",
                f"{float(use):.1f}%",
                format_number(result.published, page.lang, decimals=1),
                format_number(result.computed, page.lang, decimals=1),
                f"{signed(error_pct, page.lang)}%",
            ]
        )
    header = [page.label(name) for name in ("who", "use", "published", "computed", "error")]
    return table_sheet(page.title, header, cells)
