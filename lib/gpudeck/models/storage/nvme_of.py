"""NVMe over Fabrics: what a drive in the network adds to a drive in the node."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

from gpudeck.errors import InputError
from gpudeck.hardware.link import find_link
from gpudeck.hardware.storage_device import find_storage_device
from gpudeck.models.storage.io_path import Hop, IoPath, build_path
from gpudeck.scenario.schema import StorageSystem

Transport = Literal["rdma", "tcp"]
_DEVICES = {"rdma": "NVMe-oF-RDMA", "tcp": "NVMe-oF-TCP"}


@dataclass(frozen=True, slots=True)
class RemotePath:
    """A path to drives in the network; the added latency is known only as a range, in s."""

    transport: str
    path: IoPath
    added_low_s: float
    added_high_s: float

    def latency_s(self, io_bytes: float) -> tuple[float, float]:
        """Return the least and the greatest latency of a request on an idle machine, s.

        Raises
        ------
        InputError
            The request has no bytes.
        """
        local_s = self.path.latency_s(io_bytes)
        return local_s + self.added_low_s, local_s + self.added_high_s


def build_remote_path(system: StorageSystem, transport: str) -> RemotePath:
    """Return the path from drives in the network to the GPUs of a scenario's node.

    With RDMA the network card writes into the GPU's memory; with TCP the kernel takes the packets
    apart in host memory and a core copies the bytes, so that the way is the bounce path.

    Parameters
    ----------
    system : StorageSystem
        The scenario's section `storage`; its client ports carry the traffic.
    transport : str
        "rdma" or "tcp".

    Raises
    ------
    InputError
        The transport is unknown or a link is not in data/network.csv.

    Source: ranges of data/storage.csv, from weak sources that disagree.
    """
    if transport not in _DEVICES:
        msg = f"transport is {transport!r}; allowed are {', '.join(_DEVICES)}"
        raise InputError(msg)
    port_gb_s = find_link(system.link).direction_gb_s
    ports_gb_s = system.client_ports * port_gb_s
    local = build_path(system, "direct" if transport == "rdma" else "bounce", ports_gb_s)
    hops = (
        Hop("target", "port", "dma", 1, ports_gb_s, port_gb_s),
        Hop("port", "switch", "dma", 1, ports_gb_s, math.inf),
        *local.hops[1:],
    )
    row = find_storage_device(_DEVICES[transport]).rows["added_latency_us"]
    low_us, high_us = (row.low, row.high)
    if low_us is None or high_us is None:
        low_us = high_us = row.number
    return RemotePath(transport, replace(local, hops=hops), low_us / 1e6, high_us / 1e6)
