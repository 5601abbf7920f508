"""The compiled event loop of the queue: whole gangs start, are backfilled, are preempted.

One file although it is long: numba does not see that a callee in another file has changed, and
would go on using what it compiled before.

``ask``    the jobs, a column a field: float64 for times, int64 for the rest
``gpu``    the cluster now: free GPUs of each node, and who holds what
``book``   what is noted of each job, the queue, the log, and scratch space
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

Jobs = namedtuple("Jobs", "arrival pods grain duration estimate priority level rank")  # noqa: PYI024 - numba takes it
Cluster = namedtuple(  # noqa: PYI024 - numba takes it
    "Cluster",
    "free capacity slot job_slot node_slot count by_end end held room begins ends want taken "
    "tally by_level",
)
Books = namedtuple(  # noqa: PYI024 - numba takes it
    "Books",
    "state start began first waited attempts saved overhead lost tag log log_s place place_s "
    "queue finish finish_job extra scratch cached stamp shadow victim chosen "
    "trial trial_room found found_gpus counts cost start_of dirty touched"
    " need",
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
def _expected_end(ask, book, j, start):
    """When job j is expected to end: the estimate shrinks in proportion to what is saved."""
    return start + book.overhead[j] + ask.estimate[j] * (1.0 - book.saved[j] / ask.duration[j])


@_leaf
def _usable(gpu, free, room, n, end):
    """GPUs of node n that a job expected to end at `end` may take: free, and not set aside."""
    usable = free[n]
    for w in range(gpu.count[WINDOWS_BEGUN], gpu.begins.size):
        if end > gpu.begins[w]:
            usable = min(usable, room[w, n])
    return usable


@_leaf
def _usable_everywhere(gpu, free, room, end, usable):
    for n in range(free.size):
        usable[n] = _usable(gpu, free, room, n, end)


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
def _hold(gpu, n, gpus):
    """Take GPUs of a node, or give them back where negative."""
    gpu.tally[gpu.free[n]] -= 1
    gpu.free[n] -= gpus
    gpu.tally[gpu.free[n]] += 1
    gpu.count[ALL_FREE] -= gpus


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
def _fits(ask, gpu, book, j, now):
    """Tell whether a gang fits whole; answers are kept until anything changes."""
    c, grain = gpu.count, ask.grain[j]
    if ask.pods[j] * grain > c[ALL_FREE]:
        return False
    if gpu.begins.size > c[WINDOWS_BEGUN]:
        _usable_everywhere(gpu, gpu.free, gpu.room, _expected_end(ask, book, j, now), book.scratch)
        return _pods_that_fit(book.scratch, grain, book.counts) >= ask.pods[j]
    if book.stamp[0, grain] != c[VERSION]:
        book.stamp[0, grain] = c[VERSION]
        if gpu.tally.size <= gpu.free.size:
            book.cached[0, grain] = _pods_of(gpu.tally, grain)
        else:
            book.cached[0, grain] = _pods_that_fit(gpu.free, grain, book.counts)
    return book.cached[0, grain] >= ask.pods[j]


@_leaf
def _fits_beside_head(ask, gpu, book, j, now):
    """Tell whether a gang fits into what the head will not need at its reserved time."""
    c, grain = gpu.count, ask.grain[j]
    if ask.pods[j] * grain > c[ALL_EXTRA]:
        return False
    windows = gpu.begins.size > c[WINDOWS_BEGUN]
    if not windows and book.stamp[1, grain] == c[VERSION]:
        return book.cached[1, grain] >= ask.pods[j]
    _usable_everywhere(gpu, gpu.free, gpu.room, _expected_end(ask, book, j, now), book.scratch)
    for n in range(gpu.free.size):
        book.scratch[n] = min(book.scratch[n], book.extra[n])
    fit = _pods_that_fit(book.scratch, grain, book.counts)
    if not windows:
        book.stamp[1, grain], book.cached[1, grain] = c[VERSION], fit
    return fit >= ask.pods[j]


@_leaf
def _take(ask, gpu, book, j, n, gpus, now):
    """Let job j hold GPUs of node n, in one slot a node."""
    c = gpu.count
    s = gpu.job_slot[j]
    while s >= 0 and gpu.slot[s, S_NODE] != n:
        s = gpu.slot[s, S_NEXT]
    if s >= 0:
        gpu.slot[s, S_GPUS] += gpus
    else:
        s = c[FREE_SLOT]
        c[FREE_SLOT] = gpu.slot[s, S_NEXT]
        first = gpu.node_slot[n]
        gpu.slot[s, S_JOB], gpu.slot[s, S_NODE], gpu.slot[s, S_GPUS] = j, n, gpus
        gpu.slot[s, S_NEXT] = gpu.job_slot[j]
        gpu.slot[s, S_NODE_LAST], gpu.slot[s, S_NODE_NEXT] = -1, first
        if first >= 0:
            gpu.slot[first, S_NODE_LAST] = s
        gpu.job_slot[j] = s
        gpu.node_slot[n] = s
    _hold(gpu, n, gpus)
    gpu.held[ask.level[j]] += gpus
    gpu.by_level[n, ask.level[j]] += gpus
    for w in range(c[WINDOWS_BEGUN], gpu.begins.size):
        if gpu.end[j] > gpu.begins[w]:
            gpu.room[w, n] -= gpus
    if c[PLACED] < book.place.shape[0]:
        book.place[c[PLACED], 0] = c[LOGGED]
        book.place[c[PLACED], 1] = n
        book.place[c[PLACED], 2] = gpus
        book.place_s[c[PLACED]] = now
    else:
        c[OVERFLOW] = 1
    c[PLACED] += 1


@_leaf
def _stand(gpu, j):
    """Insert a job into the running ones by its expected end."""
    low, high = 0, gpu.count[RUNNING_JOBS]
    while low < high:
        middle = (low + high) >> 1
        if gpu.end[gpu.by_end[middle]] <= gpu.end[j]:
            low = middle + 1
        else:
            high = middle
    for i in range(gpu.count[RUNNING_JOBS], low, -1):
        gpu.by_end[i] = gpu.by_end[i - 1]
    gpu.by_end[low] = j
    gpu.count[RUNNING_JOBS] += 1


@_leaf
def _step_down(gpu, j):
    """Remove a job from the running ones."""
    low, high = 0, gpu.count[RUNNING_JOBS]
    while low < high:
        middle = (low + high) >> 1
        if gpu.end[gpu.by_end[middle]] < gpu.end[j]:
            low = middle + 1
        else:
            high = middle
    while gpu.by_end[low] != j:
        low += 1
    for i in range(low, gpu.count[RUNNING_JOBS] - 1):
        gpu.by_end[i] = gpu.by_end[i + 1]
    gpu.count[RUNNING_JOBS] -= 1


@_leaf
def _start(ask, gpu, book, j, now, usable, spread, forced):
    """Start a whole gang on the usable GPUs; `forced` is a node that takes the first pod, or -1."""
    c = gpu.count
    book.state[j], book.began[j] = RUNNING, now
    if book.attempts[j] == 0:
        book.start[j] = now
    book.attempts[j] += 1
    book.waited[j] += now - book.first[j]
    gpu.end[j] = _expected_end(ask, book, j, now)
    _stand(gpu, j)
    left, grain = ask.pods[j], ask.grain[j]
    while left > 0:
        n = forced if forced >= 0 else pick_node(usable, grain, spread)
        forced = -1
        pods = 1 if spread else max(1, min(left, usable[n] // grain))
        usable[n] -= pods * grain
        left -= pods
        _take(ask, gpu, book, j, n, pods * grain, now)
    if c[LOGGED] < book.log.size:
        book.log[c[LOGGED]] = j
        book.log_s[c[LOGGED], 0] = now
        book.log_s[c[LOGGED], 1] = np.nan
    else:
        c[OVERFLOW] = 1
    book.tag[j] = c[LOGGED]
    c[LOGGED] += 1
    c[VERSION] += 1
    c[DECISIONS] += 1
    finish = now + book.overhead[j] + (ask.duration[j] - book.saved[j])
    book.finish_job[c[FINISHES]] = j
    _push(book.finish, book.finish_job, c[FINISHES], finish, j)
    c[FINISHES] += 1


@_leaf
def _release(ask, gpu, book, j, now):
    """Give a job's GPUs back, and close its line in the log."""
    c = gpu.count
    s = gpu.job_slot[j]
    while s >= 0:
        n, gpus = gpu.slot[s, S_NODE], gpu.slot[s, S_GPUS]
        _hold(gpu, n, -gpus)
        gpu.held[ask.level[j]] -= gpus
        gpu.by_level[n, ask.level[j]] -= gpus
        for w in range(c[WINDOWS_BEGUN], gpu.begins.size):
            if gpu.end[j] > gpu.begins[w]:
                gpu.room[w, n] += gpus
        last, following = gpu.slot[s, S_NODE_LAST], gpu.slot[s, S_NODE_NEXT]
        if last >= 0:
            gpu.slot[last, S_NODE_NEXT] = following
        else:
            gpu.node_slot[n] = following
        if following >= 0:
            gpu.slot[following, S_NODE_LAST] = last
        behind = gpu.slot[s, S_NEXT]
        gpu.slot[s, S_NEXT] = c[FREE_SLOT]
        c[FREE_SLOT] = s
        s = behind
    gpu.job_slot[j] = -1
    _step_down(gpu, j)
    if c[HOPELESS] >= 0 and ask.level[j] >= ask.level[c[HOPELESS]]:
        c[HOPELESS] = _NO_JOB
    if book.tag[j] < book.log.size:
        book.log_s[book.tag[j], 1] = now
    c[VERSION] += 1


@_leaf
def _enqueue(ask, gpu, book, j):
    """Insert a job into the queue by its rank."""
    c = gpu.count
    if c[TAIL] == book.queue.size:
        length = c[TAIL] - c[HEAD]
        for i in range(length):
            book.queue[i] = book.queue[c[HEAD] + i]
        c[HEAD], c[TAIL] = 0, length
    low, high = c[HEAD], c[TAIL]
    while low < high:
        middle = (low + high) >> 1
        if ask.rank[book.queue[middle]] < ask.rank[j]:
            low = middle + 1
        else:
            high = middle
    for i in range(c[TAIL], low, -1):
        book.queue[i] = book.queue[i - 1]
    book.queue[low] = j
    c[TAIL] += 1
    book.state[j] = WAITING


@_leaf
def _evict(ask, gpu, book, j, now, checkpoint_s, restart_s):
    """Preempt a running job: what it did since its last checkpoint is lost; it queues again."""
    worked = max(0.0, now - book.began[j] - book.overhead[j])
    if checkpoint_s > 0:
        book.saved[j] += np.floor(worked / checkpoint_s) * checkpoint_s
    book.lost[j] += now - book.began[j]
    book.overhead[j] = restart_s
    for i in range(gpu.count[FINISHES]):
        if book.finish_job[i] == j:
            _remove(book.finish, book.finish_job, gpu.count[FINISHES], i)
            gpu.count[FINISHES] -= 1
            break
    _release(ask, gpu, book, j, now)
    book.first[j] = now
    _enqueue(ask, gpu, book, j)


@_leaf
def _remove(times, jobs, count, i):
    """Remove the entry i of the heap."""
    while i > 0:
        up = (i - 1) >> 1
        times[i], jobs[i] = times[up], jobs[up]
        i = up
    _pop(times, jobs, count)


@_leaf
def _shift(ask, gpu, free, room, j, sign):
    """Pretend that a running job left (+1) or is back (-1)."""
    s = gpu.job_slot[j]
    while s >= 0:
        n, gpus = gpu.slot[s, S_NODE], sign * gpu.slot[s, S_GPUS]
        free[n] += gpus
        for w in range(gpu.count[WINDOWS_BEGUN], gpu.begins.size):
            if gpu.end[j] > gpu.begins[w]:
                room[w, n] += gpus
        s = gpu.slot[s, S_NEXT]


@_leaf
def _before(ask, book, a, b):
    """Reprieve first the higher priority, then the earlier start, then the earlier row."""
    if ask.priority[a] != ask.priority[b]:
        return ask.priority[a] > ask.priority[b]
    if book.began[a] != book.began[b]:
        return book.began[a] < book.began[b]
    return a < b


@_leaf
def _sort_victims(ask, book, jobs, count):
    for i in range(1, count):
        j, k = jobs[i], i
        while k > 0 and _before(ask, book, j, jobs[k - 1]):
            jobs[k] = jobs[k - 1]
            k -= 1
        jobs[k] = j


@_leaf
def _victims_on(ask, gpu, book, free, room, n, h, end):
    """Put node n's victims for one pod of job h into `book.found`; how many, or -1: no help."""
    found, held, all_held = book.found, book.found_gpus, 0
    count, s = 0, gpu.node_slot[n]
    while s >= 0:
        j, gpus = gpu.slot[s, S_JOB], gpu.slot[s, S_GPUS]
        if ask.priority[j] < ask.priority[h] and not book.victim[j]:
            k = count
            while k > 0 and _before(ask, book, j, found[k - 1]):
                found[k], held[k] = found[k - 1], held[k - 1]
                k -= 1
            found[k], held[k] = j, gpus
            all_held += gpus
            count += 1
        s = gpu.slot[s, S_NODE_NEXT]
    if count == 0 or free[n] + all_held < ask.grain[h]:
        return -1
    if gpu.begins.size > gpu.count[WINDOWS_BEGUN]:
        return _reprieve_beside_windows(ask, gpu, book, free, room, n, h, end, count)
    spare, kept = free[n] + all_held, 0
    for i in range(count):
        if spare - held[i] >= ask.grain[h]:
            spare -= held[i]
        else:
            found[kept] = found[i]
            kept += 1
    return kept


@_leaf
def _reprieve_beside_windows(ask, gpu, book, free, room, n, h, end, count):
    """Do the same where GPUs are about to be set aside; leaves `free` and `room` as they were."""
    found, kept = book.found, -1
    for i in range(count):
        _shift_on(gpu, free, room, found[i], n, 1)
    if _usable(gpu, free, room, n, end) < ask.grain[h]:
        for i in range(count):
            _shift_on(gpu, free, room, found[i], n, -1)
        return kept
    kept = 0
    for i in range(count):
        _shift_on(gpu, free, room, found[i], n, -1)
        if _usable(gpu, free, room, n, end) < ask.grain[h]:
            _shift_on(gpu, free, room, found[i], n, 1)
            found[kept] = found[i]
            kept += 1
    for i in range(kept):
        _shift_on(gpu, free, room, found[i], n, -1)
    return kept


@_leaf
def _shift_on(gpu, free, room, j, n, sign):
    s = gpu.node_slot[n]
    while gpu.slot[s, S_JOB] != j:
        s = gpu.slot[s, S_NODE_NEXT]
    gpus = sign * gpu.slot[s, S_GPUS]
    free[n] += gpus
    for w in range(gpu.count[WINDOWS_BEGUN], gpu.begins.size):
        if gpu.end[j] > gpu.begins[w]:
            room[w, n] += gpus


@_leaf
def _preempt(ask, gpu, book, h, now, spread, checkpoint_s, restart_s):
    """Let the head take the place of lower priorities, or change nothing; tell which."""
    c, end = gpu.count, _expected_end(ask, book, h, now)
    # What is free or held by lower priorities grows only when one of the others gives back.
    if c[HOPELESS] == h and gpu.begins.size == 0:
        return False
    c[HOPELESS] = h
    within = c[ALL_FREE]
    for k in range(ask.level[h]):
        within += gpu.held[k]
    if ask.level[h] == 0 or within < ask.pods[h] * ask.grain[h]:
        return False
    fit = 0
    for n in range(gpu.free.size):
        within = gpu.free[n]
        for k in range(ask.level[h]):
            within += gpu.by_level[n, k]
        if within >= ask.grain[h]:
            fit += within // ask.grain[h]
    if fit < ask.pods[h]:
        return False
    victims, where = _plan(ask, gpu, book, h, end, spread)
    if victims > 0 and ask.pods[h] > 1:
        victims = _reprieve_gangs(ask, gpu, book, h, victims, end)
    for i in range(book.chosen.size):
        if book.chosen[i] < 0:
            break
        book.victim[book.chosen[i]] = False
    if victims <= 0:
        return False
    c[HOPELESS] = _NO_JOB
    c[HEAD] += 1
    for i in range(victims):
        _evict(ask, gpu, book, book.chosen[i], now, checkpoint_s, restart_s)
    _usable_everywhere(gpu, gpu.free, gpu.room, end, book.scratch)
    _start(ask, gpu, book, h, now, book.scratch, spread, where if ask.pods[h] == 1 else -1)
    return True


@_leaf
def _plan(ask, gpu, book, h, end, spread):
    """Place the pods one by one in thought; return how many victims that takes, and the last node.

    The victims stand in `book.chosen`, ended by -1. No victims at all (0) if a pod finds no place.
    """
    free, room = book.trial, book.trial_room
    _copy(gpu, free, room)
    for n in range(book.dirty.size):
        book.dirty[n] = True
        book.touched[n] = False
    victims, n = 0, -1
    book.chosen[0] = -1
    for _ in range(ask.pods[h]):
        _usable_everywhere(gpu, free, room, end, book.scratch)
        n = pick_node(book.scratch, ask.grain[h], spread)
        if n < 0:
            n = _best_node(ask, gpu, book, free, room, h, end)
            if n < 0:
                return 0, -1
            count = _victims_on(ask, gpu, book, free, room, n, h, end)
            for i in range(count):
                j = book.found[i]
                book.victim[j] = True
                book.chosen[victims] = j
                victims += 1
                _shift(ask, gpu, free, room, j, 1)
                s = gpu.job_slot[j]
                while s >= 0:
                    book.dirty[gpu.slot[s, S_NODE]] = True
                    book.touched[gpu.slot[s, S_NODE]] = True
                    s = gpu.slot[s, S_NEXT]
            book.chosen[victims] = -1
        book.dirty[n] = True
        book.touched[n] = True
        free[n] -= ask.grain[h]
        for w in range(gpu.count[WINDOWS_BEGUN], gpu.begins.size):
            if end > gpu.begins[w]:
                room[w, n] -= ask.grain[h]
    return victims, n


@_leaf
def _copy(gpu, free, room):
    """Begin a trial: copy what is free now."""
    for n in range(free.size):
        free[n] = gpu.free[n]
    for w in range(gpu.begins.size):
        for n in range(free.size):
            room[w, n] = gpu.room[w, n]


@_leaf
def _best_node(ask, gpu, book, free, room, h, end):
    """Choose the node by Kubernetes' rules; only nodes that may win are looked at closely.

    As victims are reprieved from the highest priority, the top one on a node is of the lowest level
    up to which all have to go: no node that needs a higher level than another can win.
    """
    least = _lowest_need(ask, gpu, book, free, h)
    chosen = -1
    for n in range(gpu.free.size):
        if book.need[n] > least:
            continue
        if book.dirty[n]:
            book.dirty[n] = False
            kept = _victims_on(ask, gpu, book, free, room, n, h, end)
            book.cost[n, 2] = kept
            if kept > 0:
                _weigh(ask, book, n, kept)
        if book.cost[n, 2] > 0 and (chosen < 0 or _cheaper(book, n, chosen)):
            chosen = n
    return chosen


@_leaf
def _lowest_need(ask, gpu, book, free, h):
    """Note up to which level jobs have to go on each node; 0 where this plan changed it already."""
    least = ask.level[h]
    windows = gpu.begins.size > gpu.count[WINDOWS_BEGUN]
    for n in range(free.size):
        book.need[n] = 0
        if book.touched[n] or windows:
            continue
        sum_, k = free[n], 0
        while k < ask.level[h]:
            sum_ += gpu.by_level[n, k]
            if sum_ >= ask.grain[h]:
                break
            k += 1
        book.need[n] = k
        least = min(least, k)
    return least


@_leaf
def _weigh(ask, book, n, kept):
    """Note what node n's victims cost: top priority, sum, number, earliest start at the top."""
    top, total, start = ask.priority[book.found[0]], 0, np.inf
    for i in range(kept):
        j = book.found[i]
        total += ask.priority[j] + _SIGN
        if ask.priority[j] == top:
            start = min(start, book.began[j])
    book.cost[n, 0], book.cost[n, 1], book.start_of[n] = top, total, start


@_leaf
def _cheaper(book, n, other):
    for k in range(3):
        if book.cost[n, k] != book.cost[other, k]:
            return book.cost[n, k] < book.cost[other, k]
    return book.start_of[n] > book.start_of[other]


@_leaf
def _reprieve_gangs(ask, gpu, book, h, victims, end):
    """Keep every victim without which the gang fits all the same; return how many are left."""
    free, room = book.trial, book.trial_room
    _copy(gpu, free, room)
    _sort_victims(ask, book, book.chosen, victims)
    for i in range(victims):
        _shift(ask, gpu, free, room, book.chosen[i], 1)
    kept = 0
    for i in range(victims):
        j = book.chosen[i]
        _shift(ask, gpu, free, room, j, -1)
        _usable_everywhere(gpu, free, room, end, book.scratch)
        if _pods_that_fit(book.scratch, ask.grain[h], book.counts) < ask.pods[h]:
            _shift(ask, gpu, free, room, j, 1)
            book.chosen[i] = book.chosen[kept]
            book.chosen[kept] = j
            kept += 1
    return kept


@_leaf
def _expected(gpu, n_running, windows_at, now):
    """Return when the next GPUs are expected back, from running jobs or from reservations."""
    time = np.inf
    if n_running < gpu.count[RUNNING_JOBS]:
        time = max(now, gpu.end[gpu.by_end[n_running]])
    for w in range(gpu.begins.size):
        if gpu.ends[w] > windows_at:
            time = min(time, gpu.ends[w])
    return time


@_leaf
def _reserve(ask, gpu, book, h, now, spread):
    """Find when the head can start at the latest, and what is left beside it then."""
    c, grain = gpu.count, ask.grain[h]
    free = book.trial
    for n in range(free.size):
        free[n] = gpu.free[n]
    fit, i, time = _pods_that_fit(free, grain, book.counts), 0, now
    while True:
        time = _expected(gpu, i, time, now)
        while i < c[RUNNING_JOBS] and max(now, gpu.end[gpu.by_end[i]]) <= time:
            s = gpu.job_slot[gpu.by_end[i]]
            while s >= 0:
                n = gpu.slot[s, S_NODE]
                fit -= free[n] // grain
                free[n] += gpu.slot[s, S_GPUS]
                fit += free[n] // grain
                s = gpu.slot[s, S_NEXT]
            i += 1
        if gpu.begins.size:
            _without_windows(gpu, free, time, _expected_end(ask, book, h, time), book.scratch)
            fit = _pods_that_fit(book.scratch, grain, book.counts)
        else:
            for n in range(free.size):
                book.scratch[n] = free[n]
        if fit >= ask.pods[h] or time == np.inf:
            break
    left = ask.pods[h]
    while left > 0 and fit >= ask.pods[h]:
        n = pick_node(book.scratch, grain, spread)
        pods = 1 if spread else min(left, book.scratch[n] // grain)
        book.scratch[n] -= pods * grain
        left -= pods
    c[ALL_EXTRA] = 0
    for n in range(gpu.free.size):
        book.extra[n] = max(0, book.scratch[n])
        c[ALL_EXTRA] += book.extra[n]
    book.shadow[0] = time
    c[RESERVED_FOR] = h
    c[VERSION] += 1


@_leaf
def _without_windows(gpu, free, begin, end, usable):
    """GPUs free at `begin` less all that is set aside at any time until `end`."""
    for n in range(free.size):
        usable[n] = free[n]
    for w in range(gpu.begins.size):
        if gpu.ends[w] <= begin:
            for n in range(free.size):
                usable[n] += gpu.taken[w, n]
        elif w >= gpu.count[WINDOWS_BEGUN] and gpu.begins[w] < end:
            for n in range(free.size):
                usable[n] -= gpu.want[w, n]
        elif w < gpu.count[WINDOWS_BEGUN]:
            for n in range(free.size):
                usable[n] -= gpu.want[w, n] - gpu.taken[w, n]


@_leaf
def _start_next(ask, gpu, book, j, now, spread, beside):
    _usable_everywhere(gpu, gpu.free, gpu.room, _expected_end(ask, book, j, now), book.scratch)
    if beside:
        for n in range(gpu.free.size):
            book.scratch[n] = min(book.scratch[n], book.extra[n])
    _start(ask, gpu, book, j, now, book.scratch, spread, -1)


@_leaf
def _try_behind(ask, gpu, book, j, now, spread, mode):
    """Start a job from behind the head if it fits and does not delay it; tell whether."""
    if not _fits(ask, gpu, book, j, now):
        return False
    if mode == GREEDY or _expected_end(ask, book, j, now) <= book.shadow[0]:
        _start_next(ask, gpu, book, j, now, spread, False)
        return True
    if not _fits_beside_head(ask, gpu, book, j, now):
        return False
    _start_next(ask, gpu, book, j, now, spread, True)
    s = gpu.job_slot[j]
    while s >= 0:
        book.extra[gpu.slot[s, S_NODE]] -= gpu.slot[s, S_GPUS]
        gpu.count[ALL_EXTRA] -= gpu.slot[s, S_GPUS]
        s = gpu.slot[s, S_NEXT]
    return True


@_leaf
def _hopeless_behind(ask, gpu, book, j):
    """Tell at a glance that a job cannot start now: most of those that wait cannot."""
    pods, grain = ask.pods[j], ask.grain[j]
    return pods * grain > gpu.count[ALL_FREE] or (
        book.stamp[0, grain] == gpu.count[VERSION] and book.cached[0, grain] < pods
    )


@_leaf
def _backfill(ask, gpu, book, now, spread, mode, depth):
    """Look at the jobs behind the head in turn."""
    c = gpu.count
    kept = c[HEAD] + 1
    last = min(c[TAIL], kept + depth)
    i = kept
    while i < last and c[ALL_FREE] > 0:
        j = book.queue[i]
        if _hopeless_behind(ask, gpu, book, j) or not _try_behind(
            ask, gpu, book, j, now, spread, mode
        ):
            book.queue[kept] = j
            kept += 1
        i += 1
    if kept < i:
        for k in range(i, c[TAIL]):
            book.queue[kept] = book.queue[k]
            kept += 1
        c[TAIL] = kept


@_leaf
def _backfill_newcomer(ask, gpu, book, now, spread, mode, arrived):
    """Look at one job only, where nothing but its arrival is new."""
    c = gpu.count
    place = c[HEAD] + 1
    while place < c[TAIL] and book.queue[place] != arrived:
        place += 1
    if place < c[TAIL] and _try_behind(ask, gpu, book, arrived, now, spread, mode):
        for k in range(place + 1, c[TAIL]):
            book.queue[k - 1] = book.queue[k]
        c[TAIL] -= 1


@_leaf
def _schedule(
    ask, gpu, book, now, arrived, spread, backfill, depth, preempt, checkpoint_s, restart_s
):
    """Start from the head what fits, then backfill; `arrived` is the only news, or -1."""
    c = gpu.count
    while c[HEAD] < c[TAIL]:
        h = book.queue[c[HEAD]]
        if _fits(ask, gpu, book, h, now):
            c[HEAD] += 1
            _start_next(ask, gpu, book, h, now, spread, False)
        elif not (preempt and _preempt(ask, gpu, book, h, now, spread, checkpoint_s, restart_s)):
            break
        arrived = _NO_JOB
        c[RESERVED_FOR] = _NO_JOB
    if c[HEAD] == c[TAIL] or backfill == NO_BACKFILL:
        return
    if backfill == EASY and (c[RESERVED_FOR] != book.queue[c[HEAD]] or now >= book.shadow[0]):
        _reserve(ask, gpu, book, book.queue[c[HEAD]], now, spread)
        arrived = _NO_JOB
    if arrived != _NO_JOB and c[TAIL] - c[HEAD] - 1 <= depth:
        _backfill_newcomer(ask, gpu, book, now, spread, backfill, arrived)
    else:
        _backfill(ask, gpu, book, now, spread, backfill, depth)


@_leaf
def _turn_windows(gpu, now):
    """Begin and end advance reservations that are due; GPUs still in use follow when they end."""
    c = gpu.count
    while c[WINDOWS_BEGUN] < gpu.begins.size and gpu.begins[c[WINDOWS_BEGUN]] <= now:
        c[WINDOWS_BEGUN] += 1
        c[VERSION] += 1
    for w in range(c[WINDOWS_BEGUN]):
        for n in range(gpu.free.size):
            if gpu.ends[w] <= now:
                gpus = -gpu.taken[w, n]
            else:
                gpus = min(gpu.want[w, n] - gpu.taken[w, n], gpu.free[n])
            if gpus != 0:
                gpu.taken[w, n] += gpus
                _hold(gpu, n, gpus)
                c[VERSION] += 1


@_leaf
def _next_window(gpu, now):
    time = np.inf
    for w in range(gpu.begins.size):
        if gpu.begins[w] > now:
            time = min(time, gpu.begins[w])
        if gpu.ends[w] > now:
            time = min(time, gpu.ends[w])
    return time


@_leaf
def _end_next(ask, gpu, book, now):
    """End the job whose end is the next."""
    j = book.finish_job[0]
    gpu.count[FINISHES] = _pop(book.finish, book.finish_job, gpu.count[FINISHES])
    book.state[j] = DONE
    book.lost[j] += now - book.began[j]
    _release(ask, gpu, book, j, now)


@njit(cache=True)
def run_gangs(
    ask, gpu, book, order, spread, backfill, depth, preempt, checkpoint_s, restart_s, times, levels
):
    """Run all jobs to their ends; `times` and `levels` get what is held at each moment.

    Returns the number of moments. `levels` holds allocated GPUs, GPUs set aside, waiting jobs.
    """
    c, coming, moments, capacity = gpu.count, 0, 0, gpu.capacity.sum()
    now = -np.inf
    while coming < order.size or c[FINISHES] > 0 or c[HEAD] < c[TAIL]:
        time = np.inf
        if coming < order.size:
            time = ask.arrival[order[coming]]
        if c[FINISHES] > 0:
            time = min(time, book.finish[0])
        if gpu.begins.size:
            time = min(time, _next_window(gpu, now))
        if time == np.inf:
            break
        now = time
        arrivals, arrived, quiet = 0, -1, True
        while c[FINISHES] > 0 and book.finish[0] == now:
            _end_next(ask, gpu, book, now)
            quiet = False
        if gpu.begins.size:
            _turn_windows(gpu, now)
            quiet = False
        while coming < order.size and ask.arrival[order[coming]] == now:
            arrived = order[coming]
            coming += 1
            book.first[arrived] = now
            _enqueue(ask, gpu, book, arrived)
            arrivals += 1
        if not (quiet and arrivals == 1):
            arrived = -1
        _schedule(
            ask, gpu, book, now, arrived, spread, backfill, depth, preempt, checkpoint_s, restart_s
        )
        if c[OVERFLOW]:
            return moments
        times[moments] = now
        reserved = 0
        if gpu.begins.size:
            reserved = gpu.taken.sum()
        levels[moments, 0] = capacity - c[ALL_FREE] - reserved
        levels[moments, 1] = reserved
        levels[moments, 2] = c[TAIL] - c[HEAD]
        moments += 1
    return moments
