"""The charts of page 16: striping, clients, what limits, metadata, small files."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator
from numpy.typing import NDArray

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import (
    INK,
    MUTED,
    SERIES,
    USEFUL,
    WASTE,
    LineEnd,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
    tint,
)
from gpudeck.models.storage import (
    LIMITS,
    BandwidthGrid,
    FileSystemStudy,
    MetadataStudy,
    read_bandwidth,
)
from gpudeck.units import format_quantity

# the chosen stripe count carries the page's colour, one stripe is what it beats
STRIPE_STYLE: tuple[dict[str, object], ...] = (
    {"color": WASTE, "linestyle": (0, (5, 2)), "linewidth": 3},
    {"color": USEFUL, "linestyle": "-", "linewidth": 3.5},
    {"color": SERIES[0].colour, "linestyle": SERIES[0].linestyle, "linewidth": 2.5},
)
LIMIT_COLOURS = (USEFUL, WASTE, SERIES[1].colour, SERIES[0].colour, SERIES[2].colour)


def draw_striping(study: FileSystemStudy, page: Captioned) -> tuple[str, str]:
    """Draw bandwidth over stripes for one client, and over clients for all of them.

    Parameters
    ----------
    study : FileSystemStudy
        From `study_file_system`.
    page : Captioned
        The page that shows both.
    """
    return _draw_one(study, page), _draw_many(study, page)


def _draw_one(study: FileSystemStudy, page: Captioned) -> str:
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    top = float(max(study.one_read.max(), study.one_write.max()))
    styles = (("read", study.one_read, STRIPE_STYLE[1]), ("write", study.one_write, _DASHED))
    for name, gb_s, style in styles:
        axes.plot(study.stripes, gb_s, **style)  # type: ignore[arg-type]
        at = int(np.argmax(gb_s >= 0.38 * gb_s.max()))
        side = -1 if name == "read" else 1
        axes.annotate(
            page.label(name),
            (float(study.stripes[at]), float(gb_s[at])),
            (12 * side, 0),
            textcoords="offset points",
            ha="right" if side < 0 else "left",
            va="center",
            color=text_colour(str(style["color"])),
            fontweight=700,
        )
    _log_axis(axes, float(study.stripes[-1]))
    axes.set(ylim=(0, 1.25 * top))
    last = read_bandwidth(study.lustre, 1)
    _name_plateau(axes, page, last.limit, float(study.one_read[-1]), float(study.stripes[-1]))
    # at the limit, the limit's own label says it
    _mark(axes, page, (study.stripe_count, study.one.gb_s), named=study.one.gb_s < 0.97 * top)
    name_axes(axes, page.label("x_one"), page.label("y_one"))
    return svg_text(figure, f"{page.key}-one", page.title, page.alt)


_DASHED: dict[str, object] = {
    "color": SERIES[4].colour,
    "linestyle": SERIES[4].linestyle,
    "linewidth": 2.5,
}


def _draw_many(study: FileSystemStudy, page: Captioned) -> str:
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    top = max(float(gb_s.max()) for gb_s in study.many.values())
    heights, x = (0.5, 0.36, 0.72), study.client_counts
    styles = _styles(study)
    for (stripes, gb_s), height in zip(study.many.items(), heights, strict=False):
        style = styles[stripes]
        own = study.many[study.stripe_count]
        if stripes != study.stripe_count and np.allclose(gb_s, own):
            continue
        axes.plot(x, gb_s, **style)  # type: ignore[arg-type]
        at = float(np.interp(height * top, gb_s, x)) if gb_s.max() > height * top else float(x[-1])
        left = stripes == max(study.many)
        axes.annotate(
            page.label("stripes_of").replace("[n]", str(stripes)),
            (at, min(height * top, float(gb_s.max()))),
            (-12 if left else 12, 0),
            textcoords="offset points",
            ha="right" if left else "left",
            va="center",
            color=text_colour(str(style["color"])),
            fontweight=700 if stripes == study.stripe_count else 400,
        )
    _log_axis(axes, float(x[-1]))
    axes.set(ylim=(0, 1.25 * top))
    _name_plateau(axes, page, study.read.limit, study.read.gb_s, float(x[-1]))
    axes.plot(
        study.clients, study.read.gb_s, "o", color=USEFUL, markersize=11, zorder=5, clip_on=False
    )
    name_axes(axes, page.label("x_many"), page.label("y_many"))
    return svg_text(figure, f"{page.key}-many", page.title, page.alt)


def _styles(study: FileSystemStudy) -> dict[int, dict[str, object]]:
    """Return how each stripe count is drawn: the scenario's own keeps its colour."""
    styles = {}
    for stripes in study.many:
        place = 1 if stripes == study.stripe_count else 0 if stripes == min(study.many) else 2
        styles[stripes] = STRIPE_STYLE[place]
    return styles


def _name_plateau(axes: Axes, page: Captioned, limit: str, gb_s: float, x: float) -> None:
    axes.annotate(
        f"{page.label(f'limit_{limit}')} {format_quantity(gb_s, 'GB/s', page.lang, digits=3)}",
        (x, gb_s),
        (0, 12),
        textcoords="offset points",
        ha="right",
        color=INK,
    )


def _mark(axes: Axes, page: Captioned, point: tuple[float, float], *, named: bool) -> None:
    """Mark where the scenario stands, with its value above and left of it."""
    axes.plot(*point, "o", color=USEFUL, markersize=11, zorder=5)
    if not named:
        return
    axes.annotate(
        format_quantity(point[1], "GB/s", page.lang, digits=3),
        point,
        (-12, 6),
        textcoords="offset points",
        ha="right",
        va="bottom",
        color=USEFUL,
        fontweight=700,
    )


def _log_axis(axes: Axes, last: float) -> None:
    """Number a logarithmic axis by powers of two and its last value."""
    axes.set_xscale("log", base=2)
    powers = (2.0**power for power in range(int(np.log2(last)) + 1))
    ticks = [*(tick for tick in powers if last > 1.4 * tick), last]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set_xlim(1, max(last, 2))  # one client or one target is a point, not an axis


def draw_limits(study: FileSystemStudy, page: Captioned) -> str:
    """Draw which part limits, for every stripe count with every number of clients.

    Parameters
    ----------
    study : FileSystemStudy
        From `study_file_system`.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    grid = study.grid
    # limits are powers of both counts: between logarithms, straight lines are exact
    x, y, gb_s = np.log2(grid.clients), np.log2(grid.stripe_counts), np.log2(grid.gb_s)
    for index, name in enumerate(LIMITS):
        if (grid.limit == index).any():
            _draw_region(axes, page, (x, y), grid, index, name)
    levels = _round_levels(float(grid.gb_s.max()))
    lines = axes.contour(x, y, gb_s, levels=np.log2(levels), colors=MUTED, linewidths=1)
    # labels stand in one row, where few stripes leave the lines slanted
    row = min(int(np.searchsorted(y, np.log2(1.5))), len(y) - 1)
    places = [
        (float(np.interp(np.log2(level), gb_s[row], x)), float(y[row]))
        for level in levels
        if grid.gb_s[row, 0] < level < grid.gb_s[row].max()
    ]
    axes.clabel(
        lines, fmt=lambda level: f"{2**level:.0f} GB/s", fontsize=16, colors=MUTED, manual=places
    )
    here = (float(np.log2(study.clients)), float(np.log2(study.stripe_count)))
    axes.plot(*here, "o", color=INK, markersize=12, zorder=6, clip_on=False)
    axes.annotate(
        page.label("here"),
        here,
        (-14 if study.clients > 1 else 14, 0),
        textcoords="offset points",
        ha="right" if study.clients > 1 else "left",
        va="center",
        fontweight=700,
    )
    for axis, values in ((axes.xaxis, x), (axes.yaxis, y)):
        axis.set_major_locator(FixedLocator(range(int(values[-1]) + 1)))
        axis.set_major_formatter(lambda value, _: f"{2**value:.0f}")
    axes.set(xlim=(0, max(x[-1], 1)), ylim=(0, max(y[-1], 1)))
    axes.grid(visible=False)
    name_axes(axes, page.label("x"), page.label("y"))
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_region(
    axes: Axes,
    page: Captioned,
    places: tuple[NDArray[np.float64], NDArray[np.float64]],
    grid: BandwidthGrid,
    index: int,
    name: str,
) -> None:
    """Fill where one part limits and write its name in the middle."""
    fill = tint(LIMIT_COLOURS[index], 0.28)
    others = np.delete(grid.terms, index, axis=0).min(axis=0)
    lead = np.log(others / grid.terms[index])
    # a hair over the border, so that no gap is left where three parts meet
    axes.contourf(*places, lead, levels=[-0.02, lead.max() + 1], colors=[fill])
    mask = grid.limit == index
    down, across = np.nonzero(mask)
    if mask.mean() > 0.02:
        axes.annotate(
            page.label(f"limit_{name}"),
            (float(np.median(places[0][across])), float(np.median(places[1][down]))),
            ha="center",
            va="center",
            fontsize=19,
            fontweight=700,
            color=text_colour(LIMIT_COLOURS[index], fill),
            bbox={"facecolor": fill, "edgecolor": "none", "pad": 2},
        )


def _round_levels(top: float) -> Sequence[float]:
    """Return three bandwidths to draw, rounded, below the greatest.

    >>> list(_round_levels(500))
    [50.0, 100.0, 300.0]
    """
    shares = (0.1, 0.2, 0.6)
    return sorted({float(f"{share * top:.1g}") for share in shares})


def draw_metadata(study: MetadataStudy, page: Captioned) -> str:
    """Draw opens and creates a second by number of metadata targets.

    Parameters
    ----------
    study : MetadataStudy
        From `study_metadata`.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    ends = []
    styles = (
        ("striped", study.striped, STRIPE_STYLE[1]),
        ("create", study.create, STRIPE_STYLE[2]),
        ("few", study.few, _DASHED),
        ("plain", study.plain, STRIPE_STYLE[0]),
    )
    for name, per_s, style in styles:
        axes.plot(study.mdt_counts, per_s / 1e3, **style)  # type: ignore[arg-type]
        ends.append(
            LineEnd(
                float(study.mdt_counts[-1]),
                float(per_s[-1]) / 1e3,
                page.label(name),
                str(style["color"]),
                weight=700 if name in ("striped", "plain") else 400,
            )
        )
    here = study.lustre.mdt_count
    axes.plot(here, study.striped[here - 1] / 1e3, "o", color=USEFUL, markersize=11, zorder=5)
    axes.annotate(
        page.label("here"),
        (here, study.striped[here - 1] / 1e3),
        (-8, 14),
        textcoords="offset points",
        ha="right" if here > study.mdt_counts[-1] / 5 else "left",
        color=USEFUL,
        fontweight=700,
    )
    axes.set(xlim=(1, study.mdt_counts[-1]), ylim=(0, None))
    axes.xaxis.set_major_locator(FixedLocator([1, *range(4, int(study.mdt_counts[-1]) + 1, 4)]))
    axes.yaxis.set_major_formatter("{x:,.0f}")
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=17)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_small_files(study: MetadataStudy, page: Captioned) -> str:
    """Draw what whole files bring a second, by their size, beside the bandwidth without opens.

    Parameters
    ----------
    study : MetadataStudy
        From `study_metadata`.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    kib = study.file_bytes / 1024
    axes.axhline(study.data_gb_s, color=MUTED, linewidth=1.5, linestyle=(0, (2, 3)))
    axes.annotate(
        page.label("data"), (kib[0], study.data_gb_s), (6, 8), textcoords="offset points",
        color=MUTED,
    )  # fmt: skip
    lines = (("all", study.gb_s, STRIPE_STYLE[1]), ("one", study.gb_s_one, STRIPE_STYLE[0]))
    for name, gb_s, style in lines:
        if name == "one" and study.lustre.mdt_count == 1:
            continue
        axes.plot(kib, gb_s, **style)  # type: ignore[arg-type]
        at = len(kib) // 8 if name == "all" else len(kib) // 4
        axes.annotate(
            page.label(name),
            (float(kib[at]), float(gb_s[at])),
            (-10, 6) if name == "all" else (14, -8),
            textcoords="offset points",
            ha="right" if name == "all" else "left",
            va="bottom" if name == "all" else "top",
            color=text_colour(str(style["color"])),
            fontweight=700,
        )
    small = study.small_bytes / 1024
    axes.plot(small, study.small_gb_s, "o", color=USEFUL, markersize=12, zorder=5)
    axes.annotate(
        page.label("small"), (small, study.small_gb_s), (-14, 4), textcoords="offset points",
        ha="right", va="bottom", color=USEFUL, fontweight=700,
    )  # fmt: skip
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    ticks = [4.0, 64, 1024, 16_384, 262_144]
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels(["4 KiB", "64 KiB", "1 MiB", "16 MiB", "256 MiB"])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set(xlim=(kib[0], kib[-1]), ylim=(None, 2.2 * study.data_gb_s))
    name_axes(axes, page.label("x"), page.label("y"))
    return svg_text(figure, page.key, page.title, page.alt)
