"""The compiled event loop without gangs: pods take GPUs one by one, and hold them meanwhile.

A job starts when its last pod is placed. When no event is left and pods still wait, the jobs hold
what the others need: a deadlock.
"""

import numpy as np
from numba import njit

from gpudeck.models.scheduling.queue.kernel import _pop, _push, pick_node


@njit(cache=True)
def _insert(queue, waiting, rank, p):
    """Insert a pod into the queue by its rank."""
    low, high = 0, waiting
    while low < high:
        middle = (low + high) >> 1
        if rank[queue[middle]] < rank[p]:
            low = middle + 1
        else:
            high = middle
    for i in range(waiting, low, -1):
        queue[i] = queue[i - 1]
    queue[low] = p


@njit(cache=True)
def _release(j, head_of, next_of, node, grain, free):
    """Give the GPUs of a job back."""
    p = head_of[j]
    while p >= 0:
        free[node[p]] += grain[p]
        p = next_of[p]


@njit(cache=True)
def _place(queue, waiting, grain, free, spread, greedy, depth, node, placed_s, now, placed):
    """Place the pods that fit, in order; return how many wait on, and how many were placed."""
    kept, i, count, left = 0, 0, 0, depth
    failed = free.max() + 1  # the smallest pod that found no node
    while i < waiting and left > 0:
        p, n = queue[i], -1
        if grain[p] < failed:
            n = pick_node(free, grain[p], spread)
        i += 1
        if n >= 0:
            free[n] -= grain[p]
            node[p], placed_s[p] = n, now
            placed[count] = p
            count += 1
            continue
        failed = min(failed, grain[p])
        queue[kept] = p
        kept += 1
        left -= 1
        if not greedy:
            break
    if kept < i:
        for k in range(i, waiting):
            queue[kept] = queue[k]
            kept += 1
        waiting = kept
    return waiting, count


@njit(cache=True)
def run_pods(
    arrival,
    owner,
    grain,
    rank,
    order,
    pods,
    duration,
    free,
    spread,
    greedy,
    depth,
    node,
    placed_s,
    start,
    finish,
    times,
    levels,
):
    """Place every pod; return the number of moments, and the time at which nothing moves any more.

    ``arrival``, ``owner``, ``grain``, ``rank`` are of pods, ``order`` sorts them by arrival;
    ``pods``, ``duration``, ``start``, ``finish`` are of jobs. The time is NaN without a deadlock.
    """
    left, seen = pods.copy(), np.zeros(pods.size, np.bool_)
    heap, heap_job = np.empty(pods.size), np.empty(pods.size, np.int64)
    queue, placed = np.empty(order.size, np.int64), np.empty(order.size, np.int64)
    head_of, next_of = np.full(pods.size, -1, np.int64), np.full(order.size, -1, np.int64)
    ending, waiting, coming, moments, waiting_jobs = 0, 0, 0, 0, 0
    total, now = free.sum(), 0.0
    while coming < order.size or ending > 0:
        now = np.inf
        if coming < order.size:
            now = arrival[order[coming]]
        if ending > 0:
            now = min(now, heap[0])
        while ending > 0 and heap[0] == now:
            j = heap_job[0]
            ending = _pop(heap, heap_job, ending)
            finish[j] = now
            _release(j, head_of, next_of, node, grain, free)
        while coming < order.size and arrival[order[coming]] == now:
            p = order[coming]
            coming += 1
            _insert(queue, waiting, rank, p)
            waiting += 1
            if not seen[owner[p]]:
                seen[owner[p]] = True
                waiting_jobs += 1
        waiting, count = _place(
            queue, waiting, grain, free, spread, greedy, depth, node, placed_s, now, placed
        )
        for p in placed[:count]:
            j = owner[p]
            next_of[p], head_of[j] = head_of[j], p
            left[j] -= 1
            if left[j] == 0:
                start[j] = now
                waiting_jobs -= 1
                _push(heap, heap_job, ending, now + duration[j], j)
                ending += 1
        times[moments] = now
        levels[moments, 0], levels[moments, 2] = total - free.sum(), waiting_jobs
        moments += 1
    return moments, now if waiting > 0 else np.nan
