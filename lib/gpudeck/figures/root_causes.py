"""The pictures of page 5: where the GPU-hours of bare metal go, and why."""

from __future__ import annotations

from functools import partial

import numpy as np

from gpudeck.figures.architecture import Block, Group, architecture
from gpudeck.figures.baseline import ALLOCATED
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.geometry import Box
from gpudeck.figures.routing import Edge
from gpudeck.figures.shapes import Canvas
from gpudeck.figures.style import (
    INK,
    MUTED,
    PAPER,
    SERIES,
    USEFUL,
    WASTE,
    LineEnd,
    bar_style,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
    tint,
)
from gpudeck.interval import band_of, interval_of
from gpudeck.journey import PARTS, GrainDemand, Runs
from gpudeck.units import format_number, format_quantity


def draw_waterfall(runs: Runs, page: Captioned) -> str:
    """Draw how the GPU-hours of a day shrink, cause by cause, to the useful ones.

    Parameters
    ----------
    runs : Runs
        Simulated days; means over them, with the 95 % interval of each cause.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    causes = [part for part in PARTS if part not in ("shared", "useful")]
    axes.bar(0, 100, 0.62, color=ALLOCATED)
    names, values, tops = [page.label("paid")], [100.0], [100.0]
    level = 100.0
    for place, cause in enumerate(causes, start=1):
        interval = interval_of(runs.percent(cause))
        axes.bar(place, interval.mean, 0.62, level - interval.mean, **bar_style(WASTE))  # type: ignore[arg-type]
        axes.hlines(level, place - 0.69, place + 0.31, color=MUTED, linewidth=1)
        names.append(page.label(cause))
        values.append(interval.mean)
        tops.append(level)
        level -= interval.mean
        axes.errorbar(place, level, interval.half_width, color=INK, capsize=6, linewidth=2)
    useful = interval_of(runs.percent("useful"))
    last = len(causes) + 1
    axes.bar(last, useful.mean, 0.62, color=USEFUL)
    axes.errorbar(last, useful.mean, useful.half_width, color=INK, capsize=6, linewidth=2)
    axes.hlines(level, last - 0.69, last + 0.31, color=MUTED, linewidth=1)
    for place, (value, top) in enumerate(
        zip([*values, useful.mean], [*tops, useful.mean], strict=True)
    ):
        axes.annotate(
            f"{value:.1f}%" if place > 0 else f"{value:.0f}%",
            (place, top),
            (0, 8 if place < last else 14),
            textcoords="offset points",
            ha="center",
            fontsize=18,
            fontweight=700,
            color=USEFUL if place == last else INK,
        )
    axes.annotate(
        "",
        (last, useful.mean + 9),
        (last, 100),
        arrowprops={"arrowstyle": "<->", "color": text_colour(WASTE), "linewidth": 1.5},
    )
    axes.annotate(
        page.label("lost"),
        (last, 62),
        ha="center",
        va="center",
        fontsize=18,
        fontweight=700,
        color=text_colour(WASTE),
        bbox={"boxstyle": "square,pad=0.25", "facecolor": PAPER, "edgecolor": "none"},
    )
    axes.set(xlim=(-0.5, last + 0.5), ylim=(0, 108))
    axes.set_xticks(range(last + 1), [*names, page.label("useful")], color=INK)
    axes.set_yticks(range(0, 101, 20))
    name_axes(axes, y=page.label("y"))
    return svg_text(figure, page.key, page.title, page.alt)


def draw_granularity(demand: GrainDemand, page: Captioned) -> str:
    """Draw the GPUs that pods get by the size of their request, and what of them they asked for."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    places = np.arange(len(demand.names))
    surplus = demand.given - demand.asked
    axes.bar(places, demand.asked, 0.64, color=USEFUL)
    axes.bar(places, surplus, 0.64, demand.asked, **bar_style(WASTE))  # type: ignore[arg-type]
    for place in places:
        axes.annotate(
            format_number(float(demand.given[place]), page.lang, decimals=0),
            (place, demand.given[place]),
            (0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=18,
            fontweight=700,
        )
        if surplus[place] > 0.1 * demand.given.max():
            axes.annotate(
                format_number(float(surplus[place]), page.lang, decimals=0),
                (place, demand.asked[place] + surplus[place] / 2),
                ha="center",
                va="center",
                color=text_colour(WASTE),
                bbox={"boxstyle": "round,pad=0.2", "facecolor": PAPER, "edgecolor": "none"},
            )
    axes.set(ylim=(0, 1.2 * demand.given.max()))
    axes.set_xticks(places, [page.label(name) for name in demand.names], color=INK)
    name_axes(axes, page.label("x"), page.label("y"))
    for line, (name, colour) in enumerate((("surplus", WASTE), ("asked", USEFUL))):
        axes.annotate(
            page.label(name),
            (0, 1),
            (6, -16 - 26 * line),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=18,
            fontweight=700,
            color=text_colour(colour),
            bbox={"boxstyle": "square,pad=0.1", "facecolor": PAPER, "edgecolor": "none"},
        )
    return svg_text(figure, page.key, page.title, page.alt)


def draw_day(runs: Runs, page: Captioned) -> str:
    """Draw by the hour what is allocated, asked for, needed at the pods' own peak, and used."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    used = ("useful", "failed", "shared")
    levels = {
        "held": (*used, "off_peak", "oversized", "grain"),
        "asked": (*used, "off_peak", "oversized"),
        "peak": (*used, "off_peak"),
        "used": used,
    }
    looks = {
        "held": {"color": ALLOCATED, "linestyle": (0, (6, 2)), "linewidth": 2.5},
        "asked": SERIES[0].line() | {"marker": "", "linewidth": 2.5},
        "peak": {"color": WASTE, "linestyle": (0, (3, 2)), "linewidth": 2.5},
        "used": {"color": USEFUL, "linewidth": 3.5},
    }
    # each value holds for its hour
    edges = np.arange(25)
    bands, ends = {}, []
    for name, parts in levels.items():
        hourly = runs.hourly_pct(*parts)
        band = band_of(np.column_stack([hourly, hourly[:, -1:]]))
        bands[name] = band
        axes.fill_between(
            edges, band.low, band.high, step="post", color=looks[name]["color"], alpha=0.25, lw=0
        )
        axes.step(edges, band.mean, where="post", **looks[name])
        mean = format_quantity(float(hourly.mean()), "%", page.lang, decimals=0)
        colour = str(looks[name]["color"])
        ends.append(LineEnd(24, float(band.mean[-1]), f"{page.label(name)} {mean}", colour, 700))
    axes.fill_between(
        edges,
        bands["used"].mean,
        bands["peak"].mean,
        step="post",
        facecolor=tint(WASTE, 0.2),
        hatch="//",
        lw=0,
    )
    axes.set(xlim=(0, 24), ylim=(0, 104))
    axes.set_xticks(range(0, 25, 3))
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=18)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_limits(page: Captioned) -> str:
    """Draw the default scheduler's parts, each with its weakness and what that costs."""
    words = page.label
    parts = ("queue", "plugin", "score", "kubelet")
    blocks = [
        Block(part, words(part), column, 0, words(f"{part}_detail"))
        for column, part in enumerate(parts)
    ]
    blocks += [
        Block(
            f"{part}_cost",
            words(f"{part}_weakness"),
            column,
            1,
            tone="waste",
            content=partial(
                _draw_weakness, number=words(f"{part}_number"), text=words(f"{part}_cost")
            ),
        )
        for column, part in enumerate(parts)
    ]
    edges = [
        Edge("queue", "plugin", words("next")),
        Edge("plugin", "score", words("fits")),
        Edge("score", "kubelet", words("binds")),
        *(
            Edge(part, f"{part}_cost", dashed=True, colour=WASTE, exit="bottom", enter="top")
            for part in parts
        ),
    ]
    groups = [Group(words("scheduler"), parts)]
    return architecture(
        blocks,
        edges,
        groups,
        **describe(page),
        gutter_x_px=80,
        gutter_y_px=72,
        row_weights=(3, 5),
    )


def _draw_weakness(canvas: Canvas, room: Box, number: str, text: str) -> None:
    """Write what a weakness costs: the number large, below it what it counts."""
    high = room.height * 0.42
    number_box = Box(room.x, room.y, room.width, high)
    canvas.paragraph(number_box, number, 34, weight=700, anchor="start", colour=text_colour(WASTE))
    rest = Box(room.x, room.y + high, room.width, room.height - high)
    canvas.paragraph(rest, text, 18, anchor="start")
