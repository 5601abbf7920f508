"""The explorer of page 23: a day's capacity over cold start, margin and warm pool."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.resilience.autoscaling.scaling import DAY_MIN, predict, simulate_scaling
from gpudeck.models.resilience.autoscaling.study import Elasticity

COLD_MIN, MARGINS, POOLS = (1, 4, 10, 30), (0.0, 1.0, 2.0, 3.0), (0, 4, 16)
EVERY_MIN = 10


@dataclass(frozen=True, slots=True, eq=False)
class LeadGrid:
    """A counted day of the first run, and its week, by (cold start in minutes, z, pool).

    `ready[cell]` has shape (2, points): replicas in service, predictive and reactive, every ten
    minutes; `late_pct` and `gpu_hours` the same two, a day of the week.
    """

    hour: NDArray[np.float64]
    offered: NDArray[np.float64]
    ready: dict[tuple[int, float, int], NDArray[np.float64]]
    late_pct: dict[tuple[int, float, int], tuple[float, float]]
    gpu_hours: dict[tuple[int, float, int], tuple[float, float]]


def lead_grid(study: Elasticity) -> LeadGrid:
    """Scale the first run's week for each cell; all cells see the same load.

    Parameters
    ----------
    study
        From `study_elasticity`.
    """
    rate, seen = study.calm_demand.rate_per_s[:1], study.calm_demand.observed[:1]
    begin = study.history_days * DAY_MIN
    shown = slice(begin, begin + DAY_MIN, EVERY_MIN)
    days = rate.shape[1] / DAY_MIN - study.history_days
    ready, late, hours = {}, {}, {}
    for cold in COLD_MIN:
        base = replace(
            study.service,
            cold_start_s=60.0 * cold,
            warm_start_s=min(study.service.warm_start_s, 60.0 * cold),
        )
        made = predict(seen, base, study.rule, study.history_days)
        for pool in POOLS:
            service = replace(base, warm_pool=pool)
            cells = [("reactive", MARGINS[0])] + [("predictive", z) for z in MARGINS]
            results = [
                simulate_scaling(
                    rate, seen, service, policy, replace(study.rule, z=z),
                    history_days=study.history_days, forecast=made, keep_series=True,
                )
                for policy, z in cells
            ]  # fmt: skip
            held = [r.series.ready[0, shown] for r in results if r.series is not None]
            for place, z in enumerate(MARGINS, start=1):
                cell = cold, z, pool
                ready[cell] = np.array([held[place], held[0]])
                pair = results[place], results[0]
                late[cell] = float(pair[0].late_pct[0]), float(pair[1].late_pct[0])
                hours[cell] = float(pair[0].gpu_hours[0]) / days, float(pair[1].gpu_hours[0]) / days
    offered = rate[0, shown] * study.service.service_s
    return LeadGrid(np.arange(len(offered)) * EVERY_MIN / 60, offered, ready, late, hours)
