"""The pictures of page 12: the ladder of policies, the framework, the queue's flow, a timeline."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from gpudeck.figures.architecture import Block, Group, architecture
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.flowchart import Step, flowchart
from gpudeck.figures.routing import Edge
from gpudeck.figures.sheet import table_sheet
from gpudeck.figures.style import (
    INK,
    SERIES,
    TEXT_PX,
    USEFUL,
    WAITING,
    WASTE,
    bar_style,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
)
from gpudeck.figures.timeline import Bar, Marker, timeline
from gpudeck.interval import interval_of
from gpudeck.models.scheduling.queue import (
    STEPS,
    Example,
    Ladder,
    delay_unit,
    extension_points,
    published_delays,
)
from gpudeck.units import format_quantity

HOUR_S, MINUTE_S = 3600.0, 60.0
URGENT = SERIES[5].colour
BACKFILLED = SERIES[0].colour


def draw_ladder(ladder: Ladder, page: Captioned) -> str:
    """Draw delay, utilisation and scheduling rate of every policy, 95 % intervals as whiskers.

    Parameters
    ----------
    ladder : Ladder
        Summaries by policy, one a seed.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    grid = {"width_ratios": (5, 4, 3)}
    delay, used, rate = figure.subplots(1, 3, sharey=True, gridspec_kw=grid)
    places = np.arange(len(STEPS), dtype=float)
    _draw_delays(delay, ladder, places, page)
    _draw_use(used, ladder, places, page)
    values = [_mean_of(ladder, step, "started_per_h") for step in STEPS]
    _draw_bars(rate, places, values, 0.5, bar_style(USEFUL))
    for place, (mean, reach) in zip(places, values, strict=True):
        _write(rate, mean + reach, place, f"{mean:.0f}")
    rate.set(xlim=(0, 1.25 * max(mean + reach for mean, reach in values)))
    name_axes(rate, page.label("rate_x"), page.label("rate"))
    for axes in (delay, used, rate):
        axes.set_yticks(places, [page.label(step) for step in STEPS])
        axes.set_ylim(len(STEPS) - 0.45, -0.6)
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(True)
    delay.tick_params(axis="y", labelcolor=INK, labelsize=18)
    return svg_text(figure, page.key, page.title, page.alt)


def _mean_of(ladder: Ladder, step: str, field: str, scale: float = 1.0) -> tuple[float, float]:
    interval = interval_of(ladder.samples(step, field) / scale)
    return interval.mean, interval.half_width


def _draw_bars(
    axes: Axes,
    places: np.ndarray,
    values: Sequence[tuple[float, float]],
    height: float,
    style: dict[str, object],
) -> None:
    means = [mean for mean, _ in values]
    axes.barh(places, means, height, **style)  # type: ignore[arg-type]
    # a delay is not negative: the whisker ends at 0
    reach = [[min(mean, half) for mean, half in values], [half for _, half in values]]
    axes.errorbar(
        means, places, xerr=reach, fmt="none", ecolor=INK, elinewidth=1.5, capsize=5, capthick=1.5
    )


def _write(axes: Axes, x: float, y: float, text: str, colour: str = INK) -> None:
    axes.annotate(
        text, (x, y), (8, 0), textcoords="offset points", va="center", fontsize=TEXT_PX,
        color=text_colour(colour), annotation_clip=False,
    )  # fmt: skip


def _draw_delays(axes: Axes, ladder: Ladder, places: np.ndarray, page: Captioned) -> None:
    """Draw two bars a policy: all jobs in grey, those of the highest priority hatched below."""
    kinds: tuple[tuple[str, float, dict[str, object], str, str], ...] = (
        ("delay_mean_s", -0.2, {"color": WAITING}, INK, "all"),
        ("urgent_delay_mean_s", 0.2, {"color": URGENT, "hatch": ".."}, URGENT, "urgent"),
    )
    most = 0.0
    for field, shift, style, colour, word in kinds:
        values = [_mean_of(ladder, step, field, HOUR_S) for step in STEPS]
        _draw_bars(axes, places + shift, values, 0.34, style)
        for number, (mean, reach) in enumerate(values):
            text = delay_words(mean * HOUR_S, page.lang)
            text = f"{text}  {page.label(word)}" if number == 0 else text
            _write(axes, mean + reach, number + shift, text, colour)
            most = max(most, mean + reach)
    axes.set(xlim=(0, 1.6 * most or 1.0))
    name_axes(axes, page.label("delay_x"), page.label("delay"))


def delay_words(seconds: float, lang: str) -> str:
    """Write a delay in the unit that reads well, with two significant digits."""
    unit, size = delay_unit(seconds)
    return format_quantity(seconds / size, unit, lang)


def _draw_use(axes: Axes, ladder: Ladder, places: np.ndarray, page: Captioned) -> None:
    """Draw useful work, and behind it what was held without use: idle gangs, work done again."""
    useful = [_mean_of(ladder, step, "utilisation_pct") for step in STEPS]
    held = [_mean_of(ladder, step, "allocated_pct")[0] for step in STEPS]
    rest = [max(0.0, all_ - mean) for all_, (mean, _) in zip(held, useful, strict=True)]
    axes.barh(places, rest, 0.5, left=[mean for mean, _ in useful], **bar_style(WASTE))  # type: ignore[arg-type]
    _draw_bars(axes, places, useful, 0.5, bar_style(USEFUL))
    for place, (mean, reach), whole in zip(places, useful, held, strict=True):
        _write(axes, max(mean + reach, whole), place, f"{mean:.0f}%")
    widest = int(np.argmax(rest))
    if rest[widest] >= 0.5:
        axes.annotate(
            page.label("held"), (useful[widest][0] + rest[widest] / 2, widest + 0.25),
            (0, -20), textcoords="offset points", ha="center", va="top", fontsize=TEXT_PX,
            color=text_colour(WASTE), annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": WASTE, "linewidth": 1},
        )  # fmt: skip
    axes.set(xlim=(0, 118), xticks=(0, 25, 50, 75, 100))
    name_axes(axes, page.label("used_x"), page.label("used"))


def draw_framework(page: Captioned) -> str:
    """Draw the extension points of the scheduling framework; those that models use are blue."""
    words, points = page.label, extension_points()
    grid = {
        "PreEnqueue": (0, 0), "QueueSort": (0, 1),
        "PreFilter": (1, 1), "Filter": (2, 1), "PostFilter": (2, 2), "PreScore": (3, 1),
        "Score": (3, 0), "NormalizeScore": (4, 0), "Reserve": (4, 1), "Permit": (4, 2),
        "PreBind": (5, 2), "Bind": (5, 1), "PostBind": (5, 0),
    }  # fmt: skip
    blocks = [
        Block(
            point.id, point.id, *grid[point.id], words(point.id),
            tone="useful" if point.hooks else "plain",
        )
        for point in points
    ]  # fmt: skip
    edges = [
        Edge("PreEnqueue", "QueueSort"),
        Edge("QueueSort", "PreFilter"),
        Edge("PreFilter", "Filter"),
        Edge("Filter", "PostFilter", words("none"), dashed=True),
        Edge("Filter", "PreScore"),
        Edge("PreScore", "Score"),
        Edge("Score", "NormalizeScore"),
        Edge("NormalizeScore", "Reserve", words("best")),
        Edge("Reserve", "Permit"),
        Edge("Permit", "PreBind"),
        Edge("PreBind", "Bind"),
        Edge("Bind", "PostBind"),
    ]
    groups = [
        Group(words(phase), tuple(point.id for point in points if point.phase == phase))
        for phase in ("queue", "scheduling", "binding")
    ]
    return architecture(
        blocks,
        edges,
        groups,
        **describe(page),
        gutter_x_px=50,
        gutter_y_px=56,
    )


def draw_queue_flow(page: Captioned) -> str:
    """Draw how a job finds its level, becomes head, and starts, preempts, reserves or waits."""
    words = page.label
    steps = [
        Step("arrive", words("arrive"), 0, 0, "start"),
        Step("small", words("small"), 1, 0, "decision"),
        Step("middle", words("middle"), 1, 1, "decision"),
        Step("level0", words("level0"), 2, 0, tone="useful"),
        Step("level1", words("level1"), 2, 1, tone="useful"),
        Step("level2", words("level2"), 2, 2, tone="useful"),
        Step("key", words("key"), 0, 3, "data", "waiting", columns=3),
        Step("head", words("head"), 3, 0),
        Step("fits", words("fits"), 3, 1, "decision"),
        Step("lower", words("lower"), 3, 2, "decision"),
        Step("start", words("start"), 4, 1, "end", "useful"),
        Step("evict", words("evict"), 4, 2, tone="waste"),
        Step("reserve", words("reserve"), 3, 3),
        Step("backfill", words("backfill"), 4, 3, tone="useful"),
    ]
    yes, no = words("yes"), words("no")
    edges = [
        Edge("arrive", "small"),
        Edge("small", "level0", yes),
        Edge("small", "middle", no),
        Edge("middle", "level1", yes),
        Edge("middle", "level2", no, exit="bottom", enter="left"),
        Edge("level1", "level0", words("age"), dashed=True, exit="top", enter="bottom"),
        Edge("level2", "level1", words("age"), dashed=True, exit="top", enter="bottom"),
        Edge("level0", "head"),
        Edge("level1", "head", exit="right", enter="left"),
        Edge("level2", "head", exit="right", enter="left"),
        Edge("head", "fits"),
        Edge("fits", "start", yes),
        Edge("fits", "lower", no),
        Edge("lower", "evict", yes),
        Edge("evict", "start", exit="top", enter="bottom"),
        Edge("lower", "reserve", no),
        Edge("reserve", "backfill"),
    ]
    return flowchart(
        steps,
        edges,
        **describe(page),
        gutter_x_px=56,
        gutter_y_px=36,
        column_weights=(3, 6, 5, 6, 5),
    )


def draw_example(example: Example, page: Captioned) -> str:
    """Draw the worked example: who waits in the queue, and who runs on which GPU."""
    result, log = example.result, example.result.log
    names = [str(name) for name in result.jobs.id]
    lanes, bars = _waiting_bars(example, page)
    gpus = [
        page.label("gpu").replace("[node]", str(node)).replace("[gpu]", str(gpu))
        for node, count in enumerate(result.pool.gpus)
        for gpu in range(int(count))
    ]
    first = np.concatenate([[0], np.cumsum(result.pool.gpus)])
    free_at = np.zeros(int(first[-1]))
    window = example.window
    for place in np.lexsort((log.attempt, log.start_s[log.attempt])):
        attempt = int(log.attempt[place])
        name, job = names[log.job[attempt]], int(log.job[attempt])
        start, end = log.start_s[attempt] / MINUTE_S, log.end_s[attempt] / MINUTE_S
        low, count = int(first[log.node[place]]), int(log.gpus[place])
        lane = _free_run(free_at, low, int(first[log.node[place] + 1]), count, start)
        free_at[lane : lane + count] = end
        lost = log.end_s[attempt] < result.finish_s[job]
        text = name if lost else _bar_text(name, example, page)
        colour = _bar_colour(name, example)
        bars.append(
            Bar(gpus[lane], start, end, text, WASTE if lost else colour, count, hollow=lost)
        )
    begin, end = window.begin_s / MINUTE_S, window.end_s / MINUTE_S
    lane = _free_run(free_at, int(first[-2]), int(first[-1]), window.gpus, begin)
    bars.append(
        Bar(gpus[lane], begin, end, page.label("window"), WAITING, window.gpus, hollow=True)
    )
    urgent_s = float(result.start_s[names.index(example.preemptor)])
    markers = [
        Marker(example.shadow_s / MINUTE_S, page.label("shadow"), USEFUL),
        Marker(urgent_s / MINUTE_S, page.label("preempts"), URGENT),
    ]
    return timeline(
        [*lanes, *gpus],
        bars,
        markers,
        **describe(page),
        unit=page.label("unit"),
    )


def _waiting_bars(example: Example, page: Captioned) -> tuple[list[str], list[Bar]]:
    """Give every wait a lane of the queue: from the arrival or the preemption to the next start."""
    result, log = example.result, example.result.log
    waits = []
    for job, name in enumerate(result.jobs.id.tolist()):
        since = float(result.jobs.arrival_s[job])
        for attempt in np.flatnonzero(log.job == job):
            if log.start_s[attempt] > since:
                waits.append((since / MINUTE_S, float(log.start_s[attempt]) / MINUTE_S, name))
            since = float(log.end_s[attempt])
    ends: list[float] = []
    placed = []
    for begin, end, name in sorted(waits):
        lane = next((k for k, last in enumerate(ends) if last <= begin), len(ends))
        ends[lane : lane + 1] = [end]
        text = page.label("waits").replace("[job]", name)
        placed.append((lane, Bar("", begin, end, text, WAITING, hollow=True)))
    lanes = [page.label("queue").replace("[place]", str(k + 1)) for k in range(len(ends))]
    return lanes, [
        Bar(lanes[lane], bar.start, bar.end, bar.text, bar.colour, hollow=True)
        for lane, bar in placed
    ]


def _free_run(free_at: np.ndarray, low: int, high: int, count: int, start: float) -> int:
    """Return the first of neighbouring GPUs of a node that are all free."""
    for lane in range(low, high - count + 1):
        if (free_at[lane : lane + count] <= start).all():
            return lane
    return low


def _bar_text(name: str, example: Example, page: Captioned) -> str:
    roles = {
        example.head: "role_head",
        example.backfilled: "role_backfill",
        example.preemptor: "role_urgent",
    }
    return f"{name} {page.label(roles[name])}" if name in roles else name


def _bar_colour(name: str, example: Example) -> str:
    return {example.backfilled: BACKFILLED, example.preemptor: URGENT}.get(name, USEFUL)


def draw_published(ladder: Ladder, page: Captioned) -> str:
    """Set the published delays of five clusters and two simulated ones into a table."""
    header = [page.label(name) for name in ("cluster", "mean", "median", "ratio")]
    rows = []
    for name, of in published_delays().items():
        mean, median = of["queue_mean_s"].number, of["queue_median_s"].number
        rows.append((page.label(name.lower()), mean, median))
    for step in ("fifo", "backfill"):
        mean, median = (
            float(ladder.samples(step, field).mean()) for field in ("delay_mean_s", "delay_p50_s")
        )
        rows.append((page.label(step), mean, median))
    cells = [
        (name, f"{mean:,.0f}", f"{median:,.0f}", _ratio_words(mean, median))
        for name, mean, median in rows
    ]
    return table_sheet(page.title, header, cells, marked=len(cells) - 1)


def _ratio_words(mean: float, median: float) -> str:
    if not median:
        return "—"
    return f"{mean / median:,.0f}" if mean >= 10 * median else f"{mean / median:.1f}"
