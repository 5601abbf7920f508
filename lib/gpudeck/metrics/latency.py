"""Latency of a serving run: time to first token, per output token, and between tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.serving.result import ServingResult


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Mean and quantiles of one latency, seconds; all NaN where nothing was measured."""

    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float


def weighted_quantile(values: ArrayLike, counts: ArrayLike, share: float) -> float:
    """Return a quantile of values that occur several times, without writing them out.

    The same as ``numpy.quantile(numpy.repeat(values, counts), share)``: between the two values
    around place share·(n − 1) it is interpolated.

    Parameters
    ----------
    values
        Shape (m,), any order.
    counts
        How often each occurs, shape (m,), whole numbers of 0 or above, one above.
    share
        From 0 to 1.

    Raises
    ------
    InputError
        Shapes differ, a count is negative, nothing is counted, or the share is out of range.

    >>> float(weighted_quantile([2.0, 1.0], [1, 3], 0.5))
    1.0
    """
    numbers, times = np.asarray(values, np.float64), np.asarray(counts, np.int64)
    if numbers.shape != times.shape or numbers.ndim != 1:
        msg = f"values have shape {numbers.shape}, counts {times.shape}; allowed is one shape (m,)"
        raise InputError(msg)
    if not 0 <= share <= 1:
        msg = f"share is {share}; allowed is from 0 to 1"
        raise InputError(msg)
    if (times < 0).any() or times.sum() == 0:
        msg = "counts are all 0, or one is negative; allowed are 0 or above, and one above 0"
        raise InputError(msg)
    order = np.argsort(numbers, kind="stable")
    reached = np.cumsum(times[order])
    place = share * (int(reached[-1]) - 1)
    below, above = (
        float(numbers[order[np.searchsorted(reached, whole, side="right")]])
        for whole in (np.floor(place), np.ceil(place))
    )
    return below + (place - np.floor(place)) * (above - below)


def summarise_latency(
    values_s: NDArray[np.float64], counts: NDArray[np.int64] | None = None
) -> LatencySummary:
    """Summarise latencies; NaN is left out.

    Parameters
    ----------
    values_s
        Seconds, shape (m,).
    counts
        How often each occurs; once each if not told.

    >>> summarise_latency(np.array([1.0, 3.0, np.nan])).mean_s
    2.0
    """
    known = np.isfinite(values_s)
    values = values_s[known]
    times = np.ones(len(values), np.int64) if counts is None else counts[known]
    if times.sum() == 0:
        return LatencySummary(*[float("nan")] * 4)
    order = np.argsort(values)  # once: the quantiles' stable sort then finds it in order
    values, times = values[order], times[order]
    quantiles = [weighted_quantile(values, times, share) for share in (0.5, 0.9, 0.99)]
    return LatencySummary(float(np.average(values, weights=times)), *quantiles)


def measure_ttft(result: ServingResult) -> LatencySummary:
    """Summarise the time to first token: first output token − arrival, the queue included."""
    return summarise_latency(result.ttft_s)


def measure_tpot(result: ServingResult) -> LatencySummary:
    """Summarise the time per output token, one value a request: (e2e − TTFT)/(n_out − 1)."""
    return summarise_latency(result.tpot_s)


def measure_tbt(result: ServingResult) -> LatencySummary:
    """Summarise the time between tokens: every gap of every request, pooled."""
    return summarise_latency(*result.gaps())
