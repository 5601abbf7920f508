"""Kubernetes' own scores of a node for a pod, 0 to 100 in whole numbers, as its plugins round them.

Amounts are whole numbers by resource name. ``cpu`` and ``memory`` always count; another resource,
such as GPUs, counts only if the pod asks for it, and none counts that the node does not have.
Requests that are zero stay zero: defaults of best-effort pods are the caller's.

Source: Kubernetes, pkg/scheduler/framework/plugins/noderesources.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

from gpudeck.errors import InputError

Amounts = Mapping[str, int]
Shape = Sequence[tuple[int, int]]
_ALWAYS = frozenset({"cpu", "memory"})


def least_allocated(allocatable: Amounts, used: Amounts, pod: Amounts, weights: Amounts) -> int:
    """Score the share that would be left: Σ w · ⌊100 (a − u) / a⌋ / Σ w, 0 where u exceeds a.

    Parameters
    ----------
    allocatable, used
        What the node has, and what its pods hold.
    pod
        What the pod asks.
    weights
        Weight of each resource that counts, 1 or above.

    >>> least_allocated({"cpu": 4000, "memory": 10000}, {}, {"cpu": 3000, "memory": 5000},
    ...                 {"cpu": 1, "memory": 1})
    37
    """
    score, weight = 0, 0
    for has, held, w in _counted(allocatable, used, pod, weights):
        score += w * (max(has - held, 0) * 100 // has)
        weight += w
    return score // weight if weight else 0


def most_allocated(allocatable: Amounts, used: Amounts, pod: Amounts, weights: Amounts) -> int:
    """Score the share that would be used: Σ w · ⌊100 min(u, a) / a⌋ / Σ w.

    Parameters are those of ``least_allocated``.

    >>> most_allocated({"cpu": 4000, "gpu": 8}, {"gpu": 3}, {"cpu": 1000, "gpu": 1},
    ...                {"cpu": 1, "gpu": 1})
    37
    """
    score, weight = 0, 0
    for has, held, w in _counted(allocatable, used, pod, weights):
        score += w * (min(held, has) * 100 // has)
        weight += w
    return score // weight if weight else 0


def requested_to_capacity_ratio(
    allocatable: Amounts, used: Amounts, pod: Amounts, weights: Amounts, shape: Shape
) -> int:
    """Score each resource by a piecewise linear function of its use, and round the weighted mean.

    A resource that scores 0 drops out of the mean with its weight.

    Parameters
    ----------
    allocatable, used, pod, weights
        As in ``least_allocated``.
    shape
        Points (use in percent, score of 0 to 10), use ascending.

    >>> requested_to_capacity_ratio({"gpu": 4}, {}, {"gpu": 2}, {"gpu": 1}, [(0, 0), (100, 10)])
    50
    """
    points = [(use, score * 10) for use, score in shape]
    score, weight = 0, 0
    for has, held, w in _counted(allocatable, used, pod, weights):
        value = broken_linear(points, min(held * 100 // has, 100))
        if value > 0:
            score += w * value
            weight += w
    return math.floor(score / weight + 0.5) if weight else 0


def balanced_allocation(
    allocatable: Amounts, used: Amounts, pod: Amounts, resources: Sequence[str]
) -> int:
    """Score how alike the resources are used: 100 (1 − σ), σ the deviation of their used shares.

    Parameters
    ----------
    allocatable, used, pod
        As in ``least_allocated``.
    resources
        The resources that count.

    >>> balanced_allocation({"cpu": 4000, "memory": 10000}, {}, {"cpu": 3000, "memory": 5000},
    ...                     ["cpu", "memory"])
    87
    """
    rows = _counted(allocatable, used, pod, dict.fromkeys(resources, 1))
    shares = [min(held / has, 1.0) for has, held, _ in rows]
    if len(shares) == 2:  # Kubernetes' closed form for two
        deviation = abs(shares[0] - shares[1]) / 2
    else:
        mean = sum(shares) / max(len(shares), 1)
        deviation = math.sqrt(sum((s - mean) ** 2 for s in shares) / max(len(shares), 1))
    return int((1 - deviation) * 100)


def broken_linear(points: Shape, x: int) -> int:
    """Interpolate between points of ascending x in whole numbers, truncating towards zero.

    Raises
    ------
    InputError
        There is no point, or x does not ascend.

    >>> broken_linear([(10, 1), (90, 9)], 19), broken_linear([(0, 100), (100, 0)], 75)
    (1, 25)
    """
    if not points or any(b[0] <= a[0] for a, b in pairwise(points)):
        msg = f"shape is {list(points)}; allowed are points of ascending use, 1 or more"
        raise InputError(msg)
    for i, (right, high) in enumerate(points):
        if x <= right:
            if i == 0:
                return high
            left, low = points[i - 1]
            rise, run = (high - low) * (x - left), right - left
            return low + (rise // run if rise >= 0 else -(-rise // run))
    return points[-1][1]


def _counted(
    allocatable: Amounts, used: Amounts, pod: Amounts, weights: Amounts
) -> Iterator[tuple[int, int, int]]:
    """Yield what the node has, what it would hold with the pod, and the weight."""
    for resource, weight in weights.items():
        has, asked = allocatable.get(resource, 0), pod.get(resource, 0)
        if has > 0 and (resource in _ALWAYS or asked > 0):
            yield has, used.get(resource, 0) + asked, weight
