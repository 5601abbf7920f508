"""The compiled loops of right-sizing: use over time, exceedances of many requests, the VPA's loop.

``use``      use of one resource over what was declared, shape (pods, steps)
``bound``    requests to test, ascending, shape (pods, requests)
``rule``     numbers of the loop, in the order of the names below
``first``    width of the first histogram bucket of memory and of compute, shape (pods, 2)
``bump``     smallest step of memory after a kill, shape (pods,)

Everything is over what the pod declared, time in steps of one sample.
"""

import numpy as np
from numba import njit

# Columns of `rule`.
(
    TARGET, LOWER, UPPER, MARGIN, HALF_LIFE, WINDOW, GROWTH, BUMP_RATIO, MIN_CHANGE, LIFETIME,
    UPPER_TRUST, LOWER_TRUST, EVERY, HYSTERESIS, DAY,
) = range(15)  # fmt: skip
# Columns of what the loop counts.
KILLS, THROTTLED, RESIZES = range(3)
_BUCKETS = 256
_MEMORY, _COMPUTE = 0, 1

# Functions that allocate nothing do without reference counting, which would double the time.
_leaf = njit(cache=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]


@njit(cache=True, error_model="numpy")
def shape_use(level, drift, hours, phase_h, diurnal, spread, keep, ceiling, noise):
    """Return level × drift × day × lognormal AR(1) noise of mean 1, at most the ceiling."""
    pods, steps = drift.shape
    used = np.empty((pods, steps))
    fresh = np.sqrt(1 - keep * keep)
    angle = 2 * np.pi * hours / 24
    # cos(a − b) from sines and cosines of a and b: no cosine in the loop.
    cosine, sine = np.cos(angle), np.sin(angle)
    for pod in range(pods):
        shift = 2 * np.pi * phase_h[pod] / 24
        along, across = diurnal * np.cos(shift), diurnal * np.sin(shift)
        state = float(noise[pod, 0])
        for step in range(steps):
            if step > 0:
                state = keep * state + fresh * noise[pod, step]
            day = 1 + along * cosine[step] + across * sine[step]
            value = level[pod] * drift[pod, step] * day
            value *= np.exp(spread * state - 0.5 * spread * spread)
            used[pod, step] = min(value, ceiling[pod])
    return used


@njit(cache=True, error_model="numpy")
def count_exceedances(use, bound):
    """Return episodes above each request and samples above it, both of shape (pods, requests).

    An episode begins where use rises above the request; one that is above at first counts too.
    """
    pods, steps = use.shape
    requests = bound.shape[1]
    episodes = np.zeros((pods, requests), np.int64)
    above = np.zeros((pods, requests), np.int64)
    rise = np.empty(requests + 1, np.int64)
    spent = np.empty(requests + 1, np.int64)
    for pod in range(pods):
        rise[:] = 0
        spent[:] = 0
        before = 0
        for step in range(steps):
            low, high = 0, requests
            value = use[pod, step]
            while low < high:
                middle = (low + high) // 2
                if bound[pod, middle] < value:
                    low = middle + 1
                else:
                    high = middle
            spent[low] += 1
            if low > before:
                rise[before] += 1
                rise[low] -= 1
            before = low
        total = 0
        for request in range(requests):
            total += rise[request]
            episodes[pod, request] = total
        total = 0
        for request in range(requests - 1, -1, -1):
            total += spent[request + 1]
            above[pod, request] = total
    return episodes, above


@_leaf
def find_bucket(value, first, growth):
    """Return the exponential bucket of a value: floor(log(value/first · growth + 1)/log ratio)."""
    if value < first:
        return 0
    bucket = int(np.log(value * growth / first + 1) / np.log(1 + growth))
    return min(bucket, _BUCKETS - 1)


@_leaf
def bucket_start(bucket, first, growth):
    """Return where a bucket begins: first · (ratio^bucket − 1)/(ratio − 1)."""
    return first * ((1 + growth) ** bucket - 1) / growth


@_leaf
def percentiles(weight, span, first, rule, found):
    """Write into ``found`` the ends of the buckets at which three shares of the weight are reached.

    The shares are TARGET, LOWER and UPPER of the rule; ``span`` holds the first and the last bucket
    in use.
    """
    total = 0.0
    for bucket in range(span[0], span[1] + 1):
        total += weight[bucket]
    for share in range(3):
        found[share] = -1.0
    partial = 0.0
    for bucket in range(span[0], span[1] + 1):
        if weight[bucket] <= 0:
            continue
        partial += weight[bucket]
        for share in range(3):
            # Summed in the same order, the last bucket in use reaches the total exactly.
            if found[share] < 0 and partial >= rule[share] * total:
                found[share] = bucket_start(min(bucket + 1, _BUCKETS - 1), first, rule[GROWTH])
    for share in range(3):
        found[share] = max(found[share], 0.0)


@_leaf
def _add_peak(weight, peak, value, end, first, rule):
    """Replace the peak of the window by a higher value; return the peak."""
    if value <= peak:
        return peak
    heavy = 2.0 ** (end / rule[HALF_LIFE])
    if peak > 0:
        old = find_bucket(peak, first, rule[GROWTH])
        # What rounding leaves of a peak that is gone weighs nothing.
        weight[old] = max(0.0, weight[old] - heavy)
    weight[find_bucket(value, first, rule[GROWTH])] += heavy
    return value


@_leaf
def _decide(requests, targets, lowers, uppers, age, killed, rule):
    """Tell whether the pod is resized now."""
    change = 0.0
    outside = False
    for resource in range(2):
        change += abs(targets[resource] - requests[resource]) / requests[resource]
        if requests[resource] < lowers[resource] or requests[resource] > uppers[resource]:
            outside = True
    if change <= 1e-12:
        return False
    # After a kill a request that would not grow helps nobody.
    if killed and targets[_MEMORY] > requests[_MEMORY]:
        return True
    if rule[HYSTERESIS] == 0 or outside:
        return not killed
    return not killed and age >= rule[LIFETIME] and change >= rule[MIN_CHANGE]


@_leaf
def _set_bounds(weight, span, first, days, ceiling, changed, found, goals, rule):
    """Write target, lower and upper bound of both resources into ``goals``, shape (3, 2)."""
    margin = 1 + rule[MARGIN]
    for resource in range(2):
        # Memory adds a sample only with a new peak: most looks find nothing new.
        if resource == _COMPUTE or changed:
            percentiles(weight[resource], span[resource], first[resource], rule, found[resource])
        low = found[resource, LOWER] * margin / (1 + rule[LOWER_TRUST] / days) ** 2
        high = found[resource, UPPER] * margin * (1 + rule[UPPER_TRUST] / days)
        goals[TARGET, resource] = min(found[resource, TARGET] * margin, ceiling)
        goals[LOWER, resource] = min(low, ceiling)
        goals[UPPER, resource] = high


@_leaf
def _widen(span, bucket):
    """Stretch the range of buckets in use."""
    span[0] = min(span[0], bucket)
    span[1] = max(span[1], bucket)


@_leaf
def _add_compute(weight, span, value, heavy, first, rule):
    """Add a sample of compute."""
    bucket = find_bucket(value, first[_COMPUTE], rule[GROWTH])
    _widen(span[_COMPUTE], bucket)
    weight[_COMPUTE, bucket] += heavy


@_leaf
def _add_memory(weight, span, peak, value, end, first, rule):
    """Add a sample of memory if it is the window's highest; return the highest."""
    if value <= peak:
        return peak
    bucket = find_bucket(value, first[_MEMORY], rule[GROWTH])
    _widen(span[_MEMORY], bucket)
    return _add_peak(weight[_MEMORY], peak, value, end, first[_MEMORY], rule)


@_leaf
def _run_pod(memory, compute, ceiling, first, bump, rule, begin, fresh, state, out, marks, counts):
    """Run the loop over one pod; ``state`` holds its histograms and rows to write into."""
    weight, span, found, goals, now = state
    born, end = 0, 0
    seen, peak = 0.0, 0.0  # the window's peak as used, and with what a kill suggests
    down, changed = False, True
    for step in range(len(memory)):
        if step >= end:
            end = step + int(rule[WINDOW])
            seen, peak = 0.0, 0.0
        # A sample never shows more than the limit lets the pod have.
        value = min(memory[step], now[_MEMORY])
        seen = max(seen, value)
        higher = _add_memory(weight, span, peak, value, end, first, rule)
        changed, peak = changed or higher > peak, higher
        _add_compute(weight, span, min(compute[step], now[_COMPUTE]), fresh[step], first, rule)
        killed = memory[step] > now[_MEMORY] and not down
        down = memory[step] > now[_MEMORY]
        if killed:
            used = max(now[_MEMORY], seen)
            needed = max(used + bump, used * rule[BUMP_RATIO])
            peak = _add_memory(weight, span, peak, needed, end, first, rule)
            changed = True
            marks[step] = 2
            counts[KILLS] += step >= begin
        counts[THROTTLED] += step >= begin and compute[step] > now[_COMPUTE]
        if rule[EVERY] > 0 and step > 0 and (killed or step % int(rule[EVERY]) == 0):
            days = step / rule[DAY]
            _set_bounds(weight, span, first, days, ceiling, changed, found, goals, rule)
            changed = False
            if _decide(now, goals[TARGET], goals[LOWER], goals[UPPER], step - born, killed, rule):
                now[_MEMORY], now[_COMPUTE] = goals[TARGET, _MEMORY], goals[TARGET, _COMPUTE]
                born, down = step, False
                marks[step] |= 1
                counts[RESIZES] += step >= begin
        out[0, step], out[1, step] = now[_MEMORY], now[_COMPUTE]


@njit(cache=True, error_model="numpy")
def run_loop(memory, compute, ceiling, first, bump, start, rule, begin):
    """Run the loop over all pods; return requests (2, pods, steps), marks and counts.

    ``marks`` (pods, steps) is 1 where a pod was resized, 2 where it was killed, 3 where both.
    ``counts`` (pods, 3) has kills, throttled steps and resizes from step ``begin`` on.
    """
    pods, steps = memory.shape
    requests = np.empty((pods, 2, steps))
    marks = np.zeros((pods, steps), np.int8)
    counts = np.zeros((pods, 3), np.int64)
    weight, now = np.empty((2, _BUCKETS)), np.empty(2)
    span, found, goals = np.empty((2, 2), np.int64), np.empty((2, 3)), np.empty((3, 2))
    fresh = 2.0 ** (np.arange(steps) / rule[HALF_LIFE])
    for pod in range(pods):
        weight[:] = 0
        span[:, 0] = _BUCKETS - 1
        span[:, 1] = 0
        found[:] = 0
        now[:] = start[pod]
        state = (weight, span, found, goals, now)
        _run_pod(
            memory[pod], compute[pod], ceiling[pod], first[pod], bump[pod], rule, begin, fresh,
            state, requests[pod], marks[pod], counts[pod],
        )  # fmt: skip
    return requests, marks, counts
