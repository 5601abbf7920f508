"""Durations on a logarithmic axis: marks at round seconds, minutes, hours and days."""

from __future__ import annotations

from matplotlib.axes import Axes

from gpudeck.units import format_quantity

_SPARSE: tuple[tuple[float, str], ...] = (
    (1, "s"), (10, "s"), (1, "min"), (10, "min"), (1, "h"), (10, "h"), (4, "day"), (40, "day"),
    (400, "day"),
)  # fmt: skip
_DENSE: tuple[tuple[float, str], ...] = (
    (1, "s"), (3, "s"), (10, "s"), (30, "s"), (1, "min"), (3, "min"), (10, "min"), (30, "min"),
    (1, "h"), (3, "h"), (10, "h"), (1, "day"), (4, "day"), (10, "day"), (40, "day"), (100, "day"),
)  # fmt: skip
_MOST_MARKS = 9
_SECONDS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86_400.0}


def write_duration(seconds: float, lang: str) -> str:
    """Write a time in the unit in which it reads well.

    >>> write_duration(90, "en"), write_duration(5400, "en"), write_duration(12, "en")
    ('90 s', '90 min', '12 s')
    """
    for unit, least in (("day", 2 * 86_400.0), ("h", 36_000.0), ("min", 120.0)):
        if seconds >= least:
            return format_quantity(seconds / _SECONDS[unit], unit, lang)
    return format_quantity(seconds, "s", lang)


def mark_durations(
    axes: Axes, low_s: float, high_s: float, lang: str, *, dense_marks: bool = False
) -> None:
    """Make the x axis, in seconds, logarithmic and mark round durations between two ends."""
    axes.set_xscale("log")
    dense, sparse = (
        [
            (value * _SECONDS[unit], format_quantity(value, unit, lang, decimals=0))
            for value, unit in marks
            if low_s <= value * _SECONDS[unit] <= high_s
        ]
        for marks in (_DENSE, _SPARSE)
    )
    marks = dense if dense_marks and len(dense) <= _MOST_MARKS else sparse
    axes.set_xticks([at for at, _ in marks], [text for _, text in marks])
    axes.set_xticks([], minor=True)
    axes.set_xlim(low_s, high_s)
