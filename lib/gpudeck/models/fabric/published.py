"""Published times and counts of networks: what the model gives for each row."""

from collections.abc import Callable, Sequence

from gpudeck.models.fabric.busbw import bus_bandwidth_gb_s
from gpudeck.models.fabric.collectives import Collectives, build_collectives
from gpudeck.models.fabric.nccl import Network
from gpudeck.models.fabric.node_lines import Operation
from gpudeck.models.fabric.protocol import find_transport, goodput_gb_s
from gpudeck.models.fabric.topology import count_fat_tree
from gpudeck.tables import Row, compute_rows

_SMALL_BYTES, _GIB = 512, 2**30
_AZURE_CARD_GB_S = 45 / 8  # the middle of the 40 to 50 Gbit/s that were told
NOTES = {
    "latency@b200-8": "NCCL's latencies on H100 are carried over: slower NCCL on B200 is unseen",
    "busbw@h100-16-ndr": "computed with NVLink SHARP, of which the measurement shows no sign: a"
    " ring alone is within the tolerance",
    "busbw@h100-16-tcp": "computed with a tree, which sends the buffer once between two nodes; a"
    " ring alone gives 3.4. TCP's efficiency is an assumption",
}


def compute_published(rows: Sequence[Row]) -> dict[str, float]:
    """Compute what the model gives for each published row of the fabric.

    Parameters
    ----------
    rows
        Rows of `data/published/fabric.csv`.

    Raises
    ------
    InputError
        A row of a claim that no function computes.
    """
    return compute_rows(rows, _CLAIMS)


def bus_of(
    collectives: Collectives,
    size_bytes: float,
    ranks: int,
    per_node: int,
    algorithm: str = "",
    operation: Operation = "all_reduce",
) -> float:
    """Return the bus bandwidth of a collective in GB/s, by the fastest of some algorithms.

    Parameters
    ----------
    collectives
        The cluster.
    size_bytes, ranks, per_node
        As in `Collectives.all_reduce_s`.
    algorithm
        Only those whose name begins so.
    operation
        The collective.
    """
    choices = collectives.choices_us(operation, size_bytes, ranks, per_node)
    best = min(float(time) for name, time in choices.items() if name.startswith(algorithm))
    return float(bus_bandwidth_gb_s(operation, size_bytes, ranks, best * 1e-6))


def _node(gpu: str, algorithm: str = "") -> Callable[[], float]:
    return lambda: bus_of(build_collectives(gpu), 16 * _GIB, 8, 8, algorithm)


def _latency(gpu: str) -> Callable[[], float]:
    return lambda: 1e6 * float(build_collectives(gpu).all_reduce_s(_SMALL_BYTES, 8, 8))


def _sockets() -> float:
    """Return NCCL over TCP on one Ethernet card a node, which all GPUs of the node share."""
    known = build_collectives(protocol="tcp")
    card = float(goodput_gb_s(find_transport("tcp"), _AZURE_CARD_GB_S))
    network = Network(card / 8, known.network.added_us, known.network.message_us)
    return bus_of(Collectives(known.lines, network, 8), 1e9, 16, 8)


def _parity() -> float:
    on = {
        protocol: bus_of(build_collectives("H20", protocol=protocol), _GIB, 64, 8, "ring")
        for protocol in ("rocev2", "infiniband")
    }
    return on["rocev2"] / on["infiniband"]


_CLAIMS: dict[str, Callable[[], float]] = {
    "quoted@h200-8-nvls": _node("H200"),
    "quoted@h200-8-ring": _node("H200", "ring"),
    "busbw@a100-8-ring": _node("A100-80G-SXM"),
    "quoted@b200-8-nvls": _node("B200"),
    "busbw@h100-8-nvls": _node("H100-SXM"),
    "busbw@h100-8-ring": _node("H100-SXM", "ring"),
    "latency@a100-8": _latency("A100-80G-SXM"),
    "latency@h100-8": _latency("H100-SXM"),
    "latency@h200-8": _latency("H200"),
    "latency@b200-8": _latency("B200"),
    "busbw@h100-32-ndr": lambda: bus_of(build_collectives(), 8 * _GIB, 32, 8),
    "gather@h100-32-ndr": lambda: bus_of(
        build_collectives(), 8 * _GIB, 32, 8, operation="all_gather"
    ),
    "busbw@h100-16-ndr": lambda: bus_of(build_collectives(), 1e9, 16, 8),
    "busbw@h100-16-tcp": _sockets,
    "busbw@a100-24-hdr": lambda: bus_of(
        build_collectives("A100-40G-SXM", "IB-HDR", ports_per_node=4), 2**27, 24, 8
    ),
    "parity@h20-64-roce": _parity,
    "hosts@fat-tree-48": lambda: count_fat_tree(48).hosts,
    "switches@fat-tree-48": lambda: count_fat_tree(48).switches,
}
