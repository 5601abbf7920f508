"""A request from profiled use: a quantile with headroom, and the risk that use exceeds it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.interval import Interval

DEPENDENCE = ("ar1", "iid")


@dataclass(frozen=True, slots=True)
class SizedRequest:
    """A request, in the unit of the samples, and what the samples say about its risk.

    `quantile` is the estimated quantile of use with its interval (its upper end is infinite where
    the samples are too few to bound it). `exceedance` is the probability that a moment of use
    exceeds the request: for memory an out-of-memory kill, for compute a throttled moment.
    `samples` were profiled, worth `effective_samples` independent ones.
    """

    request: float
    quantile: Interval
    exceedance: Interval
    samples: int
    effective_samples: float


def size_request(
    samples: ArrayLike,
    quantile: float,
    headroom: float,
    level: float = 0.95,
    *,
    dependence: str = "ar1",
) -> SizedRequest:
    """Size a request: the quantile of profiled use times (1 + headroom).

    The quantile is the order statistic X₍⌈nq⌉₎. Its interval takes order statistics whose ranks
    bound a binomial count; that of the exceedance is Clopper and Pearson's. Both use the effective
    number of samples m; with all samples below the request the upper bound is 1 − (α/2)^(1/m).

    Parameters
    ----------
    samples : array_like, shape (n,)
        Profiled use, evenly spaced in time, 0 or above, not all 0; two or more.
    quantile : float
        Between 0 and 1, both excluded.
    headroom : float
        Added to the quantile, as a fraction of it; 0 or above.
    level : float
        Confidence level, between 0 and 1.
    dependence : str
        "ar1" discounts autocorrelated samples (see `effective_samples`); "iid" does not.

    Raises
    ------
    InputError
        A parameter is out of range, or the samples are too few, negative, all 0 or not finite.

    Source: Clopper and Pearson, Biometrika 26 (1934); David and Nagaraja, Order Statistics, 7.1.

    >>> sized = size_request(range(1, 101), 0.9, 0.2, dependence="iid")
    >>> sized.request, sized.exceedance.mean
    (108.0, 0.0)
    """
    values = _check(samples, quantile, headroom, level)
    if dependence not in DEPENDENCE:
        msg = f"dependence is {dependence!r}; allowed are {' and '.join(DEPENDENCE)}"
        raise InputError(msg)
    count = len(values)
    worth = effective_samples(values) if dependence == "ar1" else float(count)
    ordered = np.sort(values)
    bounds = _quantile_bounds(ordered, quantile, worth, level)
    request = bounds.mean * (1 + headroom)
    share = float(np.count_nonzero(values > request)) / count
    return SizedRequest(request, bounds, exceedance_interval(share, worth, level), count, worth)


def size_by_days(
    use: ArrayLike, per_day: int, quantile: float, headroom: float, level: float = 0.95
) -> tuple[SizedRequest, ...]:
    """Size a request on the first day of use, on the first two, and so on.

    Parameters
    ----------
    use : array_like, shape (samples,)
        Profiled use, a whole day or more.
    per_day : int
        Samples of one day, 2 or above.
    quantile, headroom, level : float
        As in `size_request`.

    Raises
    ------
    InputError
        As in `size_request`, or less than a day of use.
    """
    values = np.asarray(use, dtype=np.float64)
    if per_day < 2 or values.ndim != 1 or len(values) < per_day:
        msg = f"use has shape {values.shape}, {per_day} samples a day; allowed is a day or more"
        raise InputError(msg)
    return tuple(
        size_request(values[: day * per_day], quantile, headroom, level)
        for day in range(1, len(values) // per_day + 1)
    )


def effective_samples(samples: ArrayLike) -> float:
    """Return how many independent samples an autocorrelated series is worth: n(1 − ρ)/(1 + ρ).

    ρ is the lag-one autocorrelation, taken as that of a first-order autoregressive process; a
    negative one is set to 0, so that no series is worth more than its length, and the result is 1
    at least. For exceedances it is cautious: they decorrelate faster than the series.

    Parameters
    ----------
    samples : array_like, shape (n,)
        Evenly spaced in time, two or more.

    Source: Zięba, Metrology and Measurement Systems 17 (2010), eq. 7 for AR(1).

    >>> effective_samples([1.0, 2.0] * 50)
    100.0
    """
    values = np.asarray(samples, dtype=np.float64)
    centred = values - values.mean()
    variance = float(centred @ centred)
    # A constant series says no more than one sample does of what it might become.
    if variance <= 1e-24 * float(values @ values):
        return 1.0
    rho = min(max(float(centred[1:] @ centred[:-1]) / variance, 0.0), 1.0)
    return max(1.0, len(values) * (1 - rho) / (1 + rho))


def exceedance_interval(share: float, worth: float, level: float = 0.95) -> Interval:
    """Return Clopper and Pearson's interval of a share seen in `worth` independent samples.

    Parameters
    ----------
    share : float
        Share of the samples that exceeded, from 0 to 1.
    worth : float
        Independent samples, 1 or above; need not be whole.
    level : float
        Confidence level.

    Raises
    ------
    InputError
        A parameter is out of range.

    >>> round(exceedance_interval(0.0, 100).high, 4)
    0.0362
    """
    # Half a second of import that a page without an interval need not pay.
    from scipy.special import betaincinv

    if not (0 <= share <= 1 and worth >= 1 and 0 < level < 1):
        msg = (
            f"share is {share}, worth {worth}, level {level};"
            " allowed are [0, 1], 1 or above, and (0, 1)"
        )
        raise InputError(msg)
    tail, hits = (1 - level) / 2, share * worth
    low = 0.0 if share == 0 else float(betaincinv(hits, worth - hits + 1, tail))
    high = 1.0 if share == 1 else float(betaincinv(hits + 1, worth - hits, 1 - tail))
    return Interval(share, min(low, share), max(high, share), level)


def _quantile_bounds(
    ordered: NDArray[np.float64], quantile: float, worth: float, level: float
) -> Interval:
    """Return the order statistic at a quantile, bounded by those at binomial ranks."""
    count, whole = len(ordered), max(1, math.floor(worth))
    estimate = float(ordered[max(0, math.ceil(count * quantile - 1e-9) - 1)])
    lower, upper = _ranks(whole, quantile, level)
    # Ranks among `whole` independent samples, stretched to the ranks of the series.
    low = 0.0 if lower == 0 else float(ordered[math.ceil(lower * count / whole) - 1])
    high = math.inf if upper > whole else float(ordered[math.ceil(upper * count / whole) - 1])
    return Interval(estimate, min(low, estimate), max(high, estimate), level)


def _ranks(count: int, quantile: float, level: float) -> tuple[int, int]:
    """Return ranks l < u with P(X₍l₎ ≤ ξ < X₍u₎) ≥ level; 0 and count + 1 are no samples."""
    from scipy.special import bdtr

    tail = (1 - level) / 2
    below = bdtr(np.arange(count + 1), count, quantile)  # P(at most k samples lie below ξ)
    lower = int(np.searchsorted(below, tail, side="right"))
    upper = int(np.searchsorted(below, 1 - tail, side="left")) + 1
    return lower, upper


def _check(
    samples: ArrayLike, quantile: float, headroom: float, level: float
) -> NDArray[np.float64]:
    values = np.asarray(samples, dtype=np.float64)
    if values.ndim != 1 or len(values) < 2:
        msg = f"samples have shape {values.shape}; allowed is one dimension of two or more samples"
        raise InputError(msg)
    if not np.isfinite(values).all() or (values < 0).any():
        worst = values[~(np.isfinite(values) & (values >= 0))][0]
        msg = f"samples hold {worst}; allowed are finite numbers of 0 or above"
        raise InputError(msg)
    if not values.any():
        msg = "samples are all 0; allowed is a profile of some use: nothing can be sized from none"
        raise InputError(msg)
    for name, value, allowed, fine in (
        ("quantile", quantile, "between 0 and 1, both excluded", 0 < quantile < 1),
        ("headroom", headroom, "a finite number of 0 or above", 0 <= headroom < math.inf),
        ("level", level, "between 0 and 1, both excluded", 0 < level < 1),
    ):
        if not fine:
            msg = f"{name} is {value}; allowed is {allowed}"
            raise InputError(msg)
    return values
