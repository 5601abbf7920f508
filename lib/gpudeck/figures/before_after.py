"""One measure before and after a stage: two columns, their 95 % intervals, and the change."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import ArrayLike, NDArray

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import INK, MUTED, USEFUL, WAITING, text_colour
from gpudeck.interval import Interval, interval_of
from gpudeck.units import format_number, format_quantity


class Paired(Protocol):
    """Runs before and after a stage, paired by seed."""

    def gain(self, measure: str) -> NDArray[np.float64]:
        """Return after less before, shape (runs,)."""

    def change_pct(self, measure: str) -> Interval | None:
        """Return the change in % of what it was before; None where that was nothing."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change as it is printed: its mean, and both ends of its interval; either may be empty."""

    mean: str
    span: str


def signed(value: float, lang: str, decimals: int = 1) -> str:
    """Write a number with its sign, also the plus.

    >>> signed(2.25, "en", 0), signed(-2.25, "en")
    ('+2', '−2.2')
    """
    text = format_number(value, lang, decimals=decimals)
    return text if value < 0 else f"+{text}"


def span_text(interval: Interval, lang: str, decimals: int = 1) -> str:
    """Write both ends of an interval with their signs.

    >>> span_text(Interval(1, -0.5, 2.5), "en")
    '−0.5 to +2.5'
    """
    between = "～" if lang == "zh" else " to "
    return between.join(signed(end, lang, decimals) for end in (interval.low, interval.high))


def plus_minus(samples: ArrayLike, lang: str, decimals: int) -> str:
    """Write the mean of samples, one a seed, and half the width of its 95 % interval.

    >>> plus_minus([1.0, 2.0, 3.0], "en", 1)
    '2.0 ± 2.5'
    """
    interval = interval_of(samples)
    ends = (interval.mean, interval.half_width)
    return " ± ".join(format_number(end, lang, decimals=decimals) for end in ends)


def percent_change(interval: Interval | None, lang: str, decimals: int = 1) -> Change:
    """Print a relative change in %; none where there was nothing before."""
    if interval is None:
        return Change("", "")
    mean = f"{signed(interval.mean, lang, decimals)}%"
    return Change(mean, span_text(interval, lang, decimals))


def point_change(interval: Interval, lang: str, decimals: int = 1) -> Change:
    """Print a change of what is itself counted in %, in points."""
    text = format_quantity(interval.mean, "point", lang, decimals=decimals)
    mean = text if interval.mean < 0 else f"+{text}"
    return Change(mean, span_text(interval, lang, decimals))


def print_change(effect: Paired, measure: str, unit: str, lang: str, decimals: int = 1) -> Change:
    """Print how a stage changed a measure: in points what is counted in %, else in %.

    Parameters
    ----------
    effect
        The stage's runs, paired by seed.
    measure, unit
        What changed, and its unit.
    lang
        "zh" or "en".
    decimals
        Digits of a change in %.
    """
    if unit == "%":
        return point_change(interval_of(effect.gain(measure)), lang)
    return percent_change(effect.change_pct(measure), lang, decimals)


def draw_pair(
    axes: Axes,
    intervals: tuple[Interval, Interval],
    write: Callable[[float], str],
    change: Change,
    title: str,
    page: Captioned,
) -> None:
    """Draw a measure before and after as two columns from 0, and its change above them.

    Parameters
    ----------
    axes : Axes
        Where to.
    intervals : (Interval, Interval)
        Before and after, in one unit, not negative: error bars end at 0.
    write : function
        Writes a mean.
    change : Change
        Printed above the columns.
    title : str
        Name of the measure, with its unit where `write` gives none.
    page : Captioned
        Its labels "before" and "after" name the columns.
    """
    top = max(interval.high for interval in intervals) or 1.0
    for place, (interval, colour) in enumerate(zip(intervals, (WAITING, USEFUL), strict=True)):
        axes.bar(place, interval.mean, 0.62, color=colour)
        below = interval.mean - max(0.0, interval.low)
        axes.errorbar(
            place,
            interval.mean,
            [[below], [interval.high - interval.mean]],
            color=INK,
            capsize=7,
            linewidth=2,
            zorder=4,
        )
        axes.annotate(
            write(interval.mean),
            (place, interval.high),
            (0, 8),
            textcoords="offset points",
            ha="center",
            fontsize=20,
            fontweight=700,
            color=text_colour(USEFUL) if place else INK,
        )
    _write_above(axes, change.mean, 14, fontsize=26, fontweight=700, color=INK)
    _write_above(axes, change.span, 40, color=MUTED)
    axes.set(xlim=(-0.6, 1.6), ylim=(0, 1.45 * top))
    axes.set_xticks([0, 1], [page.label("before"), page.label("after")], color=INK)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.set_title(title, loc="center", fontsize=17, color=INK)


def _write_above(axes: Axes, text: str, down_px: float, **look: object) -> None:
    axes.annotate(
        text,
        (0.5, 1),
        (0, -down_px),
        xycoords="axes fraction",
        textcoords="offset points",
        ha="center",
        va="center",
        **look,  # type: ignore[arg-type]  # font properties
    )
