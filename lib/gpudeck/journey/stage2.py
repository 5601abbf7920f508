"""Stage 2: orchestration. The same days, jobs and tenants before and after, paired by their seeds.

Before is what stage 1 leaves: shares of GPUs, spread over the nodes, pods that start in order of
arrival, quotas that nobody lends. After: packing by fragmentation, gangs with backfill and
preemption, quotas that are lent and taken back by fair share.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import find_gpu
from gpudeck.interval import Interval, interval_of_change
from gpudeck.journey.fragments import mean_free_pct
from gpudeck.journey.run import Runs, run_days
from gpudeck.models.scheduling.queue import (
    QueueResult,
    QueueSummary,
    queue_jobs,
    queue_policies,
    queue_pool,
    simulate_queue,
)
from gpudeck.models.scheduling.quota import PolicyStudy, compare_policies, pool_of
from gpudeck.rng import spawn_seeds
from gpudeck.scenario import Cluster, Scenario
from gpudeck.workload.arrivals import DAY_S

PACKING = "fgd"
QUEUES = ("fifo", "preemption")
# from quotas that nobody lends to the borrowing of stage 2, and two steps between
QUOTAS = ("static", "borrowing", "reclaim", "fair_sharing")
# what is compared: where the numbers are, and their unit
MEASURES = {
    "stranded": ("days", "%"),
    "fragments": ("days", "%"),
    "asked": ("days", "%"),
    "sm": ("days", "%"),
    "useful": ("days", "%"),
    "throughput": ("days", "GPU"),
    "per_usd": ("days", "GPU-hour/USD"),
    "per_kwh": ("days", "GPU-hour/kWh"),
    "delay_mean_s": ("queue", "s"),
    "delay_p50_s": ("queue", "s"),
    "delay_p90_s": ("queue", "s"),
    "urgent_delay_mean_s": ("queue", "s"),
    "utilisation_pct": ("queue", "%"),
    "started_per_h": ("queue", "job/h"),
    "stuck": ("queue", "job"),
    "useful_pct": ("tenants", "%"),
    "jain": ("tenants", "1"),
    "share_gap_pct": ("tenants", "%"),
    "guarantee_kept_pct": ("tenants", "%"),
    "mean_reclaim_s": ("tenants", "s"),
}
_WATT_PER_KW = 1000.0


@dataclass(frozen=True, slots=True, eq=False)
class QueueRuns:
    """One policy of the queue on the jobs of each seed, and the run of the first to look at."""

    summaries: tuple[QueueSummary, ...]
    first: QueueResult

    def values(self, field: str) -> NDArray[np.float64]:
        """Return a number of each summary, shape (runs,)."""
        return np.array([getattr(one, field) for one in self.summaries], dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class OrchestrationEffect:
    """Days, queues and tenants before and after; the price of a GPU-hour; the power of a GPU."""

    days: tuple[Runs, Runs]
    queues: tuple[QueueRuns, QueueRuns]
    tenants: PolicyStudy
    usd_per_gpu_h: float
    gpu_w: float

    def __post_init__(self) -> None:
        for name in ("usd_per_gpu_h", "gpu_w"):
            value = getattr(self, name)
            if not 0 < value < np.inf:
                msg = f"{name} is {value}; allowed is above 0"
                raise InputError(msg)
        counts = [len(runs.runs) for runs in self.days]
        counts += [len(runs.summaries) for runs in self.queues] + [len(self.tenants.seeds)]
        if len(set(counts)) > 1:
            msg = f"runs of days, queues and tenants are {counts}; allowed is one number, paired"
            raise InputError(msg)

    def samples(self, measure: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return a measure before and after, each of shape (runs,).

        Parameters
        ----------
        measure : str
            A key of `MEASURES`.

        Raises
        ------
        InputError
            There is no such measure.
        """
        if measure not in MEASURES:
            msg = f"measure is {measure!r}; allowed are {', '.join(MEASURES)}"
            raise InputError(msg)
        where = MEASURES[measure][0]
        if where == "queue":
            return self.queues[0].values(measure), self.queues[1].values(measure)
        if where == "tenants":
            found = self.tenants.samples
            return found[QUOTAS[0]][measure], found[QUOTAS[-1]][measure]
        return self._of_days(self.days[0], measure), self._of_days(self.days[1], measure)

    def gain(self, measure: str) -> NDArray[np.float64]:
        """Return after less before, in the measure's unit, paired by seed, shape (runs,)."""
        before, after = self.samples(measure)
        return after - before

    def change_pct(self, measure: str) -> Interval | None:
        """Return the change in % of what it was before, paired; None where that was nothing."""
        return interval_of_change(*self.samples(measure))

    def _of_days(self, runs: Runs, measure: str) -> NDArray[np.float64]:
        if measure in ("asked", "sm"):
            return runs.gpu_pct(measure)
        if measure == "fragments":
            return mean_free_pct(runs)[0]
        if measure == "stranded":
            return runs.percent("stranded")
        useful = runs.percent("useful")
        part = useful / 100
        return {
            "useful": useful,
            "throughput": part * runs.runs[0].day.nodes.gpu_count,
            "per_usd": part / self.usd_per_gpu_h,
            "per_kwh": part / (self.gpu_w / _WATT_PER_KW),
        }[measure]


def run_stage2(scenario: Scenario, cluster: Cluster, seed: int) -> OrchestrationEffect:
    """Simulate the fleet's days, its queue and its tenants before and after orchestration.

    The three are separate models with workloads of their own: their numbers are not to be added.

    Parameters
    ----------
    scenario, cluster, seed
        As in `run_days`; the days before are those that `run_stage1` calls after.

    Raises
    ------
    InputError
        As in `run_days`, or the scenario's GPU of sharing has no power in data/gpus.csv.
    """
    gpu = find_gpu(scenario.sharing.gpu)
    if gpu.tdp_w is None:
        msg = f"sharing.gpu is {gpu.id!r}, which has no tdp_w in data/gpus.csv: add a row"
        raise InputError(msg)
    pool = pool_of(scenario, cluster.nodes.gpu_count)
    return OrchestrationEffect(
        days=(
            run_days(scenario, cluster, seed, "share"),
            run_days(scenario, cluster, seed, "share", policy=PACKING),
        ),
        queues=run_queues(scenario, cluster, seed),
        tenants=compare_policies(pool, scenario.runs, seed, QUOTAS),
        usd_per_gpu_h=scenario.cost.central_usd_per_gpu_h,
        gpu_w=gpu.tdp_w,
    )


def run_queues(scenario: Scenario, cluster: Cluster, seed: int) -> tuple[QueueRuns, QueueRuns]:
    """Run the first and the last step of the ladder of queue policies on the same jobs.

    Parameters
    ----------
    scenario, cluster, seed
        As in `run_days`; the jobs are those of `climb` with the seeds spawned from this one.
    """
    pool, policies = queue_pool(scenario, cluster), queue_policies(scenario)
    seeds = spawn_seeds(seed, scenario.runs)
    drawn = [queue_jobs(scenario, cluster, pool, own) for own in seeds]
    end_s = scenario.queue.days * DAY_S
    both = []
    for step in QUEUES:
        first = simulate_queue(drawn[0], pool, policies[step])
        rest = [simulate_queue(jobs, pool, policies[step]) for jobs in drawn[1:]]
        summaries = tuple(result.summary(0.0, end_s) for result in (first, *rest))
        both.append(QueueRuns(summaries, first))
    return both[0], both[1]


def at_price(effect: OrchestrationEffect, usd_per_gpu_h: float) -> OrchestrationEffect:
    """Return the effect at another price of a GPU-hour, in US dollars above 0."""
    return replace(effect, usd_per_gpu_h=usd_per_gpu_h)
