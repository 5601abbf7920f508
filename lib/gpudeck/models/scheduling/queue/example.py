"""A small queue in which everything happens once: reservation, backfill, preemption."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudeck.models.scheduling.queue.policy import Preemption, QueuePolicy
from gpudeck.models.scheduling.queue.pool import GpuPool
from gpudeck.models.scheduling.queue.reservation import Reservation
from gpudeck.models.scheduling.queue.result import QueueResult
from gpudeck.models.scheduling.queue.simulate import simulate_queue
from gpudeck.workload.job import Jobs

MINUTE_S = 60.0
# name, arrival in minutes, pods, GPUs a pod, minutes, priority
_JOBS = (
    ("A", 0, 1, 4, 30, 0),
    ("B", 0, 1, 2, 40, 0),
    ("H", 2, 2, 4, 15, 0),
    ("C", 4, 1, 2, 30, 0),
    ("D", 5, 1, 2, 40, 0),
    ("E", 10, 1, 4, 20, 0),
    ("U", 65, 1, 4, 15, 10),
)


@dataclass(frozen=True, slots=True)
class Example:
    """The example and what it is there to show: job names and moments in seconds."""

    result: QueueResult
    window: Reservation
    head: str
    backfilled: str
    preemptor: str
    victim: str
    shadow_s: float


def run_example() -> Example:
    """Run seven jobs on two nodes of four GPUs; the numbers are made up, the schedule is not.

    H, a gang of both nodes, becomes head and gets the time at which B ends reserved. C ends before
    that and passes it, D would not. From minute 60 to 80 four GPUs are set aside, so E, which would
    reach into that window, waits behind it. U is urgent and takes D's place.

    >>> example = run_example()
    >>> bool(example.result.start_s[2] == example.shadow_s)
    True
    """
    names, arrival, pods, gpus, minutes, priority = map(np.array, zip(*_JOBS, strict=True))
    jobs = Jobs(
        names,
        np.full(len(names), "example"),
        MINUTE_S * arrival,
        pods,
        gpus,
        MINUTE_S * minutes,
        None,
        priority,
    )
    window = Reservation("R", 60 * MINUTE_S, 80 * MINUTE_S, 4)
    policy = QueuePolicy(
        "priority",
        backfill="easy",
        preemption=Preemption(checkpoint_s=6 * MINUTE_S, restart_s=2 * MINUTE_S),
        reservations=(window,),
    )
    result = simulate_queue(jobs, GpuPool.uniform(2, 4), policy)
    return Example(result, window, "H", "C", "U", "D", float(result.finish_s[1]))
