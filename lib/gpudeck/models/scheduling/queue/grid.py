"""What if the load or the share of gangs were another? A grid of queues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.scheduling.queue.ladder import queue_jobs, queue_policies, queue_pool
from gpudeck.models.scheduling.queue.policy import QueuePolicy
from gpudeck.models.scheduling.queue.result import QueueResult, QueueSummary
from gpudeck.models.scheduling.queue.simulate import simulate_queue
from gpudeck.workload.arrivals import DAY_S

if TYPE_CHECKING:
    from gpudeck.scenario import Cluster, Scenario

BACKFILLS = ("none", "easy", "greedy")
# a small part of the fleet for two days, so that forty queues take a second
NODES, DAYS = 32, 2.0
HOUR_S = 3600.0


@dataclass(frozen=True, eq=False)
class QueueGrid:
    """Allocated GPUs in % at `hour`, and summaries, by (load, gangs, backfill)."""

    load_pct: tuple[int, ...]
    gang_pct: tuple[int, ...]
    hour: NDArray[np.float64]
    allocated_pct: dict[tuple[int, int, str], NDArray[np.float64]]
    summary: dict[tuple[int, int, str], QueueSummary]
    gpus: int


def queue_grid(
    scenario: Scenario,
    cluster: Cluster,
    seed: int = 0,
    *,
    load_pct: tuple[int, ...] = (60, 70, 80, 90, 100),
    gang_pct: tuple[int, ...] = (0, 20, 40),
) -> QueueGrid:
    """Run the queue without backfill, with EASY and with greedy backfill, in every cell.

    All three see the same jobs; a cell has one seed, two days and 32 nodes at most. Order by
    priority, gangs, no preemption.
    """
    pool = queue_pool(scenario, cluster, min(NODES, scenario.queue.nodes))
    policies = {
        "none": QueuePolicy("priority"),
        "easy": QueuePolicy("priority", backfill="easy"),
        "greedy": QueuePolicy("priority", backfill="greedy"),
    }
    hour = np.arange(0, 24 * DAYS + 1)
    curves, summaries = {}, {}
    for load in load_pct:
        for gangs in gang_pct:
            jobs = queue_jobs(
                scenario, cluster, pool, seed, load_pct=load, gang_share_pct=gangs, days=DAYS
            )
            for name, policy in policies.items():
                result = simulate_queue(jobs, pool, policy)
                curves[load, gangs, name] = 100 * hourly_mean(result, hour) / pool.total
                summaries[load, gangs, name] = result.summary(0.0, DAYS * DAY_S)
    return QueueGrid(load_pct, gang_pct, hour, curves, summaries, pool.total)


def hourly_mean(result: QueueResult, hour: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean of the allocated GPUs over the hour before each hour, the first 0."""
    edges = np.concatenate([[0.0], result.time_s, [np.inf]])
    held = np.concatenate([[0.0], result.allocated.astype(float)])
    filled = np.concatenate([[0.0], np.cumsum(np.diff(edges[:-1]) * held[:-1])])
    place = np.searchsorted(edges, hour * HOUR_S, side="right") - 1
    upto = filled[place] + (hour * HOUR_S - edges[place]) * held[place]
    return np.concatenate([[0.0], np.diff(upto) / np.diff(hour * HOUR_S)])


def run_one(
    scenario: Scenario, cluster: Cluster, seed: int, policy: str, load_pct: float
) -> QueueResult:
    """Run one step of the ladder at a load, on 32 nodes at most and for two days."""
    pool = queue_pool(scenario, cluster, min(NODES, scenario.queue.nodes))
    jobs = queue_jobs(scenario, cluster, pool, seed, load_pct=load_pct, days=DAYS)
    return simulate_queue(jobs, pool, queue_policies(scenario)[policy])
