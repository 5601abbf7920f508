"""Erlang's formulas: how often, and how long, a request waits for one of several servers."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.resilience.erlang import kernel

_Compiled = Callable[[NDArray[np.int64], NDArray[np.float64]], NDArray[np.float64]]

MAX_SERVERS = 100_000
_BISECTIONS = 60


def erlang_b(servers: ArrayLike, offered: ArrayLike) -> NDArray[np.float64]:
    """Compute the probability that all servers are busy and an arrival is lost.

    B(0) = 1, B(k) = A·B(k−1) / (k + A·B(k−1)): no factorial, stable for any size.

    Parameters
    ----------
    servers
        Number of servers, 0 or above, whole, any shape.
    offered
        Offered load A = arrival rate · service time, 0 or above, in erlang.

    Raises
    ------
    InputError
        A number is out of range.

    Source: Erlang, 1917; the recursion as in Jagerman, Bell System Technical Journal 53 (1974).

    >>> round(float(erlang_b(2, 1.0)), 4)
    0.2
    """
    return _pairs(kernel.erlang_b, servers, offered)


def erlang_c(servers: ArrayLike, offered: ArrayLike) -> NDArray[np.float64]:
    """Compute the probability that an arrival waits: C = B / (1 − (A/c)(1 − B)), and 1 if A ≥ c.

    Parameters
    ----------
    servers, offered
        As in `erlang_b`. With as much load as servers or more, the queue grows without end, and
        every arrival waits.

    Raises
    ------
    InputError
        A number is out of range.

    Source: Erlang, 1917.

    >>> round(float(erlang_c(14, 10.0)), 6), float(erlang_c(8, 8.0))
    (0.174132, 1.0)
    """
    return _pairs(kernel.erlang_c, servers, offered)


def mean_wait(servers: ArrayLike, offered: ArrayLike, service_s: float) -> NDArray[np.float64]:
    """Compute the mean time that an arrival waits, C·s / (c − A) in seconds; infinite if A ≥ c.

    Parameters
    ----------
    servers, offered
        As in `erlang_b`.
    service_s
        Mean service time s, above 0, in seconds.

    Raises
    ------
    InputError
        A number is out of range.

    >>> float(mean_wait(1, 0.8, 1.0)), float(mean_wait(4, 5.0, 1.0))
    (4.000000000000001, inf)
    """
    _check_service(service_s)
    waits = erlang_c(servers, offered)
    spare = np.asarray(servers, dtype=float) - np.asarray(offered, dtype=float)
    return np.where(spare > 0, waits * service_s / np.where(spare > 0, spare, 1), np.inf)


def late_share(
    servers: ArrayLike, offered: ArrayLike, service_s: float, wait_s: float
) -> NDArray[np.float64]:
    """Compute the share of arrivals that wait longer than `wait_s`: C·e^(−(c − A)·t/s).

    Parameters
    ----------
    servers, offered, service_s
        As in `mean_wait`.
    wait_s
        The wait t that is allowed, 0 or above, in seconds.

    Raises
    ------
    InputError
        A number is out of range.

    Source: pyworkforce, queuing.ErlangC (its `service_level` is 1 − this).

    >>> round(1 - float(late_share(14, 10.0, 180.0, 20.0)), 6)
    0.88835
    """
    _check_service(service_s)
    _check_number("wait_s", wait_s, 0)
    waits = erlang_c(servers, offered)
    spare = np.asarray(servers, dtype=float) - np.asarray(offered, dtype=float)
    return waits * np.exp(-np.maximum(spare, 0) * wait_s / service_s)


def largest_loads(
    servers: int, service_s: float, wait_s: float, late_pct: float
) -> NDArray[np.float64]:
    """Find the greatest load at which no more than `late_pct` % wait too long, by servers.

    Parameters
    ----------
    servers
        Up to how many servers, 1 to 100,000.
    service_s, wait_s
        As in `late_share`.
    late_pct
        Share of the arrivals that may wait longer than `wait_s`, above 0 and below 100, in %.

    Returns
    -------
    Offered load in erlang, shape (servers + 1,), rising; 0 servers bear no load.

    Raises
    ------
    InputError
        A number is out of range.

    >>> [round(float(load), 3) for load in largest_loads(2, 10.0, 0.0, 20.0)]
    [0.0, 0.2, 0.74]
    """
    _check_service(service_s)
    _check_number("wait_s", wait_s, 0)
    if not 1 <= servers <= MAX_SERVERS:
        msg = f"servers is {servers!r}; allowed are 1 to {MAX_SERVERS}"
        raise InputError(msg)
    if not 0 < late_pct < 100:
        msg = f"late_pct is {late_pct}; allowed is above 0 and below 100"
        raise InputError(msg)
    return kernel.largest_loads(servers, wait_s / service_s, late_pct / 100, _BISECTIONS)


def _pairs(function: _Compiled, servers: ArrayLike, offered: ArrayLike) -> NDArray[np.float64]:
    counts, loads = np.asarray(servers, dtype=float), np.asarray(offered, dtype=float)
    if not ((counts >= 0) & (counts <= MAX_SERVERS) & (counts == np.floor(counts))).all():
        msg = f"servers is {servers!r}; allowed are whole numbers from 0 to {MAX_SERVERS}"
        raise InputError(msg)
    if not ((loads >= 0) & np.isfinite(loads)).all():
        msg = f"offered is {offered!r}; allowed are finite numbers of 0 or above"
        raise InputError(msg)
    counts, loads = np.broadcast_arrays(counts, loads)
    flat = function(counts.ravel().astype(np.int64), loads.ravel())
    return np.asarray(flat).reshape(counts.shape)


def _check_service(service_s: float) -> None:
    if not 0 < service_s < np.inf:
        msg = f"service_s is {service_s}; allowed are finite numbers above 0"
        raise InputError(msg)


def _check_number(name: str, value: float, low: float) -> None:
    if not low <= value < np.inf:
        msg = f"{name} is {value}; allowed are finite numbers of {low:g} or above"
        raise InputError(msg)
