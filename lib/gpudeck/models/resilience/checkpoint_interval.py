"""How often to save: Young's and Daly's intervals, the exact optimum, and the efficiency of each.

A job of mean time between failures M works for τ, stops for δ to save, and after a failure needs R
before it works again. Failures are a Poisson process and may fall into a save or a recovery.
"""

from __future__ import annotations

from math import log1p, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError

_STEPS = 60


def young_interval(stall_s: float, mtbf_s: float) -> float:
    """Return Young's interval √(2δM), first order in δ/M, in seconds.

    Parameters
    ----------
    stall_s
        Time δ for which a save stops the job, seconds, above 0.
    mtbf_s
        Mean time M between failures of the job, seconds, above 0.

    Raises
    ------
    InputError
        A time is not above 0.

    Source: Young, Communications of the ACM 17 (1974).

    >>> round(young_interval(60, 86_400), 3)
    3219.938
    """
    _check(stall_s, mtbf_s)
    return sqrt(2 * stall_s * mtbf_s)


def daly_interval(stall_s: float, mtbf_s: float) -> float:
    """Return Daly's interval √(2δM)·[1 + ⅓√(δ/2M) + δ/18M] − δ, and M where δ ≥ 2M.

    Parameters
    ----------
    stall_s, mtbf_s
        As in `young_interval`.

    Raises
    ------
    InputError
        A time is not above 0.

    Source: Daly, Future Generation Computer Systems 22 (2006), equation 37.

    >>> round(daly_interval(60, 10_800), 3)
    1098.771
    """
    _check(stall_s, mtbf_s)
    if stall_s >= 2 * mtbf_s:
        return mtbf_s
    half = stall_s / (2 * mtbf_s)
    return sqrt(2 * stall_s * mtbf_s) * (1 + sqrt(half) / 3 + half / 9) - stall_s


def exact_interval(stall_s: float, mtbf_s: float) -> float:
    """Return the interval of the greatest efficiency, which solves 1 − τ/M = e^(−(τ+δ)/M).

    It does not depend on the time that a recovery takes. Found by Newton's method on
    log(1 − τ/M) + τ/M + δ/M = 0, kept between its ends.

    Parameters
    ----------
    stall_s, mtbf_s
        As in `young_interval`.

    Raises
    ------
    InputError
        A time is not above 0.

    >>> round(exact_interval(60, 10_800), 2)
    1098.78
    """
    _check(stall_s, mtbf_s)
    ratio = stall_s / mtbf_s
    if ratio < 1e-9:
        # log(1 − t) + t would keep no digit: here Daly's series is exact to all that are left
        return daly_interval(stall_s, mtbf_s)
    low, high = 0.0, 1.0
    share = min(sqrt(2 * ratio), 0.5)
    for _ in range(_STEPS):
        value = log1p(-share) + share + ratio
        low, high = (share, high) if value > 0 else (low, share)
        following = share + value * (1 - share) / share
        share = following if low < following < high else (low + high) / 2
    return share * mtbf_s


def best_interval(stall_s: float, mtbf_s: float, floor_s: float = 0.0) -> float:
    """Return the exact optimum, or the floor where saving takes longer than that.

    Parameters
    ----------
    stall_s, mtbf_s
        As in `young_interval`.
    floor_s
        Shortest interval that is possible: the time until a save is complete, 0 or above.

    Raises
    ------
    InputError
        A time is out of range.

    >>> best_interval(60, 10_800, floor_s=1500)
    1500.0
    """
    if not 0 <= floor_s < float("inf"):
        msg = f"floor_s is {floor_s}; allowed are finite numbers of 0 or above"
        raise InputError(msg)
    return max(exact_interval(stall_s, mtbf_s), float(floor_s))


def efficiency(
    interval_s: ArrayLike,
    stall_s: float,
    mtbf_s: float,
    recovery_s: float = 0.0,
    pending_s: float = 0.0,
) -> NDArray[np.float64]:
    """Return the share of time that is kept work: τ / (M·e^((R+s)/M)·(e^((τ+δ)/M) − 1)).

    With s = 0 this is Daly's. An asynchronous save is complete only s after its stall; a failure
    before that falls back one save further. A renewal argument over the moments at which saves
    become complete gives the same formula with R + s in place of R, exactly, while s ≤ τ + δ.

    Parameters
    ----------
    interval_s
        Work τ between two saves, seconds above 0, any shape.
    stall_s
        Time δ for which a save stops the job, seconds, 0 or above.
    mtbf_s
        Mean time M between failures, seconds, above 0.
    recovery_s
        Time R from a failure until the job works again, seconds, 0 or above.
    pending_s
        Time s after the stall until the save is complete, 0 or above; at most τ + δ.

    Returns
    -------
    numpy.ndarray
        Numbers from 0 to 1, shape of `interval_s`; 0 where a job gets nowhere.

    Raises
    ------
    InputError
        A time is out of range, or a save is slower than its interval.

    Source: Daly, Future Generation Computer Systems 22 (2006), equation 20.

    >>> round(float(efficiency(1098.7713218450797, 60, 10_800, 600)), 10)
    0.8497189284
    """
    times = np.asarray(interval_s, dtype=float)
    for name, value in (("stall_s", stall_s), ("recovery_s", recovery_s), ("pending_s", pending_s)):
        if not 0 <= value < float("inf"):
            msg = f"{name} is {value}; allowed are finite numbers of 0 or above"
            raise InputError(msg)
    _check_mtbf(mtbf_s)
    if not ((times > 0) & np.isfinite(times)).all():
        msg = f"interval_s is {times}; allowed are finite numbers above 0"
        raise InputError(msg)
    if (pending_s > times + stall_s).any():
        msg = (
            f"a save takes {pending_s} s and its interval is {times.min()} s; allowed is an"
            " interval that is not shorter than the save"
        )
        raise InputError(msg)
    cycle = (times + stall_s) / mtbf_s
    # log(e^x − 1) without overflow
    logarithm = np.log(times / mtbf_s) - (recovery_s + pending_s) / mtbf_s
    shares: NDArray[np.float64] = np.exp(logarithm - cycle - np.log1p(-np.exp(-cycle)))
    return np.minimum(shares, 1.0)


def first_order_waste(interval_s: float, stall_s: float, mtbf_s: float) -> float:
    """Return the waste δ/τ + τ/2M of saving and redoing, as a share of the useful time.

    Parameters
    ----------
    interval_s
        Work τ between two saves, seconds, above 0.
    stall_s, mtbf_s
        As in `young_interval`.

    Raises
    ------
    InputError
        A time is not above 0.

    Source: Young, Communications of the ACM 17 (1974).

    >>> round(first_order_waste(young_interval(60, 86_400), 60, 86_400), 6)
    0.037268
    """
    _check(stall_s, mtbf_s)
    if not 0 < interval_s < float("inf"):
        msg = f"interval_s is {interval_s}; allowed are finite numbers above 0"
        raise InputError(msg)
    return stall_s / interval_s + interval_s / (2 * mtbf_s)


def _check(stall_s: float, mtbf_s: float) -> None:
    if not 0 < stall_s < float("inf"):
        msg = f"stall_s is {stall_s}; allowed are finite numbers above 0"
        raise InputError(msg)
    _check_mtbf(mtbf_s)


def _check_mtbf(mtbf_s: float) -> None:
    if not 0 < mtbf_s < float("inf"):
        msg = f"mtbf_s is {mtbf_s}; allowed are finite numbers above 0"
        raise InputError(msg)
