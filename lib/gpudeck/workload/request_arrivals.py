"""When requests arrive: Poisson, gamma, a day's swing, bursts, or the times of a trace.

Each takes either a count of requests or a duration, and a seed, and gives rising times in seconds.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, inf

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.rng import generator
from gpudeck.workload.request import RequestTable

DAY_S = 86_400.0
MAX_ARRIVALS = 50_000_000
_GRID = 4096  # points of a period at which the expected number of arrivals is known


def poisson_arrivals(
    rate_per_s: float, *, count: int | None = None, duration_s: float | None = None, seed: int = 0
) -> NDArray[np.float64]:
    """Draw a Poisson process: independent exponential gaps.

    Parameters
    ----------
    rate_per_s
        Mean rate, above 0.
    count, duration_s
        One of them: how many arrive, or for how long.
    seed
        Seed of the draws.

    Raises
    ------
    InputError
        A number out of range, neither or both of count and duration, or more than 50,000,000.

    >>> poisson_arrivals(2.0, count=3, seed=1).shape
    (3,)
    """
    _check(rate_per_s, count, duration_s)
    rng = generator(seed, "arrivals", "poisson")
    return _renew(lambda n: rng.exponential(1 / rate_per_s, n), rate_per_s, count, duration_s)


def gamma_arrivals(
    rate_per_s: float,
    cv: float,
    *,
    count: int | None = None,
    duration_s: float | None = None,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Draw gaps of a gamma distribution with a coefficient of variation.

    Gaps have the shape 1 / cv² and the mean 1 / rate. With cv 1 it is a Poisson process, above it
    arrivals come in clusters; with 0 all gaps are equal.

    Parameters
    ----------
    rate_per_s
        Mean rate, above 0.
    cv
        Standard deviation of the gaps over their mean, 0 to 100.
    count, duration_s
        One of them: how many arrive, or for how long.
    seed
        Seed of the draws.

    Raises
    ------
    InputError
        A number out of range, neither or both of count and duration, or more than 50,000,000.

    >>> gamma_arrivals(2.0, 0.0, count=3).tolist()
    [0.5, 1.0, 1.5]
    """
    _check(rate_per_s, count, duration_s)
    _require("cv", cv, 0 <= cv <= 100, "0 to 100")
    rng = generator(seed, "arrivals", "gamma")

    def draw(n: int) -> NDArray[np.float64]:
        if cv < 1e-6:
            return np.full(n, 1 / rate_per_s)
        return rng.gamma(cv**-2, cv**2 / rate_per_s, n)

    return _renew(draw, rate_per_s, count, duration_s)


def diurnal_arrivals(
    rate_per_s: float,
    swing: float,
    *,
    count: int | None = None,
    duration_s: float | None = None,
    peak_s: float = 14 * 3600.0,
    period_s: float = DAY_S,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Draw a Poisson process whose rate swings over the day: synthetic, not of any trace.

    λ(t) = rate · (1 + swing · cos(2π (t - peak) / period)), by inverting its integral.

    Parameters
    ----------
    rate_per_s
        Mean rate over a period, above 0.
    swing
        How far it goes up and down, 0 to 1 of the mean.
    count, duration_s
        One of them: how many arrive, or for how long.
    peak_s
        When it is highest.
    period_s
        Length of the swing, above 0; a day if not told.
    seed
        Seed of the draws.

    Raises
    ------
    InputError
        A number out of range, neither or both of count and duration, or more than 50,000,000.

    >>> bool((diurnal_arrivals(0.01, 0.5, duration_s=86400.0, seed=1) < 86400.0).all())
    True
    """
    _check(rate_per_s, count, duration_s)
    _require("swing", swing, 0 <= swing <= 1, "0 to 1")
    _require("period_s", period_s, period_s > 0, "above 0")
    _require("peak_s", peak_s, abs(peak_s) < inf, "any")
    time = np.linspace(0.0, period_s, _GRID + 1)
    turn = 2 * np.pi / period_s
    wave = np.sin(turn * (time - peak_s)) - np.sin(-turn * peak_s)
    expected = rate_per_s * (time + swing / turn * wave)
    return _warp(time, expected, count, duration_s, generator(seed, "arrivals", "diurnal"))


def burst_arrivals(
    rate_per_s: float,
    factor: float,
    *,
    every_s: float,
    length_s: float,
    count: int | None = None,
    duration_s: float | None = None,
    seed: int = 0,
) -> NDArray[np.float64]:
    """Draw a Poisson process with bursts: synthetic, not of any trace.

    The last ``length_s`` of every ``every_s`` have ``factor`` times the rate of the rest; the mean
    rate stays.

    Parameters
    ----------
    rate_per_s
        Mean rate, bursts included, above 0.
    factor
        Rate in a burst over the rate outside, 1 or above.
    every_s, length_s
        Time from one burst to the next, and how long it lasts: 0 < length < every.
    count, duration_s
        One of them: how many arrive, or for how long.
    seed
        Seed of the draws.

    Raises
    ------
    InputError
        A number out of range, neither or both of count and duration, or more than 50,000,000.

    >>> burst_arrivals(5.0, 4.0, every_s=60.0, length_s=10.0, count=8, seed=1).shape
    (8,)
    """
    _check(rate_per_s, count, duration_s)
    _require("factor", factor, 1 <= factor < inf, "1 or above")
    _require("every_s", every_s, 0 < every_s < inf, "above 0")
    _require("length_s", length_s, 0 < length_s < every_s, f"above 0, below {every_s:g}")
    calm_s = every_s - length_s
    calm_rate = rate_per_s * every_s / (calm_s + factor * length_s)
    time = np.array([0.0, calm_s, every_s])
    expected = np.array([0.0, calm_rate * calm_s, rate_per_s * every_s])
    return _warp(time, expected, count, duration_s, generator(seed, "arrivals", "burst"))


def trace_arrivals(
    requests: RequestTable,
    rate_per_s: float | None = None,
    *,
    count: int | None = None,
    duration_s: float | None = None,
) -> NDArray[np.float64]:
    """Take the times of a trace, from its first arrival on, and repeat them if they do not suffice.

    Between the last arrival and the first of the repetition lies a mean gap.

    Parameters
    ----------
    requests
        The trace, of two requests or more that do not all arrive at once.
    rate_per_s
        Mean rate that the time axis is stretched to; as it is if not told.
    count, duration_s
        One of them: how many arrive, or for how long.

    Raises
    ------
    InputError
        A number out of range, neither or both of count and duration, or a trace that is too short.

    >>> trace = RequestTable([5.0, 6.0, 9.0], [1, 1, 1], [1, 1, 1])
    >>> trace_arrivals(trace, count=5).tolist()
    [0.0, 1.0, 4.0, 6.0, 7.0]
    """
    if len(requests) < 2 or requests.duration_s == 0:
        msg = (
            f"the trace has {len(requests)} requests in {requests.duration_s} s; allowed is a span"
        )
        raise InputError(msg)
    rate = requests.rate_per_s if rate_per_s is None else rate_per_s
    _check(rate, count, duration_s)
    time = np.sort(requests.with_rate(rate).arrival_s)
    period_s = time[-1] + 1 / rate
    many = (count or 0) if duration_s is None else ceil(duration_s / period_s) * len(time)
    index = np.arange(many)
    arrival = time[index % len(time)] + index // len(time) * period_s
    return arrival if duration_s is None else arrival[arrival < duration_s]


def _renew(
    draw: Callable[[int], NDArray[np.float64]],
    rate: float,
    count: int | None,
    duration_s: float | None,
) -> NDArray[np.float64]:
    """Add up gaps, up to a count or until the duration is over."""
    if duration_s is None:
        return np.cumsum(draw(count or 0))
    parts, reached, drawn = [np.empty(0)], 0.0, 0
    while reached < duration_s and drawn <= MAX_ARRIVALS:
        more = int((duration_s - reached) * rate * 1.1) + 64
        parts.append(reached + np.cumsum(draw(more)))
        reached, drawn = float(parts[-1][-1]), drawn + more
    arrival = np.concatenate(parts)
    return arrival[arrival < duration_s]


def _warp(
    time: NDArray[np.float64],
    expected: NDArray[np.float64],
    count: int | None,
    duration_s: float | None,
    rng: np.random.Generator,
) -> NDArray[np.float64]:
    """Invert the expected number of arrivals of a period at the times of a unit Poisson process."""
    period_s, per_period = time[-1], expected[-1]
    upto = None
    if duration_s is not None:
        whole, rest = divmod(duration_s, period_s)
        upto = whole * per_period + float(np.interp(rest, time, expected))
    unit = _renew(lambda n: rng.exponential(1.0, n), 1.0, count, upto)
    periods = np.floor(unit / per_period)
    arrival = periods * period_s + np.interp(unit - periods * per_period, expected, time)
    # rounding may put the last one on the end of the duration
    return arrival if duration_s is None else arrival[arrival < duration_s]


def _check(rate: float, count: int | None, duration_s: float | None) -> None:
    _require("rate_per_s", rate, 0 < rate < inf, "above 0, and finite")
    if (count is None) == (duration_s is None):
        msg = f"count is {count}, duration_s is {duration_s}; allowed is one of them"
        raise InputError(msg)
    if count is not None:
        right = isinstance(count, (int, np.integer)) and 0 <= count <= MAX_ARRIVALS
        _require("count", count, right, f"a whole number from 0 to {MAX_ARRIVALS}")
    if duration_s is not None:
        _require("duration_s", duration_s, 0 <= duration_s < inf, "0 or above, and finite")
        allowed = f"so long that at most {MAX_ARRIVALS} requests arrive at {rate:g} a second"
        _require("duration_s", duration_s, duration_s * rate <= MAX_ARRIVALS, allowed)


def _require(name: str, value: object, right: bool, allowed: str) -> None:
    if not right:
        msg = f"{name} is {value}; allowed is {allowed}"
        raise InputError(msg)
