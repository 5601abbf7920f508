"""Compiled loops: the minutes of many services under one policy."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def replicas_for(load, loads):
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
def _arrive(state, starting, refilling, place):
    """Let what is due come up; state is ready, pending, pool, filling."""
    state[0] += starting[place]
    state[1] -= starting[place]
    starting[place] = 0
    state[2] += refilling[place]
    state[3] -= refilling[place]
    refilling[place] = 0


@njit(cache=True, nogil=True)
def _wish(present, seen, per_replica, tolerance, recent, place):
    """Apply the reactive rule: tolerance, and a window before a lower wish counts."""
    wish = present
    if abs(seen / (per_replica * max(present, 1)) - 1.0) > tolerance:
        wish = int(np.ceil(seen / per_replica - 1e-9))
    recent[place] = wish
    for old in recent:
        # a lower wish waits for the window; a higher one counts at once
        wish = max(wish, min(old, present))
    return wish


@njit(cache=True, nogil=True)
def _start(state, starting, refilling, minute, need, cold_min, warm_min):
    """Take replicas out of the pool and order others; start the rest cold, and count these."""
    ring = len(starting)
    taken = min(state[2], need)
    cold = need - taken
    state[2] -= taken
    if warm_min == 0:
        state[0] += taken
    else:
        starting[(minute + warm_min) % ring] += taken
        state[1] += taken
    if cold_min == 0:
        state[0] += cold
        state[2] += taken
    else:
        starting[(minute + cold_min) % ring] += cold
        state[1] += cold
        refilling[(minute + cold_min) % ring] += taken
        state[3] += taken
    return cold


@njit(cache=True, nogil=True)
def _release(state, starting, refilling, minute, drop, cold_min):
    """Let replicas go: those not up yet first, the latest of them before the others."""
    ring = len(starting)
    for back in range(ring):
        place = (minute + cold_min - back) % ring
        cancelled = min(starting[place], drop)
        starting[place] -= cancelled
        state[1] -= cancelled
        drop -= cancelled
    state[0] -= drop
    # a replica that is let go keeps its model: it fills the pool, and a refill ends
    for back in range(ring):
        place = (minute + cold_min - back) % ring
        spared = min(refilling[place], drop)
        refilling[place] -= spared
        state[3] -= spared
        state[2] += spared
        drop -= spared


@njit(cache=True, nogil=True)
def _keep(series, service, minute, state, late, backlog):
    series[0, service, minute] = state[0]
    series[1, service, minute] = state[1]
    series[2, service, minute] = state[2] + state[3]
    series[3, service, minute] = 1.0 if late else 0.0
    series[4, service, minute] = backlog


@njit(cache=True, nogil=True)
def _count(row, load, late, state, changed, cold, wanted):
    row[0] += load
    row[1] += load if late else 0.0
    row[2] += 1.0 if late else 0.0
    row[3] += state.sum()
    row[4] += 1.0 if changed else 0.0
    row[5] += cold
    row[6] += wanted


@njit(cache=True, nogil=True)
def run(
    offered, observed, planned, loads, cold_min, warm_min, pool_size, low, high, reactive,
    target, tolerance, window_min, slots, wait_min, first, series
):  # fmt: skip
    """Run the minutes of each service; see `simulate_scaling` for the rules.

    Shapes: offered, observed, planned (services, minutes); loads (servers + 1,). `series` is (5,
    services, minutes) to be filled, or of no minutes. Returns sums of shape (services, 7).
    """
    totals = np.zeros((offered.shape[0], 7))
    kept = series.shape[2] > 0
    ring, per_replica = cold_min + 1, target * slots
    starting, refilling = np.zeros(ring, np.int64), np.zeros(ring, np.int64)
    recent = np.zeros(max(window_min, 1), np.int64)
    state = np.zeros(4, np.int64)
    for service in range(offered.shape[0]):
        starting[:] = 0
        refilling[:] = 0
        desired = planned[service, 0]
        if reactive:
            desired = max(desired, int(np.ceil(observed[service, 0] / per_replica)))
        desired = min(max(desired, low), high)
        state[:] = np.array([desired, 0, pool_size, 0])
        recent[:] = desired
        backlog, last = 0.0, desired
        for minute in range(offered.shape[1]):
            _arrive(state, starting, refilling, minute % ring)
            present = state[0] + state[1]
            desired = planned[service, minute]
            if reactive:
                seen, place = observed[service, minute], minute % len(recent)
                wish = _wish(present, seen, per_replica, tolerance, recent, place)
                desired = max(desired, wish)
            desired = min(max(desired, low), high)
            cold = 0
            if desired > present:
                need = desired - present
                cold = _start(state, starting, refilling, minute, need, cold_min, warm_min)
            elif desired < present:
                _release(state, starting, refilling, minute, present - desired, cold_min)
            servers = state[0] * slots
            load = offered[service, minute]
            backlog = max(0.0, backlog + load - servers)
            # erlang-minutes that wait: with all servers busy, `servers` are worked off in a minute
            late = load > loads[servers] or backlog > wait_min * servers
            if kept:
                _keep(series, service, minute, state, late, backlog)
            if minute >= first:
                wanted = max(0, desired - present)
                _count(totals[service], load, late, state, desired != last, cold, wanted)
            last = desired
    return totals


@njit(cache=True, nogil=True)
def plan(upper, loads, slots, hold):
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
