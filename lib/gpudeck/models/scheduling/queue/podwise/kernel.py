"""The compiled event loop without gangs: pods take GPUs one by one, and hold them meanwhile.

A job starts when its last pod is placed. When no event is left and pods still wait, the jobs hold
what the others need: a deadlock.
"""

import numpy as np
from numba import njit

from gpudeck.models.scheduling.queue.kernel import _pop, _push, pick_node


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
    left = pods.copy()
    heap, heap_job = np.empty(pods.size), np.empty(pods.size, np.int64)
    queue = np.empty(order.size, np.int64)
    ending, waiting, coming, moments = 0, 0, 0, 0
    total, all_free, now = free.sum(), free.sum(), 0.0
    head_of = np.full(pods.size, -1, np.int64)
    next_of = np.full(order.size, -1, np.int64)
    seen, waiting_jobs = np.zeros(pods.size, np.bool_), 0
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
            p = head_of[j]
            while p >= 0:
                free[node[p]] += grain[p]
                all_free += grain[p]
                p = next_of[p]
        while coming < order.size and arrival[order[coming]] == now:
            p = order[coming]
            coming += 1
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
            waiting += 1
            if not seen[owner[p]]:
                seen[owner[p]] = True
                waiting_jobs += 1
        kept, i, blocked, depth_left = 0, 0, False, depth
        failed = free.max() + 1  # the smallest pod that found no node
        while i < waiting and not blocked and all_free > 0 and depth_left > 0:
            p = queue[i]
            n = -1
            if grain[p] < failed:
                n = pick_node(free, grain[p], spread)
            if n >= 0:
                j = owner[p]
                free[n] -= grain[p]
                all_free -= grain[p]
                node[p], placed_s[p] = n, now
                next_of[p] = head_of[j]
                head_of[j] = p
                left[j] -= 1
                if left[j] == 0:
                    start[j] = now
                    waiting_jobs -= 1
                    _push(heap, heap_job, ending, now + duration[j], j)
                    ending += 1
            else:
                failed = min(failed, grain[p])
                queue[kept] = p
                kept += 1
                depth_left -= 1
                blocked = not greedy
            i += 1
        if kept < i:
            for k in range(i, waiting):
                queue[kept] = queue[k]
                kept += 1
            waiting = kept
        times[moments] = now
        levels[moments, 0], levels[moments, 2] = total - all_free, waiting_jobs
        moments += 1
    return moments, now if waiting > 0 else np.nan
