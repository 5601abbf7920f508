"""Confidence intervals of simulated figures, one sample a seed."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with the interval that holds it at the stated confidence level."""

    mean: float
    low: float
    high: float
    level: float = 0.95

    def __post_init__(self) -> None:
        if not self.low <= self.mean <= self.high:
            msg = (
                f"interval is {self.low} to {self.high} with mean {self.mean};"
                " allowed is low <= mean <= high"
            )
            raise InputError(msg)
        _check_level(self.level)

    @property
    def half_width(self) -> float:
        """Half the distance from low to high, for "± x"."""
        return (self.high - self.low) / 2


@dataclass(frozen=True, slots=True)
class Band:
    """Mean, low and high of a curve, point by point."""

    mean: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    level: float = 0.95


def interval_of(samples: ArrayLike, level: float = 0.95) -> Interval:
    """Estimate the mean of independent samples with Student's t interval.

    mean ± t(n - 1, (1 + level)/2) · s/√n, with s the sample's standard deviation (n - 1).

    Parameters
    ----------
    samples
        Values, shape (n,), n of 2 or above: one sample says nothing about its spread.
    level
        Confidence level, between 0 and 1.

    Raises
    ------
    InputError
        Fewer than two samples, a sample that is not finite, or a level outside (0, 1).

    Source: Student, Biometrika 6 (1908).

    >>> interval_of([1.0, 2.0, 3.0]).mean
    2.0
    >>> round(interval_of([1.0, 2.0, 3.0]).half_width, 4)
    2.4841
    """
    values = _samples(samples, dimensions=1)
    _check_count(len(values))
    band = _student(values[:, None], level)
    return Interval(float(band.mean[0]), float(band.low[0]), float(band.high[0]), level)


def interval_of_change(before: ArrayLike, after: ArrayLike) -> Interval | None:
    """Estimate a change in % of what was before, paired; None where that was nothing.

    Parameters
    ----------
    before, after
        Values of the same runs, shape (n,), n of 2 or above.

    Raises
    ------
    InputError
        As in `interval_of`.

    >>> interval_of_change([2.0, 4.0], [3.0, 6.0]).mean
    50.0
    """
    base = np.asarray(before, dtype=np.float64)
    if not (base > 0).all():
        return None
    return interval_of(100 * (np.asarray(after, dtype=np.float64) / base - 1))


def band_of(samples: ArrayLike, axis: int = 0, level: float = 0.95, *, of: str = "mean") -> Band:
    """Draw the band around a curve that was simulated with several seeds.

    Parameters
    ----------
    samples
        Curves, shape (seeds, points), or (points, seeds) with ``axis=1``.
    axis
        The axis that counts the seeds.
    level
        Share of the band, between 0 and 1.
    of
        ``"mean"`` for Student's t interval of the mean, which narrows with more seeds;
        ``"runs"`` for the central percentiles of the runs, 2.5 to 97.5 % at 0.95, widened
        where needed to hold the mean.

    Raises
    ------
    InputError
        Fewer than two seeds, a value that is not finite, an unknown ``of`` or level.

    >>> band_of([[1.0, 5.0], [3.0, 5.0]]).mean.tolist()
    [2.0, 5.0]
    """
    values = np.moveaxis(_samples(samples, dimensions=2), axis, 0)
    _check_count(len(values))
    if of == "mean":
        return _student(values, level)
    if of != "runs":
        msg = f"of is {of!r}; allowed are 'mean' and 'runs'"
        raise InputError(msg)
    _check_level(level)
    mean = values.mean(axis=0)
    low, high = np.quantile(values, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Band(mean, np.minimum(low, mean), np.maximum(high, mean), level)


def _student(values: NDArray[np.float64], level: float) -> Band:
    # Half a second of import that a page without an interval need not pay.
    from scipy.special import stdtrit

    _check_level(level)
    count = len(values)
    mean = values.mean(axis=0)
    reach = stdtrit(count - 1, (1 + level) / 2) * values.std(axis=0, ddof=1) / np.sqrt(count)
    return Band(mean, mean - reach, mean + reach, level)


def _samples(samples: ArrayLike, dimensions: int) -> NDArray[np.float64]:
    values = np.asarray(samples, dtype=np.float64)
    if values.ndim != dimensions:
        msg = f"samples have shape {values.shape}; allowed are {dimensions} dimensions"
        raise InputError(msg)
    if not np.isfinite(values).all():
        msg = "samples hold a value that is not finite; allowed are finite numbers"
        raise InputError(msg)
    return values


def _check_count(count: int) -> None:
    if count < 2:
        msg = f"there is {count} sample; an interval needs 2 or more: raise the number of seeds"
        raise InputError(msg)


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        msg = f"level is {level}; allowed is between 0 and 1, both excluded"
        raise InputError(msg)
