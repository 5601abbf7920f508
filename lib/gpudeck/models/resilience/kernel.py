"""Compiled event simulation of a training run: from failure to failure, without a step between."""

from math import cos, exp, log, pi, sqrt

import numpy as np
from numba import njit, uint64

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
MIX_2 = np.uint64(0x94D049BB133111EB)
SLOTS = np.uint64(256)
# what is drawn for a failure: each use of chance has its slot
GAP, COMPONENT, BURST, SURVIVE, NORMAL_1, NORMAL_2, THIN, REPLACE = range(8)
# columns of the times of a run
USEFUL, REWORK, STALL, DETECT, RESTART, WAIT, LOAD, SLOWED = range(8)
TIMES = 8
# how a run ended
FINISHED, OUT_OF_TIME, GAVE_UP = range(3)


@njit(cache=True)
def uniform(seed, index, slot):
    """Return draw `slot` of failure `index` of a run, in (0, 1): SplitMix64, no state.

    The same failure has the same draws whatever protects the job: common random numbers.
    """
    z = uint64(seed) + GOLDEN * (uint64(index) * SLOTS + uint64(slot) + uint64(1))
    z = (z ^ (z >> uint64(30))) * MIX_1
    z = (z ^ (z >> uint64(27))) * MIX_2
    z = z ^ (z >> uint64(31))
    return (float(z >> uint64(11)) + 0.5) / 9007199254740992.0


@njit(cache=True)
def training_time(elapsed, interval, stall):
    """Return how much of a stretch was training: interval by interval, a stall after each."""
    cycle = interval + stall
    cycles = np.floor(elapsed / cycle)
    return cycles * interval + min(elapsed - cycles * cycle, interval)


@njit(cache=True)
def complete_saves(elapsed, save, cycle, every):
    """Return how many intervals of a stretch are safe: saves made and complete, every so many."""
    complete = max(0.0, np.floor((elapsed - save) / cycle))
    return complete - complete % every


@njit(cache=True)
def stretch_needed(work, speed, interval, stall):
    """Return the time to do some work from a fresh start: no save after the last piece."""
    if work <= 0.0 or work == np.inf:
        return max(work, 0.0)
    seconds = work / speed
    return seconds + max(0.0, np.ceil(seconds / interval) - 1.0) * stall


@njit(cache=True)
def count_returned(back, count, now):
    """Count the nodes that are back by a time; `back` is sorted."""
    low, high = 0, count
    while low < high:
        middle = (low + high) // 2
        if back[middle] <= now:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True)
def drop_returned(back, count, now):
    """Forget the nodes that are back by now; return how many are still out."""
    returned = count_returned(back, count, now)
    if returned > 0:
        for i in range(returned, count):
            back[i - returned] = back[i]
    return count - returned


@njit(cache=True)
def next_return(back, count, now):
    """Return when the next node is back after now, or infinity."""
    returned = count_returned(back, count, now)
    return back[returned] if returned < count else np.inf


@njit(cache=True)
def lose_nodes(seed, index, hit, now, replace, back, out):
    """Put nodes on the sorted list of those that are out, each with its own time of return."""
    for i in range(hit):
        # no more nodes can be out than there are
        if out < len(back):
            at = now - log(uniform(seed, index, REPLACE + i)) * replace
            place = out
            while place > 0 and back[place - 1] > at:
                back[place] = back[place - 1]
                place -= 1
            back[place] = at
            out += 1
    return out


@njit(cache=True)
def draw_component(seed, index, shares):
    """Return which component fails."""
    component, left = 0, uniform(seed, index, COMPONENT)
    while component < len(shares) - 1 and left >= shares[component]:
        left -= shares[component]
        component += 1
    return component


@njit(cache=True)
def draw_restart(seed, index, median, sigma):
    """Return how long this restart takes: log-normal, fixed at sigma 0."""
    if sigma == 0.0:
        return median
    radius = sqrt(-2.0 * log(uniform(seed, index, NORMAL_1)))
    return median * exp(sigma * radius * cos(2.0 * pi * uniform(seed, index, NORMAL_2)))


@njit(cache=True)
def close_outage(times, spent, missing, detect, wait, load):
    """Account an outage, the last `missing` seconds of which lie beyond the end of the run."""
    cut = min(load, missing)
    load, missing = load - cut, missing - cut
    wait -= min(wait, missing)
    detect = min(detect, spent - load - wait)
    times[DETECT] += detect
    times[WAIT] += wait
    times[LOAD] += load
    # what remains is the restart, and what earlier attempts took before they were cut short
    times[RESTART] += spent - detect - wait - load


@njit(cache=True)
def run_one(  # noqa: PLR0915
    seed, mean_gap, shares, takes_node, burst_share, burst_nodes, replace,
    nodes, replica_nodes, needed, spares, work, horizon, most_draws,
    interval, stall, save, load, every, storage_save, storage_load, in_memory, survive,
    detection, restart_median, restart_sigma, restart_mean,
    back, times, by_component, records,
):  # fmt: skip
    """Simulate one run; fill times, failures by component and recovery times.

    Returns how it ended, when, and the failures, recoveries recorded, and recoveries from storage.
    """
    replicas = nodes // replica_nodes
    cycle = interval + stall
    # a stretch of training begins at `start` with `base` work kept; an outage ends at `start`
    start, base, speed, in_outage = 0.0, 0.0, 1.0, False
    memory_work, storage_work = 0.0, 0.0
    outage, at_failure, lost_nodes, survive_draw, counted = 0.0, 0.0, 0, 1.0, False
    d_detect, d_wait, d_load = 0.0, 0.0, 0.0
    out, recorded, failures, from_storage, status = 0, 0, 0, 0, OUT_OF_TIME
    index = 0
    failure = -log(uniform(seed, 0, GAP)) * mean_gap
    while True:
        if index >= most_draws:
            horizon, status = min(horizon, failure), GAVE_UP
        if in_outage and failure >= min(start, horizon):
            until, lost = min(start, horizon), at_failure - base
            close_outage(times, until - outage, start - until, d_detect, d_wait, d_load)
            times[REWORK] += lost
            in_outage = False
            if start >= horizon:
                times[USEFUL] = base
                return status, horizon, failures, recorded, from_storage
            # a node that came back while the job was loading takes part at once
            out = drop_returned(back, out, start)
            speed = max(speed, min(1.0, ((nodes + spares - out) // replica_nodes) / replicas))
            if counted and recorded < len(records):
                records[recorded] = start - outage + lost / speed
                recorded += 1
            counted = False
        if not in_outage:
            done = start + stretch_needed(work - base, speed, interval, stall)
            end = min(done, horizon)
            returning = np.inf
            if speed < 1.0:
                returning = next_return(back, out, start)
            if end <= min(failure, returning):
                elapsed = end - start
                trained = training_time(elapsed, interval, stall)
                if done <= horizon:
                    trained, status = (work - base) / speed, FINISHED
                times[STALL] += elapsed - trained
                times[SLOWED] += trained * (1.0 - speed)
                times[USEFUL] = base + trained * speed
                return status, end, failures, recorded, from_storage
            if returning < failure:
                out = drop_returned(back, out, returning)
                better = min(1.0, ((nodes + spares - out) // replica_nodes) / replicas)
                if better > speed:
                    # saved, and started again with more replicas
                    elapsed = returning - start
                    trained = training_time(elapsed, interval, stall)
                    times[STALL] += elapsed - trained
                    times[SLOWED] += trained * (1.0 - speed)
                    stored = complete_saves(elapsed, storage_save, cycle, every)
                    if stored > 0.0:
                        storage_work = base + stored * interval * speed
                    base += trained * speed
                    memory_work = base
                    if not in_memory:
                        storage_work = base
                    outage, at_failure, lost_nodes, in_outage = returning, base, 0, True
                    survive_draw = uniform(seed, index, SURVIVE)
                    d_detect, d_wait, d_load = 0.0, 0.0, 0.0
                    speed, start = better, returning + stall + restart_mean
                continue
        # a failure, in a stretch or in an outage
        if uniform(seed, index, THIN) >= speed:
            # the part of the job that stands still does not fail
            index += 1
            failure -= log(uniform(seed, index, GAP)) * mean_gap
            continue
        failures += 1
        component = draw_component(seed, index, shares)
        by_component[component] += 1
        if not in_outage:
            elapsed = failure - start
            trained = training_time(elapsed, interval, stall)
            times[STALL] += elapsed - trained
            times[SLOWED] += trained * (1.0 - speed)
            at_failure = base + trained * speed
            complete = complete_saves(elapsed, save, cycle, 1)
            memory_work = base + complete * interval * speed
            stored = complete_saves(elapsed, storage_save, cycle, every)
            if stored > 0.0:
                storage_work = base + stored * interval * speed
            outage, lost_nodes, in_outage = failure, 0, True
            survive_draw = uniform(seed, index, SURVIVE)
        counted = True
        out = drop_returned(back, out, failure)
        noticed = failure + detection
        if takes_node[component]:
            hit = burst_nodes if uniform(seed, index, BURST) < burst_share else 1
            out = lose_nodes(seed, index, hit, noticed, replace, back, out)
            lost_nodes += hit
        restart = draw_restart(seed, index, restart_median, restart_sigma)
        ready = noticed + restart
        # as many may be out as leave the nodes needed: wait until the others are back
        returned = count_returned(back, out, ready)
        waited = out - (nodes + spares - needed)
        if waited > returned:
            returned = waited
            ready = back[waited - 1]
        available = nodes + spares - (out - returned)
        speed = min(1.0, (available // replica_nodes) / replicas)
        if in_memory and lost_nodes < len(survive) and survive_draw < survive[lost_nodes]:
            base, d_load = memory_work, load
        else:
            base, d_load = storage_work, storage_load
            from_storage += 1
        d_detect, d_wait = detection, ready - noticed - restart
        start = ready + d_load
        index += 1
        failure -= log(uniform(seed, index, GAP)) * mean_gap


@njit(cache=True)
def run_many(
    seeds, mean_gap, shares, takes_node, burst_share, burst_nodes, replace,
    nodes, replica_nodes, needed, spares, work, horizon, most_draws,
    interval, stall, save, load, every, storage_save, storage_load, in_memory, survive,
    detection, restart_median, restart_sigma, restart_mean,
    times, by_component, records, counts, wall,
):  # fmt: skip
    """Simulate a run for each seed; fill one row of each result for it."""
    back = np.empty(nodes + spares)
    for run in range(len(seeds)):
        status, end, failures, recorded, from_storage = run_one(
            seeds[run], mean_gap, shares, takes_node, burst_share, burst_nodes, replace,
            nodes, replica_nodes, needed, spares, work, horizon, most_draws,
            interval, stall, save, load, every, storage_save, storage_load, in_memory, survive,
            detection, restart_median, restart_sigma, restart_mean,
            back, times[run], by_component[run], records[run],
        )  # fmt: skip
        wall[run] = end
        counts[run, 0], counts[run, 1] = status, failures
        counts[run, 2], counts[run, 3] = recorded, from_storage
