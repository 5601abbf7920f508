"""Forecasts of load over one season and the next: last value, seasonal naive, Holt–Winters.

A forecast at step t knows the values before t and speaks of step t + ahead − 1; ahead 1 is the next
value. Additive Holt–Winters: l(t) = α(y − s(t−m)) + (1−α)(l + b), b(t) = β(l(t) − l) + (1−β)b,
s(t) = γ(y − l − b) + (1−γ)s(t−m), as statsmodels has it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.resilience.forecast import kernel

METHODS = ("last_value", "seasonal_naive", "holt_winters")
# errors fade by a 1,440th a step: the spread is that of the last day at one-minute steps
MEMORY = 1 / 1440
FLOOR = 0.05  # of the mean load: below it an error is not taken relative to the forecast
SMOOTH_STEPS = 15  # the first seasons are few, so their mean is smoothed over neighbours
ALPHAS, GAMMAS = (0.02, 0.05, 0.1, 0.2, 0.4), (0.0, 0.1, 0.3)


@dataclass(frozen=True, slots=True, eq=False)
class Smoothing:
    """Parameters and first state of Holt–Winters, one a series, shapes (series,) but `seasonal`.

    `seasonal` has shape (series, period): what the steps of the first season add to the level.
    """

    alpha: NDArray[np.float64]
    beta: NDArray[np.float64]
    gamma: NDArray[np.float64]
    level: NDArray[np.float64]
    trend: NDArray[np.float64]
    seasonal: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Forecast:
    """Forecasts made at every step, shape (series, steps), and their standard error.

    Column t is for step t + ahead − 1. `sigma` is the running root mean square of the relative
    errors so far, times the forecast.
    """

    mean: NDArray[np.float64]
    sigma: NDArray[np.float64]
    ahead: int

    def upper(self, z: float) -> NDArray[np.float64]:
        """Return mean + z·sigma, at least 0."""
        return np.maximum(self.mean + z * self.sigma, 0.0)


def start_smoothing(
    values: ArrayLike, period: int, *, alpha: float = 0.1, beta: float = 0.0, gamma: float = 0.1
) -> Smoothing:
    """Read the first state of Holt–Winters off the first two seasons.

    Parameters
    ----------
    values
        Shape (series, steps), two seasons or more.
    period
        Steps of a season, 2 or above.
    alpha, beta, gamma
        Weights of the newest value in level, trend and season, 0 to 1.

    Raises
    ------
    InputError
        The history is too short, a value is not finite, or a weight out of range.

    >>> start_smoothing([[1.0, 3.0, 1.0, 3.0]], 2).seasonal.tolist()
    [[-1.0, 1.0]]
    """
    series = _series(values, period)
    for name, weight in (("alpha", alpha), ("beta", beta), ("gamma", gamma)):
        if not 0 <= weight <= 1:
            msg = f"{name} is {weight}; allowed is 0 to 1"
            raise InputError(msg)
    seasons = series[:, : 2 * period].reshape(len(series), 2, period)
    level = seasons.mean(axis=(1, 2))
    around = (seasons - seasons.mean(axis=2, keepdims=True)).mean(axis=1)
    width = min(SMOOTH_STEPS, period // 8 * 2 + 1)
    wrapped = np.concatenate([around, around[:, : width - 1]], axis=1)
    sums = np.cumsum(np.pad(wrapped, ((0, 0), (1, 0))), axis=1)
    means = np.roll((sums[:, width:] - sums[:, :-width]) / width, width // 2, axis=1)
    full = lambda value: np.full(len(series), float(value))  # noqa: E731
    return Smoothing(full(alpha), full(beta), full(gamma), level, full(0), means)


def fit_smoothing(values: ArrayLike, period: int, ahead: int) -> Smoothing:
    """Choose each series' α and γ from a grid by the squared error `ahead` steps ahead.

    The trend stays 0: load over days has a season, and a slope learnt in the morning's rise would
    be carried past the peak. Errors count from the second season on.

    Parameters
    ----------
    values
        History, shape (series, steps), two seasons or more.
    period, ahead
        Steps of a season, and steps ahead that count, 1 or above.

    Raises
    ------
    InputError
        As in `start_smoothing`.
    """
    series = _series(values, period)
    _check_ahead(ahead)
    start = start_smoothing(series, period)
    best = np.full(len(series), np.inf)
    alpha, gamma = start.alpha.copy(), start.gamma.copy()
    for a in ALPHAS:
        for g in GAMMAS:
            error = kernel.squared_error(series, start.level, start.seasonal, a, g, ahead, period)
            better = error < best
            best[better], alpha[better], gamma[better] = error[better], a, g
    return Smoothing(alpha, start.beta, gamma, start.level, start.trend, start.seasonal)


def holt_winters(values: ArrayLike, smoothing: Smoothing, ahead: int) -> Forecast:
    """Forecast every series at every step by additive Holt–Winters.

    Parameters
    ----------
    values
        Shape (series, steps), from the step at which `smoothing` starts.
    smoothing
        Parameters and first state.
    ahead
        Steps ahead, 1 or above.

    Raises
    ------
    InputError
        Shapes do not match, a value is not finite, or `ahead` is below 1.

    Source: Holt, 1957; Winters, Management Science 6 (1960).

    >>> y = [[1.0, 3.0, 1.0, 3.0, 1.0]]
    >>> holt_winters(y, start_smoothing(y, 2), 1).mean.tolist()
    [[1.0, 3.0, 1.0, 3.0, 1.0]]
    """
    series = _series(values, smoothing.seasonal.shape[1], seasons=0)
    _check_ahead(ahead)
    if len(series) != len(smoothing.level):
        msg = f"values has {len(series)} series, smoothing {len(smoothing.level)}; allowed: equal"
        raise InputError(msg)
    s = smoothing
    floor = _floor(series, s.seasonal.shape[1])
    mean, share, _ = kernel.smooth(
        series, s.level, s.trend, s.seasonal, s.alpha, s.beta, s.gamma, ahead, MEMORY, floor
    )
    return Forecast(mean, share * np.maximum(mean, floor[:, None]), ahead)


def seasonal_naive(values: ArrayLike, period: int, ahead: int) -> Forecast:
    """Forecast each step by the value one season before it; the first season by itself.

    Parameters
    ----------
    values, period, ahead
        As in `fit_smoothing`, with `ahead` at most a season.

    Raises
    ------
    InputError
        The history is shorter than two seasons, or `ahead` longer than one.

    >>> seasonal_naive([[1.0, 3.0, 2.0, 4.0]], 2, 1).mean.tolist()
    [[1.0, 3.0, 1.0, 3.0]]
    """
    series = _series(values, period)
    _check_ahead(ahead, period)
    steps = np.arange(series.shape[1]) + ahead - 1
    mean = series[:, np.where(steps < period, steps, steps - period)]
    return _with_errors(series, mean, ahead, period)


def last_value(values: ArrayLike, period: int, ahead: int) -> Forecast:
    """Forecast each step by the newest value: what a rule without a forecast supposes.

    Parameters
    ----------
    values, period, ahead
        As in `seasonal_naive`.

    Raises
    ------
    InputError
        As in `seasonal_naive`.

    >>> last_value([[1.0, 3.0, 2.0, 4.0]], 2, 1).mean.tolist()
    [[1.0, 1.0, 3.0, 2.0]]
    """
    series = _series(values, period)
    _check_ahead(ahead, period)
    return _with_errors(series, np.concatenate([series[:, :1], series[:, :-1]], 1), ahead, period)


def forecast_load(values: ArrayLike, period: int, ahead: int, method: str, known: int) -> Forecast:
    """Forecast by one of `METHODS`; Holt–Winters is fitted on the first `known` steps only.

    Raises
    ------
    InputError
        The method is unknown, or the history shorter than two seasons.

    >>> y = [[1.0, 3.0, 2.0, 4.0]]
    >>> forecast_load(y, 2, 1, "last_value", 4).mean.tolist()
    [[1.0, 1.0, 3.0, 2.0]]
    """
    if method == "holt_winters":
        series = _series(values, period)
        return holt_winters(series, fit_smoothing(series[:, :known], period, ahead), ahead)
    if method not in METHODS:
        msg = f"method is {method!r}; allowed are {', '.join(METHODS)}"
        raise InputError(msg)
    return (last_value if method == "last_value" else seasonal_naive)(values, period, ahead)


def _with_errors(
    series: NDArray[np.float64], mean: NDArray[np.float64], ahead: int, period: int
) -> Forecast:
    floor = _floor(series, period)
    share = kernel.errors_of(series, mean, ahead, MEMORY, floor)
    return Forecast(mean, share * np.maximum(mean, floor[:, None]), ahead)


def _floor(series: NDArray[np.float64], period: int) -> NDArray[np.float64]:
    means: NDArray[np.float64] = np.abs(series[:, : 2 * period]).mean(axis=1)
    return np.maximum(FLOOR * means, 1e-12)


def _series(values: ArrayLike, period: int, seasons: int = 2) -> NDArray[np.float64]:
    series = np.ascontiguousarray(values, dtype=np.float64)
    if series.ndim != 2 or period < 2:
        msg = f"values has shape {series.shape}, period is {period}; allowed: series by steps, 2"
        raise InputError(msg)
    if series.shape[1] < seasons * period:
        msg = (
            f"the history has {series.shape[1]} steps; a season of {period} steps needs"
            f" {seasons * period} or more: two seasons"
        )
        raise InputError(msg)
    if not np.isfinite(series).all():
        msg = "values holds a number that is not finite; allowed are finite numbers"
        raise InputError(msg)
    return series


def _check_ahead(ahead: int, most: int | None = None) -> None:
    if ahead < 1 or (most is not None and ahead > most):
        msg = f"ahead is {ahead}; allowed is 1 or above{f', at most {most}' if most else ''}"
        raise InputError(msg)
