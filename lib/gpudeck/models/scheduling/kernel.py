"""The compiled loop of the packing model: place, release, and rescore only what changed.

Nodes stand in the order of their rank, so the first of the best scores is the one that wins a tie.
Pods that score alike form a group; a row of ``scores`` holds the last known score of every node
for one group. Each change of a node goes into a log; a group that comes up again rescores the
nodes that the log names since its last turn. Where a policy does not look at memory it is no part
of a group, which makes groups fewer: it is tested on the best node, and on all if that fails.

``node``    what is left on each node, int64, shape (nodes, DEVICE + GPUs of the largest node)
``held``    pods of each kind that hold GPUs of the node, shape (nodes, kinds)
``weighed`` fragmentation of each node times the scale of the typical pods, shape (nodes,)
``want``    what a pod of each group asks, int64, shape (groups, ALLOWED + models)
``steps``   distinct CPU requests of typical pods, ascending; a node's step counts those it meets
``level``   how many distinct GPU shares of typical pods a device with 0 … 1000 milli left meets
``single``  weight of the one-GPU typical pods that use a device, shape (models, steps + 1, levels)
``whole``   Σ weight · 1000 · free of the typical pods of 2 to ``free`` GPUs, shape
            (models, steps + 1, GPUs of the largest node + 1)
``total``   weight of all typical pods
"""

import numpy as np
from numba import njit

POD_LIMIT = 1001
GPU = 1000
UNFIT = -(2**31)
_BLOCK = 128

# Columns of `node`: left, then what the node has; devices follow.
CPU, MEMORY, PODS, LEFT, FREE, KINDS, ALL_CPU, ALL_MEMORY, GPUS, MODEL, DEVICE = range(11)
# Columns of `want`; one column for each model follows: 1 where the pod may run.
W_CPU, W_MEMORY, W_NUM, W_MILLI, W_KIND, ALLOWED = range(6)

# Functions that allocate nothing do without reference counting, which would double the time.
_leaf = njit(cache=True, error_model="numpy", _nrt=False)  # type: ignore[call-overload]

_RANDOM, _LEAST, _MOST, _DOTPROD, _CLUSTERING, _PACKING, _BESTFIT, _FGD = range(8)
# The largest node of the experiment, by which its authors scale CPU and GPU.
_CPU_SCALE, _GPU_SCALE = 128_000, 8_000


@_leaf
def _step(steps, cpu):
    """Count the CPU requests of typical pods that ``cpu`` meets."""
    low, high = 0, steps.size
    while low < high:
        middle = (low + high) >> 1
        if steps[middle] <= cpu:
            low = middle + 1
        else:
            high = middle
    return low


@_leaf
def weigh(node, steps, level, single, whole, total, n):
    """Fragmentation of node n, Σ weight · R, before it is divided by the weights' scale.

    R is all that is left less what a typical pod that fits can use: the devices with its share.
    """
    model, step = node[n, MODEL], _step(steps, node[n, CPU])
    useful = whole[model, step, node[n, FREE]]
    for i in range(DEVICE, DEVICE + node[n, GPUS]):
        milli = node[n, i]
        useful += milli * single[model, step, level[milli]]
    return node[n, LEFT] * total - useful


@njit(cache=True)
def weigh_all(node, typical):
    """Fragmentation of every node times the scale, shape (nodes,)."""
    steps, level, single, whole, total, _ = typical
    weighed = np.empty(len(node))
    for n in range(len(node)):
        weighed[n] = weigh(node, steps, level, single, whole, total, n)
    return weighed


@_leaf
def _fits(node, want, n, g):
    """Kubernetes' filters: CPU, memory if the group has one, pods, GPU model, devices."""
    if (
        node[n, CPU] < want[g, W_CPU]
        or node[n, MEMORY] < want[g, W_MEMORY]
        or node[n, PODS] >= POD_LIMIT
        or not want[g, ALLOWED + node[n, MODEL]]
    ):
        return False
    num, milli = want[g, W_NUM], want[g, W_MILLI]
    if num != 1 or milli == GPU:
        return node[n, FREE] >= num
    for i in range(DEVICE, DEVICE + node[n, GPUS]):
        if node[n, i] >= milli:
            return True
    return False


@_leaf
def _tightest(node, n, milli):
    """Find the device with the least left that holds a share; the first of equals."""
    best, least = -1, GPU + 1
    for i in range(node[n, GPUS]):
        left = node[n, DEVICE + i]
        if milli <= left < least:
            best, least = i, left
    return best


@_leaf
def _sigmoid_score(gain):
    """Truncate 100 · sigmoid(gain / 1000) for a gain in milli GPU."""
    return int(100.0 / (1.0 + np.exp(-gain / 1000.0)))


@_leaf
def _score_fgd(node, weighed, want, steps, level, single, whole, total, scale, n, g):
    """Score what fragmentation falls by, and the device that a shared pod would take."""
    num, milli = want[g, W_NUM], want[g, W_MILLI]
    model, step = node[n, MODEL], _step(steps, node[n, CPU] - want[g, W_CPU])
    left_all, free = node[n, LEFT], node[n, FREE]
    useful = 0.0
    for i in range(DEVICE, DEVICE + node[n, GPUS]):
        useful += node[n, i] * single[model, step, level[node[n, i]]]
    if num != 1 or milli == GPU:
        useful -= num * GPU * single[model, step, level[GPU]]
        useful += whole[model, step, free - num]
        after = (left_all - num * GPU) * total - useful
        return _sigmoid_score((weighed[n] - after) / scale), -1
    most, score, device = -np.inf, -1, -1
    for i in range(node[n, GPUS]):
        left = node[n, DEVICE + i]
        if left < milli:
            continue
        rest = left - milli
        then = useful - left * single[model, step, level[left]]
        then += rest * single[model, step, level[rest]]
        then += whole[model, step, free - (left == GPU)]
        gain = weighed[n] - ((left_all - milli) * total - then)
        # The score never falls as the gain grows: only a larger gain can beat the first device.
        if gain > most:
            most = gain
            value = _sigmoid_score(gain / scale)
            if value > score:
                score, device = value, i
    return score, device


@_leaf
def _score_packing(node, want, n, g):
    num, milli, free = want[g, W_NUM], want[g, W_MILLI], node[n, FREE]
    if num == 0:
        return 0
    if free == node[n, GPUS]:
        return max(33 - free, free)
    if num > 1 or milli == GPU:
        return max(50 - num, 33)
    left = node[n, DEVICE + _tightest(node, n, milli)]
    return 49 if left == GPU else max(100 - left * 100 // GPU // 10, 50)


@_leaf
def _score_clustering(node, held, want, n, g):
    if want[g, W_NUM] == 0:
        return 0
    kinds = node[n, KINDS]
    if kinds > 0 and held[n, want[g, W_KIND]] > 0:
        base = 75 if kinds == 1 else 50
    else:
        base = 25 if kinds == 0 else 0
    return base + int(25 * (_GPU_SCALE - node[n, LEFT]) / _GPU_SCALE)


@_leaf
def _score_kubernetes(most, node, want, n, g):
    """Mean over CPU, memory and GPU of the share used or left with the pod, in whole percent."""
    num = want[g, W_NUM]
    score, weight = 0, 0
    for r in range(3 if num else 2):
        if r == 0:
            offered, left = node[n, ALL_CPU], node[n, CPU] - want[g, W_CPU]
        elif r == 1:
            offered, left = node[n, ALL_MEMORY], node[n, MEMORY] - want[g, W_MEMORY]
        else:
            offered, left = node[n, GPUS] * GPU, node[n, LEFT] - num * want[g, W_MILLI]
        if offered > 0:
            left = max(left, 0)
            score += ((offered - left) if most else left) * 100 // offered
            weight += 1
    return score // weight if weight else 0


@_leaf
def _score_product(policy, node, want, n, g):
    """BestFit and DotProd. Min-max normalisation over the nodes would not move the best one."""
    cpu, gpu = want[g, W_CPU], want[g, W_NUM] * want[g, W_MILLI]
    if policy == _DOTPROD:
        cpu_part = node[n, CPU] / _CPU_SCALE * (cpu / _CPU_SCALE)
        gpu_part = node[n, LEFT] / _GPU_SCALE * (gpu / _GPU_SCALE)
    else:
        cpu_part = (node[n, CPU] - cpu) / _CPU_SCALE
        gpu_part = (node[n, LEFT] - gpu) / _GPU_SCALE
    return int(100.0 * (1.0 - (cpu_part + gpu_part) / 2.0))


@_leaf
def _score(policy, node, held, weighed, want, steps, level, single, whole, total, scale, n, g):
    """Score node n for a pod of group g; higher is better, ``UNFIT`` if it cannot hold it."""
    if not _fits(node, want, n, g):
        return UNFIT
    if policy == _FGD:
        return _score_fgd(node, weighed, want, steps, level, single, whole, total, scale, n, g)[0]
    if policy == _BESTFIT or policy == _DOTPROD:
        return _score_product(policy, node, want, n, g)
    if policy == _PACKING:
        return _score_packing(node, want, n, g)
    if policy == _CLUSTERING:
        return _score_clustering(node, held, want, n, g)
    if policy == _RANDOM:
        return 0
    return _score_kubernetes(policy == _MOST, node, want, n, g)


@_leaf
def _highest(scores):
    """Find the highest score, in a loop so plain that it becomes vector instructions."""
    high = scores[0]
    for n in range(scores.size):
        high = max(high, scores[n])
    return high


@_leaf
def _best(scores, node, memory):
    """Find the first node of the best score with enough memory, −1 if there is none."""
    top, n = _highest(scores[:_BLOCK]), 0
    for start in range(_BLOCK, scores.size, _BLOCK):
        high = _highest(scores[start : start + _BLOCK])
        if high > top:
            top, n = high, start
    if top == UNFIT:
        return -1
    while scores[n] != top:
        n += 1
    if node[n, MEMORY] >= memory:
        return n
    best = -1
    for n in range(scores.size):
        better = scores[n] > (UNFIT if best < 0 else scores[best])
        if better and node[n, MEMORY] >= memory:
            best = n
    return best


@_leaf
def _count(scores):
    """Count the nodes that fit."""
    count = 0
    for n in range(scores.size):
        count += scores[n] > UNFIT
    return count


@_leaf
def _any(scores, draw):
    """Draw one of the nodes that fit with equal probability, −1 if there is none."""
    skip = int(draw * _count(scores))
    for start in range(0, scores.size, _BLOCK):
        here = _count(scores[start : start + _BLOCK])
        if skip < here:
            n = start
            while skip > 0 or scores[n] == UNFIT:
                skip -= scores[n] > UNFIT
                n += 1
            return n
        skip -= here
    return -1


@_leaf
def _change(node, held, want, n, g, memory, devices, sign):
    """Take (sign −1) or give back (+1) what a pod holds."""
    node[n, CPU] += sign * want[g, W_CPU]
    node[n, MEMORY] += sign * memory
    node[n, PODS] -= sign
    share = sign * want[g, W_MILLI]
    for i in range(node[n, GPUS]):
        if devices >> i & 1:
            before = node[n, DEVICE + i]
            node[n, DEVICE + i] = before + share
            node[n, LEFT] += share
            node[n, FREE] += (before + share == GPU) - (before == GPU)
    if devices:
        before = held[n, want[g, W_KIND]]
        held[n, want[g, W_KIND]] = before - sign
        node[n, KINDS] += (before - sign > 0) - (before > 0)


@_leaf
def _free_devices(node, n, num):
    """Choose the lowest ``num`` devices that are all free, as bits."""
    bits = np.int64(0)
    for i in range(node[n, GPUS]):
        if num > 0 and node[n, DEVICE + i] == GPU:
            bits |= np.int64(1) << i
            num -= 1
    return bits


@_leaf
def _refresh(
    policy, node, held, weighed, want, steps, level, single, whole, total, scale,
    g, row, log, newest, first, last,
):  # fmt: skip
    """Rescore the nodes that the log names from ``first`` to ``last``, each once."""
    for i in range(first, last):
        n = log[i]
        if newest[n] == i:
            row[n] = _score(
                policy, node, held, weighed, want, steps, level, single, whole, total, scale, n, g
            )


@_leaf
def _any_device(node, n, milli, draw):
    """Draw one of the devices that hold a share with equal probability."""
    count = 0
    for i in range(DEVICE, DEVICE + node[n, GPUS]):
        count += node[n, i] >= milli
    skip = int(draw * count)
    for i in range(node[n, GPUS]):
        if node[n, DEVICE + i] >= milli:
            if skip == 0:
                return i
            skip -= 1
    return -1


@_leaf
def _devices(policy, node, weighed, want, steps, level, single, whole, total, scale, n, g, draw):
    """Choose the devices of node n that a pod of group g gets, as bits."""
    num, milli = want[g, W_NUM], want[g, W_MILLI]
    if num != 1 or milli == GPU:
        return _free_devices(node, n, num)
    if policy == _FGD:
        device = _score_fgd(node, weighed, want, steps, level, single, whole, total, scale, n, g)[1]
    elif policy == _RANDOM:
        device = _any_device(node, n, milli, draw)
    else:
        device = _tightest(node, n, milli)
    return np.int64(1) << device


@njit(cache=True)
def run(policy, node, held, weighed, want, typical, pods, events, out):
    """Play ``events`` on a cluster: k is arrival k, ~k is the departure of arrival k.

    ``typical`` is (steps, level, single, whole, total, scale); ``pods`` is (group, memory, two
    random draws) of each arrival. ``out`` receives (node, devices) of each arrival, and (allocated,
    fragmented) milli GPU of the cluster after each event.
    """
    steps, level, single, whole, total, scale = typical
    group, memory, draw = pods
    place, devices, allocated, fragmented = out
    count = len(node)
    scores = np.empty((len(want), count), np.int32)
    # The log begins with every node, so that a group scores all of them on its first turn.
    log = np.empty(count + events.size, np.int64)
    log[:count] = np.arange(count)
    newest = np.arange(count)
    seen = np.zeros(len(want), np.int64)
    changes, used, lost = count, 0, weighed.sum()
    for e in range(events.size):
        k, sign = events[e], -1
        if k < 0:
            k, sign = ~k, 1
        g = group[k]
        if sign < 0:
            row = scores[g]
            _refresh(
                policy, node, held, weighed, want, steps, level, single, whole, total, scale,
                g, row, log, newest, seen[g], changes,
            )  # fmt: skip
            seen[g] = changes
            if policy == _RANDOM:
                place[k] = _any(row, draw[k, 0])
            else:
                place[k] = _best(row, node, memory[k])
            if place[k] >= 0:
                devices[k] = _devices(
                    policy, node, weighed, want,
                    steps, level, single, whole, total, scale, place[k], g, draw[k, 1],
                )  # fmt: skip
        n = place[k]
        if n >= 0:
            _change(node, held, want, n, g, memory[k], devices[k], sign)
            used -= sign * want[g, W_NUM] * want[g, W_MILLI]
            lost -= weighed[n]
            weighed[n] = weigh(node, steps, level, single, whole, total, n)
            lost += weighed[n]
            log[changes] = n
            newest[n] = changes
            changes += 1
        allocated[e] = used
        fragmented[e] = lost / scale
