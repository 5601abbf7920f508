"""Warm pools of several sizes: how many starts are cold, by the closed form and as simulated."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.resilience.autoscaling.scaling import simulate_scaling
from gpudeck.models.resilience.autoscaling.study import Elasticity
from gpudeck.models.resilience.warm_pool import cold_start_probability

POOLS = (0, 1, 2, 4, 8, 12, 16, 24)


@dataclass(frozen=True, slots=True, eq=False)
class PoolStudy:
    """Cold starts by the size of the pool, in % of all starts.

    `simulated_pct` and `late_pct` have shape (pools, runs) by policy; `poisson_pct` is the closed
    form for the reactive policy's own rate of starts, shape (pools,), as if they came singly.
    """

    pools: tuple[int, ...]
    simulated_pct: dict[str, NDArray[np.float64]]
    late_pct: dict[str, NDArray[np.float64]]
    poisson_pct: NDArray[np.float64]
    starts_per_h: float


def study_pools(study: Elasticity, pools: tuple[int, ...] = POOLS) -> PoolStudy:
    """Run the reactive and the predictive policy with pools of several sizes.

    Parameters
    ----------
    study
        From `study_elasticity`: its load, service and rule are used.
    pools
        Replicas of a full pool.
    """
    demand = study.calm_demand
    simulated, late = {}, {}
    for policy in ("reactive", "predictive"):
        results = [
            simulate_scaling(
                demand.rate_per_s,
                demand.observed,
                replace(study.service, warm_pool=pool),
                policy,
                study.rule,
                history_days=study.history_days,
                forecast=study.forecasts[study.rule.method],
            )
            for pool in pools
        ]
        simulated[policy] = np.array(
            [100 * r.cold_starts / np.maximum(r.starts, 1) for r in results]
        )
        late[policy] = np.array([r.late_pct for r in results])
    minutes = demand.rate_per_s.shape[1] - study.history_days * 1440
    rate = float(study.calm["reactive"].starts.mean()) / (minutes / 60)
    poisson = 100 * cold_start_probability(pools, rate, study.service.cold_start_s)
    return PoolStudy(pools, simulated, late, poisson, rate)
