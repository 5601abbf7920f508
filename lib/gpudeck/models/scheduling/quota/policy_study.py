"""All policies on the same jobs, over many seeds: what each does to use and to fairness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.scheduling.quota.tenant_demand import gang_sizes
from gpudeck.models.scheduling.quota.tenant_pool import TenantPool
from gpudeck.models.scheduling.quota.tenants import POLICIES, TenantResult
from gpudeck.rng import spawn_seeds

MODEL = "model:tenant shares"
# property of a result, its unit on a page, digits after the point
MEASURES = {
    "useful_pct": ("%", 1),
    "allocated_pct": ("%", 1),
    "jain": ("1", 3),
    "share_gap_pct": ("%", 1),
    "guarantee_kept_pct": ("%", 1),
    "mean_reclaim_s": ("s", 0),
    "lost_pct": ("%", 2),
}


@dataclass(frozen=True, eq=False)
class PolicyStudy:
    """Figures of each policy, one a seed, and one run of each to look at.

    `samples[policy][measure]` has shape (seeds,); the measures are properties of `TenantResult`.
    """

    pool: TenantPool
    seeds: tuple[int, ...]
    samples: dict[str, dict[str, NDArray[np.float64]]]
    first: dict[str, TenantResult]


def compare_policies(
    pool: TenantPool, runs: int, seed: int = 0, policies: Sequence[str] = tuple(POLICIES)
) -> PolicyStudy:
    """Run each policy once for each seed; policies of one seed see the same jobs.

    Parameters
    ----------
    pool
        From `pool_of`.
    runs
        Number of seeds, 2 or above for intervals.
    seed
        Gives the seeds.
    policies
        Keys of `POLICIES`.
    """
    seeds = tuple(spawn_seeds(seed, runs))
    samples: dict[str, dict[str, NDArray[np.float64]]] = {}
    first = {}
    drawn = [pool.draw_jobs(each) for each in seeds]
    for policy in policies:
        results = [pool.run(policy, jobs) for jobs in drawn]
        samples[policy] = {
            name: np.array([getattr(result, name) for result in results]) for name in MEASURES
        }
        first[policy] = results[0]
    return PolicyStudy(pool, seeds, samples, first)


def report_policies(study: PolicyStudy) -> tuple[Fact, ...]:
    """Return what the policies do, each number with its interval.

    Returns
    -------
    tuple of Fact
        `<measure>_<policy>` for every measure; `gain` (useful points of reclaim over static
        quotas), `cost` (useful points of reclaim below borrowing alone) and `fairer` (Jain's index
        of fair sharing less that of reclaim), each paired over the seeds; `runs`, `gpus`,
        `tenants`, `load`, `swing`, `job_h`, `days`, `grace`, `checkpoint`, `gang_small`,
        `gang_large`, `evictions` (of the run that is drawn).
    """
    by, pool = function_name(compare_policies), study.pool
    facts = []
    for policy, measures in study.samples.items():
        for name, values in measures.items():
            unit, decimals = MEASURES[name]
            facts.append(mean_fact(f"{name}_{policy}", values, unit, MODEL, by, decimals=decimals))
    useful = {policy: measures["useful_pct"] for policy, measures in study.samples.items()}
    jain = {policy: measures["jain"] for policy, measures in study.samples.items()}
    facts += [
        mean_fact("gain", useful["reclaim"] - useful["static"], "point", MODEL, by),
        mean_fact("cost", useful["borrowing"] - useful["reclaim"], "point", MODEL, by),
        mean_fact("fairer", jain["fair_sharing"] - jain["reclaim"], "1", MODEL, by, decimals=3),
    ]
    sizes = gang_sizes(pool.gpus)
    settings: tuple[tuple[str, float, str, int | None], ...] = (
        ("runs", len(study.seeds), "count", 0),
        ("gpus", pool.gpus, "GPU", 0),
        ("tenants", len(pool.quotas), "count", 0),
        ("load", pool.load_pct, "%", 0),
        ("swing", pool.swing_pct, "%", 0),
        ("job_h", pool.job_h, "h", None),
        ("days", pool.days, "day", None),
        ("grace", pool.grace_s, "s", None),
        ("checkpoint", pool.checkpoint_s / 60, "min", None),
        ("borrow_limit", 100 * pool.quotas[0].borrow_gpus / pool.gpus, "%", 0),
        ("gang_small", int(sizes[0]), "GPU", 0),
        ("gang_large", int(sizes[-1]), "GPU", 0),
    )
    facts += [
        Fact(key, value, unit, "scenario", "model:scenario", by, decimals=decimals)
        for key, value, unit, decimals in settings
    ]
    evicted = len(study.first["reclaim"].evicted)
    facts.append(Fact("evictions", evicted, "preemption", "simulated", MODEL, by, decimals=0))
    return tuple(facts)
