"""Storage: a parallel file system, and the way of its bytes into the GPU."""

from gpudeck.models.storage.checkpoint import Checkpoint, checkpoint_bytes, save_checkpoint
from gpudeck.models.storage.io_path import (
    ROUTES,
    Hop,
    IoPath,
    IoRate,
    build_path,
    join_hops,
    little_latency_s,
)
from gpudeck.models.storage.lustre import Lustre, build_lustre
from gpudeck.models.storage.request_cost import RequestCost, read_request_cost
from gpudeck.models.storage.striping import (
    LIMITS,
    Bandwidth,
    BandwidthGrid,
    bandwidth_grid,
    read_bandwidth,
    write_bandwidth,
)

__all__ = [
    "LIMITS",
    "ROUTES",
    "Bandwidth",
    "BandwidthGrid",
    "Checkpoint",
    "Hop",
    "IoPath",
    "IoRate",
    "Lustre",
    "RequestCost",
    "bandwidth_grid",
    "build_lustre",
    "build_path",
    "checkpoint_bytes",
    "join_hops",
    "little_latency_s",
    "read_bandwidth",
    "read_request_cost",
    "save_checkpoint",
    "write_bandwidth",
]
