"""What a queue is told to do: its order, its gangs, its backfill, its preemption."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import inf, isfinite
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.scheduling.queue.reservation import Reservation
from gpudeck.workload.job import Jobs

Order = Literal["fifo", "priority", "multilevel"]
Backfill = Literal[False, "easy", "greedy"]
Placement = Literal["packed", "spread"]
Oversized = Literal["refuse", "unschedulable"]


@dataclass(frozen=True, slots=True)
class Preemption:
    """How a job of higher priority takes the place of others, and what that costs them.

    Parameters
    ----------
    checkpoint_s
        A running job saves its work every so many seconds; what it did since is lost when it is
        preempted. 0: it never saves, all is lost.
    restart_s
        Time on the GPUs that a preempted job needs, each time, before it works again.

    Raises
    ------
    InputError
        A time is negative or not finite.
    """

    checkpoint_s: float = 1800.0
    restart_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("checkpoint_s", "restart_s"):
            value = getattr(self, name)
            if not (isfinite(value) and value >= 0):
                msg = f"{name} is {value}; allowed are finite seconds of 0 or above"
                raise InputError(msg)


@dataclass(frozen=True, slots=True)
class QueuePolicy:
    """The rules of one queue; every option can be combined with every other but where it says so.

    Parameters
    ----------
    order
        Who is next. "fifo": by arrival. "priority": the higher first, then by arrival.
        "multilevel": levels by size, the smaller first, then by arrival; the level of a job is the
        number of `level_gpu_s` that its GPUs times its estimate exceed. Jobs that arrive together
        go by their row.
    level_gpu_s
        Bounds between levels in GPU-seconds, ascending; for "multilevel".
    aging_s
        Waiting that makes up for one point of priority or one level, so that nobody starves: jobs
        go by arrival − priority · aging_s, or by arrival + level · aging_s. Infinite: never.
    gang
        True: a job starts when all its pods fit, and holds nothing before. False: pods are placed
        one by one, pod k of each job before pod k + 1 of any that arrived with it; what they hold
        stays idle until the last is placed, and jobs may block each other for ever (`deadlock_s`).
    pod_interval_s
        Without gangs, time between two pods of a job.
    backfill
        False: nobody passes the head of the queue. "easy": others pass it if by their estimates
        they do not delay the reservation that the head gets when it becomes head. "greedy": others
        pass it wherever they fit, as pods do in Kubernetes; large gangs may starve.
    backfill_depth
        How many jobs behind the head are looked at.
    preemption
        The head may preempt whole gangs of lower priority; None: nobody may. Needs gangs.
    reservations
        Windows in which GPUs are set aside. Needs gangs.
    placement
        "packed": a pod goes to the node with the fewest free GPUs that suffice; "spread": to the
        one with the most. Ties go to the first node.
    oversized
        A gang too large for the empty cluster: "refuse" it with an error, or let it be
        "unschedulable".

    Raises
    ------
    InputError
        An unknown word, a number out of range, or options that exclude each other.

    >>> QueuePolicy("priority", backfill="easy", preemption=Preemption()).gang
    True
    """

    order: Order = "fifo"
    gang: bool = True
    backfill: Backfill = False
    preemption: Preemption | None = None
    aging_s: float = inf
    level_gpu_s: tuple[float, ...] = (3600.0, 36_000.0)
    pod_interval_s: float = 0.0
    backfill_depth: int = 1000
    reservations: tuple[Reservation, ...] = ()
    placement: Placement = "packed"
    oversized: Oversized = "refuse"

    def __post_init__(self) -> None:
        _require_one_of("order", self.order, get_args(Order))
        _require_one_of("backfill", self.backfill, get_args(Backfill))
        _require_one_of("placement", self.placement, get_args(Placement))
        _require_one_of("oversized", self.oversized, get_args(Oversized))
        if not self.aging_s > 0:
            msg = f"aging_s is {self.aging_s}; allowed is above 0, infinite for no aging"
            raise InputError(msg)
        if any(not low < high for low, high in pairwise((0.0, *self.level_gpu_s))):
            msg = f"level_gpu_s is {self.level_gpu_s}; allowed are ascending bounds above 0"
            raise InputError(msg)
        if not (isfinite(self.pod_interval_s) and self.pod_interval_s >= 0):
            msg = f"pod_interval_s is {self.pod_interval_s}; allowed is 0 or above"
            raise InputError(msg)
        if self.backfill_depth < 1:
            msg = f"backfill_depth is {self.backfill_depth}; allowed is 1 or above"
            raise InputError(msg)
        if not self.gang and (self.backfill == "easy" or self.preemption or self.reservations):
            msg = (
                "gang is False together with EASY backfill, preemption or reservations;"
                " allowed is gang=True: all three reserve for a gang as a whole"
            )
            raise InputError(msg)

    def keys(self, jobs: Jobs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the two numbers by which jobs are ordered, the first before the second, (n,)."""
        arrival = jobs.arrival_s
        if self.order == "fifo":
            return np.zeros(len(jobs)), arrival
        if self.order == "priority":
            assert jobs.priority is not None, "Jobs fills it"
            level = -jobs.priority.astype(np.float64)
        else:
            assert jobs.estimate_s is not None, "Jobs fills it"
            level = np.searchsorted(np.array(self.level_gpu_s), jobs.gpus * jobs.estimate_s).astype(
                np.float64
            )
        if self.aging_s == inf:
            return level, arrival
        return np.zeros(len(jobs)), arrival + level * self.aging_s


def _require_one_of(name: str, value: object, allowed: tuple[Any, ...]) -> None:
    if not any(value is word or (word is not False and value == word) for word in allowed):
        msg = f"{name} is {value!r}; allowed are {', '.join(map(repr, allowed))}"
        raise InputError(msg)
