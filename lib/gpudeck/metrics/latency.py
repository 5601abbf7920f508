"""Latency of a serving run: time to first token, per output token, and between tokens."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.serving.pooled import pooled_quantile
from gpudeck.models.serving.result import ServingResult


@dataclass(frozen=True, slots=True)
class LatencySummary:
    """Mean and quantiles of one latency, seconds; all NaN where nothing was measured.

    A quantile is the smallest value that at least its share of all does not exceed, as everywhere
    in the deck (`gpudeck.models.serving.pooled`): a latency that was measured, never one between.
    """

    mean_s: float
    p50_s: float
    p90_s: float
    p99_s: float


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
    quantiles = pooled_quantile(values, times, (0.5, 0.9, 0.99)).tolist()
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
