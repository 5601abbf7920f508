"""The charts and tables of page 24: intervals, formulas, copies in memory, failures."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from gpudeck.figures.caption import Captioned
from gpudeck.figures.duration import mark_durations, write_duration
from gpudeck.figures.sheet import formula_sheet, table_sheet
from gpudeck.figures.style import (
    INK,
    MEASURED,
    MUTED,
    PAPER,
    SERIES,
    USEFUL,
    WASTE,
    LineEnd,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
)
from gpudeck.interval import band_of
from gpudeck.models.resilience.copies_study import CopiesStudy, read_published_copies
from gpudeck.models.resilience.failure import (
    COMPONENTS,
    DAY_S,
    HOUR_S,
    check_printed_shares,
    read_causes,
)
from gpudeck.models.resilience.interval_study import FormulaError, IntervalCurve, IntervalStudy
from gpudeck.models.resilience.training_job import TrainingJob
from gpudeck.units import format_number, format_quantity

# synchronous saves are what is to be overcome, asynchronous ones what is gained
_MODE_STYLE: dict[str, dict[str, object]] = {
    "synchronous": {"color": WASTE, "linestyle": (0, (6, 2)), "linewidth": 2.8},
    "asynchronous": {"color": USEFUL, "linewidth": 3.4},
}
_COPIES_STYLE = {
    "group-2": {"color": USEFUL, "linewidth": 3.4, "marker": "o"},
    "ring-2": {"color": WASTE, "linestyle": (0, (6, 2)), "linewidth": 2.5, "marker": "s"},
    "group-3": SERIES[0].line(),
}
# the chart shows the curves from a twelfth to twelve times the best intervals
_SHOWN = 12.0
_YEAR_H = 8766.0
_COPIES_SHOWN = 12


def draw_efficiency(study: IntervalStudy, page: Captioned) -> str:
    """Draw efficiency by interval: the closed form as lines, simulated runs as points with bands.

    Parameters
    ----------
    study : IntervalStudy
        From `study_intervals`.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    best = [curve.best_s for curve in study.curves]
    low_s, high_s = min(best) / _SHOWN, max(best) * _SHOWN
    mark_durations(axes, low_s, high_s, page.lang, dense_marks=True)
    ends, lowest = [], 1.0
    for curve in study.curves:
        inside = (curve.interval_s >= low_s) & (curve.interval_s <= high_s)
        x, y = curve.interval_s[inside], 100 * curve.share[inside]
        axes.plot(x, y, **_MODE_STYLE[curve.mode])  # type: ignore[arg-type]  # keywords
        _draw_simulated(axes, curve, low_s, high_s)
        lowest = min(lowest, float(y.min()) / 100)
        colour = str(_MODE_STYLE[curve.mode]["color"])
        ends.append(LineEnd(float(x[-1]), float(y[-1]), page.label(curve.mode), colour, 700))
    bottom = 5 * np.floor(20 * lowest)
    axes.set_ylim(bottom, 100 + 0.05 * (100 - bottom))
    for curve in study.curves:
        _mark_best(axes, curve, page)
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=18)
    return svg_text(figure, page.key, page.title, page.alt)


def _draw_simulated(axes: Axes, curve: IntervalCurve, low_s: float, high_s: float) -> None:
    inside = (curve.simulated_s >= low_s) & (curve.simulated_s <= high_s)
    band = band_of(100 * curve.samples[:, inside])
    axes.errorbar(
        curve.simulated_s[inside],
        band.mean,
        [band.mean - band.low, band.high - band.mean],
        fmt="o" if curve.mode == "asynchronous" else "s",
        color=str(_MODE_STYLE[curve.mode]["color"]),
        markerfacecolor=PAPER,
        markeredgewidth=2,
        markersize=9,
        capsize=6,
        elinewidth=2,
        zorder=4,
    )


def _mark_best(axes: Axes, curve: IntervalCurve, page: Captioned) -> None:
    """Mark the best interval down to the axis, and write interval and efficiency beside it."""
    share_pct = 100 * curve.best_share
    colour = str(_MODE_STYLE[curve.mode]["color"])
    bottom = axes.get_ylim()[0]
    axes.plot([curve.best_s] * 2, [bottom, share_pct], color=colour, lw=1.5, ls=(0, (2, 3)))
    interval = write_duration(curve.best_s, page.lang)
    lost = format_quantity(100 - share_pct, "%", page.lang, decimals=1)
    # the later of the two stands lower: names never meet
    height = 0.30 if curve.mode == "asynchronous" else 0.12
    top = axes.get_ylim()[1]
    axes.annotate(
        f"{page.label('best')} {interval}\n{page.label('loss')} {lost}",
        (curve.best_s, bottom + height * (top - bottom)),
        (10, 0),
        textcoords="offset points",
        va="center",
        fontsize=18,
        fontweight=700,
        linespacing=1.3,
        color=text_colour(colour),
    )


def draw_formulas(formulas: FormulaError, study: IntervalStudy, page: Captioned) -> tuple[str, str]:
    """Draw the three intervals by time between failures, and what Young's and Daly's lose.

    Parameters
    ----------
    formulas : FormulaError
        From `compare_formulas`, at the stall of the study's synchronous saves.
    study : IntervalStudy
        Its time between failures is marked.
    page : Captioned
        The page that shows it.
    """
    styles = {
        "exact": {"color": USEFUL, "linewidth": 4},
        "young": {"color": WASTE, "linestyle": (0, (6, 2)), "linewidth": 2.5},
        "daly": {"color": INK, "linestyle": (0, (1, 2)), "linewidth": 2.5},
    }
    curves = {"exact": formulas.exact_s, "young": formulas.young_s, "daly": formulas.daly_s}
    lost = {"young": formulas.young_lost, "daly": formulas.daly_lost}
    pictures = []
    for name, lines, scale in (("interval", curves, 60.0), ("lost", lost, 1.0)):
        figure = new_figure(page.slot.width_px, page.slot.height_px)
        axes = figure.subplots()
        mark_durations(axes, formulas.mtbf_s[0], formulas.mtbf_s[-1], page.lang)
        for key, values in lines.items():
            axes.plot(formulas.mtbf_s, values / scale, **styles[key])  # type: ignore[arg-type]
        if name == "interval":
            axes.set_yscale("log")
            marks = [at for at in (0.1, 1, 10, 100, 1000) if _within(at * scale, lines)]
            axes.set_yticks(marks, [format_number(at, page.lang, scale="plain") for at in marks])
            axes.set_yticks([], minor=True)
        else:
            axes.set_ylim(0, 1.25 * max(float(lost["young"].max()), 1e-3))
        _mark_job(axes, study, page)
        _name_formulas(axes, formulas, lines, page)
        name_axes(axes, page.label("x"), page.label(name))
        pictures.append(svg_text(figure, f"{page.key}-{name}", page.label(name), page.alt))
    return pictures[0], pictures[1]


def _within(value: float, lines: dict[str, np.ndarray]) -> bool:
    low = min(float(values.min()) for values in lines.values())
    high = max(float(values.max()) for values in lines.values())
    return low <= value <= high


def _mark_job(axes: Axes, study: IntervalStudy, page: Captioned) -> None:
    low, high = axes.get_xlim()
    if not low < study.mtbf_s < high:
        return
    axes.axvline(study.mtbf_s, color=MUTED, lw=1.5, ls=(0, (2, 3)))
    right = study.mtbf_s < (low * high) ** 0.5
    axes.annotate(
        page.label("job"),
        (study.mtbf_s, 0.93),
        (8 if right else -8, 0),
        xycoords=("data", "axes fraction"),
        textcoords="offset points",
        ha="left" if right else "right",
        color=MUTED,
    )


def _name_formulas(
    axes: Axes, formulas: FormulaError, lines: dict[str, np.ndarray], page: Captioned
) -> None:
    """Name the lines: Young's at the left, where it parts from the others, these further right."""
    by_interval = "exact" in lines
    scale = 60.0 if by_interval else 1.0
    # above the lines, below them, and beside them: whatever the job, a plate keeps them readable
    names = [("young", 1, (0, 44) if by_interval else (24, 0), WASTE)]
    if by_interval:
        names.append(("both", 34, (14, -40), USEFUL))
    else:
        names.append(("daly_zero", 34, (0, 16), INK))
    for name, at, offset, colour in names:
        key = "young" if name == "young" else "exact" if by_interval else "daly"
        axes.annotate(
            page.label(name),
            (float(formulas.mtbf_s[at]), float(lines[key][at]) / scale),
            offset,
            textcoords="offset points",
            fontsize=18,
            fontweight=700,
            color=text_colour(colour),
            bbox={"boxstyle": "round,pad=0.15", "facecolor": PAPER, "edgecolor": "none"},
        )


def draw_interval_formulas(page: Captioned) -> str:
    """Set the formulas of intervals and efficiencies, each beside what it says."""
    series = r"1 + \frac{1}{3}\sqrt{\delta/2M} + \delta/18M"
    rows = (
        ("young", r"\tau_Y = \sqrt{2\,\delta M}"),
        (
            "daly",
            rf"\tau_D = \sqrt{{2 \delta M}} \left[{series}\right] - \delta",
        ),
        ("exact", r"\tau^{*}:\;\; 1 - \tau/M = e^{-(\tau + \delta)/M}"),
        ("efficiency", r"\eta = \frac{\tau}{M\,e^{R/M}\,(e^{(\tau + \delta)/M} - 1)}"),
        ("asynchronous", r"\delta = t_{snapshot},\quad \tau \geq s,\quad R \rightarrow R + s"),
        ("pairs", r"P_k = \frac{C(N/2,\,k)\;2^{k}}{C(N,\,k)}"),
        (
            "spares",
            r"A = \sum_{i \geq n} C(n+s,\,i)\; p^{\,i}\,(1-p)^{\,n+s-i}",
        ),
    )
    return formula_sheet(page.key, [(page.label(name), tex) for name, tex in rows])


def draw_copies(study: CopiesStudy, small: CopiesStudy, page: Captioned) -> tuple[str, str]:
    """Draw how likely nothing is lost by the nodes lost at once: sixteen nodes, and the job's.

    Parameters
    ----------
    study : CopiesStudy
        From `study_copies`, of the job.
    small : CopiesStudy
        Of sixteen nodes, for which GEMINI prints two numbers.
    page : Captioned
        The page that shows it.
    """
    pictures = []
    for name, one in (("sixteen", small), ("job", study)):
        figure = new_figure(page.slot.width_px, page.slot.height_px)
        axes = figure.subplots()
        ends = []
        for key, shares in one.survive.items():
            shown = 100 * np.array(shares[: _COPIES_SHOWN + 1])
            axes.plot(range(len(shown)), shown, **_COPIES_STYLE[key])  # type: ignore[arg-type]
            colour = str(_COPIES_STYLE[key]["color"])
            ends.append(LineEnd(len(shown) - 1, float(shown[-1]), page.label(key), colour, 700))
        last = len(next(iter(one.survive.values()))[: _COPIES_SHOWN + 1]) - 1
        axes.set(xlim=(0, last + 0.1), ylim=(0, 104), yticks=range(0, 101, 25))
        axes.set_xticks(range(0, last + 1, 2))
        name_axes(axes, page.label("x"), page.label(name))
        if name == "sixteen":
            _draw_published_copies(axes, page)
        else:
            label_line_ends(axes, ends, size_px=17)
        pictures.append(svg_text(figure, f"{page.key}-{name}", page.label(name), page.alt))
    return pictures[0], pictures[1]


def _draw_published_copies(axes: Axes, page: Captioned) -> None:
    points = read_published_copies()
    axes.plot(*zip(*points, strict=True), "o", color=MEASURED, markersize=10, zorder=5)
    axes.annotate(
        page.label("published"),
        points[0],
        (0.03, 0.56),
        textcoords="axes fraction",
        fontsize=17,
        arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 1.2, "shrinkB": 6},
        color=MEASURED,
    )


def tabulate_components(job: TrainingJob, page: Captioned) -> str:
    """Set what fails in a table: interruptions, their share, rates, and the job's time between."""
    rates, causes = job.run.rates, read_causes()
    total = sum(cause.count for cause in causes)
    rows = []
    for component in rates.components:
        count = sum(cause.count for cause in causes if cause.component == component.name)
        rows.append(_component_row(component.name, count, total, component.per_gpu_hour, job, page))
    rows.append(_component_row("all", total, total, rates.per_gpu_hour, job, page))
    columns = ("component", "count", "share", "rate", "mtbf", "node")
    return table_sheet(
        page.title, [page.label(name) for name in columns], rows, marked=len(COMPONENTS)
    )


def _component_row(
    name: str, count: int, total: int, per_gpu_hour: float, job: TrainingJob, page: Captioned
) -> list[str]:
    lang = page.lang
    takes = {c.name: c.takes_node for c in job.run.rates.components}
    mtbf_s = HOUR_S / (per_gpu_hour * job.run.gpus)
    node = format_quantity(100 * job.run.rates.node_share, "%", lang, decimals=0)
    if name in takes:
        node = page.label("yes" if takes[name] else "no")
    return [
        page.label(name),
        format_number(count, lang, decimals=0),
        format_quantity(100 * count / total, "%", lang, decimals=1),
        format_number(1000 * per_gpu_hour * _YEAR_H, lang, decimals=0),
        format_quantity(mtbf_s / DAY_S, "day", lang),
        node,
    ]


def tabulate_shares(page: Captioned, shown: int = 5) -> str:
    """Set the largest causes of the published table: printed share beside count over total."""
    found, lang = check_printed_shares(), page.lang
    rows = []
    for cause in read_causes()[:shown]:
        share = 100 * cause.count / found.unexpected
        rows.append(
            [
                page.label(cause.name),
                format_number(cause.count, lang, decimals=0),
                format_quantity(cause.printed_pct, "%", lang, decimals=1),
                format_quantity(share, "%", lang, decimals=1),
                format_number(share - cause.printed_pct, lang, decimals=1),
            ]
        )
    rest = read_causes()[shown:]
    printed, count = sum(c.printed_pct for c in rest), sum(c.count for c in rest)
    for name, number, value in (
        ("rest", count, printed),
        ("sum", found.unexpected, found.printed_sum_pct),
    ):
        share = 100 * number / found.unexpected
        rows.append(
            [
                page.label(name),
                format_number(number, lang, decimals=0),
                format_quantity(value, "%", lang, decimals=1),
                format_quantity(share, "%", lang, decimals=1),
                format_number(share - value, lang, decimals=1),
            ]
        )
    columns = ("cause", "count", "printed", "computed", "difference")
    return table_sheet(page.title, [page.label(name) for name in columns], rows, marked=0)
