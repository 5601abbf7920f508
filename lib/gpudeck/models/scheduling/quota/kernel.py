"""The compiled loop of tenants that share a pool of GPUs: arrivals, ends, admission, reclaim.

Jobs stand sorted by tenant, then by their place in the tenant's queue, so that a job's number is
its place and a tenant's jobs lie side by side from ``base[t]``.

``job``     of each job: (tenant, gpus, priority, arrival), shape (jobs,) each; constant
``rule``    (policy, lower, total, quota, ceiling, weight): GPUs of the pool, of each tenant, ...
``state``   of each tenant, int64, shape (tenants, COLUMNS)
``waiting`` heaps of job numbers, one a tenant from ``base[t]``
``running`` job numbers from ``base[t]``; whoever gives way first stands last: lower priority,
            started later, smaller number
``run``     of each job, float64, shape (jobs, 6): START … END
"""

import numpy as np
from numba import njit

NONE, STATIC, BORROWING, RECLAIM, FAIR, KAI = range(6)
HELD, QUEUED, PENDING, RUNNING, COLUMNS = range(5)
# of each job: when this attempt began, how long it waits for victims, work left, time on GPUs in
# all attempts, first start, end; -1 for what has not happened
START, GRACE, LEFT, BUSY, FIRST, END = range(6)
_FAR, _ZERO_WEIGHT = np.inf, 1e12


@njit(cache=True)
def _push_number(heap, low, size, value):
    """Add a number to a heap of ``size`` that begins at ``low``."""
    child = size
    while child > 0:
        parent = (child - 1) >> 1
        if heap[low + parent] <= value:
            break
        heap[low + child] = heap[low + parent]
        child = parent
    heap[low + child] = value


@njit(cache=True)
def _pop_number(heap, low, size):
    """Remove the smallest number of a heap of ``size``."""
    value = heap[low + size - 1]
    size -= 1
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        if child + 1 < size and heap[low + child + 1] < heap[low + child]:
            child += 1
        if value <= heap[low + child]:
            break
        heap[low + parent] = heap[low + child]
        parent = child
    if size > 0:
        heap[low + parent] = value


@njit(cache=True)
def _push_end(ends, jobs, size, end, job):
    """Add a job's end to the heap of ends."""
    child = size
    while child > 0:
        parent = (child - 1) >> 1
        if ends[parent] <= end:
            break
        ends[child], jobs[child] = ends[parent], jobs[parent]
        child = parent
    ends[child], jobs[child] = end, job


@njit(cache=True)
def _pop_end(ends, jobs, size):
    """Remove the earliest end."""
    end, job = ends[size - 1], jobs[size - 1]
    size -= 1
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            break
        if child + 1 < size and ends[child + 1] < ends[child]:
            child += 1
        if end <= ends[child]:
            break
        ends[parent], jobs[parent] = ends[child], jobs[child]
        parent = child
    if size > 0:
        ends[parent], jobs[parent] = end, job


@njit(cache=True)
def borrowed_share(held, quota, total, weight):
    """Kueue's dominant resource share of one resource, in thousandths; weight 0 is above all."""
    if held <= quota:
        return 0.0
    if weight == 0:
        return _ZERO_WEIGHT + np.ceil(round((held - quota) * 1000 / total, 9))
    return np.ceil(round((held - quota) * 1000 / total / weight, 9))


@njit(cache=True)
def divide_rest(total, quota, weight, claim, got):
    """KAI's division for queues of one priority, the older first, into ``got``."""
    left = float(total)
    for t in range(len(claim)):
        got[t] = min(quota[t], claim[t])
        left -= got[t]
    withheld = np.zeros(len(claim))
    again = True
    while again and left > 0:
        again, round_total, weights = False, left, 0.0
        for t in range(len(claim)):
            if got[t] < claim[t]:
                weights += weight[t]
        if weights == 0:
            break
        hungry = got < claim
        for t in range(len(claim)):
            if not hungry[t] or weight[t] == 0:
                continue
            part = round_total * weight[t] / weights
            missing = claim[t] - got[t]
            if missing <= part:
                again = again or missing < part
                given, withheld[t] = missing, 0.0
            else:
                given = np.floor(part + 1e-9)
                if part - given > 1e-9:
                    withheld[t] = part - given
            given = min(given, left)
            got[t] += given
            left -= given
        if left < 1e-9:
            left = 0.0
    while left > 1e-9 and withheld.max() > 1e-9:
        best = 0
        for t in range(len(claim)):
            if withheld[t] > withheld[best] + 1e-9:
                best = t
        given = min(1.0, left)
        got[best] += given
        left -= given
        withheld[best] = 0.0


@njit(cache=True)
def _sooner(a, b, job, run):
    """Tell whether running job a gives way before running job b."""
    priority = job[2]
    if priority[a] != priority[b]:
        return priority[a] < priority[b]
    if run[a, START] != run[b, START]:
        return run[a, START] > run[b, START]
    return a < b


@njit(cache=True)
def _enter(j, job, state, base, running, run):
    """Put a job among its tenant's running jobs."""
    t = job[0][j]
    at = base[t] + state[t, RUNNING]
    while at > base[t] and _sooner(running[at - 1], j, job, run):
        running[at] = running[at - 1]
        at -= 1
    running[at] = j
    state[t, RUNNING] += 1
    state[t, HELD] += job[1][j]


@njit(cache=True)
def _leave(j, job, state, base, running):
    """Take a job from its tenant's running jobs."""
    t = job[0][j]
    at = base[t]
    while running[at] != j:
        at += 1
    state[t, RUNNING] -= 1
    for place in range(at, base[t] + state[t, RUNNING]):
        running[place] = running[place + 1]
    state[t, HELD] -= job[1][j]


@njit(cache=True)
def _fill_back(taken, count, spare, gpus):
    """Let those stay without whom it fits too, the last taken first; the very last has to go."""
    kept = count
    for place in range(count - 2, -1, -1):
        if spare >= gpus[taken[place]]:
            spare -= gpus[taken[place]]
            kept -= 1
            for other in range(place, kept):
                taken[other] = taken[other + 1]
    return kept


@njit(cache=True)
def _above_line(j, free, line, lower, job, state, base, running, run, taken):
    """Choose jobs of tenants above their line until job j fits; return how many, 0 if in vain."""
    own, gpus, priority = job[0][j], job[1], job[2]
    held, at = state[:, HELD].copy(), base[:-1] + state[:, RUNNING] - 1
    count = 0
    while free < gpus[j]:
        best = -1
        for t in range(len(line)):
            if t == own or held[t] <= line[t] or at[t] < base[t]:
                continue
            if lower and priority[running[at[t]]] >= priority[j]:
                continue
            if best < 0 or _sooner(running[at[t]], running[at[best]], job, run):
                best = t
        if best < 0:
            return 0
        victim = running[at[best]]
        at[best] -= 1
        held[best] -= gpus[victim]
        free += gpus[victim]
        taken[count] = victim
        count += 1
    return _fill_back(taken, count, free - gpus[j], gpus)


@njit(cache=True)
def _by_share(j, free, rule, job, state, base, running, taken, retry):
    """Choose jobs by Kueue's two fair-sharing strategies until job j fits; return how many."""
    lower, total, quota, weight = rule[1], rule[2], rule[3], rule[5]
    own, gpus, priority = job[0][j], job[1], job[2]
    tenants = len(quota)
    mine = borrowed_share(state[own, HELD] + gpus[j], quota[own], total, weight[own])
    held, at = state[:, HELD].copy(), base[:-1] + state[:, RUNNING] - 1
    # whose share is 0 is never chosen, and the own tenant has no candidates
    at[own] = base[own] - 1
    count, later = 0, np.zeros(tenants, dtype=np.int64)
    for final in (True, False):
        while True:
            best, most = -1, 0.0
            for t in range(tenants):
                open_ = at[t] >= base[t] if final else later[t] > 0
                share = borrowed_share(held[t], quota[t], total, weight[t])
                if open_ and share > most:
                    best, most = t, share
            if best < 0:
                break
            victim = -1
            if final:
                while at[best] >= base[best] and victim < 0:
                    other = running[at[best]]
                    at[best] -= 1
                    if lower and priority[other] >= priority[j]:
                        continue
                    rest = held[best] - gpus[other]
                    if mine <= borrowed_share(rest, quota[best], total, weight[best]):
                        victim = other
                    else:
                        retry[base[best] + later[best]] = other
                        later[best] += 1
            else:
                later[best] = 0
                if mine < most:
                    victim = retry[base[best]]
            if victim < 0:
                continue
            held[best] -= gpus[victim]
            free += gpus[victim]
            taken[count] = victim
            count += 1
            if free >= gpus[j]:
                return _fill_back(taken, count, free - gpus[j], gpus)
    return 0


@njit(cache=True)
def _victims(j, free, rule, fair, job, state, base, running, run, taken, retry):
    """Choose whom job j evicts under the policy; return how many, 0 if nobody or in vain."""
    policy, lower, quota = rule[0], rule[1], rule[3]
    own, gpus = job[0][j], job[1][j]
    held = state[own, HELD] + gpus
    line = fair if policy == KAI else quota
    if policy == FAIR:
        mine = borrowed_share(held, quota[own], rule[2], rule[5][own])
        for t in range(len(quota)):
            share = borrowed_share(state[t, HELD], quota[t], rule[2], rule[5][t])
            if t != own and share > 0 and mine <= share:
                return _by_share(j, free, rule, job, state, base, running, taken, retry)
        return 0
    if (policy == RECLAIM or policy == KAI) and held <= line[own]:
        return _above_line(j, free, line, lower, job, state, base, running, run, taken)
    return 0


@njit(cache=True)
def _pick(rule, fair, job, state, base, waiting, blocked):
    """Return the tenant whose first waiting job is tried next, -1 if all are blocked or idle."""
    policy, total, quota, weight = rule[0], rule[2], rule[3], rule[5]
    gpus, priority, arrival = job[1], job[2], job[3]
    best, best_key, best_job = -1, 0.0, -1
    for t in range(len(quota)):
        if blocked[t] or state[t, PENDING] == 0:
            continue
        j = waiting[base[t]]
        after, key = state[t, HELD] + gpus[j], 0.0
        if policy == BORROWING or policy == RECLAIM:
            key = 1.0 if after > quota[t] else 0.0
        elif policy == FAIR:
            key = borrowed_share(after, quota[t], total, weight[t])
        elif policy == KAI:
            key = state[t, HELD] / fair[t] if fair[t] > 0 else _FAR
        better = best < 0 or key < best_key
        if not better and key == best_key:
            if policy != NONE and priority[j] != priority[best_job]:
                better = priority[j] > priority[best_job]
            else:
                better = arrival[j] < arrival[best_job]
        if better:
            best, best_key, best_job = t, key, j
    return best


@njit(cache=True)
def _evict(now, checkpoint, other, job, state, base, waiting, running, run):
    """Put a running job back to its queue; return the GPU-seconds that it loses."""
    owner, gpus, tried = job[0][other], job[1][other], now - run[other, START]
    _leave(other, job, state, base, running)
    work = max(0.0, tried - run[other, GRACE])
    if checkpoint > 0:
        work = np.floor(work / checkpoint + 1e-9) * checkpoint
    run[other, LEFT] -= work
    run[other, BUSY] += tried
    run[other, END] = -1.0
    _push_number(waiting, base[owner], state[owner, PENDING], other)
    state[owner, PENDING] += 1
    state[owner, QUEUED] += gpus
    return gpus * (tried - work)


@njit(cache=True)
def _start(now, wait, j, job, state, base, waiting, running, run):
    """Take the first waiting job of its tenant, which is j, from the queue and let it run."""
    t = job[0][j]
    _pop_number(waiting, base[t], state[t, PENDING])
    state[t, PENDING] -= 1
    state[t, QUEUED] -= job[1][j]
    run[j, START], run[j, GRACE] = now, wait
    if run[j, FIRST] < 0:
        run[j, FIRST] = now
    run[j, END] = now + wait + run[j, LEFT]
    _enter(j, job, state, base, running, run)


@njit(cache=True)
def _schedule(now, grace, checkpoint, rule, fair, job, state, base, waiting, running, run, log, to):
    """Admit what the policy admits now; return the log of evictions and what ``to`` has become.

    ``to`` is (evictions so far, GPUs free, ends, their jobs, ends so far, lost GPU-seconds).
    """
    policy, quota, ceiling = rule[0], rule[3], rule[4]
    count, free, ends, ending, pending_ends, lost = to
    gpus = job[1]
    blocked = np.zeros(len(quota), dtype=np.bool_)
    taken = np.empty(len(run), dtype=np.int64) if policy >= RECLAIM else waiting
    retry = np.empty(len(run), dtype=np.int64) if policy == FAIR else taken
    # nobody is evicted for ever at one instant, whatever the weights and sizes
    rounds = 16 + state[:, RUNNING].sum()
    while True:
        t = _pick(rule, fair, job, state, base, waiting, blocked)
        if t < 0:
            break
        j = waiting[base[t]]
        within, victims = state[t, HELD] + gpus[j] <= ceiling[t], 0
        fits = within and gpus[j] <= free
        if within and not fits and rounds > 0:
            victims = _victims(j, free, rule, fair, job, state, base, running, run, taken, retry)
        if not fits and victims == 0:
            blocked[t] = True
            if policy == NONE:
                break
            continue
        _start(now, grace if victims > 0 else 0.0, j, job, state, base, waiting, running, run)
        free -= gpus[j]
        for other in taken[:victims]:
            lost += _evict(now, checkpoint, other, job, state, base, waiting, running, run)
            free += gpus[other]
            if count == len(log):
                log = np.concatenate((log, np.empty_like(log)))
            log[count, 0], log[count, 1], log[count, 2] = now, other, j
            count += 1
        # shares have changed: whoever was refused may try again
        blocked[:] = False
        if victims > 0:
            rounds -= 1
        if pending_ends == len(ends):
            ends = np.concatenate((ends, np.empty_like(ends)))
            ending = np.concatenate((ending, np.empty_like(ending)))
        _push_end(ends, ending, pending_ends, run[j, END], j)
        pending_ends += 1
    return log, (count, free, ends, ending, pending_ends, lost)


@njit(cache=True)
def _is_stale(end, j, run):
    """Tell whether an end is that of an attempt that was cut short."""
    return run[j, END] != end or run[j, LEFT] == 0


@njit(cache=True)
def _drop_stale(run, to):
    """Remove stale ends before the first that will come."""
    count, free, ends, ending, pending_ends, lost = to
    while pending_ends > 0 and _is_stale(ends[0], ending[0], run):
        _pop_end(ends, ending, pending_ends)
        pending_ends -= 1
    return count, free, ends, ending, pending_ends, lost


@njit(cache=True)
def _end_jobs(now, job, state, base, running, run, to):
    """Let jobs end that are due."""
    count, free, ends, ending, pending_ends, lost = to
    while pending_ends > 0 and ends[0] <= now:
        end, j = ends[0], ending[0]
        _pop_end(ends, ending, pending_ends)
        pending_ends -= 1
        if not _is_stale(end, j, run):
            _leave(j, job, state, base, running)
            free += job[1][j]
            run[j, BUSY] += end - run[j, START]
            lost += job[1][j] * run[j, GRACE]
            run[j, LEFT] = 0.0
    return count, free, ends, ending, pending_ends, lost


@njit(cache=True)
def _write_row(history, rows, now, job, quota, state, base, waiting):
    """Write what holds from now on, and tell whether it differs from the last row."""
    tenants = len(quota)
    history[rows, 0] = now
    for t in range(tenants):
        held = state[t, HELD]
        history[rows, 1 + t] = held
        history[rows, 1 + tenants + t] = held + state[t, QUEUED]
        first = job[1][waiting[base[t]]] if state[t, PENDING] > 0 else 0
        denied = first > 0 and held + first <= quota[t]
        history[rows, 1 + 2 * tenants + t] = 1.0 if denied else 0.0
    return rows == 0 or np.any(history[rows, 1:] != history[rows - 1, 1:])


@njit(cache=True)
def simulate(rule, job, duration, arrivals, base, until, checkpoint, grace):
    """Run the pool from 0 to ``until``; return history, runs of the jobs, evictions and loss.

    A row of the history is a time and then, for each tenant, GPUs held, GPUs asked (held and
    waiting), and 1 where its first waiting job would fit its quota: the guarantee is denied.
    """
    policy, quota, ceiling = rule[0], rule[3], rule[4]
    tenants, n = len(quota), len(duration)
    state = np.zeros((tenants, COLUMNS), dtype=np.int64)
    waiting, running = np.empty(n, dtype=np.int64), np.empty(n, dtype=np.int64)
    run = np.zeros((n, 6))
    run[:, LEFT], run[:, FIRST], run[:, END] = duration, -1.0, -1.0
    log = np.empty((max(16, n // 4), 3))
    to = (0, rule[2], np.empty(n + 1), np.empty(n + 1, dtype=np.int64), 0, 0.0)
    history = np.empty((2 * n + 2, 1 + 3 * tenants))
    rows, coming, now = 0, 0, 0.0
    fair, claim = np.zeros(tenants), np.zeros(tenants)
    while now < until:
        to = _end_jobs(now, job, state, base, running, run, to)
        while coming < n and job[3][arrivals[coming]] <= now:
            j = arrivals[coming]
            t = job[0][j]
            coming += 1
            state[t, QUEUED] += job[1][j]
            # one that can never fit waits for ever and holds nobody up
            if job[1][j] <= ceiling[t]:
                _push_number(waiting, base[t], state[t, PENDING], j)
                state[t, PENDING] += 1
        if policy == KAI:
            for t in range(tenants):
                claim[t] = min(float(state[t, HELD] + state[t, QUEUED]), ceiling[t])
            divide_rest(rule[2], quota, rule[5], claim, fair)
        log, to = _schedule(
            now, grace, checkpoint, rule, fair, job, state, base, waiting, running, run, log, to
        )
        if rows == len(history):
            history = np.concatenate((history, np.empty_like(history)))
        if _write_row(history, rows, now, job, quota, state, base, waiting):
            rows += 1
        to = _drop_stale(run, to)
        now = until
        if coming < n:
            now = min(now, job[3][arrivals[coming]])
        if to[4] > 0:
            now = min(now, to[2][0])
    # whoever still runs has held its GPUs until now
    for t in range(tenants):
        for place in range(base[t], base[t] + state[t, RUNNING]):
            run[running[place], BUSY] += until - run[running[place], START]
            run[running[place], END] = -1.0
    return history[:rows], run, log[: to[0]], to[5]
