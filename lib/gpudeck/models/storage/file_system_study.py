"""What page 16 shows of a scenario's file system: striping, clients, metadata, small files."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.storage.lustre import ALL_OSTS, Lustre, build_lustre
from gpudeck.models.storage.metadata import (
    ALL_MDTS,
    Operation,
    crossover_bytes,
    metadata_rate,
    read_small_files,
)
from gpudeck.models.storage.striping import (
    Bandwidth,
    BandwidthGrid,
    bandwidth_grid,
    bandwidth_map,
    read_bandwidth,
    write_bandwidth,
)
from gpudeck.scenario.schema import StorageSystem

# the metadata chart's second group of clients is a sixteenth of the first
FEW = 16


@dataclass(frozen=True, slots=True)
class FileSystemStudy:
    """Bandwidth over stripes and clients, for a file system and its greatest number of clients.

    `one_read` and `one_write` are what one client gets, by stripe count, shape (OSTs,), GB/s;
    `many` what all clients get together, by number of clients, for one stripe, the scenario's
    stripe count and all; `grid` both at once, as a map. `one`, `read` and `write` are at the
    scenario's stripe count, with one client and with all.
    """

    lustre: Lustre
    clients: int
    stripe_count: int
    stripes: NDArray[np.int64]
    one_read: NDArray[np.floating]
    one_write: NDArray[np.floating]
    client_counts: NDArray[np.int64]
    many: dict[int, NDArray[np.float64]]
    grid: BandwidthGrid
    one: Bandwidth
    read: Bandwidth
    write: Bandwidth

    @property
    def knee_clients(self) -> int:
        """Fewest clients that together get all that any number of them gets."""
        counts = np.arange(1, self.clients + 1)
        gb_s = bandwidth_grid(self.lustre, [self.stripe_count], counts).gb_s[0]
        return int(counts[np.argmax(gb_s >= self.read.gb_s * (1 - 1e-9))])

    @property
    def enough_clients(self) -> int:
        """Fewest clients with which stripes beyond the scenario's own bring nothing."""
        # with so many clients every target is in use
        most = -(-self.lustre.ost_count // self.stripe_count)
        counts = np.arange(1, most + 1)
        own, whole = bandwidth_grid(self.lustre, [self.stripe_count, ALL_OSTS], counts).gb_s
        return int(counts[np.argmax(own >= whole * (1 - 1e-9))])


@dataclass(frozen=True, slots=True)
class MetadataStudy:
    """Opens a second by number of metadata targets, and small files by their size.

    `striped`, `few` and `plain` have shape (targets,): all clients in a striped directory, a
    sixteenth of them there, all clients in a directory on one target; `create` are files created
    by all clients in a striped directory. `gb_s` has shape (sizes,):
    bytes of whole files, each opened, with all targets; `gb_s_one` with one target; `data_gb_s` is
    the bandwidth without any open.
    """

    lustre: Lustre
    clients: int
    few_clients: int
    threads_per_client: int
    mdt_counts: NDArray[np.int64]
    striped: NDArray[np.float64]
    few: NDArray[np.float64]
    plain: NDArray[np.float64]
    create: NDArray[np.float64]
    file_bytes: NDArray[np.float64]
    gb_s: NDArray[np.float64]
    gb_s_one: NDArray[np.float64]
    data_gb_s: float
    small_bytes: float
    small_gb_s: float
    crossover_bytes: float

    @property
    def small_share_pct(self) -> float:
        """What small files leave of the bandwidth, %."""
        return 100 * self.small_gb_s / self.data_gb_s


def study_file_system(system: StorageSystem, clients: int) -> FileSystemStudy:
    """Return bandwidth by stripe count and by number of clients.

    Parameters
    ----------
    system : StorageSystem
        The scenario's section `storage`.
    clients : int
        Nodes that have the file system mounted.

    Raises
    ------
    InputError
        There is no client, or as `build_lustre` says.
    """
    lustre = build_lustre(system)
    if clients < 1:
        msg = f"clients is {clients}; allowed is a whole number from 1"
        raise InputError(msg)
    count = lustre.stripes(system.stripe_count)
    everything = lustre.stripes(ALL_OSTS)
    stripes = np.arange(1, everything + 1)
    counts = np.unique(np.geomspace(1, max(clients, 2), 60).round().astype(np.int64))
    many = {
        stripe: bandwidth_grid(lustre, [stripe], counts).gb_s[0]
        for stripe in sorted({1, count, everything})
    }
    return FileSystemStudy(
        lustre,
        clients,
        count,
        stripes,
        bandwidth_grid(lustre, stripes, [1]).gb_s[:, 0],
        bandwidth_grid(lustre, stripes, [1], access="write").gb_s[:, 0],
        counts,
        many,
        bandwidth_map(lustre, clients),
        read_bandwidth(lustre, 1, count),
        read_bandwidth(lustre, clients, count),
        write_bandwidth(lustre, clients, count),
    )


def study_metadata(system: StorageSystem, clients: int) -> MetadataStudy:
    """Return opens a second by number of metadata targets, and bytes a second by size of file.

    Parameters
    ----------
    system : StorageSystem
        The scenario's section `storage`.
    clients : int
        Nodes that open files at the same time.

    Raises
    ------
    InputError
        As `metadata_rate` says.
    """
    lustre, threads = build_lustre(system), system.threads_per_client
    few = max(1, clients // FEW)
    counts = np.arange(1, max(16, 2 * lustre.mdt_count) + 1)
    sizes = np.geomspace(2.0**12, 2.0**30, 73)
    grown = [replace(lustre, mdt_count=int(n)) for n in counts]
    single = replace(lustre, mdt_count=1)

    def rates(
        count: int, operation: Operation = "open", directory_stripes: int = ALL_MDTS
    ) -> NDArray[np.float64]:
        return np.array(
            [
                metadata_rate(
                    one,
                    count,
                    threads,
                    operation=operation,
                    directory_stripes=directory_stripes,
                ).per_s
                for one in grown
            ]
        )

    small_bytes = system.small_file_kib * 1024
    return MetadataStudy(
        lustre,
        clients,
        few,
        threads,
        counts,
        rates(clients),
        rates(few),
        rates(clients, directory_stripes=1),
        rates(clients, operation="create"),
        sizes,
        np.array([read_small_files(lustre, clients, threads, size).gb_s for size in sizes]),
        np.array([read_small_files(single, clients, threads, size).gb_s for size in sizes]),
        read_bandwidth(lustre, clients, 1, files_per_client=threads).gb_s,
        small_bytes,
        read_small_files(lustre, clients, threads, small_bytes).gb_s,
        crossover_bytes(lustre, clients, threads),
    )
