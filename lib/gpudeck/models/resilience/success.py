"""Did the job succeed: its work done before a deadline, with no more restarts than it may have."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudeck.errors import InputError
from gpudeck.interval import Interval
from gpudeck.models.resilience.simulate import RunResult


@dataclass(frozen=True, slots=True)
class SuccessRate:
    """Part of the runs that succeeded, with the interval that a few runs leave open."""

    share: Interval
    succeeded: int
    runs: int


def success_rate(
    result: RunResult, deadline_s: float, retries: int | None = None, level: float = 0.95
) -> SuccessRate:
    """Count the runs that finished by a deadline within their retries; Wilson's interval.

    (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n): it stays within 0 and 1, and is not of no
    width where all or none succeed.

    Parameters
    ----------
    result
        From `simulate_runs`, with a finite amount of work and a horizon not before the deadline.
    deadline_s
        Latest moment, seconds after the start, above 0.
    retries
        Failures after which the job is given up; None for no limit.
    level
        Level of the interval, above 0 and below 1.

    Raises
    ------
    InputError
        The deadline is not above 0, retries are negative, or the level is no level.

    Source: Wilson, Journal of the American Statistical Association 22 (1927).
    """
    from scipy.special import ndtri

    if not deadline_s > 0:
        msg = f"deadline_s is {deadline_s}; allowed are numbers above 0"
        raise InputError(msg)
    if retries is not None and retries < 0:
        msg = f"retries is {retries}; allowed are whole numbers of 0 or above, or None"
        raise InputError(msg)
    if not 0 < level < 1:
        msg = f"level is {level}; allowed is between 0 and 1, both excluded"
        raise InputError(msg)
    good = result.finished & (result.wall_s <= deadline_s)
    if retries is not None:
        good &= result.failures <= retries
    runs, succeeded = len(good), int(np.count_nonzero(good))
    z, share = float(ndtri((1 + level) / 2)), succeeded / runs
    middle = share + z * z / (2 * runs)
    reach = z * (share * (1 - share) / runs + z * z / (4 * runs * runs)) ** 0.5
    scale = 1 + z * z / runs
    low, high = max(0.0, (middle - reach) / scale), min(1.0, (middle + reach) / scale)
    interval = Interval(share, min(low, share), max(high, share), level)
    return SuccessRate(interval, succeeded, runs)
