"""The pictures of page 13: quotas, queues, borrowing and reclaim, fairness against use."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from gpudeck.figures.architecture import Block, Group, architecture
from gpudeck.figures.caption import Captioned
from gpudeck.figures.fairness_what_if import fairness_what_if
from gpudeck.figures.flowchart import Step, flowchart
from gpudeck.figures.pseudocode import pseudocode
from gpudeck.figures.routing import Edge
from gpudeck.figures.sheet import table_sheet
from gpudeck.figures.style import (
    INK,
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
    text_colour,
    tint,
)
from gpudeck.figures.tenant_name import tenant_names
from gpudeck.interval import interval_of
from gpudeck.models.scheduling.quota import (
    PolicyStudy,
    TenantPool,
    TenantResult,
    WorkedDivision,
    WorkedDrf,
    sample_day,
)
from gpudeck.models.scheduling.quota.tenant_demand import DAY_S, HOUR_S
from gpudeck.scenario.schema import Tenant
from gpudeck.units import format_quantity

__all__ = [
    "draw_division",
    "draw_drf",
    "draw_policies",
    "draw_policy_table",
    "draw_queues",
    "draw_reclaim_flow",
    "draw_shares",
    "fairness_what_if",
]

# colour and marker of each policy; the two that the headline compares carry the roles
POLICY_STYLE: dict[str, tuple[str, str]] = {
    "none": (WASTE, "X"),
    "static": (SERIES[4].colour, "s"),
    "borrowing": (SERIES[0].colour, "^"),
    "reclaim": (USEFUL, "o"),
    "fair_sharing": (SERIES[1].colour, "D"),
    "kai": (SERIES[5].colour, "P"),
}
TENANTS_SHOWN = 6
QUEUES_SHOWN = 4
NOTHING = "\N{EN DASH}"


def draw_policies(study: PolicyStudy, page: Captioned) -> str:
    """Draw Jain's index by useful GPU time, one point a policy, with intervals both ways.

    Parameters
    ----------
    study : PolicyStudy
        All policies on the same jobs.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    points = {}
    for policy, measures in study.samples.items():
        x, y = interval_of(measures["useful_pct"]), interval_of(measures["jain"])
        colour, marker = POLICY_STYLE[policy]
        axes.errorbar(
            x.mean, y.mean, y.half_width, x.half_width, fmt=marker, color=colour,
            markersize=13 if policy == "reclaim" else 10, elinewidth=2, zorder=3,
        )  # fmt: skip
        points[policy] = (x, y)
    low = min(x.low for x, _ in points.values())
    high = max(x.high for x, _ in points.values())
    room = 0.06 * max(1.0, high - low)
    axes.set_xlim(low - room, min(100.0, high) + room)
    bottom = min(y.low for _, y in points.values())
    axes.set_ylim(bottom - 0.06 * (1 - bottom) - 0.002, 1 + 0.05 * (1 - bottom))
    name_axes(axes, page.label("x"), page.label("y"))
    _mark_gain(axes, study, page)
    _label_policies(axes, study, page)
    return svg_text(figure, page.key, page.title, page.alt)


def _mark_gain(axes: Axes, study: PolicyStudy, page: Captioned) -> None:
    """Draw the headline's gain: from static quotas across to borrowing with reclaim."""
    start, stop = (study.samples[p]["useful_pct"].mean() for p in ("static", "reclaim"))
    if abs(stop - start) < 2:
        return
    bottom, top = axes.get_ylim()
    y = bottom + 0.12 * (top - bottom)
    for policy, x in (("static", start), ("reclaim", stop)):
        at = study.samples[policy]["jain"].mean()
        axes.plot([x, x], [y, at], color=MUTED, linewidth=1.2, linestyle=(0, (3, 3)), zorder=1)
    axes.annotate(
        "", (stop, y), (start, y), arrowprops={"arrowstyle": "->", "color": USEFUL, "lw": 2.5}
    )
    axes.annotate(
        page.label("gain"), ((start + stop) / 2, y), (0, 8), textcoords="offset points",
        ha="center", color=text_colour(USEFUL), fontweight=700, fontsize=18,
    )  # fmt: skip


def _label_policies(axes: Axes, study: PolicyStudy, page: Captioned) -> None:
    """Name the points of the right half at the right, the others in place."""
    low, high = axes.get_xlim()
    ends = []
    for policy, measures in study.samples.items():
        x, y = float(measures["useful_pct"].mean()), float(measures["jain"].mean())
        kept = format_quantity(
            float(measures["guarantee_kept_pct"].mean()), "%", page.lang, decimals=1
        )
        text = f"{page.label(policy)}  {page.label('kept')} {kept}"
        weight = 700 if policy in ("static", "reclaim") else 400
        colour = POLICY_STYLE[policy][0]
        if x > (low + high) / 2:
            ends.append(LineEnd(x, y, text, colour, weight))
            continue
        axes.annotate(
            text, (x, y), (14, 16), textcoords="offset points", color=text_colour(colour),
            fontsize=17, fontweight=weight,
        )  # fmt: skip
    label_line_ends(axes, ends, size_px=17)


def draw_policy_table(study: PolicyStudy, page: Captioned) -> str:
    """Set the policies' figures in a table, each with half of its interval."""
    columns = (
        "useful_pct",
        "jain",
        "share_gap_pct",
        "guarantee_kept_pct",
        "mean_reclaim_s",
        "lost_pct",
    )
    decimals = {"jain": 4, "mean_reclaim_s": 1, "lost_pct": 2}
    rows = []
    for policy, measures in study.samples.items():
        cells = [page.label(policy)]
        for name in columns:
            scale = 1 / 60 if name == "mean_reclaim_s" else 1
            if name == "mean_reclaim_s" and policy == "static":
                cells.append(NOTHING)
                continue
            mean = interval_of(measures[name] * scale)
            places = decimals.get(name, 1)
            cells.append(f"{mean.mean:.{places}f} ± {mean.half_width:.{places}f}")
        rows.append(cells)
    header = [page.label("policy"), *(page.label(name) for name in columns)]
    return table_sheet(page.title, header, rows, marked=list(study.samples).index("reclaim"))


def draw_division(
    worked: WorkedDivision, tenants: Sequence[Tenant], page: Captioned
) -> tuple[str, str]:
    """Return the division as pseudocode, and worked for the tenants at a busy moment."""
    names = tenant_names(tenants, page.lang)
    code = pseudocode(
        page.label("code").split("\n"), key=f"{page.key}-code", title=page.title, marked=(2, 6)
    )
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    queues = worked.queues[:TENANTS_SHOWN]
    top = max(queue.request for queue in queues)
    for place, queue in enumerate(queues):
        got = worked.division.fair_share[queue.name]
        own = min(queue.deserved, queue.claim)
        axes.barh(place, own, color=USEFUL, height=0.42)
        axes.barh(place, got - own, left=own, color=SERIES[3].colour, hatch="..", height=0.42)
        axes.barh(
            place, queue.request - got, left=got, color="none", edgecolor=WAITING, hatch="//",
            linewidth=1.5, height=0.42,
        )  # fmt: skip
        numbers = [
            format_quantity(v, "count", page.lang, decimals=0)
            for v in (own, got - own, queue.request)
        ]
        words = page.label("parts").replace("[own]", numbers[0]).replace("[more]", numbers[1])
        axes.text(0, place - 0.36, names[queue.name], fontweight=700, color=INK, va="center")
        axes.text(
            top,
            place - 0.36,
            words.replace("[asked]", numbers[2]),
            color=MUTED,
            va="center",
            ha="right",
        )
    axes.set(ylim=(len(queues) - 0.5, -0.62), xlim=(0, top * 1.02), yticks=[])
    axes.grid(visible=False)
    name_axes(axes, page.label("x"), page.label("y"))
    return code, svg_text(figure, page.key, page.title, page.alt)


def draw_drf(worked: WorkedDrf, page: Captioned) -> tuple[str, str]:
    """Return DRF as pseudocode, and the dominant shares after each pick of the paper's example."""
    code = pseudocode(
        page.label("code").split("\n"), key=f"{page.key}-code", title=page.title, marked=(3,)
    )
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    count = len(worked.done.picks)
    styles = {"A": (USEFUL, "-", "o"), "B": (WASTE, (0, (5, 2)), "s")}
    for name, shares in worked.shares.items():
        colour, line, marker = styles[name]
        axes.plot(range(count + 1), [100 * s for s in shares], color=colour, linestyle=line,
                  marker=marker, linewidth=3)  # fmt: skip
        nudge = (-16, 8) if name == "A" else (0, 10)
        for number, pick in enumerate(worked.done.picks, start=1):
            if pick == name:
                axes.annotate(
                    f"{100 * shares[number]:.0f}%", (number, 100 * shares[number]), nudge,
                    textcoords="offset points", ha="center", color=text_colour(colour),
                )  # fmt: skip
    ticks = [page.label("start"), *worked.done.picks]
    axes.set(xlim=(-0.2, count + 0.5), ylim=(0, 100), xticks=range(count + 1), xticklabels=ticks)
    name_axes(axes, page.label("x"), page.label("y"))
    axes.annotate(page.label("a"), (0.15, 90), color=text_colour(USEFUL), fontweight=700)
    axes.annotate(page.label("b"), (0.15, 80), color=text_colour(WASTE), fontweight=700)
    return code, svg_text(figure, page.key, page.title, page.alt)


def draw_queues(pool: TenantPool, tenants: Sequence[Tenant], page: Captioned) -> str:
    """Draw the way from the tenants' jobs over their queues and the cohort to the pool."""
    words, names = page.label, tenant_names(tenants, page.lang)
    quotas = pool.quotas[:QUEUES_SHOWN]
    demands = {demand.tenant: demand for demand in pool.demands}
    count = len(quotas)
    blocks, edges = [], []
    for row, quota in enumerate(quotas):
        own = format_quantity(quota.gpus, "GPU", page.lang, decimals=0)
        rules = f"{words('guarantee')} {own} · {words('weight')} {quota.weight:g}"
        rank = format_quantity(demands[quota.tenant].priority, "count", page.lang, decimals=0)
        priority = f"{words('priority')} {rank}"
        blocks += [
            Block(f"jobs{row}", names[quota.tenant], 0, row, priority, tone="waiting"),
            Block(f"queue{row}", words("queue"), 1, row, rules),
        ]
        edges += [
            Edge(f"jobs{row}", f"queue{row}"),
            Edge(f"queue{row}", "admit", exit="right", enter="left"),
        ]
    blocks += [
        Block("admit", words("admit"), 2, 0, words("admit_detail"), rows=count, tone="useful"),
        Block("pool", words("pool"), 3, 0, words("pool_detail"), rows=max(1, count - 1)),
    ]
    edges.append(Edge("admit", "pool", words("go"), exit="right", enter="left", colour=USEFUL))
    if count > 1:
        block = Block("back", words("back"), 3, count - 1, words("back_detail"), tone="waste")
        blocks.append(block)
        edges += [
            Edge("pool", "back", exit="bottom", enter="top", colour=WASTE),
            Edge("back", "admit", words("again"), exit="left", enter="right", colour=WASTE),
        ]
    members = (*(f"queue{row}" for row in range(count)), "admit")
    return architecture(
        blocks, edges, [Group(words("cohort"), members)],
        key=page.key, title=page.title, description=page.alt,
        width_px=page.slot.width_px, height_px=page.slot.height_px,
        gutter_x_px=92, gutter_y_px=40, column_weights=(3, 5, 4, 4),
    )  # fmt: skip


def draw_reclaim_flow(page: Captioned) -> str:
    """Draw borrowing and reclaim as a flow chart."""
    words = page.label
    steps = [
        Step("start", words("start"), 0, 1, "start"),
        Step("own", words("own"), 1, 1, "decision"),
        Step("free", words("free"), 2, 0, "decision"),
        Step("run", words("run"), 4, 0, "end", "useful"),
        Step("evict", words("evict"), 3, 1, "process", "waste"),
        Step("borrow", words("borrow"), 2, 2, "decision"),
        Step("lend", words("lend"), 4, 2, "end", "useful"),
        Step("wait", words("wait"), 1, 3, "end", "waiting"),
    ]
    edges = [
        Edge("start", "own"),
        Edge("own", "free", words("within"), exit="top", enter="left"),
        Edge("own", "borrow", words("beyond"), exit="bottom", enter="left"),
        Edge("free", "run", words("yes"), exit="right", enter="left"),
        Edge("free", "evict", words("no"), exit="bottom", enter="left"),
        Edge("evict", "run", words("room"), exit="right", enter="bottom", colour=WASTE),
        Edge("borrow", "lend", words("yes"), exit="right", enter="left"),
        Edge("borrow", "wait", words("no"), exit="bottom", enter="right"),
        Edge(
            "lend", "evict", words("later"), exit="top", enter="bottom", colour=WASTE, dashed=True
        ),
    ]
    return flowchart(
        steps, edges, key=page.key, title=page.title, description=page.alt,
        width_px=page.slot.width_px, height_px=page.slot.height_px, gutter_x_px=70, gutter_y_px=34,
        column_weights=(3, 4, 4, 5, 4), row_weights=(4, 4, 4, 2),
    )  # fmt: skip


def draw_shares(result: TenantResult, tenants: Sequence[Tenant], page: Captioned) -> str:
    """Draw a day of each tenant: what it holds, its guarantee, what it waits for, and reclaims.

    Parameters
    ----------
    result : TenantResult
        One run under reclaim.
    tenants : sequence of Tenant
        The scenario's, for their names.
    page : Captioned
        The page that shows it.
    """
    names = tenant_names(tenants, page.lang)
    hour, held = sample_day(result, result.held_gpus, 300.0)
    _, asked = sample_day(result, result.asked_gpus, 300.0)
    shown = np.argsort(-result.held_gpus.mean(axis=0), kind="stable")[:TENANTS_SHOWN]
    shown = np.sort(shown)
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    strips = figure.subplots(len(shown), 1, sharex=True, squeeze=False)[:, 0]
    for axes, column in zip(strips, shown, strict=True):
        quota = result.quotas[column]
        own = 100 * quota.gpus / result.gpus
        most = max(held[column].max(), own, 5.0)
        top = min(max(asked[column].max(), most), 1.5 * most)
        axes.fill_between(hour, held[column], color=tint(USEFUL, 0.45), lw=0, step="post")
        within = np.minimum(held[column], own)
        axes.fill_between(hour, within, color=USEFUL, lw=0, step="post")
        waits = np.minimum(asked[column], top)
        axes.plot(hour, waits, color=WAITING, linewidth=1.8, drawstyle="steps-post")
        axes.axhline(own, color=INK, linewidth=1.8, linestyle=(0, (5, 3)))
        _mark_reclaims(axes, result, int(column), top)
        axes.set(xlim=(0, hour[-1]), ylim=(0, 1.22 * top))
        axes.yaxis.set_major_locator(MaxNLocator(3))
        label = f"{page.label('guarantee')} {own:.0f}%"
        axes.annotate(
            f"{names[quota.tenant]}\n{label}", (1, 0.5), (10, 0), xycoords="axes fraction",
            textcoords="offset points", va="center", fontweight=700, color=INK,
        )  # fmt: skip
    name_axes(strips[0], "", page.label("y"))
    name_axes(strips[-1], page.label("x"), page.label("y") if len(shown) == 1 else "")
    return svg_text(figure, page.key, page.title, page.alt)


def _mark_reclaims(axes: Axes, result: TenantResult, column: int, top: float) -> None:
    """Mark above a strip when jobs of its tenant had to give GPUs back."""
    end_s = min(result.since_s + DAY_S, result.until_s)
    at_s, mine = result.evicted_at_s, result.job_tenant[result.evicted] == column
    chosen = mine & (at_s >= result.since_s) & (at_s < end_s)
    hours = (at_s[chosen] - result.since_s) / HOUR_S
    axes.plot(
        hours, np.full(len(hours), 1.12 * top), "v", color=WASTE, markersize=7, linestyle="none"
    )
