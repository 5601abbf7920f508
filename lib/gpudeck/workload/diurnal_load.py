"""Synthetic load of services over days: a measured day's profile, repeated, with a spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.rng import generator
from gpudeck.workload.load_series import DiurnalProfile

DAY_MIN = 1440


@dataclass(frozen=True, slots=True)
class Spread:
    """How a synthetic load strays from its daily profile.

    Parameters
    ----------
    noise
        Standard deviation of a minute about its half hour, over its level, 0 to 1.
    correlation
        Of one minute with the next, 0 to below 1: the noise is a first-order autoregression.
    day
        Standard deviation of a whole day's level over the mean, 0 to 1: days are lognormal.
    bursts_per_day
        Sudden surges that no history announces, a Poisson process, 0 or above.
    burst_factor, burst_min
        Load in a surge over what it would be, 1 or above, and its length in minutes.
    """

    noise: float
    correlation: float
    day: float
    bursts_per_day: float = 0.0
    burst_factor: float = 1.0
    burst_min: int = 30

    def __post_init__(self) -> None:
        ranges = (
            ("noise", self.noise, 0 <= self.noise <= 1, "0 to 1"),
            ("correlation", self.correlation, 0 <= self.correlation < 1, "0 to below 1"),
            ("day", self.day, 0 <= self.day <= 1, "0 to 1"),
            ("bursts_per_day", self.bursts_per_day, 0 <= self.bursts_per_day <= 100, "0 to 100"),
            ("burst_factor", self.burst_factor, 1 <= self.burst_factor <= 100, "1 to 100"),
            ("burst_min", self.burst_min, 1 <= self.burst_min <= DAY_MIN, f"1 to {DAY_MIN}"),
        )
        for name, value, right, allowed in ranges:
            if not right:
                msg = f"{name} is {value}; allowed is {allowed}"
                raise InputError(msg)


def draw_load(
    profile: DiurnalProfile, peak_per_s: float, days: int, spread: Spread, seeds: list[int]
) -> NDArray[np.float64]:
    """Draw the rate of requests minute by minute, one row a seed.

    rate(t) = peak · profile(t) · day(t) · (1 + noise(t)), and times the factor in a surge; noise is
    cut off at −1.

    Parameters
    ----------
    profile
        The day that is repeated.
    peak_per_s
        Mean rate in the peak hour, above 0, requests a second.
    days
        Whole days, 1 or above.
    spread
        How the load strays from the profile.
    seeds
        One a service or run.

    Returns
    -------
    numpy.ndarray
        Requests a second, shape (seeds, 1440 · days).

    Raises
    ------
    InputError
        The peak is not above 0, or there is no day.

    >>> from gpudeck.workload.load_series import read_diurnal_profile
    >>> draw_load(read_diurnal_profile(), 10.0, 1, Spread(0, 0, 0), [0]).shape
    (1, 1440)
    """
    if not 0 < peak_per_s < np.inf or days < 1:
        msg = f"peak_per_s is {peak_per_s}, days is {days}; allowed are a rate above 0 and a day"
        raise InputError(msg)
    base = peak_per_s * profile.at_minutes(days * DAY_MIN)
    return np.stack([base * _stray(spread, days, seed) for seed in seeds])


def count_arrivals(rate_per_s: NDArray[np.float64], seeds: list[int]) -> NDArray[np.float64]:
    """Draw what a monitor sees: arrivals of each minute, Poisson, in requests a second.

    Parameters
    ----------
    rate_per_s
        Shape (services, minutes).
    seeds
        One a service.
    """
    rows = zip(rate_per_s, seeds, strict=True)
    return np.stack([generator(s, "autoscaling", "count").poisson(60 * r) / 60 for r, s in rows])


def _stray(spread: Spread, days: int, seed: int) -> NDArray[np.float64]:
    from scipy.signal import lfilter

    rng = generator(seed, "autoscaling", "load")
    minutes = days * DAY_MIN
    sigma = np.sqrt(np.log1p(spread.day**2))
    day = np.exp(sigma * rng.standard_normal(days) - sigma**2 / 2)
    fresh = rng.standard_normal(minutes) * np.sqrt(1 - spread.correlation**2)
    noise = spread.noise * lfilter([1.0], [1.0, -spread.correlation], fresh)
    factor = np.maximum(1 + noise, 0) * np.repeat(day, DAY_MIN)
    for start in rng.integers(minutes, size=rng.poisson(spread.bursts_per_day * days)):
        factor[start : start + spread.burst_min] *= spread.burst_factor
    return factor
