"""The parts of a Lustre file system and the wires between them, as an architecture is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpudeck.errors import InputError
from gpudeck.models.storage.lustre import Lustre
from gpudeck.models.storage.striping import read_bandwidth

PartKind = Literal["mgs", "mds", "mdt", "oss", "ost", "lnet", "client"]


@dataclass(frozen=True, slots=True)
class Part:
    """Alike parts of the file system: how many there are, and what each and all carry in GB/s."""

    kind: PartKind
    count: int
    each_gb_s: float = 0.0

    @property
    def all_gb_s(self) -> float:
        """What all of them carry, GB/s."""
        return self.count * self.each_gb_s


@dataclass(frozen=True, slots=True)
class Wire:
    """What runs between two kinds of part; `gb_s` flows when all clients read, 0 for messages."""

    source: PartKind
    target: PartKind
    carries: Literal["data", "metadata", "configuration"]
    gb_s: float = 0.0


@dataclass(frozen=True, slots=True)
class FileSystemMap:
    """All parts and wires, what flows when every client reads, and the part that limits it."""

    parts: tuple[Part, ...]
    wires: tuple[Wire, ...]
    gb_s: float
    limit: str

    def part(self, kind: PartKind) -> Part:
        """Look one kind of part up."""
        return next(part for part in self.parts if part.kind == kind)


def map_file_system(lustre: Lustre, clients: int, stripe_count: int) -> FileSystemMap:
    """Return the parts of a file system with as many clients, and what flows when all read.

    Parameters
    ----------
    lustre : Lustre
        The file system.
    clients : int
        Clients that have it mounted.
    stripe_count : int
        Targets of each file; -1 for all.

    Raises
    ------
    InputError
        There is no client, or as `read_bandwidth` says.

    >>> system = Lustre(4, 8, 2.5, 2.5, 25, 15, 50, 50, 80, 2, 1e5, 2e5, 1e-3, 8, 0.9)
    >>> map_file_system(system, 10, 4).part("ost").count
    32
    """
    if clients < 1:
        msg = f"clients is {clients}; allowed is a whole number from 1"
        raise InputError(msg)
    flow = read_bandwidth(lustre, clients, stripe_count)
    share = lustre.network_share
    client_gb_s = min(lustre.client_gb_s, share * lustre.client_network_gb_s)
    oss_gb_s = min(lustre.oss_read_gb_s, share * lustre.oss_network_gb_s)
    parts = (
        Part("mgs", 1),
        Part("mds", lustre.mdt_count),
        Part("mdt", lustre.mdt_count),
        Part("oss", lustre.oss_count, oss_gb_s),
        Part("ost", lustre.ost_count, lustre.ost_read_gb_s),
        Part("lnet", 1),
        Part("client", clients, client_gb_s),
    )
    wires = (
        Wire("mgs", "lnet", "configuration"),
        Wire("mdt", "mds", "metadata"),
        Wire("mds", "lnet", "metadata"),
        Wire("ost", "oss", "data", flow.gb_s),
        Wire("oss", "lnet", "data", flow.gb_s),
        Wire("lnet", "client", "data", flow.gb_s),
    )
    return FileSystemMap(parts, wires, flow.gb_s, flow.limit)
