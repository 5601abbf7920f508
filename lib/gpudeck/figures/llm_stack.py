"""The pictures of page 19: KV memory, block tables, prefix reuse, prefill and decode apart."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from gpudeck.fact import Fact
from gpudeck.figures.architecture import Block, Group, architecture
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.geometry import Box
from gpudeck.figures.routing import Edge
from gpudeck.figures.shapes import Canvas, bytes_width_px
from gpudeck.figures.style import (
    INK,
    MEASURED,
    MUTED,
    PANEL,
    PAPER,
    RULE,
    SERIES,
    USEFUL,
    WAITING,
    WASTE,
    LineEnd,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
    tint,
)
from gpudeck.interval import band_of, interval_of
from gpudeck.models.serving.block_table import BlockTables
from gpudeck.models.serving.disaggregation_report import CacheMove
from gpudeck.models.serving.kv_study import KvStudy
from gpudeck.models.serving.prefix_effect import PrefixEffect
from gpudeck.models.serving.prefix_study import PrefixHits
from gpudeck.units import format_number, format_quantity

# waste has one colour; its three kinds differ by their hatch and by how dark they are
_PARTS: tuple[tuple[str, str, str], ...] = (
    ("live", USEFUL, ""),
    ("reservation", tint(WASTE, 0.45), ".."),
    ("internal", WASTE, "//"),
    ("external", tint(WASTE, 0.7), "xx"),
    ("free", WAITING, ""),
)
_NAMED_PCT, _NARROW_PCT = 5.0, 12.0
# part of the axis that the memory's name takes
_ROOMY = 0.37
_OWNERS = (USEFUL, SERIES[0].colour, SERIES[5].colour)


def draw_kv_split(study: KvStudy, page: Captioned, facts: Mapping[str, Fact] | None = None) -> str:
    """Draw how each scheme fills the memory, and what earlier systems were found to use if told.

    Parameters
    ----------
    study : KvStudy
        From `compare_schemes`, two runs or more.
    facts : mapping of str to Fact, optional
        From `report_published`: the published range.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    rows = range(len(study.loads))
    for row, scheme in zip(rows, study.loads, strict=True):
        left = 0.0
        for name, colour, hatch in _PARTS:
            width = float(study.percent(scheme)[name].mean())
            axes.barh(row, width, 0.62, left, color=colour, hatch=hatch, edgecolor=PAPER)
            if width >= (_NAMED_PCT if name == "live" else 1.5 * _NAMED_PCT):
                _name_part(axes, page, name, left + width / 2, row, width)
            left += width
        live = interval_of(study.percent(scheme)["live"])
        axes.plot([live.low, live.high], [row, row], color=MEASURED, linewidth=3)
    if facts is not None:
        low, high = (float(facts[f"earlier_{end}"].value) for end in ("low", "high"))
        _mark_published(axes, page, low, high)
    _name_rest(axes, study, page, len(study.loads) - 1)
    axes.set(xlim=(0, 100), ylim=(3.45, -0.75), yticks=rows)
    axes.set_yticklabels([page.label(scheme) for scheme in study.loads], color=INK, fontsize=18)
    axes.grid(visible=False)
    name_axes(axes, page.label("x"), "")
    return svg_text(figure, page.key, page.title, page.alt)


def _mark_published(axes: Axes, page: Captioned, low: float, high: float) -> None:
    axes.fill_betweenx([-0.62, 3.45], low, high, color=MEASURED, alpha=0.10, lw=0, zorder=0)
    for x in (low, high):
        axes.plot([x, x], [-0.62, 3.45], color=MEASURED, linewidth=1.5, dashes=(4, 3), zorder=0.5)
    axes.annotate(
        page.label("published"), (high, -0.5), (8, 0), textcoords="offset points",
        va="center", color=MEASURED,
    )  # fmt: skip


def _name_part(axes: Axes, page: Captioned, name: str, x: float, row: int, width: float) -> None:
    number = f"{format_number(width, page.lang, decimals=0)}%"
    words = number if name == "live" and width < _NARROW_PCT else f"{page.label(name)}\n{number}"
    axes.text(
        x, row, words, ha="center", va="center",
        color=PAPER if name == "live" else INK, fontweight=700 if name == "live" else 400,
        linespacing=1.15,
        bbox=None if name in ("live", "free") else {
            "facecolor": PAPER, "edgecolor": "none", "boxstyle": "round,pad=0.2",
        },
    )  # fmt: skip


def _name_rest(axes: Axes, study: KvStudy, page: Captioned, row: int) -> None:
    """Name the parts of the paged row that are too narrow for a name inside."""
    parts = study.percent("paged")
    words = [
        f"{page.label(name)} {format_number(float(parts[name].mean()), page.lang, decimals=1)}%"
        for name in ("internal", "free")
    ]
    axes.text(100, row - 0.42, " · ".join(words), ha="right", va="center", color=INK)


def draw_block_tables(tables: BlockTables, page: Captioned) -> str:
    """Draw sequences with their block tables, and the physical memory that these point into.

    Parameters
    ----------
    tables : BlockTables
        From `allocate_blocks`; three sequences at most.
    page : Captioned
        The slide.
    """
    canvas = Canvas(page.slot.width_px, page.slot.height_px)
    split = 0.60 * canvas.width_px
    pitch = (canvas.height_px - 8) / len(tables.tables)
    for number, table in enumerate(tables.tables):
        area = Box(4, 4 + number * pitch, split - 32, pitch - 20)
        _draw_table(canvas, area, number, table, tables, page)
    _draw_memory(
        canvas, Box(split, 4, canvas.width_px - split - 4, canvas.height_px - 8), tables, page
    )
    return canvas.svg(page.key, page.title, page.alt)


def _draw_table(
    canvas: Canvas,
    area: Box,
    number: int,
    table: tuple[int, ...],
    tables: BlockTables,
    page: Captioned,
) -> None:
    colour = _OWNERS[number]
    name = f"{page.label('sequence')} {'ABC'[number]}"
    length = format_quantity(tables.lengths[number], "token", page.lang)
    canvas.text(area.x, area.y + 12, name, 20, weight=700, colour=text_colour(colour))
    canvas.text(area.x + 116, area.y + 12, length, 16, colour=MUTED)
    names_px, gap = 84.0, 10.0
    width = min((area.width - names_px - 4 * gap) / 5, 112)
    top, cell = area.y + 28, 34.0
    for row, word in enumerate(("logical", "filled", "physical")):
        canvas.text(area.x, top + row * (cell + 4) + cell / 2, page.label(word), 16, colour=MUTED)
    left = tables.lengths[number]
    for place, block in enumerate(table):
        x = area.x + names_px + place * (width + gap)
        tokens = min(left, tables.block_size)
        left -= tokens
        canvas.text(x + width / 2, top + cell / 2, str(place), 18, anchor="middle")
        bar = Box(x, top + cell + 4, width, cell)
        _fill_block(canvas, bar, tokens, tables, colour)
        shared = tables.references[block] > 1
        pointer = Box(x, top + 2 * (cell + 4), width, cell)
        canvas.rect(pointer, tint(colour, 0.15) if shared else PANEL, colour, radius_px=4)
        canvas.text(*pointer.centre, f"→ {block}", 18, weight=700, anchor="middle")


def _fill_block(canvas: Canvas, bar: Box, tokens: int, tables: BlockTables, colour: str) -> None:
    """Draw a block with one cell for each of its tokens, as many filled as it holds."""
    canvas.rect(bar, PAPER, MUTED, radius_px=0, width_px=1)
    step = bar.width / tables.block_size
    canvas.rect(Box(bar.x, bar.y, step * tokens, bar.height), colour)
    if tokens < tables.block_size:
        rest = Box(bar.x + step * tokens, bar.y, bar.width - step * tokens, bar.height)
        canvas.job(rest, colour=WASTE)
    for cell in range(1, tables.block_size):
        x = bar.x + cell * step
        canvas.path(f"M{x:.1f} {bar.y}V{bar.bottom}", stroke=PAPER, extra=' stroke-opacity="0.6"')


def _draw_memory(canvas: Canvas, area: Box, tables: BlockTables, page: Captioned) -> None:
    canvas.rect(area, PANEL, RULE, radius_px=12)
    canvas.text(area.x + 16, area.y + 24, page.label("memory"), 18, weight=700)
    columns = 3
    rows = -(-len(tables.references) // columns)
    inner = Box(area.x + 16, area.y + 48, area.width - 32, area.height - 60)
    pitch_x, pitch_y = inner.width / columns, inner.height / rows
    owners: dict[int, list[int]] = {}
    for number, table in enumerate(tables.tables):
        for block in table:
            owners.setdefault(block, []).append(number)
    for block, filled in enumerate(tables.filled):
        row, column = divmod(block, columns)
        x, y = inner.x + column * pitch_x, inner.y + row * pitch_y
        mine = owners.get(block, [])
        names = "+".join("ABC"[owner] for owner in mine) if mine else page.label("free")
        colour = _OWNERS[mine[0]] if mine else WAITING
        canvas.text(x + 2, y + 12, str(block), 18, weight=700)
        ink = text_colour(colour) if mine else MUTED
        canvas.text(x + pitch_x - 18, y + 12, names, 16, weight=700, colour=ink, anchor="end")
        bar = Box(x, y + 26, pitch_x - 16, pitch_y - 38)
        if mine:
            _fill_block(canvas, bar, filled, tables, colour)
        else:
            canvas.rect(bar, PAPER, MUTED, width_px=1, dashed=True)


def draw_disaggregation(move: CacheMove, page: Captioned) -> str:
    """Draw prefill and decode on replicas of their own, and the KV cache that moves between.

    The arrows of the caches are as wide as their bytes: a mean prompt's above, a long one's below.

    Parameters
    ----------
    move : CacheMove
        From `measure_move`.
    page : Captioned
        The slide.
    """
    words = page.label
    blocks = [
        Block("router", words("router"), 0, 0, words("router_detail"), rows=2, tone="waiting"),
        Block("p1", words("prefill"), 1, 0, words("prefill_detail"), tone="useful"),
        Block("p2", words("prefill"), 1, 1, words("prefill_more"), tone="useful", dashed=True),
        Block("link", words("link"), 2, 0, words("link_detail"), rows=2),
        Block("d1", words("decode"), 3, 0, words("decode_detail"), tone="useful"),
        Block("d2", words("decode"), 3, 1, words("decode_more"), tone="useful", dashed=True),
    ]
    widest = max(move.cache_bytes)
    prompts, caches = (
        [bytes_width_px(size, widest, 14) for size in sizes]
        for sizes in (move.prompt_bytes, move.cache_bytes)
    )
    edges = [
        Edge("router", "p1", words("prompt"), width_px=prompts[0]),
        Edge("router", "p2", width_px=prompts[1]),
        Edge("p1", "link", words("kv_mean"), caches[0], USEFUL),
        Edge("p2", "link", words("kv_long"), caches[1], USEFUL),
        Edge("link", "d1", words("time_mean"), caches[0], USEFUL),
        Edge("link", "d2", words("time_long"), caches[1], USEFUL),
    ]
    groups = [
        Group(words("prefill_pool"), ("p1", "p2")),
        Group(words("decode_pool"), ("d1", "d2")),
    ]
    return architecture(
        blocks, edges, groups, **describe(page), gutter_x_px=112, gutter_y_px=72,
        column_weights=(0.8, 1.25, 0.8, 1.15),
    )  # fmt: skip


def draw_prefix_hits(hits: PrefixHits, memory_tokens: int, page: Captioned) -> str:
    """Draw the part of a real trace's blocks that a cache finds, by its size.

    Parameters
    ----------
    hits : PrefixHits
        From `published_hits`.
    memory_tokens : int
        KV memory of one replica, marked on the axis.
    page : Captioned
        The slide.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    tokens = hits.capacity_tokens
    axes.plot(tokens, hits.hit_pct, color=USEFUL, linewidth=3.5, marker="o")
    axes.axhline(hits.unbounded_pct, color=MEASURED, linewidth=1.5, linestyle=(0, (5, 3)))
    axes.annotate(
        page.label("unbounded"), (tokens[0], hits.unbounded_pct), (0, 8),
        textcoords="offset points", color=MEASURED,
    )  # fmt: skip
    top = 1.18 * hits.unbounded_pct
    axes.axvspan(
        min(memory_tokens, tokens[0]) * 0.8, memory_tokens, color=WAITING, alpha=0.25, lw=0
    )
    axes.set_xscale("log")
    axes.set(xlim=(min(memory_tokens, tokens[0]) * 0.8, tokens[-1] * 1.15), ylim=(0, top))
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: format_quantity(value, "count", page.lang, decimals=0))
    )
    _name_memory(axes, page, memory_tokens)
    for size, hit in ((tokens[-1], hits.hit_pct[-1]), (tokens[0], hits.hit_pct[0])):
        number = f"{format_number(hit, page.lang, decimals=1)}%"
        axes.annotate(
            number, (size, hit), (0, -26 if size > tokens[0] else 12),
            textcoords="offset points", ha="right" if size > tokens[0] else "left",
            color=USEFUL, fontsize=18, fontweight=700,
        )  # fmt: skip
    name_axes(axes, page.label("x"), page.label("y"))
    return svg_text(figure, page.key, page.title, page.alt)


def _name_memory(axes: Axes, page: Captioned, tokens: int) -> None:
    """Name the memory beside its edge where the curve, low on the left, leaves room."""
    axes_x = float((axes.transScale + axes.transLimits).transform((tokens, 1.0))[0])
    inside = axes_x > _ROOMY
    axes.annotate(
        page.label("memory"), (axes_x, 0.93 if axes_x > 2 * _ROOMY else 0.62),
        (-10 if inside else 10, 0), xycoords="axes fraction", textcoords="offset points",
        ha="right" if inside else "left", va="center", color=INK,
    )  # fmt: skip


def draw_prefix_effect(effect: PrefixEffect, page: Captioned) -> str:
    """Draw the median time to first token by rate, with and without a prefix cache.

    Parameters
    ----------
    effect : PrefixEffect
        From `compare_prefix`, two seeds or more.
    page : Captioned
        The slide.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    ends = []
    for name, samples, colour, line in (
        ("without", effect.without_s, WASTE, "--"),
        ("with", effect.with_s, USEFUL, "-"),
    ):
        band = band_of(1000 * samples)
        axes.fill_between(effect.rate_per_s, band.low, band.high, color=colour, alpha=0.22, lw=0)
        axes.plot(effect.rate_per_s, band.mean, color=colour, linestyle=line, linewidth=3)
        ends.append(
            LineEnd(effect.rate_per_s[-1], float(band.mean[-1]), page.label(name), colour, 700)
        )
    axes.set(xlim=(0, effect.rate_per_s[-1]), ylim=(0, None))
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=18)
    return svg_text(figure, page.key, page.title, page.alt)
