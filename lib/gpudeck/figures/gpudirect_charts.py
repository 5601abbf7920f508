"""The charts and tables of page 17: by size of request, CPU time, networks, Little's law."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, LogLocator, NullLocator
from numpy.typing import NDArray

from gpudeck.fact import Fact, index_facts
from gpudeck.figures.caption import Captioned
from gpudeck.figures.sheet import table_sheet
from gpudeck.figures.style import (
    INK,
    MEASURED,
    MUTED,
    PAPER,
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
)
from gpudeck.models.storage import IoStudy, LoggedRun, Misprint
from gpudeck.units import format_quantity

ROUTE_STYLE: dict[str, dict[str, object]] = {
    "bounce": {"color": WASTE, "linestyle": (0, (5, 2)), "linewidth": 3},
    "pinned": {"color": SERIES[4].colour, "linestyle": SERIES[4].linestyle, "linewidth": 2.5},
    "direct": {"color": USEFUL, "linestyle": "-", "linewidth": 3.5},
}
_SIZES = ((4.0, "4 KiB"), (64.0, "64 KiB"), (1024.0, "1 MiB"), (16_384.0, "16 MiB"))
_MIB_KIB = 1024.0
# behind words that a thin line would cross
_PLATE = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}


def draw_by_size(study: IoStudy, page: Captioned) -> str:
    """Draw bandwidth, latency and CPU time of each route by size of request.

    Parameters
    ----------
    study : IoStudy
        From `study_paths`.
    page : Captioned
        The page that shows all three.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    figure.set_layout_engine("tight", pad=0.3, w_pad=3)
    panels = figure.subplots(1, 3)
    micro = {route: 1e6 * values for route, values in study.latency_s.items()}
    for axes, name, curves in (
        (panels[0], "bandwidth", study.gb_s),
        (panels[1], "latency", micro),
        (panels[2], "cpu", study.cpu_s_per_gb),
    ):
        for route in ("bounce", "pinned", "direct"):
            axes.plot(study.io_bytes / 1024, curves[route], **ROUTE_STYLE[route])
        _size_axis(axes)
        axes.set_yscale("log")
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_locator(NullLocator())
        name_axes(axes, page.label("x"), page.label(name))
        _name_routes(axes, study.io_bytes / 1024, curves, page, rising=name != "cpu")
    _point_at_pinned(panels[0], study, page)
    return svg_text(figure, page.key, page.title, page.alt)


def _size_axis(axes: Axes) -> None:
    axes.set_xscale("log", base=2)
    axes.xaxis.set_major_locator(FixedLocator([kib for kib, _ in _SIZES]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([text for _, text in _SIZES])
    axes.set_xlim(_SIZES[0][0], _SIZES[-1][0])


def _name_routes(
    axes: Axes,
    kib: NDArray[np.float64],
    curves: Mapping[str, NDArray[np.float64]],
    page: Captioned,
    *,
    rising: bool,
) -> None:
    """Name the uppermost and the lowest line at large reads, each on its free side."""
    high, low = (int(np.searchsorted(kib, share * _MIB_KIB)) for share in (2, 0.5))
    upper, lower = sorted(("bounce", "direct"), key=lambda route: -curves[route][high])
    places = (
        ((upper, high, -12, 8, "right"), (lower, low, 10, -24, "left"))
        if rising
        else ((upper, high, -8, 16, "left"), (lower, high, -10, -26, "right"))
    )
    for route, at, dx, dy, side in places:
        axes.annotate(
            page.label(route),
            (float(kib[at]), float(curves[route][at])),
            (dx, dy),
            textcoords="offset points",
            ha=side,
            color=text_colour(str(ROUTE_STYLE[route]["color"])),
            fontweight=700,
        )


def _point_at_pinned(axes: Axes, study: IoStudy, page: Captioned) -> None:
    """Name the third line in the first panel, where there is room below it."""
    at = len(study.io_bytes) * 9 // 10
    kib, gb_s = float(study.io_bytes[at]) / 1024, float(study.gb_s["pinned"][at])
    colour = text_colour(str(ROUTE_STYLE["pinned"]["color"]))
    axes.annotate(
        page.label("pinned"),
        (kib, gb_s),
        (18, -130),
        textcoords="offset points",
        ha="right",
        color=colour,
        arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 1, "relpos": (0.85, 1)},
    )


def draw_cpu(study: IoStudy, facts: Sequence[Fact], page: Captioned) -> str:
    """Draw the CPU time of 10^9 bytes in large requests, split into requests and copies.

    Parameters
    ----------
    study : IoStudy
        From `study_paths`.
    facts : sequence of Fact
        From `report_cpu`: measured points.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    known = index_facts(tuple(facts))
    routes = ("direct", "pinned", "bounce")
    request = float(known["cpu_large"].value)
    for place, route in enumerate(routes):
        path = study.paths[route]
        copied = path.cpu_copies / path.copy_gb_s
        axes.barh(place, request, 0.5, **bar_style(WAITING))  # type: ignore[arg-type]
        axes.barh(place, copied, 0.5, left=request, **bar_style(WASTE))  # type: ignore[arg-type]
        axes.annotate(
            format_quantity(request + copied, "s/GB", page.lang),
            (request + copied, place),
            (10, 0),
            textcoords="offset points",
            va="center",
            fontweight=700,
        )
    top = len(routes) - 1
    for name, x, colour in (("request", 0.0, MUTED), ("copy", request, text_colour(WASTE))):
        axes.annotate(
            page.label(name), (x, top + 0.25), (4, 8), textcoords="offset points", color=colour
        )
    points = ((0, "forum_direct"), (1, "forum_bounce"))
    for place, name in points:
        axes.plot(float(known[name].value), place, "o", color=MEASURED, markersize=10, zorder=5)
    axes.annotate(
        page.label("measured"),
        (float(known["forum_direct"].value), 0),
        (12, 0),
        textcoords="offset points",
        va="center",
        color=MEASURED,
    )
    axes.set_yticks(range(len(routes)), [page.label(route) for route in routes])
    axes.tick_params(axis="y", labelcolor=INK, labelsize=17)
    axes.set(xlim=(0, None), ylim=(-0.6, top + 0.8))
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    name_axes(axes, page.label("x"), "")
    return svg_text(figure, page.key, page.title, page.alt)


def draw_remote_latency(study: IoStudy, page: Captioned) -> str:
    """Draw latency by size of request: a local drive, and drives over a network as bands.

    Parameters
    ----------
    study : IoStudy
        From `study_paths`.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    shown = study.io_bytes <= 2.0**18
    kib = study.io_bytes[shown] / 1024
    ends = []
    for name, colour in (("tcp", WASTE), ("rdma", SERIES[0].colour)):
        low, high = (1e6 * values[shown] for values in study.remote_s[name])
        axes.fill_between(
            kib, low, high, color=colour, alpha=0.3, lw=0, hatch="//" if name == "tcp" else ""
        )
        axes.plot(kib, low, color=colour, linewidth=1.5)
        axes.plot(kib, high, color=colour, linewidth=1.5)
        middle = float(low[-1] + high[-1]) / 2
        ends.append(LineEnd(float(kib[-1]), middle, page.label(name), colour))
    local = 1e6 * study.latency_s["direct"][shown]
    axes.plot(kib, local, **ROUTE_STYLE["direct"])  # type: ignore[arg-type]
    ends.append(LineEnd(float(kib[-1]), float(local[-1]), page.label("local"), USEFUL, weight=700))
    axes.set_xscale("log", base=2)
    ticks = (4.0, 16.0, 64.0, 256.0)
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xticklabels([f"{tick:.0f} KiB" for tick in ticks])
    axes.set(xlim=(kib[0], kib[-1]), ylim=(0, None))
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=17)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_little(
    local: Sequence[LoggedRun], remote: Sequence[LoggedRun], misprint: Misprint, page: Captioned
) -> str:
    """Draw logged latency over requests a second, lines of Little's law, and the misprint.

    Parameters
    ----------
    local, remote : sequence of LoggedRun
        Small random reads on own drives and in the network.
    misprint : Misprint
        The latency that the text prints.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    rates = np.geomspace(1e4, 1.2e6, 60)
    for run in local:
        line = 1e6 * run.in_flight / rates
        axes.plot(rates / 1e3, line, color=WAITING, linewidth=1.5, linestyle=(0, (4, 3)))
        at = run.in_flight / 250e-6
        axes.annotate(
            f"{run.in_flight}",
            (at / 1e3, 250),
            (4, 2),
            textcoords="offset points",
            ha="left",
            color=MUTED,
        )
        axes.plot(run.per_s / 1e3, 1e6 * run.logged_s, "o", color=MEASURED, markersize=9, zorder=5)
    reads = [run for run in remote if run.name.startswith("read")]
    for run in reads:
        axes.plot(run.per_s / 1e3, 1e6 * run.logged_s, "s", color=USEFUL, markersize=10, zorder=6)
    near = next(run for run in reads if run.name == "read_near")
    at = near.per_s / 1e3
    axes.plot(at, misprint.printed, "X", color=WASTE, markersize=15, zorder=6)
    axes.annotate(
        page.label("misprint"),
        (at, misprint.printed),
        (16, 0),
        textcoords="offset points",
        va="center",
        color=text_colour(WASTE),
        fontweight=700,
        bbox=_PLATE,
    )
    axes.annotate(
        "",
        (at, misprint.follows + 2),
        (at, misprint.printed - 5),
        arrowprops={"arrowstyle": "->", "color": text_colour(WASTE), "linewidth": 2},
    )
    axes.annotate(
        page.label("log"), (at, misprint.follows), (-12, -24), textcoords="offset points",
        ha="right", color=USEFUL, fontweight=700, bbox=_PLATE,
    )  # fmt: skip
    first = local[0]
    axes.annotate(
        page.label("local"), (first.per_s / 1e3, 1e6 * first.logged_s), (-12, -6),
        textcoords="offset points", ha="right", color=MEASURED, bbox=_PLATE,
    )  # fmt: skip
    axes.annotate(
        page.label("threads"), (local[0].in_flight / 250e-6 / 1e3, 250), (-10, 2),
        textcoords="offset points", ha="right", color=MUTED,
    )  # fmt: skip
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator([10, 20, 50, 100, 200, 500, 1000]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter("{x:.0f}")
    axes.set(xlim=(8, 1200), ylim=(0, 260))
    name_axes(axes, page.label("x"), page.label("y"))
    return svg_text(figure, page.key, page.title, page.alt)


def draw_audit(misprints: Sequence[Misprint], page: Captioned) -> str:
    """Set what the guide's text says beside its log and what Little's law makes of it.

    Parameters
    ----------
    misprints : sequence of Misprint
        From `audit_guide`.
    page : Captioned
        The page that shows it.
    """
    rows = [
        [
            page.label(one.name),
            *(
                format_quantity(value, one.unit, page.lang, digits=3)
                for value in (one.printed, one.logged, one.follows)
            ),
        ]
        for one in misprints
    ]
    header = [page.label(name) for name in ("what", "printed", "logged", "follows")]
    return table_sheet(page.title, header, rows, marked=0)


def draw_machine(facts: Sequence[Fact], page: Captioned) -> str:
    """Set a DGX-2's published bandwidths beside the computed ones.

    Parameters
    ----------
    facts : sequence of Fact
        From `report_machine`.
    page : Captioned
        The page that shows it.
    """
    known = index_facts(tuple(facts))
    rows = []
    for name in ("sysmem", "combined", "near", "far", "wait", "wait_far"):
        published, computed = known[name], known[f"{name}_computed"]
        error = 100 * (float(computed.value) / float(published.value) - 1)
        rows.append(
            [
                page.label(name),
                *(
                    format_quantity(float(fact.value), fact.unit, page.lang, digits=3)
                    for fact in (published, computed)
                ),
                f"{error:+.1f}%".replace("-", "\N{MINUS SIGN}"),
            ]
        )
    header = [page.label(name) for name in ("what", "published", "computed", "error")]
    return table_sheet(page.title, header, rows, marked=1)
