"""NCCL's collectives: every algorithm with every protocol, of which the fastest is taken."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import Gpu, find_gpu
from gpudeck.hardware.link import find_link
from gpudeck.tables import Row, read_table

Floats = NDArray[np.float64]
Operation = Literal["all_reduce", "all_gather", "reduce_scatter", "all_to_all"]

OPERATIONS: tuple[Operation, ...] = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all")
PROTOCOLS = ("ll", "ll128", "simple")
# share of a network packet of the protocol that is data and not flags: 4 of 8 and 120 of 128 bytes
NETWORK_SHARE = {"ll": 0.5, "ll128": 0.9375, "simple": 1.0}
TREE_SHARE = 0.92  # of the bus bandwidth that a tree attains, by NCCL's own table
PAT_SHARE = 0.75  # likewise of its parallel aggregated trees
_HOPPER, _AMPERE = "H100-SXM", "A100-80G-SXM"  # the GPUs whose curves were fitted
_BLACKWELL_NVLINK_GB_S = 1800


@dataclass(frozen=True, slots=True)
class ProtocolLine:
    """A protocol on the ring of one node: t = base + steps·hop + W/bandwidth + (S/N)/copy.

    W is what a rank sends, S/N its own part of the buffer. Times in µs, bandwidths in GB/s.
    """

    base_us: float
    hop_us: float
    bandwidth_gb_s: float
    copy_gb_s: float


@dataclass(frozen=True, slots=True)
class SwitchLine:
    """NVLS in one node: t = base + N·hop + S(N+1)/N / bandwidth."""

    base_us: float
    hop_us: float
    bandwidth_gb_s: float


@dataclass(frozen=True)
class NodeLines:
    """What NCCL attains inside one node, by operation and protocol.

    `switch` is None where the switch cannot add up; `provenance` says where the lines come from.
    """

    gpu: str
    lines: Mapping[Operation, Mapping[str, ProtocolLine]]
    switch: SwitchLine | None
    provenance: str


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


def node_times_us(
    operation: Operation, lines: NodeLines, size_bytes: Floats, ranks: Floats
) -> dict[str, Floats]:
    """Compute the time of a collective in one node by every algorithm and protocol.

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
    times = {}
    for name, line in lines.lines[operation].items():
        moved_us = sent / line.bandwidth_gb_s + size_bytes / ranks / line.copy_gb_s
        times[f"ring-{name}"] = line.base_us + steps * line.hop_us + moved_us * 1e-3
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
    node's ports, m being 2 in an all-reduce. Tree: base + 2[(r−1)·hop + log₂k·network hop], and
    the larger of 2S on NVLink and 2S on the ports (S with two nodes, each the root of half the
    buffer); with NVLS the switch's time inside the node. One rank a node may use parallel
    aggregated trees for gathering and scattering.

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
    for name, line in lines.lines[operation].items():
        hop = constants["ring", name] + network.added_us
        bandwidth = np.minimum(
            np.where(per_node > 1, line.bandwidth_gb_s, np.inf), ports * NETWORK_SHARE[name]
        )
        moved = sent / bandwidth + size_bytes / ranks / line.copy_gb_s
        times[f"ring-{name}"] = (
            line.base_us + (steps - outer) * line.hop_us + outer * hop + moved * 1e-3
        )
        if operation == "all_reduce":
            hop = constants["tree", name] + network.added_us
            inside = np.where(per_node > 1, 2 * size_bytes / line.bandwidth_gb_s, 0.0)
            across = np.where(nodes > 2, 2.0, 1.0) * size_bytes
            moved = np.maximum(inside, across / (ports * NETWORK_SHARE[name])) / TREE_SHARE
            depth = 2 * ((per_node - 1) * line.hop_us + np.log2(nodes) * hop)
            times[f"tree-{name}"] = line.base_us + depth + moved * 1e-3
    if operation == "all_reduce":
        times |= _switch_tree_us(lines, network, size_bytes, nodes, per_node)
    else:
        times |= _aggregated_tree_us(operation, lines, network, size_bytes, ranks, per_node)
    return times


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
    times = {}
    for name, line in lines.lines["all_to_all"].items():
        near = size_bytes * (per_node - 1) / ranks / line.bandwidth_gb_s
        far = size_bytes * (ranks - per_node) / ranks
        far = far / (network.port_gb_s * NETWORK_SHARE[name])
        moved = np.maximum(near, far) + size_bytes / ranks / line.copy_gb_s
        latency = line.base_us + (per_node - 1) * line.hop_us + constants["ring", name]
        latency = latency + network.added_us + (ranks - per_node) * network.message_us
        times[f"pairwise-{name}"] = latency + moved * 1e-3
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
        start = line.base_us + line.hop_us
        inside.append(start + size_bytes / line.bandwidth_gb_s * 1e-3)
        hop = constants["ring", name] + network.added_us
        bandwidth = network.port_gb_s * NETWORK_SHARE[name]
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


@cache
def find_node_lines(gpu_id: str) -> NodeLines:
    """Return what NCCL attains in a node of a GPU: its own fit, or that of a fitted GPU.

    Bandwidths are carried over in proportion to NVLink (PCIe without it), latencies unchanged. A
    GPU with FP8 takes the H100's lines, an older one the A100's. Blackwell's switch is taken down
    by the ratio of NCCL's efficiencies.

    Raises
    ------
    InputError
        There is no such GPU, or it has neither NVLink nor a PCIe link of the table.

    Source: `data/nccl_fit.csv`, made by `data/fit_nccl.py`.

    >>> find_node_lines("H100-SXM").provenance
    'fitted to NCCL on H100-SXM'
    """
    gpu = find_gpu(gpu_id)
    fitted = _HOPPER if gpu.fp8_tflops is not None else _AMPERE
    known = read_fit(fitted)
    if gpu.id == fitted:
        return known
    reference = find_gpu(fitted)
    ratio = _inside_gb_s(gpu) / _inside_gb_s(reference)
    lines = {
        operation: {name: _scale(line, ratio) for name, line in of.items()}
        for operation, of in known.lines.items()
    }
    switch = known.switch if _has_switch(gpu) else None
    if switch is not None:
        scale = ratio * _switch_loss(gpu)
        switch = SwitchLine(switch.base_us, switch.hop_us, switch.bandwidth_gb_s * scale)
    return NodeLines(gpu.id, lines, switch, f"carried over from {fitted} by the link's bandwidth")


@cache
def read_fit(gpu_id: str) -> NodeLines:
    """Read the fitted lines of a GPU.

    Raises
    ------
    InputError
        The GPU was not fitted.
    """
    table = read_table("nccl_fit")
    lines = {}
    switch = None
    for operation in OPERATIONS:
        rows = table.of(f"{gpu_id}/{operation}")
        lines[operation] = {
            name: ProtocolLine(
                *(rows[f"{name}_{field.name}"].number for field in fields(ProtocolLine))
            )
            for name in PROTOCOLS
        }
        if "nvls_base_us" in rows:
            switch = SwitchLine(
                *(rows[f"nvls_{field.name}"].number for field in fields(SwitchLine))
            )
    return NodeLines(gpu_id, lines, switch, f"fitted to NCCL on {gpu_id}")


def _inside_gb_s(gpu: Gpu) -> float:
    """Return what a GPU can send to the others of its node in one direction."""
    if gpu.nvlink_gb_s > 0:
        return gpu.nvlink_gb_s / 2
    if gpu.pcie is None:
        msg = f"{gpu.id} has no NVLink and no pcie in data/gpus.csv: add a row"
        raise InputError(msg)
    generation, _, lanes = gpu.pcie.partition(".0x")
    return find_link(f"PCIe-gen{generation}-x{lanes}").direction_gb_s


def _has_switch(gpu: Gpu) -> bool:
    """Say whether nodes of this GPU have an NVSwitch that adds up: NVIDIA's from Hopper, on SXM."""
    maker = gpu.rows["vendor"].value if "vendor" in gpu.rows else gpu.vendor
    return maker == "NVIDIA" and gpu.nvlink_gb_s > 0 and "PCIe" not in gpu.id


def _switch_loss(gpu: Gpu) -> float:
    if gpu.nvlink_gb_s < _BLACKWELL_NVLINK_GB_S:
        return 1.0
    rows: dict[str, Row] = read_table("network").of("NCCL-nvls")
    return rows["efficiency_blackwell"].number / rows["efficiency_hopper"].number


def _scale(line: ProtocolLine, ratio: float) -> ProtocolLine:
    return ProtocolLine(
        line.base_us, line.hop_us, line.bandwidth_gb_s * ratio, line.copy_gb_s * ratio
    )
