"""Published results on storage, and what the models give for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from gpudeck.hardware.link import find_link
from gpudeck.hardware.storage_device import find_storage_device
from gpudeck.models.storage.checkpoint import checkpoint_bytes
from gpudeck.models.storage.gds_log import THREADS, find_run, read_local_runs
from gpudeck.models.storage.io_path import dgx2_gb_s, little_latency_s
from gpudeck.models.storage.lustre import build_lustre
from gpudeck.models.storage.metadata import copy_opens_s
from gpudeck.models.storage.request_cost import read_request_cost
from gpudeck.models.storage.striping import read_bandwidth
from gpudeck.scenario.read import read_scenario
from gpudeck.tables import Row, compute_rows
from gpudeck.units import convert
from gpudeck.workload.model import find_model

FILES = 13_019
MIB_BYTES = 2.0**20


def _little_us(threads: int) -> float:
    return next(1e6 * run.little_s for run in read_local_runs() if run.in_flight == threads)


def _far_us() -> float:
    far = find_storage_device("GDS-DGX-2-far").number
    return 1e6 * little_latency_s(64, far("random_4k_iops_64_threads"))


def _near_gib_s() -> float:
    """Two drives in a group, on the GPU's own switch."""
    number = find_storage_device("GDS-DGX-2").number
    return convert(2 * number("nvme_read_gb_s"), "GB/s", "GiB/s")


def _far_gib_s() -> float:
    """Eight threads that read 1 MiB each in the latency of the far run."""
    latency_us = find_storage_device("GDS-DGX-2-far").number("sequential_latency_us")
    return 8 * MIB_BYTES / (latency_us / 1e6) / 2**30


def _machine_gb_s(route: str) -> float:
    """All that can send to the GPUs: drives, network cards and, on the direct path, memory too."""
    machine = find_storage_device("DGX-2").number
    drives = machine("nvme_count") * find_storage_device("GDS-DGX-2").number("nvme_read_gb_s")
    cards = machine("nic_count") * find_link("IB-EDR").direction_gb_s
    if route == "bounce":
        return min(drives + cards, dgx2_gb_s("bounce", 16, 1e3))
    return drives + cards + machine("system_memory_path_gb_s")


def _checkpoint_gib(model: str) -> float:
    return checkpoint_bytes(find_model(model).parameters) / 2**30


def _copy_s(device: str, unit_s: float, suffix: str) -> float:
    number = find_storage_device(device).number
    times = (number(f"{name}_{suffix}") * unit_s for name in ("open", "open_missing"))
    return copy_opens_s(FILES, *times)


def _default_gb_s(clients: int) -> float:
    scenario = read_scenario("default")
    nodes = scenario.training.gpus // scenario.training.gpus_per_node
    return read_bandwidth(build_lustre(scenario.storage), clients or nodes).gb_s


_COMPUTED: dict[str, Callable[[], float]] = {
    **{f"little@{threads}-threads": partial(_little_us, threads) for threads in THREADS},
    "little@far-64-threads": _far_us,
    "little@nfs-log": lambda: 1e6 * find_run("read_near").little_s,
    "little@nfs-text": lambda: 1e6 * find_run("read_near").little_s,
    "throughput@near": _near_gib_s,
    "throughput@far": _far_gib_s,
    "path@dgx-2-bounce": partial(_machine_gb_s, "bounce"),
    "path@dgx-2-direct": partial(_machine_gb_s, "direct"),
    "cpu@gds-forum": lambda: read_request_cost().cpu_s_per_gb(MIB_BYTES),
    "cpu@bounce-forum": lambda: read_request_cost().cpu_s_per_gb(MIB_BYTES),
    "checkpoint@8b": partial(_checkpoint_gib, "llama-3-8b"),
    "checkpoint@70b": partial(_checkpoint_gib, "llama-3-70b"),
    "checkpoint@405b": partial(_checkpoint_gib, "llama-3-405b"),
    "copy@lustre": partial(_copy_s, "Lustre-mounted", 1e-3, "ms"),
    "copy@nvme": partial(_copy_s, "NVMe-local", 1e-6, "us"),
    "manual@aggregate": partial(_default_gb_s, 0),
    "manual@client": partial(_default_gb_s, 1),
}
# why a row may not be met
NOTES = {
    "little@nfs-text": (
        "a misprint: the guide repeats the latency of its other run; 32 threads at 233,395 reads a"
        " second leave 137.1 us, which is what its own log prints"
    ),
    "cpu@gds-forum": "another processor, kernel and version of GDS; top shows one moment",
    "cpu@bounce-forum": "another processor, kernel and version of GDS; top shows one moment",
}


def compute_published(rows: Sequence[Row]) -> dict[str, float]:
    """Compute each published row with the model's own constants; nothing is fitted to a row.

    Raises
    ------
    InputError
        An id is unknown.
    """
    return compute_rows(rows, _COMPUTED)
