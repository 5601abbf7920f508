"""Compiled loops: the minutes of many services under one policy."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def replicas_for(load, loads):  # type: ignore[no-untyped-def]
    """Find the fewest servers that bear a load, the most there are if none does."""
    low, high = 0, len(loads) - 1
    if load > loads[high]:
        return high
    while low < high:
        middle = (low + high) // 2
        if loads[middle] >= load:
            high = middle
        else:
            low = middle + 1
    return low


@njit(cache=True, nogil=True)
def run(  # type: ignore[no-untyped-def]
    offered, observed, planned, loads, cold_min, warm_min, pool_size, low, high, reactive,
    target, tolerance, window_min, slots, wait_min, first, series
):  # fmt: skip
    """Run the minutes of each service; see `simulate_scaling` for the rules.

    Shapes: offered, observed, planned (services, minutes); loads (servers + 1,). `series` is (5,
    services, minutes) to be filled, or of no minutes. Returns sums of shape (services, 7).
    """
    services, minutes = offered.shape
    totals = np.zeros((services, 7))
    kept = series.shape[2] > 0
    ring = cold_min + 1
    starting, refilling = np.zeros(ring, np.int64), np.zeros(ring, np.int64)
    recent = np.zeros(max(window_min, 1), np.int64)
    for service in range(services):
        starting[:] = 0
        refilling[:] = 0
        ready = min(max(planned[service, 0], low), high)
        if reactive:
            ready = min(max(int(np.ceil(observed[service, 0] / (target * slots))), low), high)
        recent[:] = ready
        pool, pending, filling, backlog, last = pool_size, 0, 0, 0.0, ready
        for minute in range(minutes):
            now = minute % ring
            ready += starting[now]
            pending -= starting[now]
            starting[now] = 0
            pool += refilling[now]
            filling -= refilling[now]
            refilling[now] = 0
            present = ready + pending
            desired = planned[service, minute]
            if reactive:
                ratio = observed[service, minute] / (target * slots * max(present, 1))
                wish = present
                if abs(ratio - 1.0) > tolerance:
                    wish = int(np.ceil(observed[service, minute] / (target * slots) - 1e-9))
                recent[minute % len(recent)] = wish
                for old in recent:
                    # a lower wish waits for the window; a higher one counts at once
                    wish = max(wish, min(old, present))
                desired = max(desired, wish)
            desired = min(max(desired, low), high)
            cold = 0
            if desired > present:
                need = desired - present
                taken = min(pool, need)
                pool -= taken
                if warm_min == 0:
                    ready += taken
                else:
                    starting[(minute + warm_min) % ring] += taken
                    pending += taken
                cold = need - taken
                if cold_min == 0:
                    ready += cold
                else:
                    starting[(minute + cold_min) % ring] += cold
                    pending += cold
                if cold_min == 0:
                    pool += taken
                else:
                    refilling[(minute + cold_min) % ring] += taken
                    filling += taken
            elif desired < present:
                drop = present - desired
                # those that are not up yet go first, the latest of them before the others
                for back in range(ring):
                    place = (minute + cold_min - back) % ring
                    cancelled = min(starting[place], drop)
                    starting[place] -= cancelled
                    pending -= cancelled
                    drop -= cancelled
                ready -= drop
                # a replica that is let go keeps its model: it fills the pool, and a refill ends
                for back in range(ring):
                    place = (minute + cold_min - back) % ring
                    spared = min(refilling[place], drop)
                    refilling[place] -= spared
                    filling -= spared
                    pool += spared
                    drop -= spared
            servers = ready * slots
            load = offered[service, minute]
            backlog = max(0.0, backlog + load - servers)
            bound = loads[servers] if servers < len(loads) else loads[-1]
            # erlang-minutes that wait: with all servers busy, `servers` are worked off in a minute
            late = load > bound or backlog > wait_min * servers
            if kept:
                series[0, service, minute] = ready
                series[1, service, minute] = pending
                series[2, service, minute] = pool + filling
                series[3, service, minute] = 1.0 if late else 0.0
                series[4, service, minute] = backlog
            if minute >= first:
                totals[service, 0] += load
                totals[service, 1] += load if late else 0.0
                totals[service, 2] += 1.0 if late else 0.0
                totals[service, 3] += ready + pending + pool + filling
                totals[service, 4] += 1.0 if desired != last else 0.0
                totals[service, 5] += cold
                totals[service, 6] += max(0, desired - present)
            last = desired
    return totals


@njit(cache=True, nogil=True)
def plan(upper, loads, slots, hold):  # type: ignore[no-untyped-def]
    """Turn upper loads into replicas, each held for `hold` minutes more than it is wished.

    A wish of minute t is for t + hold, so the largest of the last wishes covers all between.
    """
    services, minutes = upper.shape
    planned = np.empty((services, minutes), np.int64)
    wish = np.empty(minutes, np.int64)
    for service in range(services):
        for minute in range(minutes):
            servers = replicas_for(upper[service, minute], loads)
            wish[minute] = (servers + slots - 1) // slots
            most = wish[minute]
            for back in range(1, min(hold, minute) + 1):
                most = max(most, wish[minute - back])
            planned[service, minute] = most
    return planned
