"""The same jobs under one policy after the other: what each step of the ladder adds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.scheduling.queue.policy import Preemption, QueuePolicy
from gpudeck.models.scheduling.queue.pool import GpuPool
from gpudeck.models.scheduling.queue.result import QueueResult, QueueSummary
from gpudeck.models.scheduling.queue.simulate import simulate_queue
from gpudeck.tables import read_table
from gpudeck.workload.arrivals import DAY_S, Durations, Submitter, draw_jobs
from gpudeck.workload.job import Jobs

if TYPE_CHECKING:
    from gpudeck.scenario import Cluster, Scenario

STEPS = ("fifo", "priority", "gang", "backfill", "preemption")
_MINUTE_S = 60.0


@dataclass(frozen=True, eq=False)
class Ladder:
    """Summaries of every policy on the same jobs, one a seed; `jobs` and `gpus` of the first."""

    summaries: dict[str, tuple[QueueSummary, ...]]
    seeds: tuple[int, ...]
    gpus: int
    jobs: int
    load_pct: float

    def samples(self, policy: str, field: str) -> NDArray[np.float64]:
        """Return one number of the summaries, shape (seeds,)."""
        return np.array([getattr(one, field) for one in self.summaries[policy]], dtype=np.float64)


def queue_policies(scenario: Scenario) -> dict[str, QueuePolicy]:
    """Return the five steps of the ladder, from pods in order of arrival to preemption."""
    queue = scenario.queue
    preemption = Preemption(queue.checkpoint_min * _MINUTE_S, queue.restart_min * _MINUTE_S)
    gang = QueuePolicy("priority")
    return {
        "fifo": QueuePolicy("fifo", gang=False),
        "priority": QueuePolicy("priority", gang=False),
        "gang": gang,
        "backfill": replace(gang, backfill="easy"),
        "preemption": replace(gang, backfill="easy", preemption=preemption),
    }


def queue_pool(scenario: Scenario, cluster: Cluster, nodes: int | None = None) -> GpuPool:
    """Return the part of the fleet that the queue fills: nodes taken evenly from the list."""
    gpus = cluster.nodes.gpus
    count = min(nodes or scenario.queue.nodes, len(gpus))
    chosen = gpus[np.linspace(0, len(gpus) - 1, count).round().astype(int)]
    return GpuPool(chosen if chosen.any() else gpus)


def queue_jobs(
    scenario: Scenario,
    cluster: Cluster,
    pool: GpuPool,
    seed: int,
    *,
    load_pct: float | None = None,
    gang_share_pct: float | None = None,
    days: float | None = None,
) -> Jobs:
    """Draw the scenario's jobs for a pool; pods that share a GPU ask for a whole one here.

    Parameters
    ----------
    scenario, cluster
        The scenario, and its nodes and pods.
    pool
        The GPUs that are shared.
    seed
        Seed of all draws.
    load_pct, gang_share_pct, days
        Other values than the scenario's.
    """
    queue = scenario.queue
    statistics = read_table("published/cluster_statistics").of(queue.durations_of)
    durations = Durations(
        statistics["run_time_mean_s"].number, statistics["run_time_median_s"].number
    )
    return draw_jobs(
        pool.gpus,
        cluster.pods.num_gpu,
        [Submitter(one.id, one.share, one.priority) for one in scenario.tenants],
        durations,
        load=(queue.load_pct if load_pct is None else load_pct) / 100,
        days=days or queue.days,
        gang_share=(queue.gang_share_pct if gang_share_pct is None else gang_share_pct) / 100,
        over_estimate=queue.over_estimate,
        diurnal=queue.diurnal_pct / 100,
        seed=seed,
    )


def climb(scenario: Scenario, cluster: Cluster, seeds: Sequence[int]) -> Ladder:
    """Run every step of the ladder on the same jobs, once a seed.

    Delays are of the jobs that arrive in the scenario's days; utilisation is of these days, while
    the queue is then run until it is empty.
    """
    pool, policies = queue_pool(scenario, cluster), queue_policies(scenario)
    end_s = scenario.queue.days * DAY_S
    runs: dict[str, list[QueueSummary]] = {name: [] for name in policies}
    counts = []
    for seed in seeds:
        jobs = queue_jobs(scenario, cluster, pool, seed)
        counts.append(len(jobs))
        for name, policy in policies.items():
            result: QueueResult = simulate_queue(jobs, pool, policy)
            runs[name].append(result.summary(0.0, end_s))
    return Ladder(
        {name: tuple(of) for name, of in runs.items()},
        tuple(seeds),
        pool.total,
        counts[0],
        scenario.queue.load_pct,
    )
