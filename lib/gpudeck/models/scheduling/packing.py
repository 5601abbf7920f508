"""Packing pods onto the GPUs of a cluster, one after the other, by one of several policies.

Kubernetes' filters decide which nodes can hold a pod: CPU, memory, 1001 pods, GPU model, and the
devices: a pod with a share of one GPU needs a device with that much left, a pod with whole GPUs as
many devices that are all free. The policy scores those nodes with an integer, the best one takes
the pod, and of equals the one of the smallest rank. A pod that fits nowhere is not placed. Whole
GPUs are the lowest free ones; a share goes to the device with the least left that holds it, with
``fgd`` to the one where fragmentation grows least, with ``random`` to any that holds it.

``least_allocated`` and ``most_allocated`` weigh CPU, memory and GPU (milli over the node) alike;
GPU is left out for a pod that asks none, as Kubernetes does with extended resources.

Source: Weng et al., Beware of Fragmentation, ATC 2023, sections 4 and 6.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.node import Nodes
from gpudeck.models.scheduling import kernel
from gpudeck.models.scheduling.cluster import Cluster
from gpudeck.models.scheduling.fragmentation import TypicalPods, typical_pods
from gpudeck.models.scheduling.policy import POLICIES
from gpudeck.rng import generator
from gpudeck.workload.pod import GPU_MILLI, Pods


@dataclass(frozen=True, slots=True, eq=False)
class FillResult:
    """Where each arrival went, and the cluster after it; every array has shape (arrivals,).

    ``node`` is the index of the node in file order, −1 if the pod was not placed. ``device`` holds
    the GPUs that the pod got as bits, GPU 0 the lowest. ``arrived_milli``, ``allocated_milli`` and
    ``fragmented_milli`` are GPU in milli up to and with the arrival.
    """

    node: NDArray[np.int64]
    device: NDArray[np.int64]
    arrived_milli: NDArray[np.int64]
    allocated_milli: NDArray[np.int64]
    fragmented_milli: NDArray[np.float64]
    capacity_milli: int

    def allocated_pct(self, upto_pct: int) -> NDArray[np.float64]:
        """Read the allocated part of the capacity, in percent, at 0 … ``upto_pct`` % arrived.

        The value at k is the mean over the arrivals after which the arrived load rounds to k %,
        as the experiment's authors draw it; where there is none, the value before holds.

        Returns
        -------
        Shape (upto_pct + 1,).
        """
        return self._curve(self.allocated_milli, upto_pct)

    def fragmented_pct(self, upto_pct: int) -> NDArray[np.float64]:
        """Read the fragmented part of the capacity, in percent, as ``allocated_pct`` does."""
        return self._curve(self.fragmented_milli, upto_pct)

    def _curve(self, amount_milli: NDArray, upto_pct: int) -> NDArray[np.float64]:
        if self.capacity_milli == 0:
            msg = "the cluster has no GPU, so no part of it is allocated; allowed is 1 or more"
            raise InputError(msg)
        arrived_pct = (200 * self.arrived_milli + self.capacity_milli) // (2 * self.capacity_milli)
        kept = arrived_pct <= upto_pct
        counts = np.bincount(arrived_pct[kept], minlength=upto_pct + 1)
        sums = np.bincount(arrived_pct[kept], amount_milli[kept], upto_pct + 1)
        last = np.maximum.accumulate(np.where(counts > 0, np.arange(upto_pct + 1), -1))
        means = sums / np.maximum(counts, 1) / self.capacity_milli * 100
        return np.where(last >= 0, means[last], 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class ReplayResult:
    """Where each arrival went, and the cluster after each event.

    ``node`` and ``device`` are as in ``FillResult``, shape (arrivals,). ``time_s``,
    ``allocated_milli`` and ``fragmented_milli`` have shape (events,): arrivals and departures in
    the order of time; the departure of a pod that was not placed changes nothing.
    """

    node: NDArray[np.int64]
    device: NDArray[np.int64]
    time_s: NDArray[np.float64]
    allocated_milli: NDArray[np.int64]
    fragmented_milli: NDArray[np.float64]
    capacity_milli: int

    def mean_allocated_milli(self) -> float:
        """Average the allocated GPU over the time from the first event to the last."""
        held_s = np.diff(self.time_s)
        return float((self.allocated_milli[:-1] * held_s).sum() / max(held_s.sum(), 1e-9))


@dataclass(frozen=True, slots=True, eq=False)
class FillCurves:
    """Curves of several policies over the same arrivals, one row a seed.

    ``allocated_pct[policy]`` and ``fragmented_pct[policy]`` have shape (seeds, percent + 1): the
    part of the capacity at ``arrived_pct`` 0, 1, … percent. The seeds are paired across policies.
    """

    arrived_pct: NDArray[np.int64]
    allocated_pct: dict[str, NDArray[np.float64]]
    fragmented_pct: dict[str, NDArray[np.float64]]
    seeds: tuple[int, ...]


def fill(
    nodes: Nodes,
    pods: Pods,
    order: ArrayLike,
    node_rank: ArrayLike,
    policy: str,
    *,
    seed: int = 0,
    typical: TypicalPods | None = None,
) -> FillResult:
    """Place pods one after the other on an empty cluster, each tried once, none leaving.

    Parameters
    ----------
    nodes, pods
        The cluster, and the list of pods sorted by name.
    order
        Index into ``pods`` of each arrival, shape (arrivals,), repeats allowed.
    node_rank
        Rank of each node in file order, shape (nodes,), distinct: the smallest wins a tie.
    policy
        A key of ``POLICIES``.
    seed
        Of the draws of ``random``; no other policy draws.
    typical
        Pods that are expected next, ``typical_pods(pods)`` if not told.

    Raises
    ------
    InputError
        The policy is unknown, the cluster is empty, an index is not in the list, or the ranks are
        not distinct and as many as the nodes.

    Source: Weng et al., ATC 2023, section 6.1.

    >>> nodes = Nodes.from_types([8000], [65536], [2], ["T4"], [2])
    >>> pods = Pods.from_specs([1000], [1024], [1], [600], [""], [5])
    >>> result = fill(nodes, pods, range(5), [1, 0], "packing")
    >>> result.node.tolist(), result.allocated_milli.tolist()
    ([1, 1, 0, 0, -1], [600, 1200, 1800, 2400, 2400])
    """
    cluster = Cluster.build(nodes, pods, policy, typical or typical_pods(pods))
    arrivals = _indices("order", order, len(pods))
    return _fill(cluster, nodes, arrivals, _distinct_ranks(node_rank, len(nodes)), seed)


def replay(
    nodes: Nodes,
    pods: Pods,
    node_rank: ArrayLike,
    policy: str,
    *,
    order: ArrayLike | None = None,
    arrival_s: ArrayLike | None = None,
    departure_s: ArrayLike | None = None,
    seed: int = 0,
    typical: TypicalPods | None = None,
) -> ReplayResult:
    """Place pods as they come and release them as they go; a pod that fits nowhere is dropped.

    At equal times departures go first, then arrivals by their index; a pod that leaves when it
    comes is placed and released.

    Parameters
    ----------
    nodes, pods, node_rank, policy, seed, typical
        As in ``fill``.
    order
        Index into ``pods`` of each arrival, shape (arrivals,); every pod once if not told.
    arrival_s, departure_s
        Times of each arrival, shape (arrivals,), infinite for a pod that never leaves; the pods'
        own times if not told.

    Raises
    ------
    InputError
        As in ``fill``, or a time is missing, or a pod leaves before it comes.

    >>> nodes = Nodes.from_types([8000], [65536], [1], ["T4"], [1])
    >>> pods = Pods.from_specs([1000], [1024], [1], [600], [""], [3])
    >>> result = replay(nodes, pods, [0], "fgd", arrival_s=[0, 1, 5], departure_s=[5, 9, 9])
    >>> result.node.tolist(), result.allocated_milli.tolist()
    ([0, -1, 0], [600, 600, 0, 600, 600, 0])
    """
    cluster = Cluster.build(nodes, pods, policy, typical or typical_pods(pods))
    every = np.arange(len(pods))
    arrivals = every if order is None else _indices("order", order, len(pods))
    rank = _distinct_ranks(node_rank, len(nodes))
    time_s, events = _order_events(
        _times("arrival_s", arrival_s, pods.creation_s, arrivals),
        _times("departure_s", departure_s, pods.deletion_s, arrivals),
    )
    node, device, allocated, fragmented = cluster.run(arrivals, rank, events, seed)
    return ReplayResult(node, device, time_s, allocated, fragmented, nodes.gpu_count * GPU_MILLI)


def random_orders(
    pods: Pods, nodes: Nodes, load: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Draw an order of arrivals and the ranks of the nodes, as the published experiment does.

    Every pod once in random order, then pods drawn with replacement, up to the first one that would
    bring the arrived GPU above ``load`` times the capacity; and a random permutation of the ranks.

    Parameters
    ----------
    pods, nodes
        The list to draw from, and the cluster to fill.
    load
        Arrived GPU over capacity, above 0, such as 1.3.
    seed
        Seed of the draws, 0 or above.

    Returns
    -------
    ``order``, shape (arrivals,), and ``node_rank``, shape (nodes,).

    Raises
    ------
    InputError
        No pod or no node has a GPU, or ``load`` is not above 0.

    >>> nodes = Nodes.from_types([8000], [65536], [4], ["T4"], [2])
    >>> pods = Pods.from_specs([1000], [1024], [1], [500], [""], [6])
    >>> order, node_rank = random_orders(pods, nodes, 1.0, seed=0)
    >>> len(order), sorted(order[:6].tolist()), sorted(node_rank.tolist())
    (16, [0, 1, 2, 3, 4, 5], [0, 1])
    """
    limit = load * nodes.gpu_count * GPU_MILLI
    demand = pods.gpu_demand_milli
    if not 0 < load < np.inf or limit <= 0 or not demand.any():
        msg = (
            f"load is {load} of {nodes.gpu_count} GPUs, and {np.count_nonzero(demand)} pods ask"
            " for GPU; allowed are a load above 0, and at least one of each"
        )
        raise InputError(msg)
    rng = generator(seed, "packing order")
    parts = [rng.permutation(len(pods))]
    arrived = int(demand.sum())
    while arrived <= limit:
        parts.append(rng.integers(len(pods), size=len(pods)))
        arrived += int(demand[parts[-1]].sum())
    order = np.concatenate(parts)
    stop = np.searchsorted(np.cumsum(demand[order]), limit, side="right")
    return order[:stop], rng.permutation(len(nodes))


def fill_curves(
    nodes: Nodes,
    pods: Pods,
    policies: Sequence[str] = tuple(POLICIES),
    load: float = 1.3,
    seeds: Sequence[int] = tuple(range(10)),
    *,
    typical: TypicalPods | None = None,
) -> FillCurves:
    """Fill the cluster by each policy in the same random orders, one for each seed.

    Parameters
    ----------
    nodes, pods
        The cluster and the list of pods.
    policies
        Keys of ``POLICIES``.
    load
        Arrived GPU over capacity, above 0.
    seeds
        One order a seed, each 0 or above; give two or more for a confidence interval.
    typical
        Pods that are expected next, ``typical_pods(pods)`` if not told.

    Raises
    ------
    InputError
        As in ``fill`` and ``random_orders``.
    """
    typical = typical or typical_pods(pods)
    draws = [random_orders(pods, nodes, load, seed) for seed in seeds]
    upto_pct = round(100 * load)
    allocated, fragmented = {}, {}
    for policy in policies:
        cluster = Cluster.build(nodes, pods, policy, typical)
        results = [
            _fill(cluster, nodes, order, rank, seed)
            for (order, rank), seed in zip(draws, seeds, strict=True)
        ]
        allocated[policy] = np.array([r.allocated_pct(upto_pct) for r in results])
        fragmented[policy] = np.array([r.fragmented_pct(upto_pct) for r in results])
    return FillCurves(np.arange(upto_pct + 1), allocated, fragmented, tuple(seeds))


def _fill(
    cluster: Cluster, nodes: Nodes, arrivals: NDArray, node_rank: NDArray, seed: int
) -> FillResult:
    node, device, allocated, fragmented = cluster.run(
        arrivals, node_rank, np.arange(len(arrivals)), seed
    )
    asked = cluster.want[:, kernel.W_NUM] * cluster.want[:, kernel.W_MILLI]
    arrived = np.cumsum(asked[cluster.group[arrivals]])
    return FillResult(node, device, arrived, allocated, fragmented, nodes.gpu_count * GPU_MILLI)


def _indices(field: str, values: ArrayLike, size: int) -> NDArray[np.int64]:
    index = np.asarray(values)
    if index.ndim != 1 or (index.size and index.dtype.kind not in "iu"):
        msg = f"{field} has shape {index.shape}, type {index.dtype}; allowed are n whole numbers"
        raise InputError(msg)
    wrong = (index < 0) | (index >= size)
    if wrong.any():
        at = int(np.argmax(wrong))
        msg = f"{field} is {index[at]} at place {at}; allowed are 0 to {size - 1}"
        raise InputError(msg)
    return index.astype(np.int64)


def _distinct_ranks(values: ArrayLike, size: int) -> NDArray[np.int64]:
    rank = np.asarray(values)
    if rank.shape != (size,) or rank.dtype.kind not in "iu" or len(np.unique(rank)) != size:
        msg = (
            f"node_rank has shape {rank.shape}, type {rank.dtype} and {len(np.unique(rank))}"
            f" distinct values; allowed are {size} distinct whole numbers"
        )
        raise InputError(msg)
    return rank.astype(np.int64)


def _times(
    field: str, told: ArrayLike | None, known: NDArray | None, arrivals: NDArray
) -> NDArray[np.float64]:
    if told is None and known is None:
        msg = f"{field} is not told and the pods have no times; allowed is one time an arrival"
        raise InputError(msg)
    times = np.asarray(known[arrivals] if told is None and known is not None else told, dtype=float)
    if times.shape != arrivals.shape or np.isnan(times).any():
        msg = f"{field} has shape {times.shape} or holds NaN; allowed is {arrivals.shape}"
        raise InputError(msg)
    return times


def _order_events(
    arrival_s: NDArray, departure_s: NDArray
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Merge arrivals (k) and departures (~k) by time."""
    if (departure_s < arrival_s).any() or not np.isfinite(arrival_s).all():
        k = int(np.argmax((departure_s < arrival_s) | ~np.isfinite(arrival_s)))
        msg = (
            f"arrival {k} comes at {arrival_s[k]} s and leaves at {departure_s[k]} s;"
            " allowed is a finite time, and leaving after it"
        )
        raise InputError(msg)
    count = np.arange(len(arrival_s))
    times = np.concatenate([arrival_s, departure_s])
    turn = np.concatenate([np.ones_like(count), np.where(departure_s > arrival_s, 0, 2)])
    events = np.concatenate([count, ~count])
    sequence = np.lexsort((np.concatenate([count, count]), turn, times))
    sequence = sequence[np.isfinite(times[sequence])]
    return times[sequence], events[sequence]
