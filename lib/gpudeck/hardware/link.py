"""Links between GPUs and between nodes: bandwidth in one direction, and latency."""

from dataclasses import dataclass
from functools import cache

from gpudeck.errors import InputError
from gpudeck.tables import read_table
from gpudeck.units import convert


@dataclass(frozen=True, slots=True)
class Link:
    """A link: ``direction_gb_s`` is one direction, ``latency_us`` None where none is published."""

    id: str
    direction_gb_s: float
    latency_us: float | None
    kind: str


@dataclass(frozen=True, slots=True)
class NodeFabric:
    """The network cards of one kind of node."""

    id: str
    nic_count: int
    nic_gbit_s: float

    @property
    def direction_gb_s(self) -> float:
        """All cards together, one direction.

        >>> find_node_fabric("DGX-H100").direction_gb_s
        400.0
        """
        return self.nic_count * convert(self.nic_gbit_s, "Gbit/s", "GB/s")


@cache
def read_links() -> dict[str, Link]:
    """Read every link of ``data/network.csv``: InfiniBand ports, PCIe x16, NVLink.

    An InfiniBand port of n Gbit/s carries n/8 GB/s each way.

    >>> read_links()["IB-NDR"].direction_gb_s
    50.0
    """
    table = read_table("network")
    links = {}
    for link_id in table.ids:
        rows = table.of(link_id)
        latency = rows["latency_us"].number if "latency_us" in rows else None
        if "direction_gb_s" in rows:
            row = rows["direction_gb_s"]
            links[link_id] = Link(link_id, row.number, latency, row.kind)
        elif link_id.startswith("IB-"):
            row = rows["port_gbit_s"]
            speed_gb_s = convert(row.number, row.unit, "GB/s")
            links[link_id] = Link(link_id, speed_gb_s, latency, row.kind)
    return links


def find_link(link_id: str) -> Link:
    """Look one link up.

    Raises
    ------
    InputError
        There is no such link.

    >>> find_link("NVLink-4").direction_gb_s
    450.0
    """
    links = read_links()
    if link_id not in links:
        msg = f"link is {link_id!r}; allowed in data/network.csv are {', '.join(links)}"
        raise InputError(msg)
    return links[link_id]


def find_node_fabric(fabric_id: str) -> NodeFabric:
    """Look up the network cards of one kind of node.

    Raises
    ------
    InputError
        There is no such node.
    """
    table = read_table("network")
    known = [row_id for row_id in table.ids if "nic_count" in table.of(row_id)]
    if fabric_id not in known:
        msg = f"node fabric is {fabric_id!r}; allowed in data/network.csv are {', '.join(known)}"
        raise InputError(msg)
    rows = table.of(fabric_id)
    return NodeFabric(fabric_id, int(rows["nic_count"].number), rows["nic_gbit_s"].number)
