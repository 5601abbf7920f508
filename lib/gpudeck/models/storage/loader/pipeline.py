"""The input pipeline of training: how much of its time a GPU works, and how much it starves."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.storage.loader.kernel import run_pipeline
from gpudeck.rng import generator
from gpudeck.units import convert
from gpudeck.workload.training_input import TrainingInput

# a batch is never drawn smaller than this share of its mean
SMALLEST_BATCH = 0.1


@dataclass(frozen=True, slots=True)
class Loader:
    """How each GPU's batches are read.

    Parameters
    ----------
    workers : int
        Processes that read and decode, in turn, 1 or above.
    prefetch : int
        Batches that each worker may have under way or ready, 1 or above.
    latency_s : float
        From asking for a batch to its first byte, 0 or above.
    decode_s : float
        Time of one worker's CPU for a batch, 0 or above.

    Raises
    ------
    InputError
        A number is out of its range.
    """

    workers: int = 4
    prefetch: int = 2
    latency_s: float = 0.0
    decode_s: float = 0.0

    def __post_init__(self) -> None:
        for name in ("workers", "prefetch"):
            value = getattr(self, name)
            if value != int(value) or value < 1:
                msg = f"{name} is {value}; allowed is a whole number of 1 or above"
                raise InputError(msg)
        for name in ("latency_s", "decode_s"):
            value = getattr(self, name)
            if not 0 <= value < math.inf:
                msg = f"{name} is {value}; allowed is 0 or above"
                raise InputError(msg)

    @property
    def slots(self) -> int:
        """Batches of a GPU that are under way or ready before it takes one."""
        return self.workers * self.prefetch


@dataclass(frozen=True, slots=True, eq=False)
class LoaderResult:
    """A run of the pipeline; begin_s and end_s of shape (steps,), the others (gpus, steps).

    `read_s` is how long each batch took over the link, `read_end_s` when the last byte was there,
    `ready_s` when it was decoded too. The first `warm_up` steps, in which the buffer fills, are in
    no total.
    """

    batch_bytes: NDArray[np.float64]
    read_s: NDArray[np.float64]
    read_end_s: NDArray[np.float64]
    ready_s: NDArray[np.float64]
    begin_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    warm_up: int

    @property
    def makespan_s(self) -> float:
        """From the end of the warm-up to the last step's end."""
        return float(self.end_s[-1] - self.end_s[self.warm_up - 1])

    @property
    def utilisation(self) -> float:
        """Accelerator utilisation: share of the time in which the GPUs compute, 0 to 1."""
        return min(1.0, float(self._compute_s().sum()) / self.makespan_s)

    @property
    def stall_s(self) -> NDArray[np.float64]:
        """Wait of each step for its batches, shape (steps - warm_up,)."""
        ends = self.end_s[self.warm_up - 1 : -1]
        return self.begin_s[self.warm_up :] - ends

    @property
    def read_gb_s(self) -> float:
        """Bandwidth that all GPUs together took, in GB/s."""
        read_bytes = float(self.batch_bytes[:, self.warm_up :].sum())
        return convert(read_bytes, "B", "GB") / self.makespan_s

    def _compute_s(self) -> NDArray[np.float64]:
        return (self.end_s - self.begin_s)[self.warm_up :]


def bound_utilisation(job: TrainingInput, loader: Loader, gpu_gb_s: float) -> float:
    """Return the accelerator utilisation without randomness, 0 to 1.

    min(1, t/r, workers·t/(latency + r + decode)) with t the compute time and r = bytes/bandwidth
    the time to read a batch: the GPU, its link or its workers are the bottleneck.

    Parameters
    ----------
    job : TrainingInput
        Bytes and compute time of a batch.
    loader : Loader
        Workers, latency and decoding.
    gpu_gb_s : float
        What storage gives one GPU, in GB/s, above 0.

    Raises
    ------
    InputError
        The bandwidth is not above 0.

    >>> from gpudeck.workload.training_input import find_training_input
    >>> round(bound_utilisation(find_training_input("unet3d-h100"), Loader(), 3.0), 4)
    0.9443
    """
    read_s = convert(job.batch_bytes, "B", "GB") / _checked(gpu_gb_s)
    cycle_s = loader.latency_s + read_s + loader.decode_s
    return min(1.0, job.compute_s / read_s, loader.workers * job.compute_s / cycle_s)


def simulate_loader(
    job: TrainingInput,
    loader: Loader,
    gpu_gb_s: float,
    seed: int = 0,
    *,
    gpus: int = 1,
    steps: int = 300,
    warm_up: int = 50,
) -> LoaderResult:
    """Simulate the pipeline of a data-parallel job whose GPUs step together.

    Samples differ in size (normal, cut off at a tenth of the mean batch), so batches do: a GPU
    whose batches are large makes all others wait.

    Parameters
    ----------
    job, loader, gpu_gb_s
        As in `bound_utilisation`; every GPU has this bandwidth of its own.
    seed : int
        Sizes of the batches are drawn from it.
    gpus : int
        GPUs that step together, 1 or above.
    steps, warm_up : int
        Steps, of which the first `warm_up`, 1 or above, are left out of all totals.

    Raises
    ------
    InputError
        A number is out of its range.
    """
    bytes_s = convert(_checked(gpu_gb_s), "GB", "B")
    if gpus < 1 or not 1 <= warm_up < steps:
        msg = (
            f"gpus is {gpus}, steps {steps}, warm_up {warm_up}; allowed are 1 GPU or more and "
            "1 <= warm_up < steps"
        )
        raise InputError(msg)
    rng = generator(seed, "loader", job.id)
    drawn = rng.normal(job.batch_bytes, job.batch_sd_bytes, (gpus, steps))
    batches = np.maximum(drawn, SMALLEST_BATCH * job.batch_bytes)
    decode_s = loader.decode_s * batches / job.batch_bytes
    compute_s = np.full(steps, job.compute_s)
    read_s = batches / bytes_s
    times = run_pipeline(
        read_s, decode_s, compute_s, loader.latency_s, loader.workers, loader.slots
    )
    return LoaderResult(batches, read_s, *times, warm_up)


def _checked(gpu_gb_s: float) -> float:
    if not 0 < gpu_gb_s < math.inf:
        msg = f"gpu_gb_s is {gpu_gb_s}; allowed is above 0: without bandwidth no step ends"
        raise InputError(msg)
    return gpu_gb_s
