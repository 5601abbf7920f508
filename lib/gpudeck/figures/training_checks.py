"""Page 21 against what was published: points beside the model, and tables that contradict."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from gpudeck.figures.caption import Captioned
from gpudeck.figures.sheet import table_sheet
from gpudeck.figures.style import (
    INK,
    MEASURED,
    USEFUL,
    WASTE,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
    tint,
)
from gpudeck.models.training.printed import Contradiction, PrintedRow
from gpudeck.models.training.published import RunPoint
from gpudeck.models.training.report import TOLERANCE_PCT
from gpudeck.units import format_number, format_quantity

_MARKERS = {"megatron": "o", "selective": "s", "full": "^", "llama3": "D"}


def draw_points(points: Sequence[RunPoint], page: Captioned) -> str:
    """Draw the model's FLOP/s of a GPU over the published ones, one panel a kind of GPU."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    gpus = tuple(dict.fromkeys(point.gpu for point in points))
    for axes, gpu in zip(figure.subplots(1, len(gpus)), gpus, strict=True):
        _draw_panel(axes, [point for point in points if point.gpu == gpu], page)
        name_axes(axes, page.label("x"), f"{gpu.partition('-')[0]} · {page.label('y')}")
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_panel(axes: Axes, points: Sequence[RunPoint], page: Captioned) -> None:
    values = [v for point in points for v in (point.published_tflops, point.computed_tflops)]
    low, high = 0.9 * min(values), 1.1 * max(values)
    line, share = np.array([low, high]), TOLERANCE_PCT / 100
    axes.fill_between(
        line, line * (1 - share), line * (1 + share), color=tint(USEFUL, 0.16), linewidth=0
    )
    axes.plot(line, line, color=USEFUL, linewidth=2.5)
    for point in points:
        system = point.id.partition("@")[2].partition("-")[0]
        axes.plot(
            point.published_tflops, point.computed_tflops, _MARKERS[system],
            color=MEASURED, markersize=9, markerfacecolor="none", markeredgewidth=2,
        )  # fmt: skip
    _name_systems(axes, points, page)
    axes.set(xlim=(low, high), ylim=(low, high))
    axes.text(
        0.975, 0.04, page.label("band").format(f"{TOLERANCE_PCT:.0f}%"), ha="right", va="bottom",
        transform=axes.transAxes, color=text_colour(USEFUL), fontsize=17,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 3},
    )  # fmt: skip


def _name_systems(axes: Axes, points: Sequence[RunPoint], page: Captioned) -> None:
    """Name each system at its marker in the corner, and each row that misses at its point."""
    systems = dict.fromkeys(point.id.partition("@")[2].partition("-")[0] for point in points)
    for row, system in enumerate(systems):
        y = 0.94 - 0.075 * row
        axes.plot(
            0.035, y, _MARKERS[system], transform=axes.transAxes, color=MEASURED, markersize=9,
            markerfacecolor="none", markeredgewidth=2,
        )  # fmt: skip
        axes.text(0.065, y, page.label(system), transform=axes.transAxes, va="center", color=INK)
    for point in points:
        if abs(point.error_pct) > TOLERANCE_PCT:
            text = f"{point.error_pct:+.1f}%".replace("-", "\N{MINUS SIGN}")
            axes.annotate(
                text, (point.published_tflops, point.computed_tflops), (12, 0),
                textcoords="offset points", va="center", fontsize=18, fontweight=700,
                color=text_colour(WASTE),
            )  # fmt: skip


def tabulate_printed(rows: Sequence[PrintedRow], suspect: str, page: Captioned) -> str:
    """Set what a published table prints beside what follows from it."""
    header = [page.label(name) for name in ("row", "mfu", "aggregate", "implied", "token")]
    cells = [
        (
            f"{page.label(row.id.rpartition('-')[0])} · {_whole(row.gpus, page)}",
            format_quantity(row.mfu_pct, "%", page.lang, decimals=1),
            format_number(row.aggregate_pflops, page.lang, decimals=1),
            format_quantity(row.from_aggregate_pct, "%", page.lang, decimals=1),
            format_number(row.token_tflop, page.lang, decimals=3),
        )
        for row in rows
    ]
    marked = [row.id for row in rows].index(suspect)
    return table_sheet(page.title, header, cells, marked=marked)


def tabulate_contradictions(found: Sequence[Contradiction], page: Captioned) -> str:
    """Set figures that contradict their own paper: printed, and what follows."""
    header = [page.label(name) for name in ("claim", "printed", "follows", "why")]
    rows = [
        (
            page.label(one.id),
            *(_write(value, one, page) for value in (one.printed, one.follows)),
            page.label(f"{one.id}_why"),
        )
        for one in found
    ]
    return table_sheet(page.title, header, rows, words=True)


def _write(value: float, one: Contradiction, page: Captioned) -> str:
    """Write a figure with all its digits, as the paper prints it."""
    if one.unit == "count":
        return _whole(value, page)
    return format_quantity(value, one.unit, page.lang, decimals=one.decimals)


def _whole(value: float, page: Captioned) -> str:
    return format_number(value, page.lang, decimals=0, scale="plain")
