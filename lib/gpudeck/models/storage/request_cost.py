"""CPU time of storage requests, from what a measured machine spent on small and on large ones."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from gpudeck.errors import InputError
from gpudeck.hardware.storage_device import find_storage_device


@dataclass(frozen=True, slots=True)
class RequestCost:
    """CPU time that the kernel and the library spend on requests, on any path.

    `request_s` is that of a request of no bytes, s; `byte_s_per_gb` that of 10^9 of its bytes, s:
    a large request is cut into several for the devices.
    """

    request_s: float
    byte_s_per_gb: float

    def cpu_s_per_gb(self, io_bytes: float) -> float:
        """Return the CPU time of 10^9 bytes in requests of a size, s.

        Raises
        ------
        InputError
            The request has no bytes.

        >>> round(RequestCost(request_s=25e-6, byte_s_per_gb=0.05).cpu_s_per_gb(1e6), 6)
        0.075
        """
        if not io_bytes > 0:
            msg = f"io_bytes is {io_bytes}; allowed is a number above 0"
            raise InputError(msg)
        return self.request_s * 1e9 / io_bytes + self.byte_s_per_gb


@cache
def read_request_cost() -> RequestCost:
    """Return the line through two measured points: 4 KiB and 1 MiB reads with GDS on a DGX-2.

    Busy part of all hardware threads over requests a second. Two points and two constants: nothing
    is left to test the line with.

    Source: NVIDIA GDS guide, section 5.1, `iostat -c` and `gdsio`.

    >>> cost = read_request_cost()
    >>> round(cost.request_s * 1e6), round(cost.byte_s_per_gb, 3)
    (25, 0.038)
    """
    machine = find_storage_device("GDS-DGX-2").number
    threads = find_storage_device("DGX-2").number("hardware_threads")
    small_bytes, large_bytes = 4096.0, 2.0**20
    small_s = threads * machine("cpu_busy_4k") / 100 / machine("random_4k_iops_128_threads")
    large_per_s = machine("sequential_gib_s") * 2**30 / large_bytes
    large_s = threads * machine("cpu_busy_1m") / 100 / large_per_s
    slope = (large_s - small_s) / (large_bytes - small_bytes)
    return RequestCost(small_s - slope * small_bytes, slope * 1e9)
