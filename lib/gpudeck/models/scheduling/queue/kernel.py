"""The compiled event loop of the queue: whole gangs start, are backfilled, are preempted.

One file although it is long: numba does not see that a callee in another file has changed, and
would go on using what it compiled before.

``J``      jobs, one row a field, float64 columns for times and int64 for the rest
``C``      the cluster now: free GPUs of each node, and who holds what
``room``   for each advance reservation that has not begun and each node: GPUs that a job which
           is expected to end after the reservation begins may still take, shape (windows, nodes)

A slot says that a job holds some GPUs of a node. A job's slots are a list, a node's slots another,
both linked by ``link``. Running jobs stand in the order of their expected ends, so that the
reservation of the queue's head is found by walking from the first.
"""

from collections import namedtuple

import numpy as np
from numba import njit

DONE, WAITING, RUNNING, UNSCHEDULABLE = range(4)
NO_BACKFILL, EASY, GREEDY = range(3)
# Columns of a slot: whose, where, how many; the job's next; the node's last and next.
S_JOB, S_NODE, S_GPUS, S_NEXT, S_NODE_LAST, S_NODE_NEXT = range(6)
# Counters.
(
    FREE_SLOT,
    ALL_FREE,
    RUNNING_JOBS,
    LOGGED,
    PLACED,
    HEAD,
    TAIL,
    FINISHES,
    VERSION,
    OVERFLOW,
    DECISIONS,
    ALL_EXTRA,
    RESERVED_FOR,
    WINDOWS_BEGUN,
    HOPELESS,
) = range(15)
_NO_JOB = -1
_SIGN = 2**31

# Functions that allocate nothing do without reference counting, which would take most of the time.
_leaf = njit(cache=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]

Jobs = namedtuple("Jobs", "arrival pods grain duration estimate priority level rank")
Cluster = namedtuple(
    "Cluster",
    "free capacity slot job_slot node_slot count by_end end held room begins ends want taken "
    "tally by_level",
)
Books = namedtuple(
    "Books",
    "state start began first waited attempts saved overhead lost tag log log_s place place_s "
    "queue finish finish_job extra scratch cached stamp shadow victim chosen "
    "trial trial_room found found_gpus counts cost start_of dirty",
)


@_leaf
def _push(times, jobs, count, time, job):
    """Put a finish onto the heap; equal times come out by job."""
    i = count
    while i > 0:
        up = (i - 1) >> 1
        if times[up] < time or (times[up] == time and jobs[up] <= job):
            break
        times[i], jobs[i] = times[up], jobs[up]
        i = up
    times[i], jobs[i] = time, job


@_leaf
def _pop(times, jobs, count):
    """Remove the first of the heap; return how many are left."""
    count -= 1
    time, job = times[count], jobs[count]
    i = 0
    while True:
        child = 2 * i + 1
        if child >= count:
            break
        right = child + 1
        if right < count and (
            times[right] < times[child]
            or (times[right] == times[child] and jobs[right] < jobs[child])
        ):
            child = right
        if time < times[child] or (time == times[child] and job <= jobs[child]):
            break
        times[i], jobs[i] = times[child], jobs[child]
        i = child
    times[i], jobs[i] = time, job
    return count


@_leaf
def _expected_end(J, B, j, start):
    """When job j is expected to end: the estimate shrinks in proportion to what is saved."""
    return start + B.overhead[j] + J.estimate[j] * (1.0 - B.saved[j] / J.duration[j])


@_leaf
def _usable(C, free, room, n, end):
    """GPUs of node n that a job expected to end at `end` may take: free, and not set aside."""
    usable = free[n]
    for w in range(C.count[WINDOWS_BEGUN], C.begins.size):
        if end > C.begins[w]:
            usable = min(usable, room[w, n])
    return usable


@_leaf
def _usable_everywhere(C, free, room, end, usable):
    for n in range(free.size):
        usable[n] = _usable(C, free, room, n, end)


@_leaf
def _pods_that_fit(usable, grain, counts):
    """Count the pods of one size that fit; divisions are slow, so nodes alike share one."""
    most = 0
    for n in range(usable.size):
        most = max(most, usable[n])
    if most >= counts.size or most >= usable.size:
        fit = 0
        for n in range(usable.size):
            if usable[n] >= grain:
                fit += usable[n] // grain
        return fit
    for k in range(most + 1):
        counts[k] = 0
    for n in range(usable.size):
        if usable[n] >= grain:
            counts[usable[n]] += 1
    fit = 0
    for k in range(grain, most + 1):
        if counts[k]:
            fit += counts[k] * (k // grain)
    return fit


@_leaf
def _pods_of(tally, grain):
    """Count the pods that fit onto `tally[k]` nodes with k GPUs each."""
    fit = 0
    for k in range(grain, tally.size):
        if tally[k]:
            fit += tally[k] * (k // grain)
    return fit


@_leaf
def _hold(C, n, gpus):
    """Take GPUs of a node, or give them back where negative."""
    C.tally[C.free[n]] -= 1
    C.free[n] -= gpus
    C.tally[C.free[n]] += 1
    C.count[ALL_FREE] -= gpus


@_leaf
def pick_node(usable, grain, spread):
    """Return the node with the least that suffices (packed) or with the most (spread), or -1."""
    best = -1
    for n in range(usable.size):
        if usable[n] >= grain and (
            best < 0 or (usable[n] > usable[best] if spread else usable[n] < usable[best])
        ):
            best = n
    return best


@_leaf
def _fits(J, C, B, j, now):
    """Tell whether a gang fits whole; answers are kept until anything changes."""
    c, grain = C.count, J.grain[j]
    if J.pods[j] * grain > c[ALL_FREE]:
        return False
    if C.begins.size > c[WINDOWS_BEGUN]:
        _usable_everywhere(C, C.free, C.room, _expected_end(J, B, j, now), B.scratch)
        return _pods_that_fit(B.scratch, grain, B.counts) >= J.pods[j]
    if B.stamp[0, grain] != c[VERSION]:
        B.stamp[0, grain] = c[VERSION]
        if C.tally.size <= C.free.size:
            B.cached[0, grain] = _pods_of(C.tally, grain)
        else:
            B.cached[0, grain] = _pods_that_fit(C.free, grain, B.counts)
    return B.cached[0, grain] >= J.pods[j]


@_leaf
def _fits_beside_head(J, C, B, j, now):
    """Tell whether a gang fits into what the head will not need at its reserved time."""
    c, grain = C.count, J.grain[j]
    if J.pods[j] * grain > c[ALL_EXTRA]:
        return False
    windows = C.begins.size > c[WINDOWS_BEGUN]
    if not windows and B.stamp[1, grain] == c[VERSION]:
        return B.cached[1, grain] >= J.pods[j]
    _usable_everywhere(C, C.free, C.room, _expected_end(J, B, j, now), B.scratch)
    for n in range(C.free.size):
        B.scratch[n] = min(B.scratch[n], B.extra[n])
    fit = _pods_that_fit(B.scratch, grain, B.counts)
    if not windows:
        B.stamp[1, grain], B.cached[1, grain] = c[VERSION], fit
    return fit >= J.pods[j]


@_leaf
def _take(J, C, B, j, n, gpus, now):
    """Let job j hold GPUs of node n, in one slot a node."""
    c = C.count
    s = C.job_slot[j]
    while s >= 0 and C.slot[s, S_NODE] != n:
        s = C.slot[s, S_NEXT]
    if s >= 0:
        C.slot[s, S_GPUS] += gpus
    else:
        s = c[FREE_SLOT]
        c[FREE_SLOT] = C.slot[s, S_NEXT]
        first = C.node_slot[n]
        C.slot[s, S_JOB], C.slot[s, S_NODE], C.slot[s, S_GPUS] = j, n, gpus
        C.slot[s, S_NEXT] = C.job_slot[j]
        C.slot[s, S_NODE_LAST], C.slot[s, S_NODE_NEXT] = -1, first
        if first >= 0:
            C.slot[first, S_NODE_LAST] = s
        C.job_slot[j] = s
        C.node_slot[n] = s
    _hold(C, n, gpus)
    C.held[J.level[j]] += gpus
    C.by_level[n, J.level[j]] += gpus
    for w in range(c[WINDOWS_BEGUN], C.begins.size):
        if C.end[j] > C.begins[w]:
            C.room[w, n] -= gpus
    if c[PLACED] < B.place.shape[0]:
        B.place[c[PLACED], 0] = c[LOGGED]
        B.place[c[PLACED], 1] = n
        B.place[c[PLACED], 2] = gpus
        B.place_s[c[PLACED]] = now
    else:
        c[OVERFLOW] = 1
    c[PLACED] += 1


@_leaf
def _stand(C, j):
    """Insert a job into the running ones by its expected end."""
    low, high = 0, C.count[RUNNING_JOBS]
    while low < high:
        middle = (low + high) >> 1
        if C.end[C.by_end[middle]] <= C.end[j]:
            low = middle + 1
        else:
            high = middle
    for i in range(C.count[RUNNING_JOBS], low, -1):
        C.by_end[i] = C.by_end[i - 1]
    C.by_end[low] = j
    C.count[RUNNING_JOBS] += 1


@_leaf
def _step_down(C, j):
    """Remove a job from the running ones."""
    low, high = 0, C.count[RUNNING_JOBS]
    while low < high:
        middle = (low + high) >> 1
        if C.end[C.by_end[middle]] < C.end[j]:
            low = middle + 1
        else:
            high = middle
    while C.by_end[low] != j:
        low += 1
    for i in range(low, C.count[RUNNING_JOBS] - 1):
        C.by_end[i] = C.by_end[i + 1]
    C.count[RUNNING_JOBS] -= 1


@_leaf
def _start(J, C, B, j, now, usable, spread, forced):
    """Start a whole gang on the usable GPUs; `forced` is a node that takes the first pod, or -1."""
    c = C.count
    B.state[j], B.began[j] = RUNNING, now
    if B.attempts[j] == 0:
        B.start[j] = now
    B.attempts[j] += 1
    B.waited[j] += now - B.first[j]
    C.end[j] = _expected_end(J, B, j, now)
    _stand(C, j)
    left, grain = J.pods[j], J.grain[j]
    while left > 0:
        n = forced if forced >= 0 else pick_node(usable, grain, spread)
        forced = -1
        pods = 1 if spread else max(1, min(left, usable[n] // grain))
        usable[n] -= pods * grain
        left -= pods
        _take(J, C, B, j, n, pods * grain, now)
    if c[LOGGED] < B.log.size:
        B.log[c[LOGGED]] = j
        B.log_s[c[LOGGED], 0] = now
        B.log_s[c[LOGGED], 1] = np.nan
    else:
        c[OVERFLOW] = 1
    B.tag[j] = c[LOGGED]
    c[LOGGED] += 1
    c[VERSION] += 1
    c[DECISIONS] += 1
    finish = now + B.overhead[j] + (J.duration[j] - B.saved[j])
    B.finish_job[c[FINISHES]] = j
    _push(B.finish, B.finish_job, c[FINISHES], finish, j)
    c[FINISHES] += 1


@_leaf
def _release(J, C, B, j, now):
    """Give a job's GPUs back, and close its line in the log."""
    c = C.count
    s = C.job_slot[j]
    while s >= 0:
        n, gpus = C.slot[s, S_NODE], C.slot[s, S_GPUS]
        _hold(C, n, -gpus)
        C.held[J.level[j]] -= gpus
        C.by_level[n, J.level[j]] -= gpus
        for w in range(c[WINDOWS_BEGUN], C.begins.size):
            if C.end[j] > C.begins[w]:
                C.room[w, n] += gpus
        last, following = C.slot[s, S_NODE_LAST], C.slot[s, S_NODE_NEXT]
        if last >= 0:
            C.slot[last, S_NODE_NEXT] = following
        else:
            C.node_slot[n] = following
        if following >= 0:
            C.slot[following, S_NODE_LAST] = last
        behind = C.slot[s, S_NEXT]
        C.slot[s, S_NEXT] = c[FREE_SLOT]
        c[FREE_SLOT] = s
        s = behind
    C.job_slot[j] = -1
    _step_down(C, j)
    if c[HOPELESS] >= 0 and J.level[j] >= J.level[c[HOPELESS]]:
        c[HOPELESS] = _NO_JOB
    if B.tag[j] < B.log.size:
        B.log_s[B.tag[j], 1] = now
    c[VERSION] += 1


@_leaf
def _enqueue(J, C, B, j):
    """Insert a job into the queue by its rank."""
    c = C.count
    if c[TAIL] == B.queue.size:
        length = c[TAIL] - c[HEAD]
        for i in range(length):
            B.queue[i] = B.queue[c[HEAD] + i]
        c[HEAD], c[TAIL] = 0, length
    low, high = c[HEAD], c[TAIL]
    while low < high:
        middle = (low + high) >> 1
        if J.rank[B.queue[middle]] < J.rank[j]:
            low = middle + 1
        else:
            high = middle
    for i in range(c[TAIL], low, -1):
        B.queue[i] = B.queue[i - 1]
    B.queue[low] = j
    c[TAIL] += 1
    B.state[j] = WAITING


@_leaf
def _evict(J, C, B, j, now, checkpoint_s, restart_s):
    """Preempt a running job: what it did since its last checkpoint is lost; it queues again."""
    worked = max(0.0, now - B.began[j] - B.overhead[j])
    if checkpoint_s > 0:
        B.saved[j] += np.floor(worked / checkpoint_s) * checkpoint_s
    B.lost[j] += now - B.began[j]
    B.overhead[j] = restart_s
    for i in range(C.count[FINISHES]):
        if B.finish_job[i] == j:
            _remove(B.finish, B.finish_job, C.count[FINISHES], i)
            C.count[FINISHES] -= 1
            break
    _release(J, C, B, j, now)
    B.first[j] = now
    _enqueue(J, C, B, j)


@_leaf
def _remove(times, jobs, count, i):
    """Remove the entry i of the heap."""
    while i > 0:
        up = (i - 1) >> 1
        times[i], jobs[i] = times[up], jobs[up]
        i = up
    _pop(times, jobs, count)


@_leaf
def _shift(J, C, free, room, j, sign):
    """Pretend that a running job left (+1) or is back (-1)."""
    s = C.job_slot[j]
    while s >= 0:
        n, gpus = C.slot[s, S_NODE], sign * C.slot[s, S_GPUS]
        free[n] += gpus
        for w in range(C.count[WINDOWS_BEGUN], C.begins.size):
            if C.end[j] > C.begins[w]:
                room[w, n] += gpus
        s = C.slot[s, S_NEXT]


@_leaf
def _before(J, B, a, b):
    """Reprieve first the higher priority, then the earlier start, then the earlier row."""
    if J.priority[a] != J.priority[b]:
        return J.priority[a] > J.priority[b]
    if B.began[a] != B.began[b]:
        return B.began[a] < B.began[b]
    return a < b


@_leaf
def _sort_victims(J, B, jobs, count):
    for i in range(1, count):
        j, k = jobs[i], i
        while k > 0 and _before(J, B, j, jobs[k - 1]):
            jobs[k] = jobs[k - 1]
            k -= 1
        jobs[k] = j


@_leaf
def _victims_on(J, C, B, free, room, n, h, end):
    """Put the victims on node n for one pod of job h into `B.found`; how many, or -1: no help."""
    found, held, all_held = B.found, B.found_gpus, 0
    count, s = 0, C.node_slot[n]
    while s >= 0:
        j, gpus = C.slot[s, S_JOB], C.slot[s, S_GPUS]
        if J.priority[j] < J.priority[h] and not B.victim[j]:
            k = count
            while k > 0 and _before(J, B, j, found[k - 1]):
                found[k], held[k] = found[k - 1], held[k - 1]
                k -= 1
            found[k], held[k] = j, gpus
            all_held += gpus
            count += 1
        s = C.slot[s, S_NODE_NEXT]
    if count == 0 or free[n] + all_held < J.grain[h]:
        return -1
    if C.begins.size > C.count[WINDOWS_BEGUN]:
        return _reprieve_beside_windows(J, C, B, free, room, n, h, end, count)
    spare, kept = free[n] + all_held, 0
    for i in range(count):
        if spare - held[i] >= J.grain[h]:
            spare -= held[i]
        else:
            found[kept] = found[i]
            kept += 1
    return kept


@_leaf
def _reprieve_beside_windows(J, C, B, free, room, n, h, end, count):
    """Do the same where GPUs are about to be set aside; leaves `free` and `room` as they were."""
    found, kept = B.found, -1
    for i in range(count):
        _shift_on(C, free, room, found[i], n, 1)
    if _usable(C, free, room, n, end) < J.grain[h]:
        for i in range(count):
            _shift_on(C, free, room, found[i], n, -1)
        return kept
    kept = 0
    for i in range(count):
        _shift_on(C, free, room, found[i], n, -1)
        if _usable(C, free, room, n, end) < J.grain[h]:
            _shift_on(C, free, room, found[i], n, 1)
            found[kept] = found[i]
            kept += 1
    for i in range(kept):
        _shift_on(C, free, room, found[i], n, -1)
    return kept


@_leaf
def _shift_on(C, free, room, j, n, sign):
    s = C.node_slot[n]
    while C.slot[s, S_JOB] != j:
        s = C.slot[s, S_NODE_NEXT]
    gpus = sign * C.slot[s, S_GPUS]
    free[n] += gpus
    for w in range(C.count[WINDOWS_BEGUN], C.begins.size):
        if C.end[j] > C.begins[w]:
            room[w, n] += gpus


@_leaf
def _preempt(J, C, B, h, now, spread, checkpoint_s, restart_s):
    """Let the head take the place of lower priorities, or change nothing; tell which."""
    c, end = C.count, _expected_end(J, B, h, now)
    # What is free or held by lower priorities grows only when one of the others gives back.
    if c[HOPELESS] == h and C.begins.size == 0:
        return False
    c[HOPELESS] = h
    within = c[ALL_FREE]
    for k in range(J.level[h]):
        within += C.held[k]
    if J.level[h] == 0 or within < J.pods[h] * J.grain[h]:
        return False
    fit = 0
    for n in range(C.free.size):
        within = C.free[n]
        for k in range(J.level[h]):
            within += C.by_level[n, k]
        if within >= J.grain[h]:
            fit += within // J.grain[h]
    if fit < J.pods[h]:
        return False
    victims, where = _plan(J, C, B, h, end, spread)
    if victims > 0 and J.pods[h] > 1:
        victims = _reprieve_gangs(J, C, B, h, victims, end)
    for i in range(B.chosen.size):
        if B.chosen[i] < 0:
            break
        B.victim[B.chosen[i]] = False
    if victims <= 0:
        return False
    c[HOPELESS] = _NO_JOB
    c[HEAD] += 1
    for i in range(victims):
        _evict(J, C, B, B.chosen[i], now, checkpoint_s, restart_s)
    _usable_everywhere(C, C.free, C.room, end, B.scratch)
    _start(J, C, B, h, now, B.scratch, spread, where if J.pods[h] == 1 else -1)
    return True


@_leaf
def _plan(J, C, B, h, end, spread):
    """Place the pods one by one in thought; return how many victims that takes, and the last node.

    The victims stand in `B.chosen`, ended by -1. No victims at all (0) if a pod finds no place.
    """
    free, room = B.trial, B.trial_room
    _copy(C, free, room)
    for n in range(B.dirty.size):
        B.dirty[n] = True
    victims, n = 0, -1
    B.chosen[0] = -1
    for _ in range(J.pods[h]):
        _usable_everywhere(C, free, room, end, B.scratch)
        n = pick_node(B.scratch, J.grain[h], spread)
        if n < 0:
            n = _best_node(J, C, B, free, room, h, end)
            if n < 0:
                return 0, -1
            count = _victims_on(J, C, B, free, room, n, h, end)
            for i in range(count):
                j = B.found[i]
                B.victim[j] = True
                B.chosen[victims] = j
                victims += 1
                _shift(J, C, free, room, j, 1)
                s = C.job_slot[j]
                while s >= 0:
                    B.dirty[C.slot[s, S_NODE]] = True
                    s = C.slot[s, S_NEXT]
            B.chosen[victims] = -1
        B.dirty[n] = True
        free[n] -= J.grain[h]
        for w in range(C.count[WINDOWS_BEGUN], C.begins.size):
            if end > C.begins[w]:
                room[w, n] -= J.grain[h]
    return victims, n


@_leaf
def _copy(C, free, room):
    """Begin a trial: copy what is free now."""
    for n in range(free.size):
        free[n] = C.free[n]
    for w in range(C.begins.size):
        for n in range(free.size):
            room[w, n] = C.room[w, n]


@_leaf
def _best_node(J, C, B, free, room, h, end):
    """Choose the node by Kubernetes' rules; only nodes that changed in this plan are weighed anew."""
    chosen = -1
    for n in range(C.free.size):
        if B.dirty[n]:
            B.dirty[n] = False
            kept = _victims_on(J, C, B, free, room, n, h, end)
            B.cost[n, 2] = kept
            if kept > 0:
                _weigh(J, B, n, kept)
        if B.cost[n, 2] > 0 and (chosen < 0 or _cheaper(B, n, chosen)):
            chosen = n
    return chosen


@_leaf
def _weigh(J, B, n, kept):
    """Note what the victims of node n cost: top priority, sum, number, earliest start at the top."""
    top, total, start = J.priority[B.found[0]], 0, np.inf
    for i in range(kept):
        j = B.found[i]
        total += J.priority[j] + _SIGN
        if J.priority[j] == top:
            start = min(start, B.began[j])
    B.cost[n, 0], B.cost[n, 1], B.start_of[n] = top, total, start


@_leaf
def _cheaper(B, n, other):
    for k in range(3):
        if B.cost[n, k] != B.cost[other, k]:
            return B.cost[n, k] < B.cost[other, k]
    return B.start_of[n] > B.start_of[other]


@_leaf
def _reprieve_gangs(J, C, B, h, victims, end):
    """Keep every victim without which the gang fits all the same; return how many are left."""
    free, room = B.trial, B.trial_room
    _copy(C, free, room)
    _sort_victims(J, B, B.chosen, victims)
    for i in range(victims):
        _shift(J, C, free, room, B.chosen[i], 1)
    kept = 0
    for i in range(victims):
        j = B.chosen[i]
        _shift(J, C, free, room, j, -1)
        _usable_everywhere(C, free, room, end, B.scratch)
        if _pods_that_fit(B.scratch, J.grain[h], B.counts) < J.pods[h]:
            _shift(J, C, free, room, j, 1)
            B.chosen[i] = B.chosen[kept]
            B.chosen[kept] = j
            kept += 1
    return kept


@_leaf
def _expected(C, n_running, windows_at, now):
    """Return when the next GPUs are expected back, from running jobs or from reservations."""
    time = np.inf
    if n_running < C.count[RUNNING_JOBS]:
        time = max(now, C.end[C.by_end[n_running]])
    for w in range(C.begins.size):
        if C.ends[w] > windows_at:
            time = min(time, C.ends[w])
    return time


@_leaf
def _reserve(J, C, B, h, now, spread):
    """Find when the head can start at the latest, and what is left beside it then."""
    c, grain = C.count, J.grain[h]
    free = B.trial
    for n in range(free.size):
        free[n] = C.free[n]
    fit, i, time = _pods_that_fit(free, grain, B.counts), 0, now
    while True:
        time = _expected(C, i, time, now)
        while i < c[RUNNING_JOBS] and max(now, C.end[C.by_end[i]]) <= time:
            s = C.job_slot[C.by_end[i]]
            while s >= 0:
                n = C.slot[s, S_NODE]
                fit -= free[n] // grain
                free[n] += C.slot[s, S_GPUS]
                fit += free[n] // grain
                s = C.slot[s, S_NEXT]
            i += 1
        if C.begins.size:
            _without_windows(C, free, time, _expected_end(J, B, h, time), B.scratch)
            fit = _pods_that_fit(B.scratch, grain, B.counts)
        else:
            for n in range(free.size):
                B.scratch[n] = free[n]
        if fit >= J.pods[h] or time == np.inf:
            break
    left = J.pods[h]
    while left > 0 and fit >= J.pods[h]:
        n = pick_node(B.scratch, grain, spread)
        pods = 1 if spread else min(left, B.scratch[n] // grain)
        B.scratch[n] -= pods * grain
        left -= pods
    c[ALL_EXTRA] = 0
    for n in range(C.free.size):
        B.extra[n] = max(0, B.scratch[n])
        c[ALL_EXTRA] += B.extra[n]
    B.shadow[0] = time
    c[RESERVED_FOR] = h
    c[VERSION] += 1


@_leaf
def _without_windows(C, free, begin, end, usable):
    """GPUs free at `begin` less all that is set aside at any time until `end`."""
    for n in range(free.size):
        usable[n] = free[n]
    for w in range(C.begins.size):
        if C.ends[w] <= begin:
            for n in range(free.size):
                usable[n] += C.taken[w, n]
        elif w >= C.count[WINDOWS_BEGUN] and C.begins[w] < end:
            for n in range(free.size):
                usable[n] -= C.want[w, n]
        elif w < C.count[WINDOWS_BEGUN]:
            for n in range(free.size):
                usable[n] -= C.want[w, n] - C.taken[w, n]


@_leaf
def _start_next(J, C, B, j, now, spread, beside):
    _usable_everywhere(C, C.free, C.room, _expected_end(J, B, j, now), B.scratch)
    if beside:
        for n in range(C.free.size):
            B.scratch[n] = min(B.scratch[n], B.extra[n])
    _start(J, C, B, j, now, B.scratch, spread, -1)


@_leaf
def _try_behind(J, C, B, j, now, spread, mode):
    """Start a job from behind the head if it fits and does not delay it; tell whether."""
    if not _fits(J, C, B, j, now):
        return False
    if mode == GREEDY or _expected_end(J, B, j, now) <= B.shadow[0]:
        _start_next(J, C, B, j, now, spread, False)
        return True
    if not _fits_beside_head(J, C, B, j, now):
        return False
    _start_next(J, C, B, j, now, spread, True)
    s = C.job_slot[j]
    while s >= 0:
        B.extra[C.slot[s, S_NODE]] -= C.slot[s, S_GPUS]
        C.count[ALL_EXTRA] -= C.slot[s, S_GPUS]
        s = C.slot[s, S_NEXT]
    return True


@_leaf
def _backfill(J, C, B, now, spread, mode, depth):
    """Look at the jobs behind the head in turn."""
    c = C.count
    kept = c[HEAD] + 1
    last = min(c[TAIL], kept + depth)
    i = kept
    while i < last and c[ALL_FREE] > 0:
        j = B.queue[i]
        if not _try_behind(J, C, B, j, now, spread, mode):
            B.queue[kept] = j
            kept += 1
        i += 1
    if kept < i:
        for k in range(i, c[TAIL]):
            B.queue[kept] = B.queue[k]
            kept += 1
        c[TAIL] = kept


@_leaf
def _backfill_newcomer(J, C, B, now, spread, mode, arrived):
    """Look at one job only, where nothing but its arrival is new."""
    c = C.count
    place = c[HEAD] + 1
    while place < c[TAIL] and B.queue[place] != arrived:
        place += 1
    if place < c[TAIL] and _try_behind(J, C, B, arrived, now, spread, mode):
        for k in range(place + 1, c[TAIL]):
            B.queue[k - 1] = B.queue[k]
        c[TAIL] -= 1


@_leaf
def _schedule(J, C, B, now, arrived, spread, backfill, depth, preempt, checkpoint_s, restart_s):
    """Start from the head what fits, then backfill; `arrived` is the only news, or -1."""
    c = C.count
    while c[HEAD] < c[TAIL]:
        h = B.queue[c[HEAD]]
        if _fits(J, C, B, h, now):
            c[HEAD] += 1
            _start_next(J, C, B, h, now, spread, False)
        elif not (preempt and _preempt(J, C, B, h, now, spread, checkpoint_s, restart_s)):
            break
        arrived = _NO_JOB
        c[RESERVED_FOR] = _NO_JOB
    if c[HEAD] == c[TAIL] or backfill == NO_BACKFILL:
        return
    if backfill == EASY and (c[RESERVED_FOR] != B.queue[c[HEAD]] or now >= B.shadow[0]):
        _reserve(J, C, B, B.queue[c[HEAD]], now, spread)
        arrived = _NO_JOB
    if arrived != _NO_JOB and c[TAIL] - c[HEAD] - 1 <= depth:
        _backfill_newcomer(J, C, B, now, spread, backfill, arrived)
    else:
        _backfill(J, C, B, now, spread, backfill, depth)


@_leaf
def _turn_windows(C, now):
    """Begin and end advance reservations that are due; GPUs still in use follow when they end."""
    c = C.count
    while c[WINDOWS_BEGUN] < C.begins.size and C.begins[c[WINDOWS_BEGUN]] <= now:
        c[WINDOWS_BEGUN] += 1
        c[VERSION] += 1
    for w in range(c[WINDOWS_BEGUN]):
        for n in range(C.free.size):
            if C.ends[w] <= now:
                gpus = -C.taken[w, n]
            else:
                gpus = min(C.want[w, n] - C.taken[w, n], C.free[n])
            if gpus != 0:
                C.taken[w, n] += gpus
                _hold(C, n, gpus)
                c[VERSION] += 1


@_leaf
def _next_window(C, now):
    time = np.inf
    for w in range(C.begins.size):
        if C.begins[w] > now:
            time = min(time, C.begins[w])
        if C.ends[w] > now:
            time = min(time, C.ends[w])
    return time


@njit(cache=True)
def run_gangs(
    J, C, B, order, spread, backfill, depth, preempt, checkpoint_s, restart_s, times, levels
):
    """Run all jobs to their ends; `times` and `levels` get what is held at each moment.

    Returns the number of moments. `levels` holds allocated GPUs, GPUs set aside, waiting jobs.
    """
    c, coming, moments = C.count, 0, 0
    now = -np.inf
    while coming < order.size or c[FINISHES] > 0 or c[HEAD] < c[TAIL]:
        time = np.inf
        if coming < order.size:
            time = J.arrival[order[coming]]
        if c[FINISHES] > 0:
            time = min(time, B.finish[0])
        if C.begins.size:
            time = min(time, _next_window(C, now))
        if time == np.inf:
            break
        now = time
        arrivals, arrived, quiet = 0, -1, True
        while c[FINISHES] > 0 and B.finish[0] == now:
            j = B.finish_job[0]
            c[FINISHES] = _pop(B.finish, B.finish_job, c[FINISHES])
            B.state[j], B.lost[j] = DONE, B.lost[j] + (now - B.began[j])
            quiet = False
            _release(J, C, B, j, now)
        if C.begins.size:
            _turn_windows(C, now)
            quiet = False
        while coming < order.size and J.arrival[order[coming]] == now:
            arrived = order[coming]
            coming += 1
            B.first[arrived] = now
            _enqueue(J, C, B, arrived)
            arrivals += 1
        if not (quiet and arrivals == 1):
            arrived = -1
        _schedule(
            J, C, B, now, arrived, spread, backfill, depth, preempt, checkpoint_s, restart_s
        )
        if c[OVERFLOW]:
            return moments
        times[moments] = now
        reserved = 0
        if C.begins.size:
            reserved = C.taken.sum()
        levels[moments, 0] = C.capacity.sum() - c[ALL_FREE] - reserved
        levels[moments, 1] = reserved
        levels[moments, 2] = c[TAIL] - c[HEAD]
        moments += 1
    return moments
