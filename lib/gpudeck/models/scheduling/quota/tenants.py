"""Tenants' shares of a pool of GPUs over time, under a policy of quotas, borrowing and reclaim."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.scheduling.quota import kernel
from gpudeck.models.scheduling.quota.amounts import check_amount
from gpudeck.models.scheduling.quota.fairness import gap_rows, jain_rows
from gpudeck.models.scheduling.quota.water_filling import fill_rows
from gpudeck.workload.job import Jobs

# how each policy is called, from no quota to KAI's
POLICIES = {
    "none": kernel.NONE,
    "static": kernel.STATIC,
    "borrowing": kernel.BORROWING,
    "reclaim": kernel.RECLAIM,
    "fair_sharing": kernel.FAIR,
    "kai": kernel.KAI,
}


@dataclass(frozen=True, slots=True)
class TenantQuota:
    """What a tenant is guaranteed, how it shares in the rest, and how far it may borrow.

    Parameters
    ----------
    tenant
        As the jobs name it.
    gpus
        Guaranteed GPUs, a whole number of 0 or above.
    weight
        For the GPUs beyond all guarantees, 0 or above.
    borrow_gpus
        The most GPUs beyond its own, 0 or above; infinite without a limit.
    """

    tenant: str
    gpus: int
    weight: float = 1.0
    borrow_gpus: float = math.inf

    def __post_init__(self) -> None:
        check_amount(f"tenant {self.tenant!r}: gpus", self.gpus)
        check_amount(f"tenant {self.tenant!r}: weight", self.weight)
        check_amount(f"tenant {self.tenant!r}: borrow_gpus", self.borrow_gpus, infinite=True)
        if self.gpus != int(self.gpus):
            msg = f"tenant {self.tenant!r}: gpus is {self.gpus}; allowed are whole numbers"
            raise InputError(msg)


@dataclass(frozen=True, eq=False)
class TenantResult:
    """What happened on the pool from 0 to `until_s`.

    Row r of `held_gpus`, `asked_gpus` (held and waiting) and `denied`, shape (rows, tenants), holds
    from `time_s[r]` to the next time. `denied` says that the tenant's first waiting job would fit
    its guarantee and does not run. Of each job, in the order given: `first_start_s` and `end_s`,
    −1 if that did not happen, `busy_s` on its GPUs in all attempts, `evictions`. Of each eviction:
    `evicted_at_s`, `evicted` and `evicted_by`, numbers of jobs. `lost_gpu_s` were worked in vain or
    waited for victims to leave. Figures of time begin at `since_s`.
    """

    policy: str
    gpus: int
    quotas: tuple[TenantQuota, ...]
    grace_s: float
    since_s: float
    until_s: float
    time_s: NDArray[np.float64]
    held_gpus: NDArray[np.int64]
    asked_gpus: NDArray[np.int64]
    denied: NDArray[np.bool_]
    first_start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    busy_s: NDArray[np.float64]
    evictions: NDArray[np.int64]
    evicted_at_s: NDArray[np.float64]
    evicted: NDArray[np.int64]
    evicted_by: NDArray[np.int64]
    lost_gpu_s: float

    @property
    def tenants(self) -> tuple[str, ...]:
        """Names of the tenants, in the order of all columns."""
        return tuple(quota.tenant for quota in self.quotas)

    @property
    def guaranteed_gpus(self) -> NDArray[np.float64]:
        """Guaranteed GPUs of each tenant, shape (tenants,)."""
        return np.array([quota.gpus for quota in self.quotas], dtype=np.float64)

    @cached_property
    def lasted_s(self) -> NDArray[np.float64]:
        """How long each row lasts after `since_s`, shape (rows,)."""
        edges = np.append(self.time_s, self.until_s)
        return np.diff(np.maximum(edges, self.since_s))

    def mean(self, rows: NDArray) -> float:
        """Return the mean over time of one value a row."""
        lasted = self.lasted_s
        return float(rows @ lasted / lasted.sum())

    @property
    def allocated_pct(self) -> float:
        """GPUs held, in % of the pool, mean over time."""
        return 100 * self.mean(self.held_gpus.sum(axis=1)) / self.gpus

    @property
    def useful_pct(self) -> float:
        """GPU time that was not lost to reclaim, in % of the pool, over the whole time."""
        held_gpu_s = self.held_gpus.sum(axis=1) @ np.diff(np.append(self.time_s, self.until_s))
        lost = self.lost_gpu_s / held_gpu_s if held_gpu_s > 0 else 0.0
        return self.allocated_pct * (1 - lost)

    @property
    def lost_pct(self) -> float:
        """GPU time lost to reclaim, in % of the pool."""
        return self.allocated_pct - self.useful_pct

    @cached_property
    def entitled_gpus(self) -> NDArray[np.float64]:
        """What each tenant ought to hold, shape (rows, tenants), whatever the policy.

        The guarantee as far as it is asked for, then the rest of the pool by weight.
        """
        asked = self.asked_gpus.astype(np.float64)
        own = np.minimum(asked, self.guaranteed_gpus)
        weight = np.array([quota.weight for quota in self.quotas])
        rest = fill_rows(self.gpus - own @ np.ones(len(weight)), asked - own, weight)
        return own + rest

    @property
    def jain(self) -> float:
        """Jain's index of held over entitled GPUs of those who ask, mean over time."""
        entitled = self.entitled_gpus
        asking = entitled > 0
        served = np.divide(self.held_gpus, entitled, out=np.zeros_like(entitled), where=asking)
        return self.mean(jain_rows(served, asking))

    @property
    def share_gap_pct(self) -> float:
        """Gap between held and entitled shares: the best served less the worst who waits, in %.

        The dominant share is that of GPUs, each taken against what its tenant is entitled to.
        """
        entitled = self.entitled_gpus
        ahead = (self.held_gpus - entitled) / self.gpus
        waiting = self.asked_gpus > self.held_gpus
        return 100 * self.mean(gap_rows(ahead, waiting))

    @property
    def guarantee_kept_pct(self) -> float:
        """Guaranteed GPUs that were asked for and held, in %, over time; 100 if none was asked."""
        own = np.minimum(self.asked_gpus, self.guaranteed_gpus)
        asked = self.mean(own.sum(axis=1))
        held = self.mean(np.minimum(self.held_gpus, own).sum(axis=1))
        return 100 * held / asked if asked > 0 else 100.0

    def reclaim_s(self) -> NDArray[np.float64]:
        """Return how long each return to a guarantee took, in seconds, in no order.

        From the moment at which a job that fits its tenant's guarantee finds no room, until its
        tenant is denied no more; an eviction takes `grace_s` on top. One that is still denied at
        the end counts until then.
        """
        edges = np.append(self.time_s, self.until_s)
        spans = [np.full(len(np.unique(self.evicted_by)), self.grace_s)]
        for column in range(len(self.quotas)):
            change = np.diff(np.concatenate([[0], self.denied[:, column].astype(np.int8), [0]]))
            spans.append(edges[np.flatnonzero(change < 0)] - edges[np.flatnonzero(change > 0)])
        return np.concatenate(spans)

    @property
    def mean_reclaim_s(self) -> float:
        """Mean of `reclaim_s`, 0 if nobody was ever denied."""
        spans = self.reclaim_s()
        return float(spans.mean()) if len(spans) else 0.0


def simulate_tenants(
    jobs: Jobs,
    quotas: Sequence[TenantQuota],
    gpus: int,
    policy: str,
    *,
    until_s: float | None = None,
    since_s: float = 0.0,
    checkpoint_s: float = math.inf,
    grace_s: float = 0.0,
    lower_only: bool = False,
) -> TenantResult:
    """Run the tenants' jobs on a pool of like GPUs under a policy.

    A job takes all its GPUs at once, wherever they are. In a tenant's queue the higher priority
    goes first, then the earlier arrival; the first holds up those behind it. A job that is evicted
    keeps its place, and its work up to the last checkpoint.

    - ``none``: first come, first served, tenants and priorities unseen.
    - ``static``: each tenant within its guarantee.
    - ``borrowing``: beyond it too, up to its limit, while GPUs are free; nothing is taken back.
    - ``reclaim``: likewise, and a job within its tenant's guarantee evicts jobs of tenants beyond
      theirs (Kueue, `find_victims` with reclaim "any").
    - ``fair_sharing``: the lowest dominant share first; evicts by share (`find_fair_victims`).
    - ``kai``: the lowest part of its fair share first (`divide_kai` at each event); a job within
      its tenant's fair share evicts jobs of tenants beyond theirs.

    Parameters
    ----------
    jobs
        In any order.
    quotas
        One for each tenant.
    gpus
        The pool, 1 or above.
    policy
        One of `POLICIES`.
    until_s
        When to stop; the last arrival if not told.
    since_s
        Figures of time leave out what was before.
    checkpoint_s
        Work between two checkpoints; 0 loses nothing, infinity all.
    grace_s
        How long evicted jobs take to leave; their GPUs are held, and lost, meanwhile.
    lower_only
        Evict only jobs of lower priority (Kueue's reclaim "lower"); a guarantee may then have to
        wait for a borrower of higher priority.

    Raises
    ------
    InputError
        An unknown policy, a tenant without quota or with two, guarantees beyond the pool, a job
        larger than the pool, or a time out of range.

    >>> jobs = Jobs(["a", "b"], ["x", "y"], [0, 10], [8, 4], [1, 1], [100, 100])
    >>> done = simulate_tenants(
    ...     jobs, [TenantQuota("x", 4), TenantQuota("y", 4)], 8, "reclaim", until_s=200)
    >>> done.held_gpus.tolist(), done.evicted.tolist()
    ([[8, 0], [0, 4], [8, 0]], [0])
    """
    names = _check_tenants(jobs, quotas, gpus, policy)
    end_s = float(jobs.arrival_s.max(initial=0)) if until_s is None else float(until_s)
    if not (math.isfinite(end_s) and 0 <= since_s < end_s):
        msg = f"since_s is {since_s}, until_s {end_s}; allowed is 0 <= since_s < until_s, finite"
        raise InputError(msg)
    check_amount("checkpoint_s", checkpoint_s, infinite=True)
    check_amount("grace_s", grace_s)
    present, which = np.unique(jobs.tenant, return_inverse=True)
    tenant = np.array([names.index(str(name)) for name in present], dtype=np.int64)[which]
    rows = np.arange(len(jobs))
    assert jobs.priority is not None, "Jobs fills priorities in"
    rank = np.zeros_like(jobs.priority) if policy == "none" else -jobs.priority
    order = np.lexsort((rows, jobs.arrival_s, rank, tenant))
    arrivals = np.argsort(order)[np.lexsort((rows, jobs.arrival_s))]
    base = np.searchsorted(tenant[order], np.arange(len(names) + 1))
    column = (tenant[order], jobs.gpus[order], jobs.priority[order], jobs.arrival_s[order])
    rule = _rule(quotas, gpus, policy, lower_only=lower_only)
    # infinity has no multiples: a checkpoint after the end is as late
    step_s = min(checkpoint_s, 2 * end_s + float(jobs.duration_s.max(initial=0)))
    history, run, log, lost = kernel.simulate(
        rule, column, jobs.duration_s[order], arrivals, base, end_s, step_s, float(grace_s)
    )
    back = np.argsort(order)
    count = len(names)
    victims = order[log[:, 1].astype(np.int64)]
    return TenantResult(
        policy=policy,
        gpus=gpus,
        quotas=tuple(quotas),
        grace_s=grace_s,
        since_s=since_s,
        until_s=end_s,
        time_s=history[:, 0].copy(),
        held_gpus=history[:, 1 : 1 + count].astype(np.int64),
        asked_gpus=history[:, 1 + count : 1 + 2 * count].astype(np.int64),
        denied=history[:, 1 + 2 * count :] > 0,
        first_start_s=run[back, kernel.FIRST],
        end_s=run[back, kernel.END],
        busy_s=run[back, kernel.BUSY],
        evictions=np.bincount(victims, minlength=len(jobs)),
        evicted_at_s=log[:, 0].copy(),
        evicted=victims,
        evicted_by=order[log[:, 2].astype(np.int64)],
        lost_gpu_s=float(lost),
    )


def _rule(
    quotas: Sequence[TenantQuota], gpus: int, policy: str, *, lower_only: bool
) -> tuple[int, bool, int, NDArray, NDArray, NDArray]:
    guaranteed = np.array([float(quota.gpus) for quota in quotas])
    limit = {"none": math.inf, "static": 0.0}
    ceiling = [min(float(gpus), q.gpus + limit.get(policy, q.borrow_gpus)) for q in quotas]
    weight = np.array([float(quota.weight) for quota in quotas])
    return POLICIES[policy], lower_only, int(gpus), guaranteed, np.array(ceiling), weight


def _check_tenants(
    jobs: Jobs, quotas: Sequence[TenantQuota], gpus: int, policy: str
) -> tuple[str, ...]:
    if policy not in POLICIES:
        msg = f"policy is {policy!r}; allowed are {', '.join(POLICIES)}"
        raise InputError(msg)
    if not (gpus >= 1 and gpus == int(gpus)):
        msg = f"gpus is {gpus}; allowed are whole numbers of 1 or above"
        raise InputError(msg)
    names = tuple(quota.tenant for quota in quotas)
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"tenant {twice!r} has two quotas; allowed is one for each tenant"
        raise InputError(msg)
    if unknown := sorted(set(np.unique(jobs.tenant).tolist()) - set(names)):
        msg = f"tenant {unknown[0]!r} has jobs and no quota; allowed are {', '.join(names)}"
        raise InputError(msg)
    guaranteed = sum(quota.gpus for quota in quotas)
    if guaranteed > gpus:
        msg = f"guarantees are {guaranteed} GPUs of {gpus}; allowed is at most the pool"
        raise InputError(msg)
    if (jobs.gpus > gpus).any():
        row = int(np.argmax(jobs.gpus > gpus))
        msg = f"row {row}, job {str(jobs.id[row])!r}: {jobs.gpus[row]} GPUs; the pool has {gpus}"
        raise InputError(msg)
    return names
