"""NCCL's collectives: the time of every algorithm and protocol, and which of them NCCL takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.fabric.node_lines import PROTOCOLS, NodeLines, Operation
from gpudeck.tables import read_table

Floats = NDArray[np.float64]
LL_SHARE, LL128_SHARE = 0.5, 0.92  # of the bus bandwidth, in NCCL's own estimate
# share of what a protocol sends that is data and not flags: 4 of 8 and 120 of 128 bytes
NETWORK_SHARE = {"ll": 0.5, "ll128": 0.9375, "simple": 1.0}
TREE_SHARE = 0.92  # of the bus bandwidth that a tree attains, by NCCL's own table
PAT_SHARE = 0.75  # likewise of its parallel aggregated trees


@dataclass(frozen=True, slots=True)
class Network:
    """What the network gives a GPU of a node: its share of ports, and latencies of a hop.

    Parameters
    ----------
    port_gb_s
        Bandwidth of a GPU's share of the node's ports, one direction, after every loss.
    added_us
        Latency of a hop beyond that of the InfiniBand which NCCL's table describes.
    message_us
        Time that a network card takes for one more message.
    """

    port_gb_s: float
    added_us: float = 0.0
    message_us: float = 0.0


def bytes_sent(operation: Operation, size_bytes: Floats, ranks: Floats) -> Floats:
    """Return the bytes that a rank of a ring sends: 2(N−1)/N·S in an all-reduce, else half of it.

    >>> float(bytes_sent("all_reduce", np.array(8.0), np.array(8.0)))
    14.0
    """
    return ring_steps(operation, ranks) / ranks * size_bytes


def ring_steps(operation: Operation, ranks: Floats) -> Floats:
    """Return the steps of a ring: 2(N−1) in an all-reduce, else N−1.

    >>> float(ring_steps("all_gather", np.array(8.0)))
    7.0
    """
    return (ranks - 1) * (2.0 if operation == "all_reduce" else 1.0)


def choose_protocol(
    operation: Operation, lines: NodeLines, size_bytes: Floats, ranks: Floats
) -> NDArray[np.intp]:
    """Choose the protocol of a ring in one node as NCCL does: the least estimated time.

    Estimate: base + steps·hop + S/(bus · share · N/steps), constants of NCCL's table. It is not
    always the truly fastest, which is where measured curves jump.

    Returns
    -------
    array
        Indices into `PROTOCOLS`, of the shape of the sizes.

    Source: NVIDIA, NCCL, src/graph/tuning.cc.

    >>> from gpudeck.models.fabric.node_lines import find_node_lines
    >>> lines = find_node_lines("H100-SXM")
    >>> choose_protocol("all_gather", lines, np.array([1e3, 1e9]), np.array([4.0, 4.0])).tolist()
    [0, 2]
    """
    steps = ring_steps(operation, ranks)
    constants = _ring_constants()
    bus = {
        "ll": min(lines.ll_most_gb_s, LL_SHARE * lines.bus_gb_s),
        "ll128": LL128_SHARE * lines.bus_gb_s,
        "simple": lines.bus_gb_s,
    }
    estimates = [
        constants[name][0]
        + steps * constants[name][1]
        + bytes_sent(operation, size_bytes, ranks) / bus[name] * 1e-3
        for name in PROTOCOLS
    ]
    return np.argmin(np.array(estimates), axis=0)


def node_times_us(
    operation: Operation, lines: NodeLines, size_bytes: Floats, ranks: Floats
) -> dict[str, Floats]:
    """Compute the time of a collective in one node by the algorithms and protocols NCCL may take.

    A protocol that NCCL does not choose for a ring takes infinite time; an all-to-all is made of
    messages, of which the fastest protocol counts.

    Parameters
    ----------
    operation
        One of `OPERATIONS`.
    lines
        The GPU's lines.
    size_bytes, ranks
        Buffer and number of ranks, of one shape.

    Returns
    -------
    dict
        Microseconds by `ring-ll`, `ring-ll128`, `ring-simple` and, for an all-reduce, `nvls`.
    """
    steps, sent = ring_steps(operation, ranks), bytes_sent(operation, size_bytes, ranks)
    chosen = choose_protocol(operation, lines, size_bytes, ranks)
    times = {}
    for index, name in enumerate(PROTOCOLS):
        rings = []
        for line in lines.of(operation, name):
            moved_us = sent / line.bandwidth_gb_s + size_bytes / ranks / line.copy_gb_s
            rings.append(line.base_us + steps * line.hop_us + moved_us * 1e-3)
        allowed = (chosen == index) | (operation == "all_to_all")
        times[f"ring-{name}"] = np.where(allowed, np.minimum.reduce(rings), np.inf)
    if operation == "all_reduce" and lines.switch is not None:
        switch = lines.switch
        moved_us = size_bytes * (ranks + 1) / ranks / switch.bandwidth_gb_s * 1e-3
        through = switch.base_us + ranks * switch.hop_us + moved_us
        times["nvls"] = np.where(ranks > 2, through, np.inf)
    return times


def cluster_times_us(
    operation: Operation,
    lines: NodeLines,
    network: Network,
    size_bytes: Floats,
    ranks: Floats,
    per_node: Floats,
) -> dict[str, Floats]:
    """Compute the time of a collective over several nodes by every algorithm and protocol.

    Ring: base + (steps − m·(k−1))·hop + m·(k−1)·network hop + W over the smaller of NVLink and the
    node's ports, m being 2 in an all-reduce. Tree: base + 2[(r−1)·hop + log₂k·network hop], and the
    larger of 2S on NVLink and 2S on the ports (S with two nodes, each the root of half the buffer;
    this rule was adopted after seeing the published 32 H100). LL is held to the bandwidth that
    NCCL's table gives it between nodes. With NVLS the switch's time inside the node. One rank a
    node may use parallel aggregated trees for gathering and scattering. No measurement was fitted
    beyond one node.

    Parameters
    ----------
    operation
        `all_reduce`, `all_gather` or `reduce_scatter`.
    lines, network
        What nodes and network attain.
    size_bytes, ranks, per_node
        Buffer, ranks N and ranks of the group in each node r; of one shape; k = N/r nodes.

    Returns
    -------
    dict
        Microseconds by algorithm and protocol.

    Source: NVIDIA, NCCL, src/graph/tuning.cc.
    """
    constants = network_constants()
    nodes = ranks / per_node
    steps, sent = ring_steps(operation, ranks), bytes_sent(operation, size_bytes, ranks)
    outer = ring_steps(operation, nodes)
    ports = per_node * network.port_gb_s
    times = {}
    for name in PROTOCOLS:
        rings, trees = [], []
        for line in lines.of(operation, name):
            speed = np.where(per_node > 1, line.bandwidth_gb_s, np.inf)
            speed = np.minimum(speed, ports * NETWORK_SHARE[name])
            speed = np.minimum(speed, _most_gb_s(name, nodes))
            moved = sent / speed + size_bytes / ranks / line.copy_gb_s
            hop = constants["ring", name] + network.added_us
            latency = line.base_us + (steps - outer) * line.hop_us + outer * hop
            rings.append(latency + moved * 1e-3)
            inside = np.where(per_node > 1, 2 * size_bytes / line.bandwidth_gb_s, 0.0)
            inside = np.maximum(inside, 2 * size_bytes / _most_gb_s(name, nodes))
            across = np.where(nodes > 2, 2.0, 1.0) * size_bytes
            moved = np.maximum(inside, across / (ports * NETWORK_SHARE[name])) / TREE_SHARE
            hop = constants["tree", name] + network.added_us
            depth = 2 * ((per_node - 1) * line.hop_us + np.log2(nodes) * hop)
            trees.append(line.base_us + depth + moved * 1e-3)
        times[f"ring-{name}"] = np.minimum.reduce(rings)
        if operation == "all_reduce":
            times[f"tree-{name}"] = np.minimum.reduce(trees)
    if operation == "all_reduce":
        times |= _switch_tree_us(lines, network, size_bytes, nodes, per_node)
    else:
        times |= _aggregated_tree_us(operation, lines, network, size_bytes, ranks, per_node)
    return times


def _most_gb_s(protocol: str, nodes: Floats) -> Floats:
    """Return the most bus bandwidth that NCCL ascribes to a protocol between nodes."""
    if protocol != "ll":
        return np.full(nodes.shape, np.inf)
    two, more = _ll_most_gb_s()
    return np.where(nodes > 2, more, two)


@cache
def _ring_constants() -> Mapping[str, tuple[float, float]]:
    """Return base and hop of a ring over NVLink by protocol, µs, of NCCL 2.27."""
    rows = read_table("network").of("NCCL-ring-2.27")
    return {
        name: (rows[f"base_latency_{name}_us"].number, rows[f"nvlink_latency_{name}_us"].number)
        for name in PROTOCOLS
    }


@cache
def _ll_most_gb_s() -> tuple[float, float]:
    """Return the most bandwidth of LL over two nodes, and over more."""
    rows = read_table("network").of("NCCL-network")
    return rows["ll_most_two_nodes_gb_s"].number, rows["ll_most_gb_s"].number


def _switch_tree_us(
    lines: NodeLines, network: Network, size_bytes: Floats, nodes: Floats, per_node: Floats
) -> dict[str, Floats]:
    """Return NVLS inside the node and a tree between nodes, for groups of three and more a node."""
    if lines.switch is None:
        return {}
    hop = network_constants()["nvls-tree", "simple"] + network.added_us
    inside = size_bytes * (per_node + 1) / per_node / lines.switch.bandwidth_gb_s
    across = np.where(nodes > 2, 2.0, 1.0) * size_bytes / (per_node * network.port_gb_s)
    latency = lines.switch.base_us + per_node * lines.switch.hop_us + 2 * np.log2(nodes) * hop
    whole = latency + np.maximum(inside, across) * 1e-3
    return {"nvls-tree": np.where(per_node > 2, whole, np.inf)}


def _aggregated_tree_us(
    operation: Operation,
    lines: NodeLines,
    network: Network,
    size_bytes: Floats,
    ranks: Floats,
    per_node: Floats,
) -> dict[str, Floats]:
    """Return NCCL's parallel aggregated trees, which it has for one rank a node."""
    hop = network_constants()["pat", "simple"] + network.added_us
    moved = bytes_sent(operation, size_bytes, ranks) / (PAT_SHARE * network.port_gb_s)
    base = lines.lines[operation]["simple"].base_us
    whole = base + np.log2(ranks) * hop + moved * 1e-3
    return {"pat-simple": np.where(per_node == 1, whole, np.inf)}


def all_to_all_times_us(
    lines: NodeLines, network: Network, size_bytes: Floats, ranks: Floats, per_node: Floats
) -> dict[str, Floats]:
    """Compute the time of an all-to-all over several nodes: the larger of NVLink and port.

    S(r−1)/N stays in the node, S(N−r)/N leaves through the GPU's own port, and every rank outside
    the node costs a message.

    Parameters
    ----------
    lines, network, size_bytes, ranks, per_node
        As in `cluster_times_us`; the buffer is what a rank sends, its own part included.
    """
    constants = network_constants()
    times: dict[str, Floats] = {}
    for name, line in lines.lines["all_to_all"].items():
        share = NETWORK_SHARE[name.removesuffix("_wide")]
        near = size_bytes * (per_node - 1) / ranks / line.bandwidth_gb_s
        far = size_bytes * (ranks - per_node) / ranks
        far = far / (network.port_gb_s * share)
        moved = np.maximum(near, far) + size_bytes / ranks / line.copy_gb_s
        latency = line.base_us + (per_node - 1) * line.hop_us
        latency = latency + constants["ring", name.removesuffix("_wide")]
        latency = latency + network.added_us + (ranks - per_node) * network.message_us
        found = latency + moved * 1e-3
        key = f"pairwise-{name.removesuffix('_wide')}"
        times[key] = np.minimum(times[key], found) if key in times else found
    return times


def send_us(
    lines: NodeLines, network: Network, size_bytes: Floats, same_node: NDArray[np.bool_]
) -> Floats:
    """Compute the time of one message between two GPUs, by the fastest protocol.

    Parameters
    ----------
    lines, network, size_bytes
        As in `cluster_times_us`.
    same_node
        Whether both GPUs are in one node.
    """
    constants = network_constants()
    inside, across = [], []
    for name, line in lines.lines["all_to_all"].items():
        protocol = name.removesuffix("_wide")
        start = line.base_us + line.hop_us
        inside.append(start + size_bytes / line.bandwidth_gb_s * 1e-3)
        hop = constants["ring", protocol] + network.added_us
        bandwidth = network.port_gb_s * NETWORK_SHARE[protocol]
        across.append(start + hop + size_bytes / bandwidth * 1e-3)
    return np.asarray(
        np.where(same_node, np.minimum.reduce(inside), np.minimum.reduce(across)), dtype=float
    )


@cache
def network_constants() -> Mapping[tuple[str, str], float]:
    """Return NCCL's latencies of a network hop in µs, by algorithm and protocol.

    >>> network_constants()["ring", "ll"]
    2.7
    """
    table = read_table("network")
    ids = {"ring": "NCCL-ring", "tree": "NCCL-tree"}
    found = {
        (algorithm, name): table.row(row_id, f"network_latency_{name}_us").number
        for algorithm, row_id in ids.items()
        for name in PROTOCOLS
    }
    for algorithm, row_id in (("nvls-tree", "NCCL-nvls-tree"), ("pat", "NCCL-pat")):
        found[algorithm, "simple"] = table.row(row_id, "network_latency_simple_us").number
    return found
