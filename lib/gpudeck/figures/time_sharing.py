"""The pictures of page 7: five ways to share a GPU, slices, MPS, HAMi and its token bucket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from gpudeck.fact import Fact
from gpudeck.figures.architecture import Block, Group, architecture
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.flowchart import Step, flowchart
from gpudeck.figures.geometry import Box
from gpudeck.figures.pseudocode import pseudocode
from gpudeck.figures.routing import Edge
from gpudeck.figures.shapes import Canvas, Share
from gpudeck.figures.sheet import table_sheet
from gpudeck.figures.style import (
    INK,
    MEASURED,
    MUTED,
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
from gpudeck.figures.timeline import Bar, timeline
from gpudeck.interval import interval_of
from gpudeck.models.sharing.gpu import SharingResult, Tenant
from gpudeck.models.sharing.gpu.comparison import WayComparison
from gpudeck.models.sharing.gpu.core_split import CoreSplit
from gpudeck.units import format_quantity

# what a bar leaves to its number, as a part of the axis
_ROOM = 1.42
_WINDOW_MS = 100.0


def draw_ways(compared: WayComparison, page: Captioned) -> str:
    """Draw work per GPU, latency and the effect of the noisy neighbour, one bar a way and panel.

    Parameters
    ----------
    compared : WayComparison
        From `compare_ways`, two seeds or more; whiskers are 95 % intervals of the mean.
    page : Captioned
        The page that shows it.
    """
    ways = list(compared.work)
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    panels = figure.subplots(1, 3, sharey=True)
    shown: tuple[tuple[str, Mapping[str, NDArray], str, str, int], ...] = (
        ("work", {way: 100 * compared.work[way] for way in ways}, USEFUL, "%", 0),
        ("p99", compared.p99_ms, WAITING, "ms", 0),
        ("noise", compared.noise, WASTE, "x", 1),
    )
    for axes, (name, samples, colour, unit, decimals) in zip(panels, shown, strict=True):
        # the two that the headline names
        marked = [ways.index(way) for way in ("time_slicing", "mig")] if name == "noise" else []
        values = [samples[way] for way in ways]
        _draw_bars(axes, values, (colour, unit, decimals), page.lang, marked)
        axes.set_title(page.label(name), loc="left")
    panels[0].set_yticks(range(len(ways)), [page.label(way) for way in ways], fontsize=18)
    for label in panels[0].get_yticklabels():
        label.set_color(INK)
    panels[0].invert_yaxis()
    panels[2].axvline(1, color=INK, linewidth=1.5, linestyle=(0, (4, 3)))
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_bars(
    axes: Axes,
    samples: Sequence[NDArray],
    look: tuple[str, str, int],
    lang: str,
    marked: Sequence[int],
) -> None:
    colour, unit, decimals = look
    bands = [interval_of(values) for values in samples]
    means = [band.mean for band in bands]
    reach = [[band.mean - band.low for band in bands], [band.high - band.mean for band in bands]]
    places = range(len(bands))
    axes.barh(places, means, height=0.62, **bar_style(colour))  # type: ignore[arg-type]
    axes.errorbar(
        means, places, xerr=reach, fmt="none", ecolor=MEASURED, elinewidth=2, capsize=5, capthick=2
    )
    high = max(band.high for band in bands)
    axes.set_xlim(0, high * _ROOM)
    for place, band in zip(places, bands, strict=True):
        text = format_quantity(band.mean, unit, lang, decimals=decimals)
        axes.annotate(
            text, (max(band.high, band.mean), place), (9, 0), textcoords="offset points",
            va="center", fontsize=18, color=INK, fontweight=700 if place in marked else 400,
        )  # fmt: skip
    axes.grid(visible=False)
    axes.tick_params(axis="x", labelbottom=False, length=0)
    axes.spines["bottom"].set_visible(False)
    axes.spines["left"].set_visible(True)


def draw_hami_architecture(compared: WayComparison, page: Captioned) -> str:
    """Draw HAMi's parts on the way of a pod, and in the node the GPU with its tenants' limits.

    Parameters
    ----------
    compared : WayComparison
        The tenants whose memory is drawn into the GPU.
    page : Captioned
        The page that shows it.
    """
    words = page.label
    blocks = [
        Block("pod", words("pod"), 0, 0, words("pod_detail"), tone="waiting"),
        Block("webhook", words("webhook"), 1, 0, words("webhook_detail")),
        Block("scheduler", words("scheduler"), 2, 0, words("scheduler_detail")),
        Block("plugin", words("plugin"), 3, 0, words("plugin_detail")),
        Block("app", words("app"), 0, 1, words("app_detail")),
        Block("limiter", words("limiter"), 1, 1, words("limiter_detail"), tone="useful"),
        Block("driver", words("driver"), 2, 1, words("driver_detail")),
        Block(
            "gpu", words("gpu"), 3, 1, kind="node", tone="plain",
            content=partial(
                _draw_gpu, tenants=compared.tenants, memory_gib=compared.gpu_memory_gib
            ),
        ),
    ]  # fmt: skip
    edges = [
        Edge("pod", "webhook", words("create")),
        Edge("webhook", "scheduler", words("mutate")),
        Edge("scheduler", "plugin", words("bind")),
        Edge("plugin", "limiter", words("inject"), exit="bottom", enter="top", colour=USEFUL),
        Edge("app", "limiter", words("launch")),
        Edge("limiter", "driver", words("pass")),
        Edge("driver", "gpu", words("run")),
        Edge("gpu", "limiter", words("watch"), exit="bottom", enter="bottom", dashed=True),
    ]
    groups = [
        Group(words("control"), ("webhook", "scheduler", "plugin")),
        Group(words("node"), ("app", "limiter", "driver", "gpu")),
    ]
    return architecture(
        blocks,
        edges,
        groups,
        **describe(page),
        gutter_x_px=96,
        gutter_y_px=100,
        margin_px=36,
        row_weights=(5, 6),
    )


def _draw_gpu(canvas: Canvas, room: Box, tenants: Sequence[Tenant], memory_gib: float) -> None:
    """Draw the GPU's memory as the tenants' footprints fill it, in the order of their ids."""
    size_px = min(room.width, room.height)
    colours = [USEFUL, SERIES[3].colour, SERIES[0].colour, SERIES[5].colour, SERIES[1].colour]
    shares = [
        Share(tenant.memory_gib / memory_gib, colours[n % len(colours)])
        for n, tenant in enumerate(tenants)
    ]
    canvas.gpu(room.centre[0] - size_px / 2, room.y, size_px, shares)


def draw_slice_flow(page: Captioned) -> tuple[str, str]:
    """Return round-robin time slicing as pseudocode and as a flow chart."""
    words = page.label
    code = pseudocode(
        words("code").split("\n"), key=f"{page.key}-code", title=page.title, description="",
        marked=(3,),
    )  # fmt: skip
    steps = [
        Step("start", words("start"), 0, 0, "start"),
        Step("any", words("any"), 0, 1, "decision"),
        Step("idle", words("idle"), 1, 1, tone="waiting"),
        Step("next", words("next"), 0, 2, tone="useful"),
        Step("same", words("same"), 0, 3, "decision"),
        Step("switch", words("switch_context"), 1, 3, tone="waste"),
        Step("run", words("run"), 0, 4),
        Step("again", words("again"), 0, 5, "end"),
    ]
    edges = [
        Edge("start", "any"),
        Edge("any", "idle", words("no")),
        Edge("any", "next", words("yes")),
        Edge("next", "same"),
        Edge("same", "switch", words("no")),
        Edge("same", "run", words("yes")),
        Edge("switch", "run", exit="bottom", enter="right"),
        Edge("run", "again"),
    ]
    chart = flowchart(
        steps,
        edges,
        **describe(page),
        gutter_x_px=52,
        gutter_y_px=26,
        column_weights=(5, 3),
        row_weights=(3, 5, 3, 5, 3, 3),
    )
    return code, chart


def draw_slices(result: SharingResult, page: Captioned) -> str:
    """Draw who had the GPU and who waited, from the event log, where most tenants are at work.

    Parameters
    ----------
    result : SharingResult
        Time slicing with a log.
    page : Captioned
        The page that shows it.
    """
    start_ms = busy_window(result, _WINDOW_MS)
    names = _lane_names(result, page)
    bars = []
    for each in result.tenants.values():
        for came, took in zip(each.issued_ms, each.latency_ms, strict=True):
            low, high = _cut(came - start_ms, came + took - start_ms)
            if high > low:
                bars.append(Bar(names[each.id], low, high, colour=WAITING, hollow=True))
    for run in result.runs:
        low, high = _cut(run.start_ms - start_ms, run.end_ms - start_ms)
        if run.tenant is not None and high > low:
            colour = WASTE if run.tenant.startswith("training") else USEFUL
            bars.append(Bar(names[run.tenant], low, high, colour=colour))
    return timeline(
        list(names.values()),
        bars,
        key=page.key,
        title=page.title,
        description=page.alt,
        unit=page.label("unit"),
        width_px=page.slot.width_px,
        height_px=page.slot.height_px,
        end=_WINDOW_MS,
        tick=10,
    )


def _lane_names(result: SharingResult, page: Captioned) -> dict[str, str]:
    """Name each tenant by its workload, and its number if it has one."""
    workloads = [tenant.partition("-") for tenant in result.tenants]
    return {
        tenant: " ".join([page.label(workload), number]).strip()
        for tenant, (workload, _, number) in zip(result.tenants, workloads, strict=True)
    }


def _cut(start: float, end: float) -> tuple[float, float]:
    return max(start, 0.0), min(end, _WINDOW_MS)


def busy_window(result: SharingResult, length_ms: float) -> float:
    """Find where in the log most tenants run, and take turns most often, within a length of time.

    Returns
    -------
    Start of the window in ms, the first of equals.
    """
    last_ms = max((run.end_ms for run in result.runs), default=0.0)
    best, start = (0, 0), 0.0
    for at in np.arange(0, max(last_ms - length_ms, 1), length_ms / 4):
        seen = [r.tenant for r in result.runs if r.tenant and at <= r.start_ms < at + length_ms]
        if (len(set(seen)), len(seen)) > best:
            best, start = (len(set(seen)), len(seen)), float(at)
    return start


def draw_mps_rules(facts: Sequence[Fact], page: Captioned) -> str:
    """Set what MPS enforces beside what the model shows of it.

    Parameters
    ----------
    facts : sequence of Fact
        From `report_mps`; the labels' placeholders hold their numbers.
    page : Captioned
        The page that shows it.
    """
    assert facts, "the rows print facts of the page"
    rows = [
        (page.label(name), page.label(f"{name}_rule"), page.label(f"{name}_shown"))
        for name in ("limit", "together", "threads", "memory", "bandwidth", "fault")
    ]
    header = [page.label(name) for name in ("what", "rule", "shown")]
    return table_sheet(page.title, header, rows, marked=5, words=True)


def draw_core_split(
    split: CoreSplit, by_kernel: Sequence[CoreSplit], page: Captioned, facts: Sequence[Fact]
) -> tuple[str, str]:
    """Draw what two watchers see over time, and the ratio of launches by the kernels' duration.

    Parameters
    ----------
    split : CoreSplit
        Two containers with core limits.
    by_kernel : sequence of CoreSplit
        The same for other durations of their kernels.
    page : Captioned
        The page that shows it.
    facts : sequence of Fact
        From `report_split`, for what was published and what the limits ask.
    """
    known = {fact.key: float(fact.value) for fact in facts}
    return _draw_watches(split, page), _draw_ratio((split, *by_kernel), page, known)


def _draw_watches(split: CoreSplit, page: Captioned) -> str:
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    ends = []
    styles = ((WASTE, "--"), (USEFUL, "-"))
    for watch, (colour, line) in zip(split.watches, styles, strict=True):
        first = watch.time_ms <= 20_000
        seconds, seen = watch.time_ms[first] / 1000, watch.utilisation_pct[first]
        axes.plot(seconds, seen, color=colour, linestyle=line, linewidth=2)
        axes.axhline(watch.limit_pct, color=text_colour(colour), linewidth=1.5, ls=(0, (1, 2)))
        limit = format_quantity(watch.limit_pct, "%", page.lang, decimals=0)
        ends.append(LineEnd(seconds[-1], watch.limit_pct, f"{page.label('asked')} {limit}", colour))
    axes.set(xlim=(0, 20), ylim=(0, 104), xticks=range(0, 21, 5))
    name_axes(axes, page.label("time"), page.label("utilisation"))
    label_line_ends(axes, ends)
    return svg_text(figure, f"{page.key}-watch", page.title, page.alt)


def _draw_ratio(by_kernel: Sequence[CoreSplit], page: Captioned, known: dict[str, float]) -> str:
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    x = [split.kernel_ms for split in by_kernel]
    bands = [interval_of(split.ratio) for split in by_kernel]
    low, high = known["published_low"], known["published_high"]
    axes.fill_between([x[0], x[-1]], low, high, color=MEASURED, alpha=0.13, linewidth=0)
    axes.fill_between(x, [b.low for b in bands], [b.high for b in bands], color=USEFUL, alpha=0.2)
    axes.plot(
        x, [band.mean for band in bands], color=USEFUL, linewidth=3, marker="o", clip_on=False
    )
    axes.axhline(known["ratio_asked"], color=MUTED, linewidth=1.5, linestyle=(0, (1, 2)))
    axes.set(xscale="log", xlim=(x[0], x[-1]), ylim=(0, 10))
    ticks = [value for value in (0.1, 1.0, 10.0) if x[0] <= value <= x[-1]]
    axes.set_xticks(ticks, [f"{value:g}" for value in ticks])
    name_axes(axes, page.label("kernel_ms"), page.label("ratio_axis"))
    at = x[-1] * 0.93
    for y, name, colour in (
        (known["ratio_asked"] + 0.4, "asked_ratio", MUTED),
        ((low + high) / 2, "published", MEASURED),
    ):
        axes.text(at, y, page.label(name), ha="right", va="center", color=colour)
    axes.annotate(
        page.label("model"), (x[-1], bands[-1].mean), (-6, 16), textcoords="offset points",
        ha="right", color=text_colour(USEFUL), fontweight=700,
    )  # fmt: skip
    return svg_text(figure, f"{page.key}-ratio", page.title, "")
