"""Closed forms of collectives: a latency per step and bytes over bandwidth."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.models.fabric.checks import positive, quantity, whole

Floats = NDArray[np.float64]


def ring_all_reduce_s(
    size_bytes: ArrayLike, ranks: ArrayLike, bandwidth_b_s: ArrayLike, latency_s: ArrayLike = 0.0
) -> Floats:
    """Compute the time of a ring all-reduce.

    t = 2(N−1)·α + 2(N−1)/N · S/B. One rank takes no time.

    Parameters
    ----------
    size_bytes
        Buffer of each rank, bytes.
    ranks
        Number of ranks N, 1 or more.
    bandwidth_b_s
        Bandwidth of each rank in one direction, bytes/s, above 0.
    latency_s
        Latency of a step, seconds.

    Raises
    ------
    InputError
        A number is out of range.

    Source: Thakur et al. 2005; NCCL tests, doc/PERFORMANCE.md.

    >>> f"{float(ring_all_reduce_s(2**30, 8, 450e9)):.6f}"
    '0.004176'
    """
    return 2 * reduce_scatter_s(size_bytes, ranks, bandwidth_b_s, latency_s)


def reduce_scatter_s(
    size_bytes: ArrayLike, ranks: ArrayLike, bandwidth_b_s: ArrayLike, latency_s: ArrayLike = 0.0
) -> Floats:
    """Compute the time of a ring reduce-scatter, or of a ring all-gather: half an all-reduce.

    t = (N−1)·α + (N−1)/N · S/B, where S is the full buffer.

    Parameters
    ----------
    size_bytes, ranks, bandwidth_b_s, latency_s
        As in `ring_all_reduce_s`.

    Raises
    ------
    InputError
        A number is out of range.

    >>> float(reduce_scatter_s(8e9, 8, 1e9))
    7.0
    """
    size, count = quantity("size_bytes", size_bytes), whole("ranks", ranks)
    bandwidth, latency = positive("bandwidth_b_s", bandwidth_b_s), quantity("latency_s", latency_s)
    steps = count - 1
    return np.asarray(steps * latency + steps / count * size / bandwidth)


def tree_all_reduce_s(
    size_bytes: ArrayLike, ranks: ArrayLike, bandwidth_b_s: ArrayLike, latency_s: ArrayLike = 0.0
) -> Floats:
    """Compute the time of an all-reduce up and down a pipelined double binary tree.

    t = 2·log₂N·α + 2S/B. One rank takes no time.

    Parameters
    ----------
    size_bytes, ranks, bandwidth_b_s, latency_s
        As in `ring_all_reduce_s`.

    Raises
    ------
    InputError
        A number is out of range.

    Source: Sanders et al. 2009 (two-tree algorithms); NCCL 2.4.

    >>> float(tree_all_reduce_s(25e6, 1024, 50e9, 5e-6))
    0.0011
    """
    size, count = quantity("size_bytes", size_bytes), whole("ranks", ranks)
    bandwidth, latency = positive("bandwidth_b_s", bandwidth_b_s), quantity("latency_s", latency_s)
    time = 2 * np.log2(count) * latency + 2 * size / bandwidth
    return np.asarray(np.where(count > 1, time, 0.0))


def nvls_all_reduce_s(
    size_bytes: ArrayLike, ranks: ArrayLike, bandwidth_b_s: ArrayLike, latency_s: ArrayLike = 0.0
) -> Floats:
    """Compute the time of an all-reduce that the switch adds up (NVLink SHARP).

    t = α + S(N+1)/N / B: a rank sends its buffer once, and the switch a part of the sum back.

    Parameters
    ----------
    size_bytes, ranks, bandwidth_b_s, latency_s
        As in `ring_all_reduce_s`; the latency is of the whole operation.

    Raises
    ------
    InputError
        A number is out of range.

    Source: NCCL tests, doc/PERFORMANCE.md, in-network reduction.

    >>> float(nvls_all_reduce_s(8e9, 8, 1e9))
    9.0
    """
    size, count = quantity("size_bytes", size_bytes), whole("ranks", ranks)
    bandwidth, latency = positive("bandwidth_b_s", bandwidth_b_s), quantity("latency_s", latency_s)
    time = latency + size * (count + 1) / count / bandwidth
    return np.asarray(np.where(count > 1, time, 0.0))


def hierarchical_all_reduce_s(
    size_bytes: ArrayLike,
    gpus_per_node: ArrayLike,
    nodes: ArrayLike,
    node_b_s: ArrayLike,
    network_b_s: ArrayLike,
) -> tuple[Floats, Floats]:
    """Compute the two parts of an all-reduce in two levels: inside nodes, and between them.

    Inside: 2(g−1)/g · S/B_node; between: 2(k−1)/k · (S/g)/B_network. The whole takes at least the
    larger (fully overlapped) and at most the sum (one after the other).

    Parameters
    ----------
    size_bytes
        Buffer of each rank, bytes.
    gpus_per_node, nodes
        g and k, 1 or more.
    node_b_s, network_b_s
        Bandwidth of a GPU inside the node, and of its network port, bytes/s.

    Returns
    -------
    tuple of arrays
        Seconds inside nodes and between nodes.

    Raises
    ------
    InputError
        A number is out of range.

    Source: Bekman 2026, Machine Learning Engineering: Network.

    >>> inside, between = hierarchical_all_reduce_s(2**32, 8, 4, 740.64e9, 50e9)
    >>> f"{float(inside) * 1e3:.3f} {float(between) * 1e3:.3f}"
    '10.148 16.106'
    """
    inside = ring_all_reduce_s(size_bytes, gpus_per_node, node_b_s)
    share = quantity("size_bytes", size_bytes) / whole("gpus_per_node", gpus_per_node)
    return inside, ring_all_reduce_s(share, nodes, network_b_s)
