"""Stage 3: data paths. The same batches before and after, paired by their seeds.

Before: one file server over TCP, and a bounce buffer in each node. Then, one after the other: RDMA,
a parallel file system, the direct path into GPU memory. Each only changes what the path carries;
the pipeline that reads over it stays as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.link import find_link
from gpudeck.interval import Interval, interval_of_change
from gpudeck.models.fabric.protocol import cores_busy, find_transport, goodput_gb_s
from gpudeck.models.storage.io_path import build_path
from gpudeck.models.storage.loader import Loader, LoaderResult, simulate_loader
from gpudeck.models.storage.lustre import build_lustre
from gpudeck.models.storage.striping import read_bandwidth
from gpudeck.rng import spawn_seeds
from gpudeck.scenario import Scenario
from gpudeck.scenario.schema import Loading, StorageSystem
from gpudeck.units import convert
from gpudeck.workload.training_input import TrainingInput, find_training_input

# what each step changes: transport, whether files lie on all servers, path into the GPU
STEPS: dict[str, tuple[str, bool, str]] = {
    "before": ("tcp", False, "bounce"),
    "rdma": ("infiniband", False, "bounce"),
    "lustre": ("infiniband", True, "bounce"),
    "after": ("infiniband", True, "direct"),
}
# what is compared, and its unit
MEASURES = {
    "starving": "%",
    "utilisation": "%",
    "read_gb_s": "GB/s",
    "batch_s": "s",
    "cores_per_gb_s": "1",
}
PARTS = ("server", "network", "host")
REQUEST_BYTES = 2.0**20  # a read is cut into requests of this size


@dataclass(frozen=True, slots=True)
class DataPath:
    """What one GPU may read over each part of the path, in GB/s, when all read at once.

    `latency_s` is the time until the first byte, `cores_per_gb_s` the CPU cores of a node that each
    GB/s keeps busy.
    """

    name: str
    server_gb_s: float
    network_gb_s: float
    host_gb_s: float
    latency_s: float
    cores_per_gb_s: float

    @property
    def gpu_gb_s(self) -> float:
        """The least of the parts."""
        return min(self.server_gb_s, self.network_gb_s, self.host_gb_s)

    @property
    def limit(self) -> str:
        """Name of the part that limits, one of `PARTS`."""
        return min(PARTS, key=lambda part: float(getattr(self, f"{part}_gb_s")))


@dataclass(frozen=True, slots=True, eq=False)
class PathRuns:
    """One step of the stage: its path, and the pipeline's run with each seed."""

    path: DataPath
    runs: tuple[LoaderResult, ...]

    def values(self, measure: str) -> NDArray[np.float64]:
        """Return a measure of `MEASURES` of each run, shape (runs,)."""
        if measure == "utilisation":
            return np.array([100 * run.utilisation for run in self.runs])
        if measure == "starving":
            return np.array([100 * (1 - run.utilisation) for run in self.runs])
        if measure == "batch_s":
            return np.array([run.read_s.mean() + self.path.latency_s for run in self.runs])
        if measure == "cores_per_gb_s":
            return np.full(len(self.runs), self.path.cores_per_gb_s)
        return np.array([run.read_gb_s for run in self.runs])


@dataclass(frozen=True, slots=True, eq=False)
class DataPathEffect:
    """All steps on the same batches, in the order of `STEPS`; what is read, and by how many."""

    steps: tuple[PathRuns, ...]
    job: TrainingInput
    loading: Loading

    @property
    def loader(self) -> Loader:
        """Readers and buffer of each GPU."""
        return Loader(self.loading.workers, self.loading.prefetch)

    @property
    def first_runs(self) -> tuple[LoaderResult, LoaderResult]:
        """The run of the first seed, before and after."""
        return self.find("before").runs[0], self.find("after").runs[0]

    @property
    def nodes(self) -> int:
        """Nodes whose GPUs read."""
        return self.loading.gpus // self.loading.gpus_per_node

    def find(self, name: str) -> PathRuns:
        """Return a step by its name.

        Raises
        ------
        InputError
            There is no such step.
        """
        for step in self.steps:
            if step.path.name == name:
                return step
        msg = f"step is {name!r}; allowed are {', '.join(STEPS)}"
        raise InputError(msg)

    def samples(self, measure: str, name: str) -> NDArray[np.float64]:
        """Return a measure of one step, shape (runs,).

        Raises
        ------
        InputError
            There is no such measure or step.
        """
        if measure not in MEASURES:
            msg = f"measure is {measure!r}; allowed are {', '.join(MEASURES)}"
            raise InputError(msg)
        return self.find(name).values(measure)

    def gain(self, measure: str) -> NDArray[np.float64]:
        """Return after less before, paired by seed, shape (runs,)."""
        return self.samples(measure, "after") - self.samples(measure, "before")

    def change_pct(self, measure: str) -> Interval | None:
        """Return the change in % of what it was before, paired; None where that was nothing."""
        return interval_of_change(self.samples(measure, "before"), self.samples(measure, "after"))


def run_stage3(scenario: Scenario, seed: int) -> DataPathEffect:
    """Run the scenario's input pipeline over the path of each step, with the same batches.

    Parameters
    ----------
    scenario : Scenario
        Its sections `loading` and `storage`, and its number of runs.
    seed : int
        The seeds of the runs are spawned from it.

    Raises
    ------
    InputError
        An id of the scenario is in no table.
    """
    loading = scenario.loading
    job = find_training_input(loading.workload)
    seeds = spawn_seeds(seed, scenario.runs)
    steps = []
    for name in STEPS:
        path = lay_path(name, scenario.storage, loading)
        loader = Loader(loading.workers, loading.prefetch, path.latency_s)
        runs = tuple(
            simulate_loader(job, loader, path.gpu_gb_s, own, gpus=loading.gpus, steps=loading.steps)
            for own in seeds
        )
        steps.append(PathRuns(path, runs))
    return DataPathEffect(tuple(steps), job, loading)


def lay_path(name: str, storage: StorageSystem, loading: Loading) -> DataPath:
    """Return the path of a step of `STEPS`, as each of the GPUs sees it when all read at once.

    Parameters
    ----------
    name : str
        Key of `STEPS`.
    storage : StorageSystem
        The file system and the nodes; a single file server is one of its servers.
    loading : Loading
        How many GPUs read.

    Raises
    ------
    InputError
        There is no such step, or an id is in no table.
    """
    if name not in STEPS:
        msg = f"step is {name!r}; allowed are {', '.join(STEPS)}"
        raise InputError(msg)
    transport_id, parallel, route = STEPS[name]
    transport, port_gb_s = find_transport(transport_id), find_link(storage.link).direction_gb_s
    share = min(1.0, float(goodput_gb_s(transport, port_gb_s)) / port_gb_s)
    lustre = build_lustre(storage)
    lustre = replace(lustre, network_share=min(share, lustre.network_share))
    if not parallel:
        lustre = replace(lustre, oss_count=1, mdt_count=1)
    nodes = loading.gpus // loading.gpus_per_node
    files = loading.gpus_per_node * loading.workers
    stripes = storage.stripe_count if parallel else min(storage.stripe_count, lustre.ost_count)
    terms = read_bandwidth(lustre, nodes, stripes, files_per_client=files).terms
    path = build_path(storage, route, math.inf)
    latency_s = convert(transport.latency_us, "us", "s") + path.device_latency_s
    cores = float(cores_busy(transport, 1.0)) + path.cpu_s_per_gb(REQUEST_BYTES)
    return DataPath(
        name,
        min(terms["ost"], terms["oss"]) / loading.gpus,
        min(terms["oss_network"], terms["client_network"], terms["client"]) / loading.gpus,
        path.gb_s / loading.gpus_per_node,
        latency_s,
        cores,
    )
