"""The pictures of page 8: risk against savings, a profile, the loop over days, small models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from gpudeck.figures.architecture import Block, architecture
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.routing import Edge
from gpudeck.figures.shapes import Tone
from gpudeck.figures.sheet import formula_sheet
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
from gpudeck.interval import interval_of
from gpudeck.models.sharing.right_sizing import (
    LoopResult,
    Outcome,
    RiskGrid,
    SizedRequest,
    Usage,
    zero_kills_bound,
)
from gpudeck.units import format_number

SHOWN_QUANTILES = (0.9, 0.95, 0.99)
LINE_STYLES: tuple[dict[str, object], ...] = (
    {"color": SERIES[0].colour, "linestyle": SERIES[0].linestyle, "marker": SERIES[0].marker},
    {"color": SERIES[4].colour, "linestyle": "-", "marker": "o"},
    {"color": SERIES[1].colour, "linestyle": SERIES[1].linestyle, "marker": SERIES[1].marker},
)


def draw_risk(grid: RiskGrid, outcomes: Mapping[str, Outcome], page: Captioned) -> str:
    """Draw GPU capacity saved against kills: a line a quantile, a point a headroom, and the loop.

    Parameters
    ----------
    grid : RiskGrid
        Requests sized once, two runs or more.
    outcomes : mapping
        From `compare_strategies`: "sized" is the chosen point, "damped" the loop.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    floor = zero_kills_bound(grid.pod_days * len(grid.kills))
    lines = []
    for quantile, style in zip(SHOWN_QUANTILES, LINE_STYLES, strict=True):
        row = grid.quantiles.index(quantile)
        kills = np.maximum(grid.kills[:, row].mean(axis=0), floor)
        saved = grid.saved_pct[:, row].mean(axis=0)
        axes.plot(kills, saved, **style, markersize=6, linewidth=2.5)  # type: ignore[arg-type]
        lines.append((quantile, kills, saved, str(style["color"])))
    _mark_outcome(axes, outcomes["damped"], floor, USEFUL, "D")
    _mark_outcome(axes, outcomes["sized"], floor, WASTE, "o")
    axes.set_xscale("log")
    # Room at the left for the name of the largest headroom.
    axes.set_xlim(left=min(float(kills.min()) for _, kills, _, _ in lines) / 2.5)
    axes.axhline(0, color=MUTED, linewidth=1.5)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,g}"))
    name_axes(axes, page.label("x"), page.label("y"))
    _label_quantiles(axes, page, lines)
    _label_outcome(axes, page.label("loop"), outcomes["damped"], floor, USEFUL, (-14, 30), "left")
    words = page.label("chosen")
    _label_outcome(axes, words, outcomes["sized"], floor, WASTE, (-60, 60), "right")
    return svg_text(figure, page.key, page.title, page.alt)


def _mark_outcome(axes: Axes, outcome: Outcome, floor: float, colour: str, marker: str) -> None:
    """Draw a strategy as a point with its intervals."""
    kills, saved = interval_of(outcome.kills), interval_of(outcome.saved_pct)
    x = max(kills.mean, floor)
    low, high = max(kills.low, floor / 2), max(kills.high, floor)
    axes.errorbar(
        x,
        saved.mean,
        xerr=[[max(x - low, 0.0)], [max(high - x, 0.0)]],
        yerr=[[saved.mean - saved.low], [saved.high - saved.mean]],
        fmt=marker,
        color=colour,
        markersize=15,
        capsize=6,
        linewidth=2.5,
        zorder=5,
    )


def _label_outcome(
    axes: Axes,
    words: str,
    outcome: Outcome,
    floor: float,
    colour: str,
    offset: tuple[float, float],
    align: str,
) -> None:
    axes.annotate(
        words,
        (max(float(outcome.kills.mean()), floor), float(outcome.saved_pct.mean())),
        offset,
        textcoords="offset points",
        ha=align,
        fontsize=18,
        fontweight=700,
        color=text_colour(colour),
        arrowprops={"arrowstyle": "-", "color": colour, "linewidth": 1.5, "shrinkB": 10},
    )


def _label_quantiles(
    axes: Axes,
    page: Captioned,
    lines: Sequence[tuple[float, NDArray[np.float64], NDArray[np.float64], str]],
) -> None:
    """Name each line at its upper end, where requests are smallest."""
    for quantile, kills, saved, colour in lines:
        axes.annotate(
            f"p{100 * quantile:g}",
            (kills[0], saved[0]),
            (10, 0),
            textcoords="offset points",
            va="center",
            fontweight=700,
            color=text_colour(colour),
        )
    _, kills, saved, _ = lines[0]
    for index, name, offset in (
        (0, "headroom_least", (-10, 14)),
        (len(kills) - 1, "headroom_most", (-14, -5)),
    ):
        axes.annotate(
            page.label(name), (kills[index], saved[index]), offset, textcoords="offset points",
            ha="right", color=MUTED,
        )  # fmt: skip


def draw_profile(
    profile: NDArray[np.float64],
    sized: SizedRequest,
    by_days: Sequence[SizedRequest],
    page: Captioned,
) -> tuple[str, str]:
    """Draw how one pod's profile becomes a request, and what more days of profile would tell.

    Parameters
    ----------
    profile : array, shape (samples,)
        Memory use over what the pod declared.
    sized : SizedRequest
        What was made of it.
    by_days : sequence of SizedRequest
        The same on one day, two days, and so on.
    page : Captioned
        The slide.
    """
    return _draw_distribution(profile, sized, page), _draw_bound(by_days, page)


def _draw_distribution(profile: NDArray[np.float64], sized: SizedRequest, page: Captioned) -> str:
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    share = 100 * np.arange(1, len(profile) + 1) / len(profile)
    use = 100 * np.sort(profile)
    axes.plot(use, share, color=MEASURED, linewidth=3, drawstyle="steps-post")
    base, request = 100 * sized.quantile.mean, 100 * sized.request
    right = max(request * 1.06, use[-1] * 1.06)
    high = min(100 * sized.quantile.high, right)
    axes.axvspan(100 * sized.quantile.low, high, color=WAITING, alpha=0.3, lw=0)
    axes.plot([base, base], [0, 104], color=INK, linewidth=2, linestyle=(0, (4, 3)))
    axes.plot([request, request], [0, 104], color=USEFUL, linewidth=4)
    axes.set(ylim=(0, 118), xlim=(use[0] * 0.96, right), yticks=range(0, 101, 20))
    name_axes(axes, page.label("use"), page.label("share"))
    axes.annotate(
        page.label("band"), (max(100 * sized.quantile.low, use[0]), 6), (8, 0),
        textcoords="offset points", color=INK,
    )  # fmt: skip
    for x, name, colour in ((base, "quantile", INK), (request, "request", USEFUL)):
        axes.annotate(
            page.label(name), (x, 106), (-6 if name == "quantile" else 0, 0),
            textcoords="offset points", ha="right", va="bottom", fontweight=700,
            color=text_colour(colour),
        )  # fmt: skip
    return svg_text(figure, f"{page.key}-profile", page.title, page.alt)


def _draw_bound(by_days: Sequence[SizedRequest], page: Captioned) -> str:
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    days = np.arange(1, len(by_days) + 1)
    high = [100 * sized.exceedance.high for sized in by_days]
    seen = [100 * sized.exceedance.mean for sized in by_days]
    axes.fill_between(days, 0, high, color=WAITING, alpha=0.25, lw=0)
    axes.plot(days, high, color=WASTE, linewidth=3, linestyle=(0, (6, 2)), marker="o")
    axes.plot(days, seen, color=MEASURED, linewidth=3, marker="s")
    axes.set(ylim=(0, 1.06 * max(high)), xlim=(0.7, days[-1] + 0.2))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    name_axes(axes, page.label("days"), page.label("exceed"))
    ends = [
        LineEnd(float(days[-1]), high[-1], page.label("upper"), WASTE, 700),
        LineEnd(float(days[-1]), seen[-1], page.label("seen"), MEASURED),
    ]
    label_line_ends(axes, ends)
    return svg_text(figure, f"{page.key}-bound", page.title, page.alt)


def draw_loop(usage: Usage, result: LoopResult, pod: int, page: Captioned) -> str:
    """Draw one pod's memory over days: use, request, resizes and kills.

    Parameters
    ----------
    usage, result : Usage, LoopResult
        What was simulated.
    pod : int
        Whose lines are drawn.
    page : Captioned
        The slide.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    days = np.arange(usage.memory.shape[1]) / usage.steps_per_day
    use, request = 100 * usage.memory[pod], 100 * result.memory[pod]
    axes.axvspan(0, result.begin / usage.steps_per_day, color=WAITING, alpha=0.15, lw=0)
    axes.fill_between(days, use, request, where=request > use, color=WAITING, alpha=0.25, lw=0)
    axes.plot(days, use, color=INK, linewidth=1.2)
    axes.plot(days, request, color=USEFUL, linewidth=3, drawstyle="steps-post")
    marks = result.marks[pod]
    resized, killed = np.flatnonzero(marks % 2 == 1), np.flatnonzero(marks >= 2)
    top = 1.12 * max(request.max(), use.max())
    axes.plot(days[resized], request[resized], "^", color=USEFUL, markersize=8, zorder=4)
    axes.plot(
        days[killed],
        use[killed],
        "X",
        color=WASTE,
        markersize=15,
        markeredgecolor="white",
        zorder=5,
    )
    axes.set(xlim=(0, days[-1]), ylim=(0, top))
    name_axes(axes, page.label("x"), page.label("y"))
    axes.annotate(
        page.label("warm_up"), (result.begin / usage.steps_per_day / 2, top), (0, -4),
        textcoords="offset points", ha="center", va="top", color=MUTED,
    )  # fmt: skip
    last = slice(-usage.steps_per_day // 4, None)
    ends = [
        LineEnd(float(days[-1]), float(request[-1]), page.label("request"), USEFUL, 700),
        LineEnd(float(days[-1]), float(use[last].mean()), page.label("use"), INK),
    ]
    _legend_marks(axes, page, top, float(days[-1]))
    label_line_ends(axes, ends, size_px=17)
    return svg_text(figure, page.key, page.title, page.alt)


def _legend_marks(axes: Axes, page: Captioned, top: float, last: float) -> None:
    """Name the two marks inside the plot, at the upper right."""
    for share, marker, size, colour, name in (
        (0.995, "X", 15, WASTE, "kill"),
        (0.915, "^", 9, USEFUL, "resize"),
    ):
        x, y = 0.80 * last, (share - 0.04) * top
        axes.plot([x], [y], marker, color=colour, markersize=size, markeredgecolor="white")
        axes.annotate(
            page.label(name), (x, y), (16, 0), textcoords="offset points", va="center",
            color=text_colour(colour), fontweight=700,
        )  # fmt: skip


def draw_sizing_model(page: Captioned) -> str:
    """Set request, risk and memory in formulas, each beside what it says."""
    bound = r"p_{\mathrm{high}} = B^{-1}_{1 - \alpha/2}(m\hat p + 1,\; m - m\hat p)"
    needed = r"\sum_i w_i\, r_i^{\mathrm{mem}},\;\sum_i w_i\, r_i^{\mathrm{sm}}"
    cache = r"2\,L\,H_{kv}\,d\,b_{kv}\,T\,s"
    rows = (
        ("request", r"r = (1 + h)\, X_{(\lceil n q \rceil)}"),
        ("worth", r"m = n\,\frac{1 - \rho_1}{1 + \rho_1}"),
        ("risk", rf"\hat p = \frac{{k}}{{n}},\qquad {bound}"),
        ("none", r"k = 0:\quad p_{\mathrm{high}} = 1 - (\alpha/2)^{1/m}"),
        ("saved", rf"S = \sum_i w_i - \max\left({needed}\right)"),
        ("kill", r"u' = \max(\gamma\,u,\; u + \delta)"),
        ("cache", rf"M = P\,b_w + {cache} + M_{{\mathrm{{act}}}} + M_{{\mathrm{{run}}}}"),
    )
    return formula_sheet(page.key, [(page.label(name), tex) for name, tex in rows])


def draw_control_loop(page: Captioned) -> str:
    """Draw the loop: observe, remember, recommend, and resize only where it pays."""
    words = page.label

    def block(name: str, column: int, row: int, tone: Tone = "plain") -> Block:
        return Block(name, words(name), column, row, words(f"{name}_detail"), tone=tone)

    blocks = [
        block("kill", 1, 0, "waste"),
        block("pod", 0, 1),
        block("histogram", 1, 1),
        block("recommend", 2, 1, "useful"),
        block("resize", 0, 2, "useful"),
        block("keep", 1, 2, "waiting"),
        block("gate", 2, 2),
    ]
    edges = [
        Edge("pod", "kill", words("over"), exit="top", enter="left", colour=WASTE),
        Edge("kill", "histogram", words("bump"), colour=WASTE),
        Edge("pod", "histogram", words("sample")),
        Edge("histogram", "recommend", words("percentiles")),
        Edge("recommend", "gate", words("bounds")),
        Edge("gate", "keep", words("inside"), dashed=True),
        Edge("gate", "resize", words("outside"), exit="bottom", enter="bottom", colour=USEFUL),
        Edge("resize", "pod", words("restart"), colour=USEFUL),
    ]
    return architecture(
        blocks,
        edges,
        **describe(page),
        gutter_x_px=130,
        gutter_y_px=56,
        # Room for the arrow that runs below the lowest row, and its words.
        margin_px=50,
    )


def draw_strategies(outcomes: Mapping[str, Outcome], page: Captioned) -> str:
    """Draw what each strategy saves and costs: one panel a measure, means with 95 % intervals.

    Parameters
    ----------
    outcomes : mapping
        From `compare_strategies`, two runs or more.
    page : Captioned
        The slide.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    panels = (
        ("saved", "saved_pct", USEFUL, 1),
        ("kills", "kills", WASTE, 0),
        ("throttled", "throttled_pct", SERIES[2].colour, 1),
        ("resizes", "resizes", WAITING, 1),
    )
    grid = figure.subplots(1, len(panels), sharey=True)
    places = np.arange(len(outcomes))[::-1]
    for axes, (name, attribute, colour, decimals) in zip(grid, panels, strict=True):
        intervals = [interval_of(getattr(outcome, attribute)) for outcome in outcomes.values()]
        means = np.array([interval.mean for interval in intervals])
        reach = [interval.half_width for interval in intervals]
        axes.barh(places, means, 0.56, xerr=reach, ecolor=INK, capsize=4, **bar_style(colour))
        top = max(float((means + reach).max()), 1e-9)
        axes.set(xlim=(0, 1.5 * top), xticks=[], ylim=(-0.6, len(outcomes) - 0.4))
        axes.grid(visible=False)
        axes.spines["bottom"].set_visible(False)
        axes.axvline(0, color=MUTED, linewidth=1.5)
        axes.set_title(page.label(f"head_{name}"), loc="left")
        for place, interval in zip(places, intervals, strict=True):
            digits = decimals if interval.mean >= 10 or decimals else 1
            words = format_number(interval.mean, page.lang, decimals=digits)
            axes.annotate(
                words, (interval.high, place), (10, 0), textcoords="offset points", va="center",
                fontsize=20, fontweight=700, color=INK,
            )  # fmt: skip
    grid[0].set_yticks(places, [page.label(name) for name in outcomes], fontsize=18, color=INK)
    return svg_text(figure, page.key, page.title, page.alt)
