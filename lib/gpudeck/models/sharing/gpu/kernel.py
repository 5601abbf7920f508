"""The compiled event loop of GPU sharing: whatever happens next, in the order of time.

Times are in ms, work in ms of the GPU alone. A tenant runs one request after the other; a request
is a number of equal kernels in one stream. Only a tenant with a core limit launches its kernels one
by one; for all others a request is one piece of work.

``real``    what a tenant is, float64, shape (tenants, REAL_COLUMNS)
``whole``   what a tenant is, int64, shape (tenants, WHOLE_COLUMNS)
``draws``   arrival times (open loop) or pauses (closed loop) of all tenants, end to end
``first``   where each tenant's draws begin, shape (tenants + 1,)
``issued``  when each request came, laid out as ``draws``
``latency`` of each request, NaN if it did not finish; laid out as ``draws``
``out``     what each tenant got, float64, shape (tenants, OUT_COLUMNS)
``ticks``   what each watcher saw, float64, shape (tenants, ticks, TICK_COLUMNS)
``log``     who ran from when to when, float64, shape (entries, 3); −1 is a context switch
"""

import numpy as np
from numba import njit

# Columns of `real`.
KERNEL_MS, SM, BANDWIDTH, WEIGHT, CAP, PAUSE_MS, PHASE_MS, REAL_COLUMNS = range(8)
# Columns of `whole`.
KERNELS, OPEN, LIMIT, GRIDS, AHEAD, WHOLE_COLUMNS = range(6)
# Columns of `out`.
ARRIVED, FINISHED, DONE_MS, BUSY_MS, LAUNCHES, ALIVE, OUT_COLUMNS = range(7)
# Columns of `ticks`.
AT_MS, UTILISATION, TOKENS, REFILL, LAUNCHED, TICK_COLUMNS = range(6)
# How the tenants stand to each other.
APART, SLICED, TOGETHER = range(3)
SWITCH = -1.0

# Columns of the state.
_READY, _ORIGIN, _LEFT, _POLL, _TICK, _RATE, _SEEN = range(7)
_NEXT, _PENDING, _LAUNCHED, _COMPLETED, _TOKENS, _REFILL, _POOL, _TICKS = range(8)
_EPS = 1e-9


# Functions that allocate nothing do without reference counting, which would double the time.
_leaf = njit(cache=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]


@_leaf
def refill(limit, utilisation, share, pool, sms, threads, power, divisor, floor):
    """Move the refill of a token bucket towards a limit on utilisation; all whole numbers.

    ``power`` is 2 in HAMi-core (SM²), 1 in the step that a pull request proposes.
    """
    apart = max(abs(limit - utilisation), floor)
    step = sms * threads * apart
    if power == 2:
        step *= sms
    step //= divisor
    if apart > limit // 2:
        step = step * apart * 2 // (limit + 1)
    if utilisation <= limit:
        return min(share + step, pool)
    return max(share - step, 0)


@_leaf
def _take(i, real, whole, draws, first, state, count, issued, t):
    """Take the tenant's next request, if it has one, and set when its kernels are ready."""
    k = first[i] + count[i, _NEXT]
    state[i, _READY] = np.inf
    if k >= first[i + 1]:
        return
    if whole[i, OPEN]:
        state[i, _ORIGIN] = draws[k]
        state[i, _READY] = max(t, draws[k]) + real[i, PAUSE_MS]
    else:
        state[i, _ORIGIN] = state[i, _READY] = t + draws[k]
    issued[k] = state[i, _ORIGIN]


@_leaf
def _launch(i, real, whole, state, count, out, nap_ms, t):
    """Launch kernels until the request has no more, the queue is full or the bucket is empty."""
    before = count[i, _PENDING]
    if whole[i, LIMIT] == 0:
        count[i, _LAUNCHED] = count[i, _PENDING] = whole[i, KERNELS]
        out[i, LAUNCHES] += whole[i, KERNELS]
        state[i, _LEFT] = whole[i, KERNELS] * real[i, KERNEL_MS]
        return
    while count[i, _LAUNCHED] < whole[i, KERNELS] and count[i, _PENDING] < whole[i, AHEAD]:
        if count[i, _TOKENS] < 0:
            state[i, _POLL] = t + nap_ms
            break
        count[i, _TOKENS] -= whole[i, GRIDS]
        count[i, _LAUNCHED] += 1
        count[i, _PENDING] += 1
        out[i, LAUNCHES] += 1
    if before == 0 and count[i, _PENDING] > 0:
        state[i, _LEFT] = real[i, KERNEL_MS]


@_leaf
def _finish(i, real, whole, draws, first, state, count, out, issued, latency, nap_ms, t):
    """Account for work that ended: a kernel of a limited tenant, a request of any other."""
    unit = 1 if whole[i, LIMIT] else whole[i, KERNELS]
    count[i, _COMPLETED] += unit
    count[i, _PENDING] -= unit
    if count[i, _COMPLETED] == whole[i, KERNELS]:
        latency[first[i] + count[i, _NEXT]] = t - state[i, _ORIGIN]
        out[i, FINISHED] += 1
        count[i, _NEXT] += 1
        count[i, _LAUNCHED] = count[i, _COMPLETED] = 0
        _take(i, real, whole, draws, first, state, count, issued, t)
        return
    if count[i, _PENDING] > 0:
        state[i, _LEFT] = real[i, KERNEL_MS]
    if state[i, _POLL] == np.inf:
        _launch(i, real, whole, state, count, out, nap_ms, t)


@_leaf
def _look_back(i, ticks, n, t, busy, window_ms):
    """Read the busy time of the window that ends at t, from what earlier ticks recorded."""
    start = t - window_ms
    if start <= 0 or n == 0:
        return busy
    at, seen, j = t, busy, n - 1
    while j >= 0 and ticks[i, j, AT_MS] > start:
        at, seen = ticks[i, j, AT_MS], ticks[i, j, TICK_COLUMNS]
        j -= 1
    low_at = ticks[i, j, AT_MS] if j >= 0 else 0.0
    low = ticks[i, j, TICK_COLUMNS] if j >= 0 else 0.0
    return busy - (low + (seen - low) * (start - low_at) / (at - low_at))


@_leaf
def _watch(i, whole, state, count, out, ticks, rule, t):
    """One turn of the watcher: read utilisation, move the refill, fill the bucket."""
    n = count[i, _TICKS]
    sms, threads, power, divisor, floor = rule[0], rule[1], rule[2], rule[3], rule[4]
    wait_ms, window_ms = rule[5], rule[6]
    span = min(float(window_ms), t) if t > 0 else 1.0
    used = _look_back(i, ticks, n, t, out[i, BUSY_MS], window_ms)
    utilisation = min(int(100 * used / span + _EPS), 100)
    if count[i, _REFILL] == count[i, _POOL] and count[i, _TOKENS] < 0:
        count[i, _POOL] *= 2
        count[i, _REFILL] = count[i, _POOL]
    count[i, _REFILL] = refill(
        whole[i, LIMIT], utilisation, count[i, _REFILL], count[i, _POOL],
        sms, threads, power, divisor, floor,
    )  # fmt: skip
    count[i, _TOKENS] = min(count[i, _TOKENS] + count[i, _REFILL], count[i, _POOL])
    if n < ticks.shape[1]:
        ticks[i, n, AT_MS], ticks[i, n, UTILISATION] = t, utilisation
        ticks[i, n, TOKENS], ticks[i, n, REFILL] = count[i, _TOKENS], count[i, _REFILL]
        ticks[i, n, LAUNCHED], ticks[i, n, TICK_COLUMNS] = out[i, LAUNCHES], out[i, BUSY_MS]
        count[i, _TICKS] += 1
    state[i, _TICK] = t + wait_ms


@_leaf
def _set_rates(how, real, state, count, out, current):
    """How fast each tenant's work proceeds, 1 being the GPU alone."""
    sm = bandwidth = 0.0
    for i in range(len(real)):
        runs = count[i, _PENDING] > 0 and out[i, ALIVE] > 0
        if how == SLICED:
            runs = runs and i == current
        state[i, _RATE] = real[i, CAP] if runs else 0.0
        sm += state[i, _RATE] * real[i, SM]
        bandwidth += state[i, _RATE] * real[i, BANDWIDTH]
    if how != TOGETHER:
        return
    for i in range(len(real)):
        scale = 1.0
        if real[i, SM] > 0:
            scale = min(scale, 1 / max(sm, 1.0))
        if real[i, BANDWIDTH] > 0:
            scale = min(scale, 1 / max(bandwidth, 1.0))
        state[i, _RATE] *= scale


@_leaf
def _next_runnable(count, out, current):
    """The next tenant with work, round robin; the current one comes last; −1 if there is none."""
    n = len(count)
    for step in range(1, n + 1):
        i = (max(current, -1) + step) % n
        if count[i, _PENDING] > 0 and out[i, ALIVE] > 0:
            return i
    return -1


@_leaf
def _write(log, size, last, who, begin, end):
    """Append to the log, or lengthen the entry that the same one's work continues."""
    if end - begin <= _EPS:
        return size
    slot = int(who) + 1
    k = last[slot]
    if k >= 0 and abs(log[k, 2] - begin) <= _EPS:
        log[k, 2] = end
        return size
    if size < len(log):
        log[size, 0], log[size, 1], log[size, 2] = who, begin, end
        last[slot] = size
        return size + 1
    last[slot] = -1
    return size


@_leaf
def _crash(fault_at, fault_all, state, out):
    """Kill the tenant whose kernel faulted, and all others of its fault domain."""
    for i in range(len(state)):
        if i == fault_at or fault_all:
            out[i, ALIVE] = 0
            state[i, _READY] = state[i, _POLL] = state[i, _TICK] = np.inf


@_leaf
def _settle(
    real, whole, draws, first, rule, nap_ms, state, count, out, issued, latency, ticks, t
):  # fmt: skip
    """Do what is due at t: watchers, kernels that end, launches that wake, requests that come."""
    for i in range(len(real)):
        if state[i, _TICK] <= t + _EPS:
            _watch(i, whole, state, count, out, ticks, rule, t)
        if count[i, _PENDING] > 0 and state[i, _LEFT] <= _EPS and out[i, ALIVE] > 0:
            _finish(i, real, whole, draws, first, state, count, out, issued, latency, nap_ms, t)
        if state[i, _POLL] <= t + _EPS:
            state[i, _POLL] = np.inf
            _launch(i, real, whole, state, count, out, nap_ms, t)
        if state[i, _READY] <= t + _EPS:
            state[i, _READY] = np.inf
            _launch(i, real, whole, state, count, out, nap_ms, t)


@_leaf
def _choose(real, count, out, current, clock, slice_ms, switch_ms):
    """Give the GPU to the next tenant with work when a slice is over; return whose context it is.

    ``clock`` holds what is left of the slice and of the switch before it.
    """
    if clock[1] > _EPS:
        return current
    mine = current >= 0 and count[current, _PENDING] > 0 and out[current, ALIVE] > 0
    if mine and clock[0] > _EPS:
        return current
    chosen = _next_runnable(count, out, current)
    if chosen < 0:
        return current
    if chosen != current and current >= 0:
        clock[1] = switch_ms
    clock[0] = slice_ms * real[chosen, WEIGHT]
    return chosen


@_leaf
def _until(how, state, current, clock, t, end_ms):
    """When something happens next."""
    until = end_ms
    if clock[1] > _EPS:
        until = min(until, t + clock[1])
    elif how == SLICED and current >= 0 and state[current, _RATE] > 0:
        until = min(until, t + clock[0])
    for i in range(len(state)):
        until = min(until, state[i, _READY], state[i, _POLL], state[i, _TICK])
        if state[i, _RATE] > 0:
            until = min(until, t + state[i, _LEFT] / state[i, _RATE])
    return until


@_leaf
def _advance(how, state, out, clock, log, size, last, t, until):
    """Let time pass and work proceed; return the number of entries in the log."""
    step = until - t
    for i in range(len(state)):
        if state[i, _RATE] > 0:
            state[i, _LEFT] -= state[i, _RATE] * step
            out[i, DONE_MS] += state[i, _RATE] * step
            out[i, BUSY_MS] += step
            size = _write(log, size, last, i, t, until)
    if clock[1] > _EPS:
        size = _write(log, size, last, SWITCH, t, until)
        clock[1] -= step
    elif how == SLICED:
        clock[0] -= step
    return size


@_leaf
def _count_arrived(whole, draws, first, state, count, out, end_ms):
    """Count the requests that came: by their times, or those finished and the one begun."""
    for i in range(len(whole)):
        if whole[i, OPEN]:
            for k in range(first[i], first[i + 1]):
                out[i, ARRIVED] += draws[k] <= end_ms
        else:
            begun = count[i, _LAUNCHED] > 0 or state[i, _POLL] < np.inf
            out[i, ARRIVED] = count[i, _NEXT] + begun


@njit(cache=True, error_model="numpy")
def simulate(
    how, end_ms, slice_ms, switch_ms, fault_ms, fault_at, fault_all,
    real, whole, draws, first, rule, nap_ms, out, issued, latency, ticks, log,
):  # fmt: skip
    """Run the tenants to the end; fill ``out``, ``issued``, ``latency``, ``ticks``, ``log``.

    ``fault_at`` is the tenant that crashes at ``fault_ms``, −1 for none; ``fault_all`` tells
    whether it takes all others along. ``rule`` holds SMs, threads, power, divisor, floor, wait,
    window and factor of the token bucket. ``ticks`` has a column more than ``TICK_COLUMNS``: busy
    time so far. Returns the number of entries in the log.
    """
    state, count = np.zeros((len(real), 7)), np.zeros((len(real), 8), np.int64)
    last, clock = np.full(len(real) + 1, -1), np.zeros(2)
    state[:, _POLL] = state[:, _TICK] = np.inf
    out[:, ALIVE] = 1
    for i in range(len(real)):
        _take(i, real, whole, draws, first, state, count, issued, 0.0)
        if whole[i, LIMIT] > 0:
            state[i, _TICK] = real[i, PHASE_MS]
            count[i, _POOL] = rule[0] * rule[1] * rule[7]
    t, size, current = 0.0, 0, -1
    while True:
        if fault_at >= 0 and fault_ms <= t + _EPS:
            _crash(fault_at, fault_all, state, out)
            fault_at = -1
        _settle(
            real, whole, draws, first, rule, nap_ms, state, count, out, issued, latency, ticks, t
        )
        if t >= end_ms - _EPS:
            break
        if how == SLICED:
            current = _choose(real, count, out, current, clock, slice_ms, switch_ms)
        _set_rates(how, real, state, count, out, -1 if clock[1] > _EPS else current)
        until = _until(how, state, current, clock, t, end_ms)
        if fault_at >= 0:
            until = min(until, fault_ms)
        size = _advance(how, state, out, clock, log, size, last, t, until)
        t = until
    _count_arrived(whole, draws, first, state, count, out, end_ms)
    return size
