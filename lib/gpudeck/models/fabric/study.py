"""What page 15 computes: transports, sizes, scales, algorithms and oversubscription."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.fabric.busbw import bus_bandwidth_gb_s
from gpudeck.models.fabric.collectives import Collectives, build_collectives
from gpudeck.models.fabric.job import FabricJob
from gpudeck.models.fabric.nccl import Network
from gpudeck.models.fabric.node_lines import find_node_lines
from gpudeck.models.fabric.protocol import (
    Transport,
    added_hop_us,
    cores_busy,
    find_transport,
    goodput_gb_s,
    message_us,
)

Floats = NDArray[np.float64]
TRANSPORTS = ("tcp", "rocev2", "infiniband")
_BOUNDED = ("latency_us", "efficiency", "message_us", "cores_per_port")
MESSAGE_BYTES: Floats = np.exp2(np.arange(6, 31))
SYNC_BYTES: Floats = np.exp2(np.arange(10, 38))
GPU_COUNTS = (8, 16, 32, 64, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
RATIOS = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0)


@dataclass(frozen=True)
class Range:
    """A value with what the assumptions leave open."""

    low: float
    value: float
    high: float


@dataclass(frozen=True)
class CurveRange:
    """A curve with what the assumptions leave open, point by point."""

    low: Floats
    value: Floats
    high: Floats


@dataclass(frozen=True)
class TransportStudy:
    """The gradients of a job on every transport: seconds of one sync, and by buffer size.

    `sync_s[transport]` is for the job's own gradients, `curve_s[transport]` over `size_bytes`.
    """

    job: FabricJob
    sync_s: dict[str, Range]
    size_bytes: Floats
    curve_s: dict[str, CurveRange]


@dataclass(frozen=True)
class MessageStudy:
    """One message between two hosts: time and attained bandwidth by size; and CPU at full speed."""

    port_gb_s: float
    size_bytes: Floats
    time_us: dict[str, CurveRange]
    share_pct: dict[str, CurveRange]
    cores: dict[str, float]
    goodput_gb_s: dict[str, Range]


@dataclass(frozen=True)
class ScaleStudy:
    """An all-reduce over whole nodes: seconds by GPUs, and the fastest algorithm by size and GPUs.

    `time_s[size_bytes]` has a value for each of `gpus`; `best[size][gpus]` names an algorithm.
    """

    gpus: tuple[int, ...]
    time_s: dict[float, Floats]
    size_bytes: Floats
    best: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class NodeStudy:
    """Bus bandwidth of an all-reduce in one node of several GPUs, by size."""

    size_bytes: Floats
    bus_gb_s: dict[str, Floats]


@dataclass(frozen=True)
class RatioStudy:
    """A sync by oversubscription: all traffic through the thin links, and only that between pods.

    `flat_s` has every byte cross them; `pods_s` sums inside `pods` pods first.
    """

    ratio: Floats
    flat_s: Floats
    pods_s: Floats
    pods: int


@dataclass(frozen=True)
class FabricGrid:
    """Bus bandwidth of an all-reduce by transport over `size_bytes`, for every cell of the grid.

    `bus_gb_s[gpus, link, ratio]` has shape (transports, sizes), in the order of `transports`;
    `best` names InfiniBand's algorithm at the largest size.
    """

    gpus: tuple[int, ...]
    links: tuple[str, ...]
    ratios: tuple[float, ...]
    transports: tuple[str, ...]
    size_bytes: Floats
    bus_gb_s: dict[tuple[int, str, float], Floats]


def transport_range(transport_id: str) -> dict[str, Transport]:
    """Return a transport at its worst, as told, and at its best, by `low`, `value` and `high`.

    `low` and `high` are of speed: the worst has the longest latency and the least efficiency.

    >>> transport_range("tcp")["low"].latency_us
    30.0
    """
    told = find_transport(transport_id)
    slow, fast = told, told
    for name in _BOUNDED:
        row = told.rows.get(name)
        if row is None or row.low is None or row.high is None:
            continue
        worst, best = (row.high, row.low) if name.endswith("_us") else (row.low, row.high)
        changed: dict[str, Any] = {name: worst}
        slow = replace(slow, **changed)
        changed = {name: best}
        fast = replace(fast, **changed)
    return {"low": slow, "value": told, "high": fast}


def collectives_on(job: FabricJob, transport: Transport, ratio: float = 1.0) -> Collectives:
    """Return the collectives of a job's cluster on a transport; a port for each GPU."""
    port = float(goodput_gb_s(transport, job.port_gb_s)) / ratio
    network = Network(port, added_hop_us(transport), transport.message_us)
    return Collectives(find_node_lines(job.gpu), network, job.gpus_per_node)


def compare_transports(job: FabricJob) -> TransportStudy:
    """Compute the time in which a job sums its gradients on every transport.

    Parameters
    ----------
    job
        From `read_job`.
    """
    sync, curves = {}, {}
    for name in TRANSPORTS:
        times = {}
        for end, transport in transport_range(name).items():
            cluster = collectives_on(job, transport)
            sizes = np.append(SYNC_BYTES, job.gradient_bytes)
            times[end] = cluster.all_reduce_s(sizes, job.ranks, job.ranks_per_node)
        # the fastest transport takes the shortest time
        low, value, high = times["high"], times["value"], times["low"]
        sync[name] = Range(float(low[-1]), float(value[-1]), float(high[-1]))
        curves[name] = CurveRange(low[:-1], value[:-1], high[:-1])
    return TransportStudy(job, sync, SYNC_BYTES, curves)


def study_messages(port_gb_s: float) -> MessageStudy:
    """Compute one message of every size on every transport.

    Parameters
    ----------
    port_gb_s
        Bandwidth of the port, GB/s.

    Raises
    ------
    InputError
        A bandwidth of 0 or below.
    """
    times, shares, cores, goodput = {}, {}, {}, {}
    for name in TRANSPORTS:
        ends = transport_range(name)
        fast, told, slow = (
            message_us(ends[end], MESSAGE_BYTES, port_gb_s) for end in ("high", "value", "low")
        )
        times[name] = CurveRange(fast, told, slow)
        shares[name] = CurveRange(
            *(100 * MESSAGE_BYTES / time * 1e-3 / port_gb_s for time in (slow, told, fast))
        )
        speeds = {end: float(goodput_gb_s(ends[end], port_gb_s)) for end in ends}
        goodput[name] = Range(speeds["low"], speeds["value"], speeds["high"])
        cores[name] = float(cores_busy(ends["value"], speeds["value"]))
    return MessageStudy(port_gb_s, MESSAGE_BYTES, times, shares, cores, goodput)


def study_scale(
    job: FabricJob, sizes: tuple[float, ...] = (2.0**20, 2.0**26, 2.0**30, 2.0**33)
) -> ScaleStudy:
    """Compute an all-reduce over whole nodes by number of GPUs, and which algorithm is fastest.

    Parameters
    ----------
    job
        Its GPU, its nodes and its port; InfiniBand.
    sizes
        Buffers to follow, bytes.
    """
    first = 0 if job.gpus_per_node > 1 else 1  # one GPU has nothing to sum
    counts = tuple(job.gpus_per_node * 2**power for power in range(first, first + 12))
    cluster = collectives_on(job, find_transport("infiniband"))
    ranks = np.array(counts)
    times = {size: cluster.all_reduce_s(size, ranks, job.gpus_per_node) for size in sizes}
    steps = np.exp2(np.arange(10, 35, 2))
    choices = cluster.choices_us("all_reduce", steps[:, None], ranks[None, :], job.gpus_per_node)
    names = list(choices)
    best = np.argmin(np.array([choices[name] for name in names]), axis=0)
    told = tuple(tuple(names[index] for index in row) for row in best)
    return ScaleStudy(counts, times, steps, told)


def study_nodes(
    gpus: tuple[str, ...] = ("A100-80G-SXM", "H100-SXM", "H200", "B200"),
) -> NodeStudy:
    """Compute the bus bandwidth of an all-reduce of eight GPUs in one node, by size."""
    sizes = np.exp2(np.arange(9, 35))
    bus = {}
    for gpu in gpus:
        time = build_collectives(gpu).all_reduce_s(sizes, 8, 8)
        bus[gpu] = bus_bandwidth_gb_s("all_reduce", sizes, 8, time)
    return NodeStudy(sizes, bus)


def study_ratios(job: FabricJob, pods: int = 4) -> RatioStudy:
    """Compute the sync of a job by the oversubscription between pods.

    Flat: every byte goes at 1/r. In pods: reduce-scatter inside the pod at full speed, all-reduce
    of the parts between pods at 1/r, all-gather inside.

    Parameters
    ----------
    job
        From `read_job`.
    pods
        Pods that the job spans, or the largest divisor of its nodes below.
    """
    transport = find_transport("rocev2")
    full = collectives_on(job, transport)
    spanned = largest_divisor(job.nodes, pods)
    inside = job.nodes // spanned
    flat, split = [], []
    local = 2 * float(full.reduce_scatter_s(job.gradient_bytes, inside, 1))
    for ratio in RATIOS:
        thin = collectives_on(job, transport, ratio)
        flat.append(float(thin.all_reduce_s(job.gradient_bytes, job.nodes, 1)))
        between = float(thin.all_reduce_s(job.gradient_bytes / inside, spanned, 1))
        split.append(local + between)
    return RatioStudy(np.array(RATIOS), np.array(flat), np.array(split), spanned)


def largest_divisor(number: int, most: int) -> int:
    """Return the largest divisor of a number that is at most so large.

    >>> largest_divisor(128, 48)
    32
    """
    return max(value for value in range(1, min(number, most) + 1) if number % value == 0)


def fabric_grid(
    gpu: str,
    gpus_per_node: int = 8,
    *,
    nodes: tuple[int, ...] = (2, 8, 32, 128, 512, 2048),
    links: tuple[str, ...] = ("IB-EDR", "IB-HDR", "IB-NDR", "IB-XDR"),
    ratios: tuple[float, ...] = (1.0, 2.0, 4.0, 7.0),
) -> FabricGrid:
    """Compute the bus bandwidth of an all-reduce for clusters of many sizes, ports and ratios.

    Parameters
    ----------
    gpu
        Id of the GPU.
    gpus_per_node
        GPUs of a node, each with a port.
    nodes, links, ratios
        The cells: nodes, ids of ports, oversubscription.

    Raises
    ------
    InputError
        An id is unknown, or a number out of range.
    """
    sizes = np.exp2(np.arange(12, 35))
    found = {}
    for link in links:
        for ratio in ratios:
            clusters = [
                build_collectives(gpu, link, gpus_per_node, gpus_per_node, ratio, name)
                for name in TRANSPORTS
            ]
            for count in nodes:
                ranks = count * gpus_per_node
                rows = [
                    bus_bandwidth_gb_s(
                        "all_reduce", sizes, ranks, c.all_reduce_s(sizes, ranks, gpus_per_node)
                    )
                    for c in clusters
                ]
                found[ranks, link, ratio] = np.array(rows)
    counts = tuple(count * gpus_per_node for count in nodes)
    return FabricGrid(counts, links, ratios, TRANSPORTS, sizes, found)
