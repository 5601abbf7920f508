"""How large a warm pool has to be for a start to find it empty only rarely.

Each start takes a replica out of the pool and orders another, which is loaded after a refill time;
one that finds the pool empty starts cold and orders none. With starts as a Poisson process this is
Erlang's loss system whatever the distribution of the refill: P(cold) = B(pool, rate · refill).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.resilience.erlang import erlang_b

MAX_POOL = 10_000


def cold_start_probability(
    pool: ArrayLike, starts_per_h: float, refill_s: float
) -> NDArray[np.float64]:
    """Compute the probability that a start finds the warm pool empty.

    Starts that come in clumps, as on a morning's rise, find it empty more often than that.

    Parameters
    ----------
    pool
        Replicas of a full pool, whole, 0 or above, any shape.
    starts_per_h
        Mean rate of starts, 0 or above.
    refill_s
        Time until a replica that was taken is replaced, 0 or above, seconds.

    Raises
    ------
    InputError
        A number is out of range.

    Source: Erlang, 1917; insensitivity to the refill's distribution: Sevastyanov, 1957.

    >>> cold_start_probability([0, 1, 2], 12.0, 300.0).tolist()
    [1.0, 0.5, 0.2]
    """
    for name, value in (("starts_per_h", starts_per_h), ("refill_s", refill_s)):
        if not 0 <= value < np.inf:
            msg = f"{name} is {value}; allowed are finite numbers of 0 or above"
            raise InputError(msg)
    return erlang_b(pool, starts_per_h * refill_s / 3600)


def smallest_pool(starts_per_h: float, refill_s: float, cold: float) -> int:
    """Find the smallest pool with which at most the share `cold` of the starts is cold.

    Parameters
    ----------
    starts_per_h, refill_s
        As in `cold_start_probability`.
    cold
        Probability of a cold start that is accepted, above 0 to 1.

    Raises
    ------
    InputError
        A number is out of range, or more than 10,000 replicas would be needed.

    >>> smallest_pool(12.0, 300.0, 0.05)
    4
    """
    if not 0 < cold <= 1:
        msg = f"cold is {cold}; allowed is a probability above 0 to 1"
        raise InputError(msg)
    offered = starts_per_h * refill_s / 3600
    cold_start_probability(0, starts_per_h, refill_s)
    block = 1.0
    for pool in range(MAX_POOL + 1):
        if pool:
            block = offered * block / (pool + offered * block)
        if block <= cold:
            return pool
    msg = f"{starts_per_h} starts an hour of {refill_s} s need more than {MAX_POOL} replicas"
    raise InputError(msg)
