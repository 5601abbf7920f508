"""The pictures of page 21: what each technique brings, memory, layouts, and published steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.flowchart import Step, flowchart
from gpudeck.figures.lettering import text_width_px
from gpudeck.figures.pseudocode import pseudocode
from gpudeck.figures.routing import Edge
from gpudeck.figures.sheet import formula_sheet
from gpudeck.figures.style import (
    INK,
    MUTED,
    SERIES,
    USEFUL,
    WAITING,
    WASTE,
    bar_style,
    name_axes,
    new_figure,
    spread,
    svg_text,
    text_colour,
)
from gpudeck.models.training.memory import PARTS as MEMORY_PARTS
from gpudeck.models.training.memory import usable_bytes
from gpudeck.models.training.study import LayoutStudy, MemoryStudy
from gpudeck.models.training.techniques import Technique
from gpudeck.units import format_quantity

# what is stacked in a bar: the model's parts of a step, gathered, with colour and hatch
GROUPS: dict[str, tuple[tuple[str, ...], dict[str, object]]] = {
    "compute": (("compute", "element"), {"color": USEFUL}),
    "recompute": (("recompute",), bar_style(WASTE)),
    "split": (
        ("tensor", "context", "expert", "pipeline"),
        {"color": SERIES[2].colour, "hatch": ".."},
    ),
    "data": (("data",), {"color": SERIES[1].colour, "hatch": "\\\\"}),
    "idle": (("bubble", "optimiser"), {"color": WAITING}),
}
_MEMORY: dict[str, dict[str, object]] = {
    "weights": {"color": SERIES[0].colour, "hatch": ""},
    "gradients": {"color": SERIES[1].colour, "hatch": "\\\\"},
    "optimiser": {"color": SERIES[3].colour, "hatch": ".."},
    "activations": {"color": SERIES[5].colour, "hatch": "//"},
}
_STAGE = (SERIES[4], SERIES[2], SERIES[0], SERIES[5])
_TIE: dict[str, Any] = {"arrowstyle": "-", "shrinkA": 0, "shrinkB": 1, "linewidth": 1.5}
_DOTS = 240  # of a scatter: more are thinned, which the eye does not miss


def draw_techniques(ladder: Sequence[Technique], page: Captioned) -> str:
    """Draw a step by technique, taken apart, with its MFU, and the memory of a GPU beside it.

    Parameters
    ----------
    ladder : sequence of Technique
        From `climb_techniques`.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    names_px = 250
    left = _panel(figure, page, names_px, page.slot.width_px * 0.71 - 10)
    right = _panel(figure, page, page.slot.width_px * 0.71 + 30, page.slot.width_px - 84)
    for row, rung in enumerate(ladder):
        _stack_step(left, row, rung, page)
        _name_rung(left, row, rung, page)
        _draw_memory_bar(right, row, rung, page)
    longest = max(rung.step_s for rung in ladder)
    left.set(xlim=(0, 1.46 * longest), ylim=(len(ladder) - 0.4, -0.95))
    _label_groups(left, ladder[0], page)
    usable_gb = usable_bytes(ladder[-1].job) / 1e9
    right.set(xlim=(0, 1.08 * usable_gb), ylim=(len(ladder) - 0.4, -0.95))
    right.axvline(usable_gb, color=INK, linewidth=2, linestyle=(0, (5, 3)))
    words = f"{page.label('usable')} {format_quantity(usable_gb, 'GB', page.lang, decimals=0)}"
    right.annotate(
        words, (usable_gb, -0.62), (-6, 0), textcoords="offset points", ha="right", va="center",
        color=INK,
    )  # fmt: skip
    for axes, name in ((left, "step"), (right, "memory")):
        axes.set_yticks([])
        axes.grid(visible=False, axis="y")
        axes.grid(visible=True, axis="x")
        axes.set_title(page.label(name), loc="left", pad=8)
    return svg_text(figure, page.key, page.title, page.alt)


def _panel(
    figure: Figure, page: Captioned, left_px: float, right_px: float, below_px: float = 34
) -> Axes:
    """Add axes between two abscissas; heights are the same for all panels of a figure."""
    figure.set_layout_engine("none")
    width, height = page.slot.width_px, page.slot.height_px
    high = (height - below_px - 34) / height
    box = (left_px / width, below_px / height, (right_px - left_px) / width, high)
    return figure.add_axes(box)


def _group_s(rung: Technique, group: str) -> float:
    return float(sum(rung.steps.parts[name][0] for name in GROUPS[group][0]))


def _stack_step(axes: Axes, row: int, rung: Technique, page: Captioned) -> None:
    left = 0.0
    for group, (_, style) in GROUPS.items():
        seconds = _group_s(rung, group)
        axes.barh(row, seconds, 0.56, left=left, **style)  # type: ignore[arg-type]  # keywords
        left += seconds
    step = format_quantity(rung.step_s, "s", page.lang, decimals=1)
    mfu = format_quantity(rung.mfu_pct, "%", page.lang, decimals=0)
    axes.annotate(
        f"{step} · MFU {mfu}", (left, row), (10, 0), textcoords="offset points", va="center",
        fontsize=19, fontweight=700, color=text_colour(USEFUL) if row else INK,
    )  # fmt: skip


def _name_rung(axes: Axes, row: int, rung: Technique, page: Captioned) -> None:
    """Write technique and layout left of the bar."""
    degrees = str(rung.layout).partition(" · ")[0]
    zero = f" · Z{rung.layout.zero}" if rung.layout.zero else ""
    words = page.label(rung.name).format(rung.job.precision_title)
    lines: tuple[tuple[str, int, dict[str, Any]], ...] = (
        (words, 11, {"fontsize": 19, "fontweight": 700, "color": INK}),
        (degrees + zero, -12, {"fontsize": 16, "color": MUTED}),
    )
    for text, shift, style in lines:
        axes.annotate(
            text, (0, row), (-14, shift), textcoords="offset points", ha="right", va="center",
            annotation_clip=False, **style,
        )  # fmt: skip


def _draw_memory_bar(axes: Axes, row: int, rung: Technique, page: Captioned) -> None:
    axes.barh(row, rung.memory_gb, 0.56, color=SERIES[4].colour)
    text = format_quantity(rung.memory_gb, "GB", page.lang, decimals=0)
    axes.annotate(
        text, (rung.memory_gb, row), (-8, 0), textcoords="offset points", ha="right",
        va="center", fontsize=18, fontweight=700, color="white",
    )  # fmt: skip


def _label_groups(axes: Axes, rung: Technique, page: Captioned) -> None:
    """Name the parts of the first bar above it, moved apart where they are narrow."""
    box, (low, high) = axes.get_position(), axes.get_xlim()
    scale = box.width * page.slot.width_px / (high - low)
    centres, names, left = [], [], 0.0
    for group in GROUPS:
        seconds = _group_s(rung, group)
        if seconds * scale >= 2:
            centres.append((left + seconds / 2) * scale)
            names.append(group)
        left += seconds
    widths = [text_width_px(page.label(name), 17, 700) + 18 for name in names]
    for name, centre, place in zip(
        names, centres, spread(centres, widths, 0, (high - low) * scale), strict=True
    ):
        colour = str(GROUPS[name][1]["color"])
        axes.annotate(
            page.label(name), (centre / scale, -0.28), (place - centre, 16),
            textcoords="offset points", ha="center", va="bottom", fontsize=17, fontweight=700,
            color=text_colour(colour),
            arrowprops={**_TIE, "color": colour},
        )  # fmt: skip


def draw_memory(study: MemoryStudy, page: Captioned) -> str:
    """Draw the memory of one layout by ZeRO stage, with and without recompute, by what holds it."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = _panel(figure, page, 230, page.slot.width_px - 60, 48)
    totals = study.memory.total / 1e9
    for row, (stage, mode) in enumerate(study.cases):
        left = 0.0
        for part in MEMORY_PARTS:
            size = float(getattr(study.memory, part)[row]) / 1e9
            axes.barh(row, size, 0.64, left=left, **_MEMORY[part])  # type: ignore[arg-type]
            left += size
        over = left > study.usable_gb
        axes.annotate(
            format_quantity(left, "GB", page.lang, decimals=int(left < 100)), (left, row), (9, 0),
            textcoords="offset points", va="center", fontsize=18, fontweight=700,
            color=text_colour(WASTE) if over else INK,
            bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip
        words = page.label(mode).format(stage)
        axes.annotate(
            words, (0, row), (-12, 0), textcoords="offset points", ha="right", va="center",
            fontsize=17, annotation_clip=False,
        )  # fmt: skip
    ends = [-0.45, len(totals) - 0.2]
    axes.plot([study.usable_gb] * 2, ends, color=INK, linewidth=2, linestyle=(0, (5, 3)))
    limit = format_quantity(study.usable_gb, "GB", page.lang, decimals=1)
    axes.annotate(
        f"{page.label('usable')} {limit}", (study.usable_gb, len(totals) - 0.42), (8, 0),
        textcoords="offset points", va="center", color=INK,
    )  # fmt: skip
    axes.set(xlim=(0, 1.1 * float(totals.max())), ylim=(len(totals) - 0.2, -1.0), yticks=[])
    axes.grid(visible=False, axis="y")
    axes.grid(visible=True, axis="x")
    name_axes(axes, page.label("x"))
    _label_memory(axes, study, page)
    return svg_text(figure, page.key, page.title, page.alt)


def _label_memory(axes: Axes, study: MemoryStudy, page: Captioned) -> None:
    """Name the parts of the longest bar above it."""
    low, high = axes.get_xlim()
    scale = axes.get_position().width * page.slot.width_px / (high - low)
    sizes = [float(getattr(study.memory, part)[0]) / 1e9 for part in MEMORY_PARTS]
    ends = np.cumsum(sizes)
    centres = [float((end - size / 2) * scale) for end, size in zip(ends, sizes, strict=True)]
    widths = [text_width_px(page.label(part), 17, 700) + 18 for part in MEMORY_PARTS]
    placed = spread(centres, widths, 0, (high - low) * scale)
    for part, centre, place in zip(MEMORY_PARTS, centres, placed, strict=True):
        colour = str(_MEMORY[part]["color"])
        axes.annotate(
            page.label(part), (centre / scale, -0.32), (place - centre, 12),
            textcoords="offset points", ha="center", va="bottom", fontsize=17, fontweight=700,
            color=text_colour(colour),
            arrowprops={**_TIE, "color": colour},
        )  # fmt: skip


def draw_layouts(study: LayoutStudy, page: Captioned) -> str:
    """Draw every layout that fits by memory and MFU; best, usual and slowest are named."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    steps = study.steps
    memory_gb, stages = steps.memory.total / 1e9, steps.layouts.zero
    for stage, style in enumerate(_STAGE):
        chosen = _thin(np.flatnonzero(stages == stage))
        if len(chosen):
            axes.plot(
                memory_gb[chosen], steps.mfu_pct[chosen], style.marker, color=style.colour,
                markersize=7, alpha=0.65, label=f"ZeRO-{stage}", linestyle="none",
            )  # fmt: skip
    axes.set(xlim=(0, 1.32 * float(memory_gb.max())), ylim=(0, 1.16 * float(steps.mfu_pct[0])))
    last = len(steps.step_s) - 1
    marks = [("best", 0), ("usual", study.usual), ("slowest", last)]
    for name, place in marks:
        if place is not None:
            _mark_layout(axes, study, name, place, page)
    axes.legend(loc="lower right", fontsize=17, handletextpad=0.2)
    name_axes(axes, page.label("x"), page.label("y"))
    return svg_text(figure, page.key, page.title, page.alt)


def _mark_layout(axes: Axes, study: LayoutStudy, name: str, place: int, page: Captioned) -> None:
    steps = study.steps
    spot = (float(steps.memory.total[place]) / 1e9, float(steps.mfu_pct[place]))
    style = _STAGE[int(steps.layouts.zero[place])]
    axes.plot(*spot, style.marker, color=style.colour, markersize=7)
    axes.plot(*spot, "o", color="none", markeredgecolor=INK, markersize=15, markeredgewidth=2.5)
    degrees = str(steps.layouts.at(place)).rpartition(" · ")[0]
    # the usual layout stands among others: its name goes to the emptier corner
    far, right = name == "usual", spot[0] > axes.get_xlim()[1] / 2
    corner = (0.995, 0.56) if right else (0.012, 0.93)
    where = corner if far else (16, 34 if name == "best" else 20)
    tie = {**_TIE, "color": INK, "shrinkB": 9, "relpos": (0.5, int(right))}
    axes.annotate(
        f"{page.label(name)}  {spot[1]:.0f}%\n{degrees}", spot, where,
        textcoords="axes fraction" if far else "offset points",
        ha="right" if far and right else "left",
        va="center", fontsize=17, fontweight=700, color=INK, linespacing=1.3,
        bbox={"boxstyle": "round,pad=0.2", "facecolor": "white", "edgecolor": "none", "alpha": 0.8},
        arrowprops=tie if far else None,
    )  # fmt: skip


def _thin(places: NDArray[np.int64]) -> NDArray[np.int64]:
    """Keep some of many places, evenly, the first among them."""
    share = _DOTS // len(_STAGE)
    return places[:: max(1, -(-len(places) // share))]


def draw_formulas(page: Captioned) -> str:
    """Set the model in formulas, each beside what it says."""
    rows = (
        ("flop", r"F = 3\,(2P_m + 2\,L\,s\,H d)\,B s,\quad \mathrm{MFU} = F\,/\,(t\,n\,\Phi)"),
        ("matrix", r"t_{mkn} = 2mkn\,/\,(\eta\,\Phi) + w\,(mk + kn + mn)\,/\,\beta"),
        ("step", r"t = (m + \frac{p-1}{v})\,(t_c + t_r + t_{TP} + t_{PP}) + t_{DP} + t_{opt}"),
        ("overlap", r"t_{DP} = \tau - \min(\omega\,\tau,\; t_{backward})"),
        ("bubble", r"\mathrm{bubble} = (p - 1)\,/\,(v\,m)"),
        (
            "zero",
            r"16\Psi,\; 4\Psi + \frac{12\Psi}{N},\; 2\Psi + \frac{14\Psi}{N},\; \frac{16\Psi}{N}",
        ),
        ("activation", r"s b h\,(10 + \frac{24}{t}) \;\to\; \frac{34\,s b h}{t} \;\to\; 2 s b h"),
        ("batch", r"S = S_{min}\,(1 + B_n/B),\quad E = E_{min}\,(1 + B/B_n)"),
    )
    return formula_sheet(page.key, [(page.label(name), tex) for name, tex in rows])


def draw_method(page: Captioned) -> tuple[str, str]:
    """Return one training step with all techniques as pseudocode and as a flow chart."""
    words = page.label
    code = pseudocode(
        words("code").split("\n"), key=f"{page.key}-code", title=page.title, description="",
        marked=(7, 8),
    )  # fmt: skip
    steps = [
        Step("start", words("start"), 0, 0, "start"),
        Step("forward", words("forward"), 0, 1, tone="useful"),
        Step("backward", words("backward"), 0, 2, tone="useful"),
        Step("last", words("last"), 0, 3, "decision"),
        Step("inside", words("inside"), 0, 4),
        Step("between", words("between"), 1, 4),
        Step("update", words("update"), 0, 5, "end"),
    ]
    edges = [
        Edge("start", "forward"),
        Edge("forward", "backward"),
        Edge("backward", "last"),
        Edge("last", "forward", words("no"), exit="right", enter="right"),
        Edge("last", "inside", words("yes")),
        Edge("inside", "between"),
        Edge("between", "update", exit="bottom", enter="right"),
    ]
    chart = flowchart(
        steps, edges, **describe(page), gutter_y_px=26, column_weights=(5, 4),
        row_weights=(3, 3, 3, 6, 4, 3),
    )  # fmt: skip
    return code, chart
