"""Synthetic demand of tenants whose days differ: when one is quiet, another is at its peak."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.rng import generator
from gpudeck.workload.job import Jobs, concatenate_jobs

DAY_S = 86_400.0
HOUR_S = 3600.0
# gangs of four sizes, each twice the last; small ones are the more frequent
GANG_SHARE = (0.4, 0.3, 0.2, 0.1)
# the largest gang is at most this part of the pool
LARGEST_PART = 32


@dataclass(frozen=True, slots=True)
class TenantDemand:
    """Whose demand it is: its part of all demand, and its jobs' priority."""

    tenant: str
    share: float
    priority: int = 0


def gang_sizes(gpus: int) -> NDArray[np.int64]:
    """Return the four sizes of gangs on a pool: powers of two, the largest a 32nd of it.

    >>> gang_sizes(6212).tolist(), gang_sizes(40).tolist()
    ([16, 32, 64, 128], [1, 1, 1, 1])
    """
    largest = 2 ** int(np.log2(max(1, gpus // LARGEST_PART)))
    return np.maximum(1, largest // 2 ** np.arange(len(GANG_SHARE))[::-1])


def draw_tenant_jobs(
    tenants: Sequence[TenantDemand],
    gpus: int,
    seed: int,
    *,
    load_pct: float = 95.0,
    swing_pct: float = 80.0,
    job_h: float = 4.0,
    days: float = 3.0,
) -> Jobs:
    """Draw jobs that arrive at random, faster and slower over each tenant's day.

    Tenant k of n reaches its peak k/n of a day after the first: their demand rises in turn. Sizes
    are of `gang_sizes`, run times exponential; both are alike for all tenants.

    Parameters
    ----------
    tenants
        Their shares are scaled to sum to 1.
    gpus
        The pool, 1 or above.
    seed
        Each tenant has a stream of its own.
    load_pct
        Mean demand in % of the pool, above 0.
    swing_pct
        How far the rate of arrivals rises and falls, in % of its mean, 0 to 100.
    job_h
        Mean run time in hours, above 0.
    days
        Length in days, above 0.

    Raises
    ------
    InputError
        A value out of range, or no tenant.

    Formula: λ_k(t) = λ_k (1 + a cos 2π(t/day − k/n)), with λ_k · mean GPUs · mean run time = the
    tenant's share of the load.

    >>> jobs = draw_tenant_jobs([TenantDemand("a", 1)], 64, seed=0)
    >>> round(float(jobs.gpu_seconds.sum()) / (64 * 3 * 86400), 1)
    0.9
    """
    _check(tenants, gpus, load_pct, swing_pct, job_h, days)
    sizes, chances = gang_sizes(gpus), np.array(GANG_SHARE)
    total = sum(tenant.share for tenant in tenants)
    parts = []
    for number, tenant in enumerate(tenants):
        rng = generator(seed, "tenant-demand", tenant.tenant)
        gpu_s = gpus * load_pct / 100 * tenant.share / total
        rate = gpu_s / (float(sizes @ chances) * job_h * HOUR_S)
        swing = swing_pct / 100
        # arrivals at the highest rate, thinned to the rate of the hour
        count = rng.poisson(rate * (1 + swing) * days * DAY_S)
        at_s = np.sort(rng.random(count)) * days * DAY_S
        phase = at_s / DAY_S - number / len(tenants)
        keep = rng.random(count) * (1 + swing) < 1 + swing * np.cos(2 * np.pi * phase)
        at_s = at_s[keep]
        parts.append(
            Jobs(
                [f"{tenant.tenant}-{row}" for row in range(len(at_s))],
                np.full(len(at_s), tenant.tenant),
                at_s,
                rng.choice(sizes, len(at_s), p=chances),
                np.ones(len(at_s), dtype=np.int64),
                np.maximum(1.0, rng.exponential(job_h * HOUR_S, len(at_s))),
                priority=np.full(len(at_s), tenant.priority, dtype=np.int64),
            )
        )
    return concatenate_jobs(parts)


def _check(
    tenants: Sequence[TenantDemand],
    gpus: int,
    load_pct: float,
    swing_pct: float,
    job_h: float,
    days: float,
) -> None:
    if not tenants or any(not tenant.share > 0 for tenant in tenants):
        msg = f"tenants are {list(tenants)}; allowed is one or more, each with a share above 0"
        raise InputError(msg)
    for name, value, right in (
        ("gpus", gpus, gpus >= 1),
        ("load_pct", load_pct, 0 < load_pct < np.inf),
        ("swing_pct", swing_pct, 0 <= swing_pct <= 100),
        ("job_h", job_h, 0 < job_h < np.inf),
        ("days", days, 0 < days < np.inf),
    ):
        if not right:
            allowed = "0 to 100" if name == "swing_pct" else "above 0"
            msg = f"{name} is {value}; allowed is {allowed}"
            raise InputError(msg)
