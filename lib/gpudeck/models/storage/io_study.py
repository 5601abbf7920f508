"""What page 17 shows of a node's paths: bandwidth, latency and CPU time by size of request."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.storage.io_path import ROUTES, IoPath, build_path
from gpudeck.models.storage.nvme_of import RemotePath, build_remote_path
from gpudeck.scenario.schema import StorageSystem

# the size of request at which the page's headline compares: gdsio's for throughput
LARGE_BYTES = 2.0**20
SMALL_BYTES = 4096.0


@dataclass(frozen=True, slots=True)
class IoStudy:
    """Every route by size of request, with a number of requests under way.

    Arrays have shape (sizes,): bandwidth in GB/s, latency on an idle machine in s, CPU time of
    10^9 bytes in s; `remote` are ranges of latency over the network, least and greatest.
    """

    paths: dict[str, IoPath]
    remote_paths: dict[str, RemotePath]
    in_flight: int
    io_bytes: NDArray[np.float64]
    gb_s: dict[str, NDArray[np.float64]]
    latency_s: dict[str, NDArray[np.float64]]
    cpu_s_per_gb: dict[str, NDArray[np.float64]]
    remote_s: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]

    @property
    def common_gb_s(self) -> float:
        """Bandwidth that the bounce path and the direct path both reach, GB/s."""
        return min(self.paths["bounce"].gb_s, self.paths["direct"].gb_s)

    def cores(self, route: str, gb_s: float, io_bytes: float = LARGE_BYTES) -> float:
        """Return the cores that a route keeps busy at a bandwidth."""
        return gb_s * self.paths[route].cpu_s_per_gb(io_bytes)


def study_paths(system: StorageSystem, in_flight: int) -> IoStudy:
    """Return how the routes compare for requests of 4 KiB to 16 MiB.

    Parameters
    ----------
    system : StorageSystem
        The scenario's section `storage`.
    in_flight : int
        Requests under way at once on the node, such as one for each GPU.

    Raises
    ------
    InputError
        No request is in flight, or as `build_path` says.
    """
    if in_flight < 1:
        msg = f"in_flight is {in_flight}; allowed is a whole number from 1"
        raise InputError(msg)
    paths = {route: build_path(system, route) for route in ROUTES}
    remote = {name: build_remote_path(system, name) for name in ("rdma", "tcp")}
    sizes = np.geomspace(SMALL_BYTES, 2.0**24, 49)
    spans = {
        name: np.array([one.latency_s(size) for size in sizes]).T for name, one in remote.items()
    }
    return IoStudy(
        paths,
        remote,
        in_flight,
        sizes,
        {r: np.array([p.rate(size, in_flight).gb_s for size in sizes]) for r, p in paths.items()},
        {r: np.array([p.latency_s(size) for size in sizes]) for r, p in paths.items()},
        {r: np.array([p.cpu_s_per_gb(size) for size in sizes]) for r, p in paths.items()},
        {name: (span[0], span[1]) for name, span in spans.items()},
    )
