"""Requests drawn from the summary of a trace: lengths by their quantiles, arrivals by a process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gpudeck.errors import InputError
from gpudeck.rng import generator
from gpudeck.tables import read_table
from gpudeck.workload.request import RequestTable
from gpudeck.workload.request_arrivals import MAX_ARRIVALS, gamma_arrivals, poisson_arrivals

# Close together in the upper tail: straight lines there would make the mean up to 3 % too large.
UPPER_TAIL = (96, 97, 98, 98.5, 99, 99.25, 99.5, 99.7, 99.8, 99.9, 99.95, 99.99, 100)
PERCENTS = (0, 0.1, 1, *range(5, 96, 5), *UPPER_TAIL)
ARRIVALS = ("poisson", "gamma")


@dataclass(frozen=True, slots=True, eq=False)
class RequestLengths:
    """The summary of a trace.

    Parameters
    ----------
    id
        Name of the workload.
    rows
        Requests of the trace.
    rate_per_s, gap_cv
        Mean rate of arrival, and standard deviation over mean of the gaps.
    rank_correlation
        Spearman's, of prompt and answer.
    prompt_mean, output_mean
        Mean tokens.
    prompt_tokens, output_tokens
        Quantiles at `PERCENTS`.
    """

    id: str
    rows: int
    rate_per_s: float
    gap_cv: float
    rank_correlation: float
    prompt_mean: float
    output_mean: float
    prompt_tokens: NDArray[np.float64]
    output_tokens: NDArray[np.float64]


def attribute_of(name: str, percent: float) -> str:
    """Name the row of a quantile in ``request_lengths.csv``.

    >>> attribute_of("prompt", 99.9), attribute_of("output", 50)
    ('prompt_p99_9', 'output_p50')
    """
    return f"{name}_p{percent:g}".replace(".", "_")


def request_workloads() -> tuple[str, ...]:
    """Return the names of the workloads of ``data/request_lengths.csv``.

    Raises
    ------
    InputError
        The data folder is missing, or a cell is not allowed.

    >>> request_workloads()[0]
    'azure-conversation-2023'
    """
    return read_table("request_lengths").ids


@cache
def find_lengths(workload: str) -> RequestLengths:
    """Look up the summary of a workload.

    Raises
    ------
    InputError
        There is no such workload.

    >>> find_lengths("azure-conversation-2023").rows
    19366
    """
    rows = read_table("request_lengths").of(workload)

    def quantiles(name: str) -> NDArray[np.float64]:
        return np.array([rows[attribute_of(name, percent)].number for percent in PERCENTS])

    return RequestLengths(
        workload,
        round(rows["rows"].number),
        rows["rate_per_s"].number,
        rows["gap_cv"].number,
        rows["rank_correlation"].number,
        rows["prompt_mean"].number,
        rows["output_mean"].number,
        quantiles("prompt"),
        quantiles("output"),
    )


def resample_requests(
    workload: str,
    count: int,
    rate_per_s: float | None = None,
    arrivals: Literal["poisson", "gamma"] = "poisson",
    seed: int = 0,
) -> RequestTable:
    """Draw requests that are like those of a trace.

    Lengths come by the inverse of the distribution function, linear between the quantiles that are
    kept, at u = Φ(z): z are normal, with the correlation r = 2 sin(π ρ / 6) of prompt and answer,
    so that the ranks have the trace's Spearman ρ. Times are a process, independent of lengths.

    Parameters
    ----------
    workload
        A row of ``data/request_lengths.csv``.
    count
        How many, 0 or above.
    rate_per_s
        Mean rate; the trace's if not told.
    arrivals
        ``poisson``, or ``gamma`` with the trace's coefficient of variation.
    seed
        Seed of all draws.

    Raises
    ------
    InputError
        No such workload or process, or a number out of range.

    Source: Cario and Nelson, 1997, NORTA (a Gaussian copula).

    >>> requests = resample_requests("azure-code-2023", 1000, 2.0, seed=1)
    >>> len(requests), bool(requests.prompt_tokens.mean() > requests.output_tokens.mean())
    (1000, True)
    """
    if arrivals not in ARRIVALS:
        msg = f"arrivals is {arrivals!r}; allowed is {', '.join(ARRIVALS)}"
        raise InputError(msg)
    if not 0 <= count <= MAX_ARRIVALS:
        msg = f"count is {count}; allowed is 0 to {MAX_ARRIVALS}"
        raise InputError(msg)
    lengths = find_lengths(workload)
    rate = lengths.rate_per_s if rate_per_s is None else rate_per_s
    if arrivals == "poisson":
        times = poisson_arrivals(rate, count=count, seed=seed)
    else:
        times = gamma_arrivals(rate, lengths.gap_cv, count=count, seed=seed)
    normal = generator(seed, "requests", "lengths").standard_normal((2, count))
    together = 2 * np.sin(np.pi * lengths.rank_correlation / 6)
    other = together * normal[0] + np.sqrt(1 - together**2) * normal[1]
    return RequestTable(
        times, _invert(normal[0], lengths.prompt_tokens), _invert(other, lengths.output_tokens)
    )


def _invert(normal: NDArray[np.float64], quantiles: NDArray[np.float64]) -> NDArray[np.int64]:
    drawn = np.interp(100 * ndtr(normal), PERCENTS, quantiles)
    return np.maximum(np.rint(drawn).astype(np.int64), 1)
