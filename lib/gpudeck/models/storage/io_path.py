"""The way of bytes from storage to the GPU: through a bounce buffer, or directly.

A path is a chain of hops. Each hop carries a multiple of the bytes asked for, at a bandwidth; the
CPU pays for every request, and for every byte that it copies itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from gpudeck.errors import InputError
from gpudeck.hardware.link import find_link
from gpudeck.hardware.storage_device import find_storage_device
from gpudeck.models.storage.request_cost import RequestCost, read_request_cost
from gpudeck.scenario.schema import StorageSystem

ROUTES = ("bounce", "pinned", "direct")


@dataclass(frozen=True, slots=True)
class Hop:
    """One step of a path: who moves the bytes from where to where.

    Parameters
    ----------
    source, target : str
        The two ends.
    mover : str
        "dma" (an engine of a device) or "cpu" (a core copies).
    bytes_per_byte : float
        Bytes that pass here for each byte that the GPU gets.
    gb_s : float
        What this hop carries, GB/s, counted in bytes that pass; infinite if it never limits.
    request_gb_s : float
        Bandwidth at which the bytes of one request move here, GB/s; infinite where they only pass
        through.
    memory_passes : int
        Times that the byte is written to or read from host memory here.
    """

    source: str
    target: str
    mover: Literal["dma", "cpu"]
    bytes_per_byte: float
    gb_s: float
    request_gb_s: float
    memory_passes: int = 0


@dataclass(frozen=True, slots=True)
class IoPath:
    """A path from storage to a GPU's memory, all hops in the order of the bytes.

    Parameters
    ----------
    route : str
        "bounce" (page cache, a copy by the CPU), "pinned" (a pinned buffer, no such copy) or
        "direct".
    hops : tuple of Hop
        At least one.
    memory_gb_s : float
        What host memory carries, GB/s, reads and writes together.
    device_latency_s : float
        Time until a device answers a request of no bytes, s.
    iops_max : float
        Requests a second that the devices serve together.
    cost : RequestCost
        CPU time of a request, and of a byte of it, on any path.
    copy_gb_s : float
        What one core copies, GB/s.
    """

    route: str
    hops: tuple[Hop, ...]
    memory_gb_s: float
    device_latency_s: float
    iops_max: float
    cost: RequestCost
    copy_gb_s: float

    def __post_init__(self) -> None:
        rates = [(f"gb_s of {hop.source} to {hop.target}", hop.gb_s) for hop in self.hops]
        rates += [
            (f"request_gb_s of {hop.source} to {hop.target}", hop.request_gb_s) for hop in self.hops
        ]
        rates += [(name, getattr(self, name)) for name in ("memory_gb_s", "iops_max", "copy_gb_s")]
        for name, value in rates:
            if not value > 0:
                msg = f"{name} is {value}; allowed is a number above 0"
                raise InputError(msg)
        if not 0 <= self.device_latency_s < math.inf:
            msg = f"device_latency_s is {self.device_latency_s}; allowed is a number from 0"
            raise InputError(msg)

    @property
    def memory_passes(self) -> int:
        """Times that each byte crosses the bus of the host's memory."""
        return sum(hop.memory_passes for hop in self.hops)

    @property
    def cpu_copies(self) -> int:
        """Copies of each byte that a core makes."""
        return sum(hop.mover == "cpu" for hop in self.hops)

    @property
    def limits(self) -> dict[str, float]:
        """What each part lets through, GB/s of bytes that the GPU gets, by its name."""
        parts = {
            f"{hop.source}>{hop.target}": hop.gb_s / hop.bytes_per_byte
            for hop in self.hops
            if math.isfinite(hop.gb_s)
        }
        if self.memory_passes:
            parts["memory"] = self.memory_gb_s / self.memory_passes
        return parts

    @property
    def gb_s(self) -> float:
        """Bandwidth with large requests and enough of them: the least of the limits."""
        return min(self.limits.values())

    @property
    def limit(self) -> str:
        """Name of the part that limits."""
        return min(self.limits, key=self.limits.__getitem__)

    def latency_s(self, io_bytes: float) -> float:
        """Return the time of one request on an idle machine, s.

        The device's answer, then one hop after the other, for a buffer is only passed on when it
        is full: latency = device + sum over hops of bytes / request bandwidth.

        Parameters
        ----------
        io_bytes : float
            Bytes of the request.

        Raises
        ------
        InputError
            The request has no bytes.
        """
        _check_io(io_bytes)
        moves = sum(io_bytes / (1e9 * hop.request_gb_s) for hop in self.hops)
        return self.device_latency_s + moves

    def cpu_s_per_gb(self, io_bytes: float) -> float:
        """Return the CPU time of 10^9 bytes that arrive in requests of a size, s.

        Requests and bytes as `RequestCost` says, and 1 / (GB/s of a core) for each copy.

        Raises
        ------
        InputError
            The request has no bytes.
        """
        _check_io(io_bytes)
        return self.cost.cpu_s_per_gb(io_bytes) + self.cpu_copies / self.copy_gb_s

    def rate(self, io_bytes: float, in_flight: int) -> IoRate:
        """Return what a number of requests under way at all times achieves.

        Little's law: requests in flight = requests a second x latency. Below every limit, requests
        a second = in flight / latency; at a limit the latency is what grows.

        Parameters
        ----------
        io_bytes : float
            Bytes of each request.
        in_flight : int
            Requests under way: threads that each wait for theirs, or the depth of a queue.

        Raises
        ------
        InputError
            No bytes, or no request in flight.
        """
        _check_io(io_bytes)
        if in_flight < 1:
            msg = f"in_flight is {in_flight}; allowed is a whole number from 1"
            raise InputError(msg)
        free = in_flight / self.latency_s(io_bytes)
        iops = min(free, self.iops_max, self.gb_s * 1e9 / io_bytes)
        gb_s = iops * io_bytes / 1e9
        cores = gb_s * self.cpu_s_per_gb(io_bytes)
        return IoRate(io_bytes, in_flight, iops, in_flight / iops, gb_s, cores)


@dataclass(frozen=True, slots=True)
class IoRate:
    """Requests a second, the latency of each, bandwidth and the cores that are busy with it."""

    io_bytes: float
    in_flight: int
    iops: float
    latency_s: float
    gb_s: float
    cpu_cores: float


def build_path(system: StorageSystem, route: str, file_system_gb_s: float = 0) -> IoPath:
    """Return a path of a scenario's node, to all GPUs of the node together.

    Storage is the node's own drives, or what the network brings if `file_system_gb_s` is given.
    Bounce: drives write to host memory (a switch and the root of the CPU in between), a core
    copies from the page cache into a pinned buffer, and the GPUs read from there. Pinned: the same
    without the copy. Direct: from the drives over their switch to the GPU.

    Parameters
    ----------
    system : StorageSystem
        The scenario's section `storage`.
    route : str
        One of `ROUTES`.
    file_system_gb_s : float
        Bandwidth of storage in the network as this node sees it, GB/s; 0 for the node's drives.

    Raises
    ------
    InputError
        The route is unknown, a link is not in data/network.csv, or a number is not above 0.
    """
    link_gb_s = find_link(system.pcie).direction_gb_s
    switches_gb_s = system.pcie_switches * link_gb_s
    return IoPath(
        route,
        join_hops(
            route,
            storage_gb_s=file_system_gb_s or system.drives_per_node * system.drive_gb_s,
            switch_gb_s=switches_gb_s,
            root_gb_s=switches_gb_s,
            drive_gb_s=system.drive_gb_s,
            link_gb_s=link_gb_s,
            copy_gb_s=system.copy_gb_s,
        ),
        memory_gb_s=system.memory_gb_s,
        device_latency_s=system.drive_latency_us / 1e6,
        iops_max=system.drives_per_node * system.drive_iops,
        cost=read_request_cost(),
        copy_gb_s=system.copy_gb_s,
    )


def join_hops(
    route: str,
    *,
    storage_gb_s: float,
    switch_gb_s: float,
    root_gb_s: float,
    drive_gb_s: float,
    link_gb_s: float,
    copy_gb_s: float,
) -> tuple[Hop, ...]:
    """Return the hops of a route from what its parts carry.

    Parameters
    ----------
    route : str
        One of `ROUTES`.
    storage_gb_s : float
        All drives (or network ports) together, GB/s.
    switch_gb_s, root_gb_s : float
        PCIe switches together towards GPUs, and towards the CPUs, GB/s in one direction.
    drive_gb_s, link_gb_s : float
        One drive, and one link to a GPU, GB/s: at these the bytes of one request move.
    copy_gb_s : float
        What one core copies, GB/s.

    Raises
    ------
    InputError
        The route is unknown.
    """
    start = Hop("storage", "switch", "dma", 1, storage_gb_s, math.inf)
    if route == "direct":
        return (start, Hop("switch", "gpu", "dma", 1, switch_gb_s, drive_gb_s))
    last = Hop("pinned_buffer", "gpu", "dma", 1, root_gb_s, link_gb_s, 1)
    if route == "pinned":
        return (start, Hop("switch", "pinned_buffer", "dma", 1, root_gb_s, drive_gb_s, 1), last)
    if route != "bounce":
        msg = f"route is {route!r}; allowed are {', '.join(ROUTES)}"
        raise InputError(msg)
    return (
        start,
        Hop("switch", "page_cache", "dma", 1, root_gb_s, drive_gb_s, 1),
        # a copy reads each byte and writes it
        Hop("page_cache", "pinned_buffer", "cpu", 2, math.inf, copy_gb_s, 2),
        last,
    )


def dgx2_gb_s(route: str, drives: int, drive_gb_s: float) -> float:
    """Return a DGX-2's bandwidth on a route from a number of drives or ports, GB/s.

    bounce = min(storage, system memory's way to the GPUs); direct = min(sum of drives, PCIe
    switches).

    Parameters
    ----------
    route : str
        One of `ROUTES`.
    drives : int
        Drives or network ports that send at once.
    drive_gb_s : float
        What each brings, GB/s.

    Raises
    ------
    InputError
        There is no drive, or its bandwidth is not above 0.

    Source: NVIDIA, GPUDirect Storage: 50 GB/s from system memory, nearly 200 on the direct path.

    >>> dgx2_gb_s("direct", 16, 3.4), dgx2_gb_s("bounce", 16, 3.4)
    (54.4, 50.0)
    """
    if drives < 1 or not drive_gb_s > 0:
        msg = f"drives is {drives} with {drive_gb_s} GB/s each; allowed is 1 or more, above 0 GB/s"
        raise InputError(msg)
    machine = find_storage_device("DGX-2").number
    path = "direct_path_gb_s" if route == "direct" else "system_memory_path_gb_s"
    return min(drives * drive_gb_s, machine(path))


def little_latency_s(in_flight: float, per_s: float) -> float:
    """Return the mean latency by Little's law: requests in flight over requests a second.

    Raises
    ------
    InputError
        One of the two is not above 0.

    >>> round(little_latency_s(32, 233_395.5) * 1e6, 1)
    137.1
    """
    if not (in_flight > 0 and per_s > 0):
        msg = f"in_flight is {in_flight}, per_s is {per_s}; allowed are numbers above 0"
        raise InputError(msg)
    return in_flight / per_s


def _check_io(io_bytes: float) -> None:
    if not 0 < io_bytes < math.inf:
        msg = f"io_bytes is {io_bytes}; allowed is a number above 0"
        raise InputError(msg)
