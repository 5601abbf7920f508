"""The pictures of section 2: bare metal, and where its GPU-hours go."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes

from gpudeck.figures.architecture import Block, Group, architecture
from gpudeck.figures.caption import Captioned
from gpudeck.figures.geometry import Box
from gpudeck.figures.routing import Edge
from gpudeck.figures.shapes import Canvas, Share
from gpudeck.figures.style import (
    INK,
    MEASURED,
    MUTED,
    PAPER,
    RULE,
    SERIES,
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
    tint,
)
from gpudeck.interval import band_of, interval_of
from gpudeck.journey import PARTS, Runs
from gpudeck.journey.baseline import NodeState, published_utilisation
from gpudeck.journey.demand import GrainDemand
from gpudeck.scenario import Scenario
from gpudeck.units import format_number, format_quantity

ALLOCATED = "#4B5563"
_QUANTILES = 201
# what a paid hour is, in four groups that a bar has room to name
COST_GROUPS = {
    "useful": ("useful",),
    "idle": ("oversized", "off_peak", "shared", "failed"),
    "grain": ("grain",),
    "free": ("stranded", "unneeded"),
}


def draw_use(runs: Runs, page: Captioned) -> str:
    """Draw how much of each GPU is allocated, and used in memory and SM, busiest first.

    Parameters
    ----------
    runs : Runs
        Simulated days.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    level = np.linspace(0, 1, _QUANTILES)
    looks = {
        "held": {"color": ALLOCATED, "linestyle": (0, (6, 2)), "linewidth": 2.5},
        "memory": SERIES[0].line() | {"marker": "", "linewidth": 2.5},
        "sm": {"color": USEFUL, "linewidth": 3.5},
    }
    curves = {}
    for field, look in looks.items():
        pooled = np.concatenate([getattr(run.gpus, field) for run in runs.runs])
        curves[field] = 100 * np.quantile(pooled, level)
        sns.ecdfplot(y=curves[field], stat="percent", complementary=True, ax=axes, **look)
    order = 100 * (1 - level)
    axes.fill_between(order, 0, curves["sm"], color=tint(USEFUL, 0.25), lw=0)
    axes.fill_between(
        order, curves["sm"], curves["held"], facecolor=tint(WASTE, 0.18), lw=0, hatch="//"
    )
    axes.set(xlim=(0, 100), ylim=(0, 102))
    name_axes(axes, page.label("x"), page.label("y"))
    plate = {"boxstyle": "square,pad=0.25", "facecolor": PAPER, "edgecolor": "none"}
    for name, field, at in (("held", "held", 30), ("memory", "memory", 55), ("sm", "sm", 22)):
        axes.annotate(
            page.label(name),
            (at, float(np.interp(at, order[::-1], curves[field][::-1]))),
            (0, -24 if field == "held" else 26),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=18,
            fontweight=700,
            color=text_colour(str(looks[field]["color"])),
            bbox=plate,
        )
    return svg_text(figure, page.key, page.title, page.alt)


def draw_cost(runs: Runs, scenario: Scenario, page: Captioned) -> str:
    """Draw what one useful GPU-hour costs at each price, by what the money is paid for."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    cost = scenario.cost
    prices = (
        ("high", cost.high_usd_per_gpu_h),
        ("central", cost.central_usd_per_gpu_h),
        ("low", cost.low_usd_per_gpu_h),
    )
    useful = runs.percent("useful")
    parts = {name: (runs.percent(*of) / useful).mean() for name, of in COST_GROUPS.items()}
    for row, (_, usd) in enumerate(prices):
        left = 0.0
        for name, part in parts.items():
            look = _group_look(name)
            axes.barh(row, usd * part, 0.56, left, edgecolor=PAPER, linewidth=1.5, **look)
            left += usd * part
        axes.annotate(
            format_quantity(left, "USD/GPU-hour", page.lang, decimals=1),
            (left, row),
            (8, 0),
            textcoords="offset points",
            va="center",
            fontweight=700,
            fontsize=18,
        )
    _name_groups(axes, page, parts, prices[0][1])
    total = sum(parts.values()) * prices[0][1]
    axes.set(xlim=(0, total * 1.18), ylim=(-0.5, 3.0))
    axes.set_yticks(range(len(prices)), [page.label(name) for name, _ in prices], color=INK)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    name_axes(axes, page.label("x"))
    return svg_text(figure, page.key, page.title, page.alt)


def _group_look(name: str) -> dict[str, object]:
    looks = {
        "useful": {"color": USEFUL},
        "idle": {"facecolor": WASTE, "hatch": "//"},
        "grain": {"facecolor": tint(WASTE, 0.55), "hatch": ".."},
        "free": {"color": WAITING},
    }
    return looks[name]


def _name_groups(axes: Axes, page: Captioned, parts: dict[str, float], usd: float) -> None:
    """Name the parts below the longest bar; one too narrow for its name is named further down."""
    left = 0.0
    for name, part in parts.items():
        centre = usd * (left + part / 2)
        left += part
        if part > 0.01 * sum(parts.values()):
            lower = name == "free"
            axes.annotate(
                page.label(name),
                (centre, -0.28),
                (0, -26),
                textcoords="offset points",
                ha="center",
                va="top",
                annotation_clip=False,
                color=INK,
            ) if not lower else axes.annotate(
                page.label(name),
                (centre, 0.28),
                (0, 14),
                textcoords="offset points",
                ha="center",
                va="bottom",
                color=INK,
            )


def draw_published(runs: Runs, page: Captioned) -> str:
    """Draw published GPU utilisation as points, and the baseline's as a line with its spread."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    rows = published_utilisation()
    ordered = sorted(rows, key=lambda key: rows[key].number)
    for place, key in enumerate(ordered):
        row = rows[key]
        axes.hlines(place, 0, 100, color=RULE, linewidth=1, zorder=0)
        text = format_quantity(row.number, "%", page.lang, decimals=1)
        right = row.number
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [place, place], color=MEASURED, linewidth=3)
            text = f"{format_number(row.low, page.lang)}–{format_number(row.high, page.lang)}%"
            right = row.high
        else:
            axes.plot(row.number, place, "o", color=MEASURED, markersize=9)
        axes.annotate(
            text, (right, place), (12, 0), textcoords="offset points", va="center", fontsize=18
        )
    computed = interval_of(runs.gpu_pct("sm")).mean
    axes.axvline(computed, color=USEFUL, linewidth=3)
    axes.annotate(
        page.label("computed"),
        (computed, len(ordered) - 0.5),
        (10, 0),
        textcoords="offset points",
        va="center",
        fontsize=18,
        fontweight=700,
        color=USEFUL,
    )
    axes.set(xlim=(0, 70), ylim=(-0.6, len(ordered) - 0.2))
    axes.set_yticks(range(len(ordered)), [page.label(key) for key in ordered], color=INK)
    axes.grid(visible=False)
    name_axes(axes, page.label("x"))
    return svg_text(figure, page.key, page.title, page.alt)


def draw_exclusive(nodes: Sequence[NodeState], page: Captioned) -> str:
    """Draw the way from a request to whole GPUs, and nodes as the model left them in one hour."""
    words = page.label
    names = ("ask", "plugin", "spread", "bind")
    blocks = [
        Block(
            name,
            words(name),
            column,
            0,
            words(f"{name}_detail"),
            tone="waste" if name == "plugin" else "plain",
        )
        for column, name in enumerate(names)
    ]
    for column, node in enumerate(nodes):
        blocks.append(
            Block(
                f"node{column}",
                f"{node.name} · {node.model}",
                column,
                1,
                kind="node",
                content=partial(_draw_gpus, node=node),
            )
        )
    edges = [
        Edge("ask", "plugin", words("to_plugin")),
        Edge("plugin", "spread", words("to_spread")),
        Edge("spread", "bind", words("to_bind")),
        Edge("bind", f"node{len(nodes) - 1}", exit="bottom", enter="top"),
    ]
    groups = [Group(words("cluster"), tuple(f"node{column}" for column in range(len(nodes))))]
    return architecture(
        blocks,
        edges,
        groups,
        key=page.key,
        title=page.title,
        description=page.alt,
        width_px=page.slot.width_px,
        height_px=page.slot.height_px,
        gutter_x_px=96,
        gutter_y_px=84,
        row_weights=(3, 5),
    )


def _draw_gpus(canvas: Canvas, room: Box, node: NodeState) -> None:
    """Draw a node's GPUs as squares: used from below, asked for and idle, not even asked for."""
    gap_px, across = 10, 4
    rows = max(2, -(-len(node.gpus) // across))
    across = across if rows == 2 else -(-len(node.gpus) // rows)
    size_px = min(
        (room.width - (across - 1) * gap_px) / across,
        (room.height - (rows - 1) * gap_px) / rows,
    )
    for number, gpu in enumerate(node.gpus):
        row, column = divmod(number, across)
        shares = [
            Share(gpu.used, USEFUL),
            Share(gpu.asked - gpu.used, tint(WAITING, 0.55)),
            Share(gpu.held - gpu.asked, WASTE),
        ]
        canvas.gpu(
            room.x + column * (size_px + gap_px),
            room.y + row * (size_px + gap_px),
            size_px,
            [share for share in shares if share.fraction > 0],
        )


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
        axes.bar(place, interval.mean, 0.62, level - interval.mean, **bar_style(WASTE))
        axes.hlines(level, place - 0.69, place + 0.31, color=MUTED, linewidth=1)
        names.append(page.label(cause))
        values.append(interval.mean)
        tops.append(level)
        level -= interval.mean
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
    axes.bar(places, surplus, 0.64, demand.asked, **bar_style(WASTE))
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
        if surplus[place] > 0.055 * demand.given.max():
            axes.annotate(
                format_number(float(surplus[place]), page.lang, decimals=0),
                (place, demand.asked[place] + surplus[place] / 2),
                ha="center",
                va="center",
                color=text_colour(WASTE),
                bbox={"boxstyle": "round,pad=0.2", "facecolor": PAPER, "edgecolor": "none"},
            )
    axes.set(ylim=(0, 1.16 * demand.given.max()))
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
        axes.step(edges, band.mean, where="post", **looks[name])  # type: ignore[arg-type]
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
            words(f"{part}_cost"),
            tone="waste",
        )
        for column, part in enumerate(parts)
    ]
    edges = [
        Edge("queue", "plugin", words("next")),
        Edge("plugin", "score", words("fits")),
        Edge("score", "kubelet", words("binds")),
        *(Edge(part, f"{part}_cost", dashed=True, colour=WASTE) for part in parts),
    ]
    groups = [
        Group(words("scheduler"), ("queue", "plugin", "score", "kubelet")),
        Group(words("costs"), tuple(f"{part}_cost" for part in parts)),
    ]
    return architecture(
        blocks,
        edges,
        groups,
        key=page.key,
        title=page.title,
        description=page.alt,
        width_px=page.slot.width_px,
        height_px=page.slot.height_px,
        gutter_x_px=88,
        gutter_y_px=96,
        row_weights=(5, 6),
    )
