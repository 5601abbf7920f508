"""The jobs of one day: which pod runs from which hour to which hour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.journey.use import HOURS, KINDS, PodUse
from gpudeck.rng import generator
from gpudeck.scenario.schema import Use, WorkloadUse

# people come and go within this many hours of their usual time
_JITTER_H = 2


@dataclass(frozen=True, slots=True, eq=False)
class Sessions:
    """Jobs in the order in which the scheduler sees those of one hour, shape (jobs,).

    ``pod`` is the index of the pod that the job is of; it runs from ``start_h`` to ``end_h``, whole
    hours of one day, 0 to 24.
    """

    pod: NDArray[np.int64]
    start_h: NDArray[np.int64]
    end_h: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.pod)

    @property
    def present(self) -> NDArray[np.bool_]:
        """Say which job is there in which hour, shape (jobs, 24)."""
        hour = np.arange(HOURS)
        return (self.start_h[:, None] <= hour) & (hour < self.end_h[:, None])


def draw_sessions(pod_use: PodUse, use: Use, seed: int) -> Sessions:
    """Draw one day's jobs of every pod, in a random order.

    A pod is there for its kind's hours a day, centred on the peak hour and shifted by up to two
    hours; while it is there, one job follows the other, each hour with the probability 1/job_h.
    Pods without GPU, and kinds whose jobs last a day, have one job all day.

    Parameters
    ----------
    pod_use : PodUse
        Kinds of the pods.
    use : Use
        Hours and lengths of jobs by kind.
    seed : int
        Seed of the draws, 0 or above.
    """
    rng = generator(seed, "sessions")
    there = np.ones((len(pod_use.kind), HOURS), dtype=bool)
    fresh = np.zeros_like(there)
    for place, name in enumerate(KINDS):
        of_kind: WorkloadUse = getattr(use, name)
        mine = np.flatnonzero(pod_use.kind == place)
        if of_kind.hours_per_day < HOURS:
            shift = rng.integers(-_JITTER_H, _JITTER_H + 1, len(mine))
            begin = use.peak_hour - of_kind.hours_per_day // 2 + shift
            since = (np.arange(HOURS) - begin[:, None]) % HOURS
            there[mine] = since < of_kind.hours_per_day
        if of_kind.job_h < HOURS:
            fresh[mine] = rng.random((len(mine), HOURS)) < 1 / of_kind.job_h
    before = np.pad(there, ((0, 0), (1, 0)))[:, :-1]
    begins = there & (fresh | ~before)
    # a job ends where the pod leaves or its next job begins
    after = np.pad(there & ~begins, ((0, 0), (0, 1)))[:, 1:]
    pod, start = np.nonzero(begins)
    end = np.nonzero(there & ~after)[1] + 1
    order = rng.permutation(len(pod))
    return Sessions(pod[order], start[order], end[order])
