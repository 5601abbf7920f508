"""The pool of a scenario: its GPUs, its tenants' demand and guarantees, the rules of reclaim."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gpudeck.models.scheduling.quota.tenant_demand import (
    DAY_S,
    TenantDemand,
    draw_tenant_jobs,
)
from gpudeck.models.scheduling.quota.tenants import TenantQuota, TenantResult, simulate_tenants
from gpudeck.scenario import Scenario
from gpudeck.workload.job import Jobs

# an empty pool fills up before anything is counted
_WARM_UP_PART = 1 / 6


@dataclass(frozen=True)
class TenantPool:
    """Who shares how many GPUs, what they ask for, and what borrowing is allowed."""

    gpus: int
    demands: tuple[TenantDemand, ...]
    quotas: tuple[TenantQuota, ...]
    load_pct: float
    swing_pct: float
    job_h: float
    days: float
    checkpoint_s: float
    grace_s: float

    @property
    def until_s(self) -> float:
        """Length of the simulation."""
        return self.days * DAY_S

    def draw_jobs(self, seed: int) -> Jobs:
        """Draw the tenants' jobs; see `draw_tenant_jobs`."""
        return draw_tenant_jobs(
            self.demands,
            self.gpus,
            seed,
            load_pct=self.load_pct,
            swing_pct=self.swing_pct,
            job_h=self.job_h,
            days=self.days,
        )

    def run(self, policy: str, jobs: Jobs) -> TenantResult:
        """Simulate the pool under a policy; see `simulate_tenants`."""
        return simulate_tenants(
            jobs,
            self.quotas,
            self.gpus,
            policy,
            until_s=self.until_s,
            since_s=self.until_s * _WARM_UP_PART,
            checkpoint_s=self.checkpoint_s,
            grace_s=self.grace_s,
        )

    def changed(self, *, borrow_pct: float, weight_factor: float = 1.0) -> TenantPool:
        """Return the pool with another borrowing limit and the first tenant's weight multiplied.

        Parameters
        ----------
        borrow_pct
            The most that a tenant may hold beyond its guarantee, in % of the pool.
        weight_factor
            Above 0.
        """
        limit = borrow_pct / 100 * self.gpus
        quotas = [replace(quota, borrow_gpus=limit) for quota in self.quotas]
        quotas[0] = replace(quotas[0], weight=quotas[0].weight * weight_factor)
        return replace(self, quotas=tuple(quotas))


def pool_of(scenario: Scenario, gpus: int) -> TenantPool:
    """Return the pool of a scenario.

    Parameters
    ----------
    scenario
        Its tenants have shares, guarantees in % of the GPUs (rounded down), weights, priorities.
    gpus
        GPUs of its fleet, taken as alike.
    """
    rules = scenario.fairness
    limit = rules.borrow_limit_pct / 100 * gpus
    return TenantPool(
        gpus=gpus,
        demands=tuple(TenantDemand(t.id, t.share, t.priority) for t in scenario.tenants),
        quotas=tuple(
            # a millionth forgives percentages such as 33.3 that are not exact
            TenantQuota(t.id, int(t.guaranteed_pct * gpus / 100 + 1e-6), t.weight, limit)
            for t in scenario.tenants
        ),
        load_pct=rules.load_pct,
        swing_pct=rules.swing_pct,
        job_h=rules.job_h,
        days=rules.days,
        checkpoint_s=60 * rules.checkpoint_min,
        grace_s=rules.grace_s,
    )
