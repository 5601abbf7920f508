"""Bandwidth of files striped over targets, for many clients at once, and which part limits it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.storage.lustre import Lustre

Access = Literal["read", "write"]
Placement = Literal["round-robin", "random"]
Floats = NDArray[np.floating]
Counts = NDArray[np.int64] | NDArray[np.float64]

# parts that may limit, in the order in which data passes them on a read
LIMITS = ("ost", "oss", "oss_network", "client_network", "client")


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """What clients get together, GB/s; `terms` are all limits, `limit` names the least."""

    gb_s: float
    limit: str
    terms: dict[str, float]
    clients: int
    osts_used: float

    @property
    def client_gb_s(self) -> float:
        """What each client gets, GB/s."""
        return self.gb_s / self.clients


@dataclass(frozen=True, slots=True)
class BandwidthGrid:
    """Bandwidths, shape (stripe counts, clients), and their limits as indices into `LIMITS`.

    `terms` are all limits in the order of `LIMITS`, GB/s, shape (limits, stripe counts, clients).
    """

    stripe_counts: Counts
    clients: Counts
    gb_s: Floats
    limit: NDArray[np.int64]
    terms: Floats


def read_bandwidth(
    lustre: Lustre,
    clients: int = 1,
    stripe_count: int = -1,
    *,
    files_per_client: int = 1,
    shared_file: bool = False,
    placement: Placement = "round-robin",
) -> Bandwidth:
    """Return what clients read together, with every limit and the one that binds.

    bandwidth = min(targets used x OST, servers used x OSS, servers used x share x port,
    clients x share x port, clients x client), each client reading files of its own at an even
    pace, or all of them one file.

    Parameters
    ----------
    lustre : Lustre
        The file system.
    clients : int
        Clients that read at the same time.
    stripe_count : int
        Targets of each file; -1 for all.
    files_per_client : int
        Files that each client reads at the same time.
    shared_file : bool
        All clients read the same file; `files_per_client` is not looked at.
    placement : str
        How files spread over targets: "round-robin" (the default allocator while targets are
        equally full) or "random" (weighted by free space).

    Raises
    ------
    InputError
        No client, no file, or more stripes than targets.

    Source: Lustre Operations Manual, chapters 1 and 19.

    >>> system = Lustre(4, 8, 2.5, 2.5, 25, 15, 50, 50, 80, 1, 1e5, 2e5, 1e-3, 8, 0.9)
    >>> read_bandwidth(system, clients=1, stripe_count=8).gb_s
    20.0
    """
    return _bandwidth(
        lustre, "read", clients, stripe_count, files_per_client, shared_file, placement
    )


def write_bandwidth(
    lustre: Lustre,
    clients: int = 1,
    stripe_count: int = -1,
    *,
    files_per_client: int = 1,
    shared_file: bool = False,
    placement: Placement = "round-robin",
) -> Bandwidth:
    """Return what clients write together, with every limit; as `read_bandwidth`.

    >>> system = Lustre(4, 8, 2.5, 2.0, 25, 15, 50, 50, 80, 1, 1e5, 2e5, 1e-3, 8, 0.9)
    >>> write_bandwidth(system, clients=100).limit
    'oss'
    """
    return _bandwidth(
        lustre, "write", clients, stripe_count, files_per_client, shared_file, placement
    )


def bandwidth_grid(
    lustre: Lustre,
    stripe_counts: ArrayLike,
    clients: ArrayLike,
    *,
    access: Access = "read",
    files_per_client: int = 1,
    shared_file: bool = False,
    placement: Placement = "round-robin",
) -> BandwidthGrid:
    """Return the bandwidth for every stripe count with every number of clients.

    Parameters
    ----------
    lustre : Lustre
        The file system.
    stripe_counts, clients : array_like of int
        One or more each.
    access : str
        "read" or "write".
    files_per_client, shared_file, placement
        As of `read_bandwidth`.

    Raises
    ------
    InputError
        As of `read_bandwidth`.
    """
    stripes = np.array([lustre.stripes(int(s)) for s in np.atleast_1d(np.asarray(stripe_counts))])
    many = np.atleast_1d(np.asarray(clients, dtype=np.int64))
    _check_load(int(many.min()), files_per_client, placement)
    across, down = np.meshgrid(many, stripes)
    terms, _ = _terms(lustre, access, across, down, files_per_client, shared_file, placement)
    stack = np.stack([terms[name] for name in LIMITS])
    return BandwidthGrid(stripes, many, stack.min(axis=0), stack.argmin(axis=0), stack)


def bandwidth_map(lustre: Lustre, clients: int, points: int = 100) -> BandwidthGrid:
    """Return the read bandwidth between one and all stripes, with one to a number of clients.

    Both counts are taken as real numbers, evenly spaced in their logarithms: a map to draw, on
    which the borders between limits are where they would be without whole numbers.

    Parameters
    ----------
    lustre : Lustre
        The file system.
    clients : int
        The greatest number of clients.
    points : int
        Points along each axis, two or more.

    Raises
    ------
    InputError
        There is no client.
    """
    _check_load(clients, 1, "round-robin")
    stripes = np.geomspace(1, max(lustre.stripes(-1), 2), points)
    many = np.geomspace(1, max(clients, 2), points)
    across, down = np.meshgrid(many, stripes)
    terms, _ = _terms(lustre, "read", across, down, 1, False, "round-robin")
    stack = np.stack([terms[name] for name in LIMITS])
    return BandwidthGrid(stripes, many, stack.min(axis=0), stack.argmin(axis=0), stack)


def _bandwidth(
    lustre: Lustre,
    access: Access,
    clients: int,
    stripe_count: int,
    files_per_client: int,
    shared_file: bool,
    placement: Placement,
) -> Bandwidth:
    _check_load(clients, files_per_client, placement)
    stripes = np.array(lustre.stripes(stripe_count))
    terms, used = _terms(
        lustre, access, np.array(clients), stripes, files_per_client, shared_file, placement
    )
    named = {name: float(terms[name]) for name in LIMITS}
    limit = min(named, key=named.__getitem__)
    return Bandwidth(named[limit], limit, named, clients, float(used))


def _terms(
    lustre: Lustre,
    access: Access,
    clients: Counts,
    stripes: Counts,
    files_per_client: int,
    shared_file: bool,
    placement: Placement,
) -> tuple[dict[str, Floats], Floats]:
    """Return every limit in GB/s, by name, and the targets that are busy."""
    reading = access == "read"
    ost_gb_s = lustre.ost_read_gb_s if reading else lustre.ost_write_gb_s
    oss_gb_s = lustre.oss_read_gb_s if reading else lustre.oss_write_gb_s
    files = np.ones_like(clients) if shared_file else clients * files_per_client
    used = _targets_used(lustre.ost_count, stripes, files, placement)
    # the allocator goes round the servers before it takes a second target of one
    servers = np.minimum(used, lustre.oss_count)
    share = lustre.network_share
    terms = {
        "ost": used * ost_gb_s,
        "oss": servers * oss_gb_s,
        "oss_network": servers * share * lustre.oss_network_gb_s,
        "client_network": clients * share * lustre.client_network_gb_s,
        "client": clients * lustre.client_gb_s,
    }
    return terms, used


def _targets_used(targets: int, stripes: Counts, files: Counts, placement: Placement) -> Floats:
    """Return how many targets hold a stripe of at least one file; for "random" the expectation."""
    if placement == "round-robin":
        return np.minimum(targets, stripes * files).astype(float)
    missed: NDArray[np.float64] = (1 - stripes / targets) ** files.astype(float)
    return targets * (1 - missed)


def _check_load(clients: int, files_per_client: int, placement: str) -> None:
    for name, value in (("clients", clients), ("files_per_client", files_per_client)):
        if value < 1:
            msg = f"{name} is {value}; allowed is a whole number from 1"
            raise InputError(msg)
    if placement not in ("round-robin", "random"):
        msg = f"placement is {placement!r}; allowed are round-robin, random"
        raise InputError(msg)
