"""The pictures of page 8 on small language models: memory by size, precision and context."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import (
    INK,
    PAPER,
    SERIES,
    USEFUL,
    WAITING,
    LineEnd,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
)
from gpudeck.hardware.gpu import Gpu
from gpudeck.models.sharing.right_sizing import ContextSweep, Surveyed, mig_sizes
from gpudeck.units import format_number
from gpudeck.workload.model import find_model

# a white plate, so that no line runs through a number
PLATE = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}


def draw_models(survey: Sequence[Surveyed], gpu: Gpu, page: Captioned) -> str:
    """Draw what models need at each precision, stacked, against the sizes of MIG slices.

    Parameters
    ----------
    survey : sequence of Surveyed
        From `survey_models`.
    gpu : Gpu
        Whose slices are drawn as lines.
    page : Captioned
        The slide.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    precisions = list(dict.fromkeys(row.precision for row in survey))
    models = list(dict.fromkeys(row.model.id for row in survey))
    gap = len(precisions) + 1
    parts = (
        ("weights", "weights_gib", USEFUL, ""),
        ("cache", "cache_gib", SERIES[3].colour, "//"),
        ("rest", "", WAITING, ""),
    )
    for row in survey:
        x = models.index(row.model.id) * gap + precisions.index(row.precision)
        bottom = 0.0
        for name, attribute, colour, hatch in parts:
            demand = row.demand
            rest = demand.activations_gib + demand.runtime_gib
            value = rest if name == "rest" else float(getattr(demand, attribute))
            axes.bar(x, value, 0.86, bottom, color=colour, hatch=hatch)
            bottom += value
        axes.annotate(
            format_number(bottom, page.lang, decimals=0 if bottom >= 10 else 1), (x, bottom),
            (0, 5), textcoords="offset points", ha="center", color=INK, bbox=PLATE,
        )  # fmt: skip
    largest = max(row.demand.total_gib for row in survey)
    _draw_slices(axes, gpu, largest)
    ticks = [n * gap + k for n in range(len(models)) for k in range(len(precisions))]
    axes.set_xticks(ticks, precisions * len(models))
    for n, model in enumerate(dict.fromkeys(row.model for row in survey)):
        axes.annotate(
            model.title, (n * gap + (len(precisions) - 1) / 2, 0), (0, -46),
            xycoords=("data", "axes fraction"), textcoords="offset points", ha="center",
            fontsize=18, fontweight=700, color=INK, annotation_clip=False,
        )  # fmt: skip
    axes.tick_params(axis="x", length=0)
    axes.set_xlim(-0.8, (len(models) - 1) * gap + len(precisions) - 0.2)
    name_axes(axes, "", page.label("y"))
    _name_parts(axes, page, parts)
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_slices(axes: Axes, gpu: Gpu, largest_gib: float) -> None:
    """Draw the memory of each MIG size as a line, up to the first that holds everything."""
    sizes: dict[float, str] = {}
    for name, size_gib, _ in mig_sizes(gpu):
        sizes.setdefault(size_gib, name)
    top = min((size for size in sizes if size >= largest_gib), default=max(sizes))
    axes.set_ylim(0, 1.08 * max(top, largest_gib))
    for size_gib, name in sizes.items():
        if size_gib <= top:
            axes.axhline(size_gib, color=INK, linewidth=1.5, linestyle=(0, (4, 3)), zorder=0.5)
            axes.annotate(
                name, (1, size_gib), (8, 0), xycoords=axes.get_yaxis_transform(),
                textcoords="offset points", va="center", color=INK, annotation_clip=False,
            )  # fmt: skip


def _name_parts(axes: Axes, page: Captioned, parts: Sequence[tuple[str, str, str, str]]) -> None:
    """Name the parts of the bars by swatches at the upper left, where bars are low."""
    top = axes.get_ylim()[1]
    for index, (name, _, colour, hatch) in enumerate(reversed(parts)):
        y = top * (0.76 - 0.085 * index)
        axes.bar(-0.2, 0.05 * top, 0.6, y, color=colour, hatch=hatch)
        axes.annotate(
            page.label(name), (0.3, y + 0.025 * top), va="center", fontsize=18, color=INK,
            bbox=PLATE,
        )  # fmt: skip


def draw_contexts(sweep: ContextSweep, gpu: Gpu, page: Captioned) -> str:
    """Draw what models need by the length of context, against the sizes of MIG slices.

    Parameters
    ----------
    sweep : ContextSweep
        Memory by model and context.
    gpu : Gpu
        Whose slices are drawn as lines.
    page : Captioned
        The slide.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    ends = []
    colours = (USEFUL, *(series.colour for series in SERIES))
    styles = ("-", *(series.linestyle for series in SERIES))
    contexts = sweep.contexts
    for (model, demands), colour, style in zip(
        sweep.demands.items(), colours, styles, strict=False
    ):
        total = [demand.total_gib for demand in demands if demand is not None]
        axes.plot(contexts[: len(total)], total, color=colour, linestyle=style, linewidth=2.5)
        ends.append(
            LineEnd(float(contexts[len(total) - 1]), total[-1], find_model(model).title, colour)
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks(contexts, [f"{context // 1024}K" for context in contexts])
    axes.set_yscale("log", base=2)
    sizes: dict[float, str] = {}
    for name, size_gib, _ in mig_sizes(gpu):
        sizes.setdefault(size_gib, name)
    for size_gib, name in sizes.items():
        axes.axhline(size_gib, color=INK, linewidth=1.5, linestyle=(0, (4, 3)), zorder=0.5)
        axes.annotate(name, (contexts[0], size_gib), (4, 4), textcoords="offset points", color=INK)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlim(contexts[0], contexts[-1])
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=17)
    return svg_text(figure, page.key, page.title, page.alt)
