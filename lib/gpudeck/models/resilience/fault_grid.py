"""What if failures came more often, or saving took longer? Closed forms over a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.resilience.checkpoint import GB, MODES, Mode
from gpudeck.models.resilience.checkpoint_interval import best_interval, efficiency
from gpudeck.models.resilience.training_job import LEAST_STALL_S, TrainingJob

GPUS = (1024, 2048, 4096, 8192, 16_384, 65_536)
STORAGE_S = (10.0, 30.0, 60.0, 180.0, 600.0)
INTERVALS_MIN = np.concatenate([np.arange(1, 10, 1.0), np.arange(10, 61, 2.0)])
MINUTE_S, HOUR_S = 60.0, 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class FaultGrid:
    """Efficiency in % by interval, for every mode, size of job and time of a save.

    `share_pct[mode, gpus, storage_s]` has the shape of `interval_min`, NaN below the floor; `best`
    holds the best interval in minutes and its efficiency in %; `mtbf_h` is by size.
    """

    gpus: tuple[int, ...]
    storage_s: tuple[float, ...]
    modes: tuple[Mode, ...]
    interval_min: NDArray[np.float64]
    share_pct: dict[tuple[str, int, float], NDArray[np.float64]]
    best: dict[tuple[str, int, float], tuple[float, float]]
    mtbf_h: dict[int, float]


def fault_grid(
    job: TrainingJob,
    gpus: Sequence[int] = GPUS,
    storage_s: Sequence[float] = STORAGE_S,
    modes: Sequence[Mode] = MODES,
) -> FaultGrid:
    """Compute efficiencies of a job of other sizes, and with other storage.

    Each GPU fails as often as before, so that a size stands for a rate of failures. Copies in
    memory are taken to survive, and restarts to be automatic and without a wait for nodes.

    Parameters
    ----------
    job
        From `plan_job`: rates, recovery, overhead of a save.
    gpus
        Sizes, multiples of the GPUs of a node.
    storage_s
        Seconds that the whole state takes to storage.
    modes
        Ways of saving.

    Raises
    ------
    InputError
        As in `CheckpointPath` and `efficiency`.
    """
    share_pct: dict[tuple[str, int, float], NDArray[np.float64]] = {}
    best: dict[tuple[str, int, float], tuple[float, float]] = {}
    mtbf_h: dict[int, float] = {}
    interval_s = INTERVALS_MIN * MINUTE_S
    recovery_s = job.resilience.detection_s + job.resilience.restart_s
    for count in gpus:
        mtbf_s = job.run.rates.mtbf_s(count)
        mtbf_h[count] = mtbf_s / HOUR_S
        for seconds in storage_s:
            path = replace(
                job.path,
                gpus=count,
                nodes=count // job.run.gpus_per_node,
                storage_gb_s=job.path.state_bytes / seconds / GB,
            )
            for mode in modes:
                cost = path.cost(mode)
                stall_s = max(cost.stall_s, LEAST_STALL_S)
                best_s = best_interval(stall_s, mtbf_s, cost.floor_s)
                rest = (cost.stall_s, mtbf_s, recovery_s + cost.load_s, cost.save_s)
                shares = 100 * efficiency(np.maximum(interval_s, cost.floor_s), *rest)
                key = mode, count, seconds
                share_pct[key] = np.where(interval_s >= cost.floor_s, shares, np.nan)
                best[key] = best_s / MINUTE_S, 100 * float(efficiency(best_s, *rest))
    return FaultGrid(
        tuple(gpus), tuple(storage_s), tuple(modes), INTERVALS_MIN, share_pct, best, mtbf_h
    )
