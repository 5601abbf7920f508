"""The pictures of page 4: bare metal, what it hands out, what is used of it, what it costs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gpudeck.figures.architecture import Block, Group, architecture, share_columns
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.geometry import Box
from gpudeck.figures.routing import Edge
from gpudeck.figures.shapes import Canvas, Share
from gpudeck.figures.style import (
    INK,
    MEASURED,
    PAPER,
    RULE,
    SERIES,
    USEFUL,
    WAITING,
    WASTE,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
    tint,
)
from gpudeck.interval import band_of, interval_of
from gpudeck.journey import Runs
from gpudeck.journey.baseline import NodeState, published_utilisation
from gpudeck.scenario import Scenario
from gpudeck.units import format_number, format_quantity

ALLOCATED = "#4B5563"
# the GPUs from busiest to idlest, in percent of all
RANKED_PCT = (np.arange(400) + 0.5) / 4
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
    looks: dict[str, dict[str, Any]] = {
        "held": {"color": ALLOCATED, "linestyle": (0, (6, 2)), "linewidth": 2.5},
        "memory": SERIES[0].line() | {"marker": "", "linewidth": 2.5},
        "sm": {"color": USEFUL, "linewidth": 3.5},
    }
    curves = {}
    for field, look in looks.items():
        curves[field] = draw_ranked(axes, runs, field, look)
    order = RANKED_PCT
    axes.fill_between(order, 0, curves["sm"], color=tint(USEFUL, 0.25), lw=0, zorder=0.5)
    axes.fill_between(
        order,
        curves["sm"],
        curves["held"],
        facecolor=tint(WASTE, 0.18),
        hatch="//",
        lw=0,
        zorder=0.5,
    )
    axes.set(xlim=(0, 100), ylim=(0, 102))
    name_axes(axes, page.label("x"), page.label("y"))
    plate = {"boxstyle": "square,pad=0.25", "facecolor": PAPER, "edgecolor": "none"}
    for name, field, at in (("held", "held", 30), ("memory", "memory", 55), ("sm", "sm", 22)):
        axes.annotate(
            page.label(name),
            (at, float(np.interp(at, order, curves[field]))),
            (0, -24 if field == "held" else 26),
            textcoords="offset points",
            ha="left",
            va="center",
            fontsize=18,
            fontweight=700,
            color=text_colour(str(looks[field]["color"])),
            bbox=plate,
        )
    axes.annotate(
        page.label("unused"), (62, 78), ha="center", va="center", fontsize=18, bbox=plate,
        color=text_colour(WASTE), fontweight=700,
    )  # fmt: skip
    return svg_text(figure, page.key, page.title, page.alt)


def draw_ranked(axes: Axes, runs: Runs, field: str, look: dict[str, Any]) -> NDArray[np.float64]:
    """Draw a field of the GPUs from busiest to idlest with its 95 % band; return the curve.

    The curve, in percent at `RANKED_PCT` of all GPUs, is the mean over the runs.
    """
    ranked = [
        100 * np.quantile(getattr(run.gpus, field), 1 - RANKED_PCT / 100) for run in runs.runs
    ]
    band = band_of(ranked)
    axes.fill_between(RANKED_PCT, band.low, band.high, color=look["color"], alpha=0.3, lw=0)
    sns.ecdfplot(y=band.mean, stat="percent", complementary=True, ax=axes, **look)
    return band.mean


def draw_cost(runs: Runs, scenario: Scenario, page: Captioned) -> str:
    """Draw what one useful GPU-hour costs at each price, by what the money is paid for."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    cost = scenario.cost
    prices = (
        ("low", cost.low_usd_per_gpu_h),
        ("central", cost.central_usd_per_gpu_h),
        ("high", cost.high_usd_per_gpu_h),
    )
    useful = runs.percent("useful")
    parts = {name: (runs.percent(*of) / useful).mean() for name, of in COST_GROUPS.items()}
    for row, (_, usd) in enumerate(prices):
        left = 0.0
        for name, part in parts.items():
            look = group_look(name)
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
    _name_groups(axes, page, parts, prices[-1][1])
    total = sum(parts.values()) * prices[-1][1]
    axes.set(xlim=(0, total * 1.18), ylim=(-0.5, 2.75))
    axes.set_yticks(range(len(prices)), [page.label(name) for name, _ in prices], color=INK)
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    name_axes(axes, page.label("x"))
    return svg_text(figure, page.key, page.title, page.alt)


def group_look(name: str) -> dict[str, Any]:
    """Return how a group of `COST_GROUPS` is drawn."""
    looks: dict[str, dict[str, Any]] = {
        "useful": {"color": USEFUL},
        "idle": {"facecolor": WASTE, "hatch": "//"},
        "grain": {"facecolor": tint(WASTE, 0.55), "hatch": ".."},
        "free": {"color": WAITING},
    }
    return looks[name]


def _name_groups(axes: Axes, page: Captioned, parts: dict[str, float], usd: float) -> None:
    """Name the parts above the longest bar; the last one, which is narrow, from its left edge."""
    left, top = 0.0, 2.28
    for name, part in parts.items():
        narrow = name == "free"
        if part > 0.005 * sum(parts.values()):
            axes.annotate(
                page.label(name),
                (usd * (left if narrow else left + part / 2), top),
                (0, 10),
                textcoords="offset points",
                ha="left" if narrow else "center",
                fontsize=18,
                color=INK,
            )
        left += part


def draw_published(runs: Runs, page: Captioned) -> str:
    """Draw published GPU utilisation as points, and the baseline's as a line with its spread."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    rows = published_utilisation()
    computed = interval_of(runs.gpu_pct("sm")).mean
    ordered = sorted(rows, key=lambda key: rows[key].number)
    for place, key in enumerate(ordered):
        row = rows[key]
        axes.axhline(place, color=RULE, linewidth=1, zorder=0)
        text = format_quantity(row.number, "%", page.lang, digits=3)
        right = row.number
        if row.low is not None and row.high is not None:
            axes.plot([row.low, row.high], [place, place], color=MEASURED, linewidth=3)
            text = f"{format_number(row.low, page.lang)}–{format_number(row.high, page.lang)}%"
            right = row.high
        else:
            axes.plot(row.number, place, "o", color=MEASURED, markersize=9)
        # a number that the baseline's line would cross stands left of its point
        left = 0 <= computed - right < 7
        axes.annotate(
            text,
            (right, place),
            (-12 if left else 12, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            fontsize=18,
            bbox={"boxstyle": "square,pad=0.1", "facecolor": PAPER, "edgecolor": "none"},
        )
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
    axes.set(xlim=(0, max(65, computed + 20)), ylim=(-0.6, len(ordered) - 0.2))
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
    most = max(len(node.gpus) for node in nodes)
    # fewer nodes than columns: each is wider
    places = share_columns(len(names), len(nodes))
    for number, (node, (column, width)) in enumerate(zip(nodes, places, strict=True)):
        blocks.append(
            Block(
                f"node{number}",
                f"{node.name} · {node.model}",
                column,
                1,
                columns=width,
                kind="node",
                content=partial(_draw_gpus, node=node, most=most),
            )
        )
    edges = [
        Edge("ask", "plugin", words("to_plugin")),
        Edge("plugin", "spread", words("to_spread")),
        Edge("spread", "bind", words("to_bind")),
        Edge("bind", f"node{len(nodes) - 1}", exit="bottom", enter="top"),
    ]
    groups = [Group(words("cluster"), tuple(f"node{place}" for place in range(len(nodes))))]
    return architecture(
        blocks,
        edges,
        groups,
        **describe(page),
        gutter_x_px=96,
        gutter_y_px=84,
        row_weights=(2, 5),
    )


def _grid(count: int) -> tuple[int, int]:
    """Return columns and rows of a near-square grid."""
    across = math.ceil(math.sqrt(count))
    return across, math.ceil(count / across)


def _draw_gpus(canvas: Canvas, room: Box, node: NodeState, most: int) -> None:
    """Draw a node's GPUs as squares: used from below, asked for and idle, not even asked for."""
    gap_px = 10
    # one size for all nodes: the fullest node sets it
    across, rows = _grid(most)
    size_px = min(
        (room.width - (across - 1) * gap_px) / across,
        (room.height - (rows - 1) * gap_px) / rows,
    )
    across, _ = _grid(len(node.gpus))
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
