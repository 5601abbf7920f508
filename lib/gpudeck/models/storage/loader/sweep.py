"""How accelerator utilisation depends on the bandwidth of a GPU: closed form and simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.storage.loader.pipeline import Loader, bound_utilisation, simulate_loader
from gpudeck.workload.training_input import TrainingInput

# bandwidths of the sweep, as multiples of what the job needs
SUPPLY = np.array([0.4, 0.6, 0.8, 0.9, 1.0, 1.1, 1.2, 1.35, 1.5, 1.75, 2.0])


@dataclass(frozen=True, slots=True, eq=False)
class BandwidthSweep:
    """Utilisation, 0 to 1, over the bandwidth of each GPU.

    Parameters
    ----------
    job : TrainingInput
        What is read.
    gpu_gb_s, bound : arrays of shape (points,)
        Bandwidth of each GPU in GB/s, and the closed form.
    alone, together : arrays of shape (seeds, points)
        Simulated, one GPU and `gpus` that step together.
    gpus : int
        How many step together.
    """

    job: TrainingInput
    gpu_gb_s: NDArray[np.float64]
    bound: NDArray[np.float64]
    alone: NDArray[np.float64]
    together: NDArray[np.float64]
    gpus: int


def sweep_bandwidth(
    job: TrainingInput, loader: Loader, gpus: int, seeds: Sequence[int]
) -> BandwidthSweep:
    """Simulate the pipeline at each bandwidth of `SUPPLY`, with the same batches at all of them.

    Parameters
    ----------
    job, loader
        As in `simulate_loader`.
    gpus : int
        GPUs that step together, 1 or above.
    seeds : sequence of int
        One run each.
    """
    gpu_gb_s = SUPPLY * job.need_gb_s
    bound = np.array([bound_utilisation(job, loader, float(gb_s)) for gb_s in gpu_gb_s])
    alone, together = (
        np.array(
            [[_utilisation(job, loader, gb_s, seed, n) for gb_s in gpu_gb_s] for seed in seeds]
        )
        for n in (1, gpus)
    )
    return BandwidthSweep(job, gpu_gb_s, bound, alone, together, gpus)


@dataclass(frozen=True, slots=True, eq=False)
class LoaderGrid:
    """Utilisation over `SUPPLY` by GPUs and prefetched batches: bound and simulated, (points,)."""

    job: TrainingInput
    gpus: tuple[int, ...]
    prefetch: tuple[int, ...]
    workers: tuple[int, ...]
    found: dict[tuple[int, int, int], NDArray[np.float64]]
    bound: NDArray[np.float64]

    @property
    def harshest(self) -> tuple[int, int, int]:
        """Key of `found` with the most GPUs and the least buffer."""
        return self.gpus[-1], self.prefetch[0], self.workers[0]

    @property
    def exact(self) -> int:
        """Index of the point at which the supply is what the job needs."""
        return int(abs(SUPPLY - 1).argmin())


def fill_grid(
    job: TrainingInput,
    seed: int,
    *,
    gpus: tuple[int, ...] = (1, 8, 64, 256),
    prefetch: tuple[int, ...] = (1, 2, 4),
    workers: tuple[int, ...] = (1, 4),
    steps: int = 150,
) -> LoaderGrid:
    """Simulate every combination of the explorer, one run each.

    Parameters
    ----------
    job, seed
        As in `simulate_loader`.
    gpus, prefetch, workers
        Values of the sliders.
    steps : int
        Steps of a run, the first 30 of them left out.
    """
    gpu_gb_s = SUPPLY * job.need_gb_s
    found = {}
    for number in gpus:
        for depth in prefetch:
            for each in workers:
                loader = Loader(each, depth)
                runs = (
                    simulate_loader(
                        job, loader, float(gb_s), seed, gpus=number, steps=steps, warm_up=30
                    )
                    for gb_s in gpu_gb_s
                )
                found[number, depth, each] = np.array([run.utilisation for run in runs])
    bound = np.array([bound_utilisation(job, Loader(), float(gb_s)) for gb_s in gpu_gb_s])
    return LoaderGrid(job, gpus, prefetch, workers, found, bound)


def _utilisation(job: TrainingInput, loader: Loader, gb_s: float, seed: int, gpus: int) -> float:
    return simulate_loader(job, loader, float(gb_s), seed, gpus=gpus).utilisation
