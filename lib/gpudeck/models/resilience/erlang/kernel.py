"""Compiled recursion of Erlang's formulas."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _block(servers, offered):
    block = 1.0
    for count in range(1, servers + 1):
        block = offered * block / (count + offered * block)
    return block


@njit(cache=True, nogil=True)
def _wait(servers, offered):
    if offered >= servers:
        return 1.0 if offered > 0.0 or servers == 0 else 0.0
    block = _block(servers, offered)
    return block / (1.0 - offered / servers * (1.0 - block))


@njit(cache=True, nogil=True)
def erlang_b(servers, offered):
    """Give the loss probability of each pair."""
    result = np.empty(len(servers))
    for index in range(len(servers)):
        result[index] = _block(servers[index], offered[index])
    return result


@njit(cache=True, nogil=True)
def erlang_c(servers, offered):
    """Give the probability to wait of each pair."""
    result = np.empty(len(servers))
    for index in range(len(servers)):
        result[index] = _wait(servers[index], offered[index])
    return result


@njit(cache=True, nogil=True)
def largest_loads(servers, waits, late, bisections):
    """Bisect, for each number of servers, the load at which the late share is `late`."""
    loads = np.zeros(servers + 1)
    for count in range(1, servers + 1):
        # the bound rises by less than two with each server, which saves most of the search
        low, high = loads[count - 1], min(float(count), loads[count - 1] + 2.0)
        for _ in range(bisections):
            middle = 0.5 * (low + high)
            share = _wait(count, middle) * np.exp(-(count - middle) * waits)
            if share <= late:
                low = middle
            else:
                high = middle
            if high - low < 1e-10 * count:
                break
        loads[count] = low
    return loads
