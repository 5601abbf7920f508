"""What if training or inference used more of what it asks for? The same day, used otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name
from gpudeck.journey.baseline import MODEL
from gpudeck.journey.day import Day, measure_gpus
from gpudeck.journey.use import draw_use
from gpudeck.journey.waterfall import attribute_day
from gpudeck.rng import spawn_seeds
from gpudeck.scenario import Scenario
from gpudeck.scenario.schema import WorkloadUse

RANKS_PCT = np.arange(1, 98, 2)
# part of the largest spread that a Beta distribution of a mean can have
_WIDEST = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class UseGrid:
    """The first day of the runs, with other means of use.

    ``sm_pct[training, inference]`` has shape (ranks,): the SM activity of the GPU at each of
    `RANKS_PCT` of all GPUs, busiest first. ``held_pct`` is what of it is allocated, which does not
    depend on use. ``useful_pct[training, inference]`` is the useful part of all GPU-hours, and
    ``start`` the cell that is nearest to the scenario's own use.
    """

    training_pct: tuple[int, ...]
    inference_pct: tuple[int, ...]
    start: tuple[int, int]
    held_pct: NDArray[np.float64]
    sm_pct: dict[tuple[int, int], NDArray[np.float64]]
    useful_pct: dict[tuple[int, int], float]


def use_grid(
    day: Day,
    scenario: Scenario,
    seed: int,
    *,
    training_pct: Sequence[int] = (20, 35, 50, 65, 80, 90),
    inference_pct: Sequence[int] = (5, 10, 20, 40, 80),
) -> UseGrid:
    """Book one day again for each mean of training and of inference in its peak hour.

    Who is placed where stays the same, for no scheduler here looks at use. The spread stays as
    well, unless it is too large for the mean; the daily course keeps its shape.

    Parameters
    ----------
    day : Day
        The first of the scenario's runs.
    scenario, seed : Scenario, int
        What the runs were made with.
    training_pct, inference_pct : sequence of int
        Mean SM activity in the peak hour, above 0 and below 100 %.

    Raises
    ------
    InputError
        A mean is out of range, as in `draw_use`.
    """
    own = spawn_seeds(seed, 1)[0]
    sm, useful = {}, {}
    for training in training_pct:
        for inference in inference_pct:
            use = scenario.use.model_copy(
                update={
                    "training": _rescale(scenario.use.training, training),
                    "inference": _rescale(scenario.use.inference, inference),
                }
            )
            other = replace(day, pod_use=draw_use(day.pods, scenario.tenants, use, own))
            sm[training, inference] = _rank(measure_gpus(other).sm)
            useful[training, inference] = attribute_day(other).percent("useful")
    held = _rank(measure_gpus(day).held)
    start = (
        min(training_pct, key=lambda mean: abs(mean - scenario.use.training.sm_peak_pct)),
        min(inference_pct, key=lambda mean: abs(mean - scenario.use.inference.sm_peak_pct)),
    )
    return UseGrid(tuple(training_pct), tuple(inference_pct), start, held, sm, useful)


def report_use(grid: UseGrid) -> tuple[Fact, ...]:
    """Return the useful part at the ends of the training slider, inference at its start.

    `useful_least` and `useful_most` (% of GPU-hours) at `training_least` and `training_most` (%).
    """
    by = function_name(use_grid)
    facts = []
    for name, training in (("least", grid.training_pct[0]), ("most", grid.training_pct[-1])):
        useful = grid.useful_pct[training, grid.start[1]]
        facts += [
            Fact(f"useful_{name}", useful, "%", "simulated", MODEL, by, decimals=0),
            Fact(f"training_{name}", training, "%", "simulated", MODEL, by, decimals=0),
        ]
    return tuple(facts)


def _rescale(use: WorkloadUse, peak_pct: float) -> WorkloadUse:
    widest = _WIDEST * np.sqrt(max(peak_pct * (100 - peak_pct), 0))
    return use.model_copy(
        update={
            "sm_peak_pct": peak_pct,
            "sm_mean_pct": use.sm_mean_pct * peak_pct / use.sm_peak_pct,
            "sm_sd_pct": min(use.sm_sd_pct, float(widest)),
        }
    )


def _rank(parts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(100 * np.quantile(parts, 1 - RANKS_PCT / 100))
