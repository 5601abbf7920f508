"""The pictures of page 23: capacity that follows the load, the warm pool, the clouds."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from gpudeck.figures.architecture import Block, Group, architecture
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.flowchart import Step, flowchart
from gpudeck.figures.pseudocode import pseudocode
from gpudeck.figures.routing import Edge
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
    label_line_ends,
    name_axes,
    new_figure,
    spread,
    svg_text,
    text_colour,
    tint,
)
from gpudeck.interval import band_of, interval_of
from gpudeck.models.resilience.autoscaling import (
    COMPARED,
    Accuracy,
    Elasticity,
    PoolStudy,
    ScalingResult,
    common_level,
    hours_at,
)
from gpudeck.models.resilience.cloud_mix import CloudMix
from gpudeck.units import format_number

LOOK: dict[str, dict[str, object]] = {
    "static": {"color": WAITING, "linestyle": "-", "marker": "s"},
    "reactive": {"color": WASTE, "linestyle": (0, (5, 2)), "marker": "^"},
    "predictive": {"color": USEFUL, "linestyle": "-", "marker": "o"},
    "hybrid": {"color": SERIES[0].colour, "linestyle": (0, (6, 2, 1, 2)), "marker": "D"},
}
_OFFER_COLOURS = {"reserved": USEFUL, "on_demand": SERIES[2].colour, "spot": SERIES[0].colour}
_LEFT = ("predictive", "hybrid")  # policies named left of their curves
# of the slot's height is plot, the rest names and ticks
_PLOT_SHARE = 0.85
_CLOUD_HATCH = ("", "//", "..", "xx")


def draw_frontier(study: Elasticity, page: Captioned) -> str:
    """Draw late requests over GPU-hours: one line a policy along its knob, a mark as it is set."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    static = study.calm["static"].gpu_hours.mean()
    for policy, results in study.frontier.items():
        _draw_knob(axes, policy, results, float(static))
    level = common_level(study, COMPARED)
    axes.axhline(level, color=MUTED, linewidth=1.5, linestyle=(0, (2, 3)))
    axes.annotate(
        page.label("level"), (1, level), (0, 5), xycoords=axes.get_yaxis_transform(),
        textcoords="offset points", ha="right", color=MUTED,
    )  # fmt: skip
    late = {policy: float(result.late_pct.mean()) for policy, result in study.calm.items()}
    hours = {policy: float(result.gpu_hours.mean()) for policy, result in study.calm.items()}
    top = max(1.35 * max(late.values()), 2 * level)
    right = max(108.0, 1.15 * 100 * max(hours.values()) / float(static))
    axes.set(xlim=(0, right), ylim=(-0.03 * top, top))
    lifts = _lift_labels(late, _PLOT_SHARE * page.slot.height_px / (1.03 * top))
    for policy, lift in lifts.items():
        _mark(axes, study.calm[policy], policy, float(static), lift, page)
    # left of the curves there is room, as low as the labels stand
    near = max(late[policy] for policy in _LEFT) + top / 4
    reached = [
        float(result.gpu_hours.mean())
        for policy in _LEFT
        for result in (study.calm[policy], *study.frontier[policy])
        if float(result.late_pct.mean()) < near
    ]
    edge = 100 * min(reached) / float(static)
    for policy in _LEFT:
        _name_mark(axes, policy, edge, late[policy], (-16, lifts[policy]), page)
    _mark_crossings(axes, study, level, float(static))
    name_axes(axes, page.label("x"), page.label("y"))
    return svg_text(figure, page.key, page.title, page.alt)


def _mark_crossings(axes: Axes, study: Elasticity, level: float, static: float) -> None:
    """Write what each policy costs where it is as late as the others: the ratio to check."""
    for policy in COMPARED:
        hours = hours_at(study.frontier[policy], level)
        if hours is None:
            continue
        share, colour = 100 * float(hours.mean()) / static, str(LOOK[policy]["color"])
        axes.plot(share, level, "o", color=PAPER, markeredgecolor=colour, markersize=8, zorder=4)
        side = -1 if policy in _LEFT else 1
        axes.annotate(
            f"{share:.0f}", (share, level), (10 * side, 7), textcoords="offset points",
            ha="left" if side > 0 else "right", color=text_colour(colour), fontweight=700,
        )  # fmt: skip


def _lift_labels(late: dict[str, float], px_per_point: float) -> dict[str, float]:
    """Return how far each label stands above its mark: two of them share the left side."""
    heights = [late[policy] * px_per_point for policy in _LEFT]
    placed = spread(heights, [24] * len(_LEFT), 0, np.inf)
    moved = {p: new - old - 6 for p, old, new in zip(_LEFT, heights, placed, strict=True)}
    return {"static": -4.0, "reactive": -4.0, **moved}


def _draw_knob(axes: Axes, policy: str, results: tuple[ScalingResult, ...], static: float) -> None:
    look = LOOK[policy]
    share = np.array([100 * result.gpu_hours.mean() / static for result in results])
    band = band_of(np.array([result.late_pct for result in results]), axis=1)
    order = np.argsort(share)
    axes.fill_between(
        share[order], band.low[order], band.high[order], color=look["color"], alpha=0.22, lw=0
    )
    axes.plot(
        share[order], band.mean[order], color=look["color"], linestyle=look["linestyle"], lw=2.5
    )


def _mark(
    axes: Axes, result: ScalingResult, policy: str, static: float, lift: float, page: Captioned
) -> None:
    look = LOOK[policy]
    late = interval_of(result.late_pct)
    share = 100 * float(result.gpu_hours.mean()) / static
    axes.errorbar(
        share, late.mean, yerr=late.half_width, color=look["color"], marker=look["marker"],
        markersize=11, markeredgecolor=INK, capsize=4, zorder=5,
    )  # fmt: skip
    if policy not in _LEFT:
        # static ends its curve: below the curve, left of the mark, there is room
        gap = 16 if policy == "reactive" else -70
        _name_mark(axes, policy, share, late.mean, (gap, lift), page)


def _name_mark(
    axes: Axes,
    policy: str,
    share: float,
    late: float,
    moved_px: tuple[float, float],
    page: Captioned,
) -> None:
    axes.annotate(
        f"{page.label(policy)}  {late:.1f}%",
        (share, late),
        moved_px,
        textcoords="offset points",
        ha="left" if moved_px[0] > 0 else "right",
        color=text_colour(str(LOOK[policy]["color"])),
        fontweight=700 if policy == "predictive" else 400,
    )


def draw_day(study: Elasticity, page: Captioned) -> str:
    """Draw a day's load and the replicas in service, by three policies on the same demand."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    hour = np.arange(1440) / 60
    step = 5  # minutes: a pixel shows no more
    offered = study.day("static")["offered"]
    axes.fill_between(hour[::step], offered[::step], color=tint(MEASURED, 0.15), lw=0)
    axes.plot(hour[::step], offered[::step], color=MEASURED, linewidth=1)
    ends, top = [], 0.0
    slots = study.service.slots
    for policy in ("static", "reactive", "predictive"):
        ready = study.day(policy)["ready"] * slots
        look = LOOK[policy]
        axes.plot(hour[::step], ready[::step], color=look["color"], linestyle=look["linestyle"])
        ends.append(LineEnd(24, float(ready[-1]), page.label(policy), str(look["color"])))
        top = max(top, float(ready.max()))
    ends.append(LineEnd(24, float(offered[-1]), page.label("load"), MEASURED))
    axes.set(xlim=(0, 24), ylim=(0, 1.08 * top), xticks=range(0, 25, 4))
    name_axes(axes, page.label(f"hour_{study.calm_demand.basis}"), page.label("replicas"))
    label_line_ends(axes, ends)
    return svg_text(figure, f"{page.key}-day", page.title, page.alt)


def draw_policy_table(study: Elasticity, page: Captioned) -> str:
    """Set the four policies in a table: calm and under surges, hours, actions, cold starts."""
    days = study.calm_demand.rate_per_s.shape[1] / 1440 - study.history_days
    rows = []
    for policy in LOOK:
        calm, stressed = study.calm[policy], study.stressed[policy]
        cells = [page.label(policy)]
        for samples, places in (
            (calm.late_pct, 2),
            (stressed.late_pct, 2),
            (calm.gpu_hours / days, 0),
            (calm.actions / days, 0),
            (calm.cold_starts / days, 0),
        ):
            mean = interval_of(samples)
            low = format_number(mean.half_width, page.lang, decimals=places, scale="plain")
            value = format_number(mean.mean, page.lang, decimals=places, scale="plain")
            cells.append(f"{value} ± {low}")
        rows.append(cells)
    names = ("calm", "stressed", "hours", "actions", "cold")
    header = [page.label("policy"), *(page.label(name) for name in names)]
    return table_sheet(page.title, header, rows, marked=list(LOOK).index("predictive"))


def draw_loop(page: Captioned) -> tuple[str, str]:
    """Return the control loop as pseudocode and as a flow chart."""
    words = page.label
    code = pseudocode(
        words("code").split("\n"),
        key=f"{page.key}-code",
        title=page.title,
        description="",
        marked=(3, 4),
    )
    steps = [
        Step("start", words("start"), 0, 0, "start"),
        Step("forecast", words("forecast"), 0, 1, tone="useful"),
        Step("need", words("need"), 0, 2),
        Step("more", words("more"), 0, 3, "decision"),
        Step("pool", words("pool"), 0, 4, "decision"),
        Step("warm", words("warm"), 0, 5, "end", "useful"),
        Step("back", words("back"), 1, 3, "end"),
        Step("cold", words("cold"), 1, 4, "end", "waste"),
    ]
    edges = [
        Edge("start", "forecast"),
        Edge("forecast", "need"),
        Edge("need", "more"),
        Edge("more", "pool", words("yes")),
        Edge("more", "back", words("no")),
        Edge("pool", "warm", words("yes")),
        Edge("pool", "cold", words("no")),
    ]
    chart = flowchart(
        steps,
        edges,
        **describe(page),
        gutter_y_px=24,
        column_weights=(5, 4),
        row_weights=(3, 4, 4, 6, 6, 3),
    )
    return code, chart


def draw_pool_architecture(page: Captioned) -> str:
    """Draw the ways into service: out of the warm pool, or stage by stage from nothing."""
    words = page.label
    stages = ("provision", "image", "weights", "engine")
    blocks = [
        Block("autoscaler", words("autoscaler"), 0, 0, words("autoscaler_detail"), tone="useful"),
        Block("pool", words("pool"), 1, 0, words("pool_detail"), columns=2, tone="useful"),
        Block("serving", words("serving"), 3, 0, words("serving_detail"), tone="useful"),
        *(
            Block(name, words(name), column, 1, words(f"{name}_detail"), tone="waiting")
            for column, name in enumerate(stages)
        ),
    ]
    edges = [
        Edge("autoscaler", "pool", words("take"), colour=USEFUL),
        Edge("pool", "serving", words("attach"), colour=USEFUL),
        Edge("autoscaler", "provision", words("empty"), colour=WASTE),
        Edge("provision", "image"),
        Edge("image", "weights"),
        Edge("weights", "engine"),
        Edge("engine", "serving", words("up"), colour=WASTE),
    ]
    groups = [
        Group(words("warm_way"), ("autoscaler", "pool", "serving")),
        Group(words("cold_way"), stages),
    ]
    return architecture(blocks, edges, groups, **describe(page), gutter_x_px=96, gutter_y_px=112)


def draw_pools(pools: PoolStudy, page: Captioned) -> str:
    """Draw the share of starts that are cold over the size of the pool."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    size = np.array(pools.pools, dtype=float)
    ends = []
    for policy, samples in pools.simulated_pct.items():
        look, band = LOOK[policy], band_of(samples, axis=1)
        axes.fill_between(size, band.low, band.high, color=look["color"], alpha=0.22, lw=0)
        axes.plot(
            size, band.mean, color=look["color"], linestyle=look["linestyle"],
            marker=str(look["marker"]), linewidth=2.5,
        )  # fmt: skip
        ends.append(LineEnd(size[-1], band.mean[-1], page.label(policy), str(look["color"])))
    axes.plot(size, pools.poisson_pct, color=MUTED, linestyle=(0, (2, 3)))
    ends.append(LineEnd(size[-1], float(pools.poisson_pct[-1]), page.label("poisson"), MUTED))
    axes.set(xlim=(0, size[-1]), ylim=(0, 102))
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_accuracy(accuracy: Accuracy, page: Captioned) -> str:
    """Draw the forecasts' errors over how far they look ahead."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    looks = {"last_value": "reactive", "seasonal_naive": "static", "holt_winters": "predictive"}
    lead = np.array(accuracy.leads_min, dtype=float)
    ends, top = [], 0.0
    for method, samples in accuracy.error_pct.items():
        look, band = LOOK[looks[method]], band_of(samples, axis=1)
        axes.fill_between(lead, band.low, band.high, color=look["color"], alpha=0.22, lw=0)
        axes.plot(
            lead, band.mean, color=look["color"], linestyle=look["linestyle"],
            marker=str(look["marker"]), linewidth=2.5,
        )  # fmt: skip
        ends.append(LineEnd(lead[-1], band.mean[-1], page.label(method), str(look["color"])))
        top = max(top, float(band.high.max()))
    axes.set_xscale("log")
    axes.set_xticks(lead, [f"{value:g}" for value in lead])
    axes.set(xlim=(lead[0], lead[-1]), ylim=(0, 1.05 * top))
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=17)
    return svg_text(figure, page.key, page.title, page.alt)


def draw_clouds(mix: CloudMix, page: Captioned) -> str:
    """Draw the rented GPUs of a day as areas, one above the other, by cloud and kind."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    hours = min(24, len(mix.demand))
    edges = np.arange(hours + 1)
    clouds = list(dict.fromkeys(offer.cloud for offer in mix.offers))
    order = sorted(range(len(mix.offers)), key=lambda n: (_rank(mix, n), n))
    base = np.zeros(hours)
    ends = []
    for number in order:
        offer, gpus = mix.offers[number], mix.gpus[number, :hours]
        if gpus.max() < 0.5:
            continue
        colour = _OFFER_COLOURS[offer.kind]
        axes.stairs(
            base + gpus, edges, baseline=base, fill=True, color=colour, edgecolor="white",
            hatch=_CLOUD_HATCH[clouds.index(offer.cloud) % len(_CLOUD_HATCH)],
        )  # fmt: skip
        name = page.label(offer.kind)
        ends.append(LineEnd(hours, float((base + gpus / 2)[-1]), f"{offer.cloud} · {name}", colour))
        base = base + gpus
    axes.stairs(mix.demand[:hours], edges, color=MEASURED, linewidth=2.5, baseline=None)
    axes.set(xlim=(0, hours), ylim=(0, 1.08 * float(base.max())), xticks=range(0, hours + 1, 4))
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends)
    return svg_text(figure, page.key, page.title, page.alt)


def _rank(mix: CloudMix, number: int) -> int:
    return ("reserved", "spot", "on_demand").index(mix.offers[number].kind)
