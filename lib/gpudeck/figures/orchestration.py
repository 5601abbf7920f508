"""The pictures of section 4: packing, batching, queues, fairness."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gpudeck.figures.architecture import Block, Group, architecture, share_columns
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.flowchart import Step, flowchart
from gpudeck.figures.geometry import Box
from gpudeck.figures.pseudocode import pseudocode
from gpudeck.figures.routing import Edge
from gpudeck.figures.shapes import Canvas, Share, Tone
from gpudeck.figures.sheet import formula_sheet
from gpudeck.figures.style import (
    MEASURED,
    MUTED,
    SERIES,
    USEFUL,
    WAITING,
    WASTE,
    LineEnd,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
)
from gpudeck.interval import band_of
from gpudeck.models.scheduling import FillCurves, NodeSnapshot, PublishedPoint

# the page's argument runs from what is random to what is best: those two carry the roles
POLICY_STYLE: dict[str, dict[str, object]] = {
    "fgd": {"color": USEFUL, "linestyle": "-", "linewidth": 3.5},
    "random": {"color": WASTE, "linestyle": (0, (5, 2)), "linewidth": 3},
    "bestfit": {"color": SERIES[0].colour, "linestyle": SERIES[0].linestyle},
    "packing": {"color": SERIES[1].colour, "linestyle": SERIES[1].linestyle},
    "clustering": {"color": SERIES[4].colour, "linestyle": SERIES[4].linestyle},
    "dotprod": {"color": SERIES[5].colour, "linestyle": SERIES[5].linestyle},
    "most_allocated": {"color": SERIES[3].colour, "linestyle": SERIES[3].linestyle},
    "least_allocated": {"color": SERIES[2].colour, "linestyle": SERIES[2].linestyle},
}


def draw_allocation(
    curves: FillCurves, published: Sequence[PublishedPoint], page: Captioned
) -> str:
    """Draw allocated GPUs by arrived demand, one line a policy, published results as points.

    Parameters
    ----------
    curves : FillCurves
        Simulated curves, one for each order of arrival.
    published : sequence of PublishedPoint
        Published means.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    arrived = curves.arrived_pct
    first = 70 if arrived[-1] >= 110 else int(arrived[-1]) // 2
    _draw_bands(axes, arrived, curves.allocated_pct)
    top = min(100.0, float(arrived[-1]))
    axes.plot([first, top], [first, top], color=MUTED, linewidth=1.5, linestyle=(0, (2, 3)))
    points = [p for p in published if p.policy in curves.allocated_pct]
    points = [p for p in points if first <= p.arrived_pct <= arrived[-1]]
    axes.plot(
        [p.arrived_pct for p in points],
        [p.allocated_pct for p in points],
        "o",
        color=MEASURED,
        markersize=6,
        zorder=5,
    )
    axes.set(xlim=(first, arrived[-1]), ylim=(first, 100))
    name_axes(axes, page.label("x"), page.label("y"))
    middle = first + 0.32 * (top - first)
    axes.annotate(
        page.label("everything"), (middle, middle), (-10, 10), textcoords="offset points",
        ha="right", color=MUTED,
    )  # fmt: skip
    _annotate_published(axes, page, points)
    _label_policies(axes, page, arrived, curves.allocated_pct)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_fragmentation(curves: FillCurves, page: Captioned) -> str:
    """Draw fragmented GPUs by arrived demand, one line a policy."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    arrived = curves.arrived_pct
    _draw_bands(axes, arrived, curves.fragmented_pct)
    axes.set(xlim=(0, arrived[-1]), ylim=(0, None))
    name_axes(axes, page.label("x"), page.label("y"))
    _label_policies(axes, page, arrived, curves.fragmented_pct)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_packing_model(page: Captioned) -> str:
    """Set the packing model in formulas, each beside what it says."""
    rows = (
        ("node", r"r_n = (c_n,\; m_n,\; g_{n1},\,\ldots,\,g_{nG}),\quad 0 \leq g_{ni} \leq 1000"),
        ("pod", r"d_t = (c_t,\; m_t,\; k_t,\; \mu_t),\quad \mu_t = 1000\;\;\mathrm{if}\;\;k_t > 1"),
        (
            "fits",
            r"c_t \leq c_n\;\wedge\; m_t \leq m_n\;\wedge\; |\{i : g_{ni} \geq \mu_t\}| \geq k_t",
        ),
        ("left", r"R_m(n) = \sum_{i\,:\;g_{ni} < \mu_m} g_{ni}"),
        ("otherwise", r"R_m(n) = \sum_{i} g_{ni}"),
        ("fragment", r"F_n(M) = \sum_{m \in M} p_m\, R_m(n)"),
        (
            "objective",
            r"n^{*} = \mathrm{arg\,min}_{\,n}\; \left[\,F_{n \ominus t}(M) - F_n(M)\,\right]",
        ),
        (
            "score",
            r"s_n = \lfloor\, 100\,\sigma\left((F_n - F_{n \ominus t})\,/\,1000\right) \rfloor",
        ),
    )
    return formula_sheet(page.key, [(page.label(name), tex) for name, tex in rows])


def draw_packing_architecture(snapshots: Sequence[NodeSnapshot], page: Captioned) -> str:
    """Draw the way of a pod from queue to node, and below it nodes as the model left them.

    Parameters
    ----------
    snapshots : sequence of NodeSnapshot
        Four nodes after the placement.
    page : Captioned
        The page that shows it.
    """
    words = page.label
    names = ("queue", "filter", "score", "bind")
    last = len(snapshots) - 1
    tones: dict[str, Tone] = {"queue": "waiting", "score": "useful"}
    blocks = [
        Block(name, words(name), column, 0, words(f"{name}_detail"), tone=tones.get(name, "plain"))
        for column, name in enumerate(names)
    ]
    # a small fleet has fewer nodes than columns: each is wider
    places = share_columns(len(names), len(snapshots))
    for number, (snapshot, (column, width)) in enumerate(zip(snapshots, places, strict=True)):
        blocks.append(
            Block(
                f"node{number}",
                f"{snapshot.name} · {snapshot.model}",
                column,
                1,
                columns=width,
                kind="node",
                tone="plain",
                content=partial(_draw_node, node=snapshot, page=page),
            )
        )
    edges = [
        Edge("queue", "filter", words("arrive")),
        Edge("filter", "score", words("feasible")),
        Edge("score", "bind", words("best")),
        Edge("bind", f"node{last}", words("place"), exit="bottom", enter="top", colour=USEFUL),
        Edge(f"node{min(1, last)}", "filter", words("snapshot"), dashed=True),
    ]
    groups = [
        Group(words("scheduler"), ("filter", "score", "bind")),
        Group(words("cluster"), tuple(f"node{column}" for column in range(len(snapshots)))),
    ]
    return architecture(
        blocks,
        edges,
        groups,
        **describe(page),
        gutter_x_px=96,
        gutter_y_px=104,
        row_weights=(3, 5),
    )


def _draw_node(canvas: Canvas, room: Box, node: NodeSnapshot, page: Captioned) -> None:
    """Draw one node's GPUs as squares and its CPU and memory as bars, filled as allocated."""
    bars_px, gap_px = 60, 8
    # one size for all nodes: four GPUs a row, two rows at most in the room above the bars
    size_px = min((room.width - 3 * gap_px) / 4, (room.height - bars_px - 2 * gap_px) / 2)
    for number, used in enumerate(node.gpu_used):
        row, column = divmod(number, 4)
        x, y = room.x + column * (size_px + gap_px), room.y + row * (size_px + gap_px)
        canvas.gpu(x, y, size_px, [Share(used)] if used else [])
    names = (("cpu", node.cpu_used), ("memory", node.memory_used))
    for number, (name, used) in enumerate(names):
        y = room.bottom - bars_px + 14 + 28 * number
        canvas.text(room.x, y, f"{page.label(name)}")
        bar = Box(room.x + 72, y - 8, room.width - 72 - 52, 16)
        canvas.rect(bar, "#E5EAEE")
        canvas.rect(Box(bar.x, bar.y, bar.width * used, bar.height), WAITING)
        canvas.text(room.right, y, f"{used:.0%}", anchor="end")


def draw_fgd_flow(page: Captioned) -> tuple[str, str]:
    """Return FGD as pseudocode and as a flow chart."""
    words = page.label
    code = pseudocode(
        words("code").split("\n"),
        key=f"{page.key}-code",
        title=page.title,
        description="",
        marked=(8,),
    )
    steps = [
        Step("start", words("start"), 0, 0, "start"),
        Step("feasible", words("feasible"), 0, 1, "decision"),
        Step("fail", words("fail"), 1, 1, "end", "waste"),
        Step("try", words("try"), 0, 2),
        Step("delta", words("delta"), 0, 3, tone="useful"),
        Step("best", words("best"), 0, 4),
        Step("place", words("place"), 0, 5, "end"),
    ]
    edges = [
        Edge("start", "feasible"),
        Edge("feasible", "fail", words("no")),
        Edge("feasible", "try", words("yes")),
        Edge("try", "delta"),
        Edge("delta", "best"),
        Edge("best", "place"),
    ]
    chart = flowchart(
        steps,
        edges,
        **describe(page),
        gutter_y_px=26,
        column_weights=(5, 2),
        row_weights=(3, 6, 4, 3, 4, 3),
    )
    return code, chart


def _draw_bands(
    axes: Axes, arrived: NDArray[np.int64], curves: dict[str, NDArray[np.float64]]
) -> None:
    for policy, samples in curves.items():
        style = POLICY_STYLE[policy]
        band = band_of(samples)
        axes.fill_between(arrived, band.low, band.high, color=style["color"], alpha=0.22, lw=0)
        axes.plot(arrived, band.mean, **style)  # type: ignore[arg-type]


def _annotate_published(axes: Axes, page: Captioned, points: Sequence[PublishedPoint]) -> None:
    """Name the black points once, at the lowest curve, where there is room below."""
    lowest = [point for point in points if point.policy == "random"]
    if lowest:
        point = lowest[len(lowest) * 3 // 4]
        axes.annotate(
            page.label("published"),
            (point.arrived_pct, point.allocated_pct),
            (0, -26),
            textcoords="offset points",
            ha="center",
            color=MEASURED,
        )


def _label_policies(
    axes: Axes,
    page: Captioned,
    arrived: NDArray[np.int64],
    curves: dict[str, NDArray[np.float64]],
) -> None:
    ends = [
        LineEnd(
            float(arrived[-1]),
            float(samples[:, -1].mean()),
            f"{page.label(policy)}  {samples[:, -1].mean():.1f}%",
            str(POLICY_STYLE[policy]["color"]),
            # the two that the headline names
            weight=700 if policy in ("fgd", "random") else 400,
        )
        for policy, samples in curves.items()
    ]
    label_line_ends(axes, ends, size_px=17)
