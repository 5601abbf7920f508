"""What if tenants could borrow more or less, or one weighed more? A grid of simulated days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name
from gpudeck.models.scheduling.quota.tenant_demand import DAY_S, HOUR_S
from gpudeck.models.scheduling.quota.tenant_pool import TenantPool
from gpudeck.models.scheduling.quota.tenants import TenantResult

_STEP_S = 1800.0


@dataclass(frozen=True, eq=False)
class ShareGrid:
    """A day of every cell, one seed for all.

    `held_pct[policy, borrow_pct, factor]` are GPUs held in % of the pool, shape (tenants, points),
    at `hour`, shape (points,); `result` of the same key has all figures.
    """

    tenants: tuple[str, ...]
    policies: tuple[str, ...]
    borrow_pct: tuple[int, ...]
    factors: tuple[float, ...]
    hour: NDArray[np.float64]
    held_pct: dict[tuple[str, int, float], NDArray[np.float64]]
    result: dict[tuple[str, int, float], TenantResult]


def share_grid(
    pool: TenantPool,
    seed: int = 0,
    *,
    policies: Sequence[str] = ("reclaim", "fair_sharing", "kai"),
    borrow_pct: Sequence[int] = (0, 10, 20, 100),
    factors: Sequence[float] = (0.25, 1.0, 4.0),
) -> ShareGrid:
    """Simulate the pool once for each policy, borrowing limit and weight of the first tenant.

    Parameters
    ----------
    pool
        From `pool_of`.
    seed
        Of the jobs; all cells see the same.
    policies
        Keys of `POLICIES`.
    borrow_pct
        The most that a tenant may hold beyond its guarantee, in % of the pool.
    factors
        By which the first tenant's weight is multiplied.
    """
    jobs = pool.draw_jobs(seed)
    held, results = {}, {}
    hour = np.empty(0)
    for borrow in borrow_pct:
        for factor in factors:
            changed = pool.changed(borrow_pct=borrow, weight_factor=factor)
            for policy in policies:
                result = changed.run(policy, jobs)
                hour, shares = sample_day(result, result.held_gpus)
                held[policy, borrow, factor] = shares
                results[policy, borrow, factor] = result
    names = tuple(quota.tenant for quota in pool.quotas)
    return ShareGrid(names, tuple(policies), tuple(borrow_pct), tuple(factors), hour, held, results)


def sample_day(
    result: TenantResult, gpus: NDArray, step_s: float = _STEP_S
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return hours and, at them, GPUs in % of the pool, shape (tenants, points).

    The first day after the warm-up, or as much of it as there is.
    """
    end_s = min(result.since_s + DAY_S, result.until_s)
    at_s = np.arange(result.since_s, end_s + 1e-6, step_s)
    rows = np.searchsorted(result.time_s, at_s, side="right") - 1
    return (at_s - result.since_s) / HOUR_S, 100 * gpus[rows].T / result.gpus


def report_grid(grid: ShareGrid) -> tuple[Fact, ...]:
    """Return useful GPU time of the first policy without borrowing and without a limit.

    `useful_closed` and `useful_open`, in %, one seed, weights as they are.
    """
    by = function_name(share_grid)
    ends = (("useful_closed", min(grid.borrow_pct)), ("useful_open", max(grid.borrow_pct)))
    return tuple(
        Fact(
            key,
            grid.result[grid.policies[0], borrow, 1.0].useful_pct,
            "%",
            "simulated",
            "model:tenant shares",
            by,
            decimals=1,
        )
        for key, borrow in ends
    )
