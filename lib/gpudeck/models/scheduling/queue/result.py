"""What a simulated queue leaves behind: of each job, of each moment, and in all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.scheduling.queue.pool import GpuPool
from gpudeck.workload.job import Jobs

# below this many seconds a job is too short for its slowdown to mean anything
SHORT_S = 10.0
_HOUR_S = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class Attempts:
    """Every time that a job ran: until its end, or until it was preempted.

    Columns of shape (attempts,): `job` is a row of the jobs; `start_s`, `end_s`. Places of shape
    (places,): GPUs of a `node` that `attempt` held, since `since_s`, which is before the start
    where pods came one by one.
    """

    job: NDArray[np.int64]
    start_s: NDArray[np.float64]
    end_s: NDArray[np.float64]
    attempt: NDArray[np.int64]
    node: NDArray[np.int64]
    gpus: NDArray[np.int64]
    since_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class QueueSummary:
    """A queue in a few numbers; delays are of the jobs that arrived in the window and finished.

    `utilisation_pct` is useful work, `allocated_pct` all that jobs held, of the GPU-seconds in the
    window; `urgent_delay_mean_s` is of the jobs of the highest priority; the slowdown of a job is
    (finish − arrival) / max(duration, 10 s), at least 1.
    """

    jobs: int
    delay_mean_s: float
    delay_p50_s: float
    delay_p90_s: float
    delay_p99_s: float
    urgent_delay_mean_s: float
    slowdown_mean: float
    utilisation_pct: float
    allocated_pct: float
    started_per_h: float
    preemptions: int
    lost_pct: float
    makespan_s: float
    stuck: int


@dataclass(frozen=True, slots=True, eq=False)
class QueueResult:
    """A simulated queue.

    Columns of shape (n,), in the order of the jobs' rows: `start_s` (first), `finish_s`,
    `waiting_s` (all time in the queue, that after a preemption included), all NaN where a job never
    came so far; `attempts`; `useful_gpu_s` (GPUs · duration of what finished), `lost_gpu_s` (work
    done again, and restarts), `idle_gpu_s` (held before the start, where pods come one by one);
    `status`, "done", "stuck" or "unschedulable".

    Moments of shape (m,): from `time_s[i]` on, `allocated[i]` GPUs are held by jobs, `reserved[i]`
    are set aside and `queued[i]` jobs wait. `deadlock_s` is when nothing moved any more, or None.
    `decisions` counts attempts started, `notes` say what a reader of the result should know.

    Conserved: ∫ allocated dt = Σ useful + lost + idle, and allocated + reserved + idle GPUs are the
    capacity at every moment.
    """

    jobs: Jobs
    pool: GpuPool
    start_s: NDArray[np.float64]
    finish_s: NDArray[np.float64]
    waiting_s: NDArray[np.float64]
    attempts: NDArray[np.int64]
    useful_gpu_s: NDArray[np.float64]
    lost_gpu_s: NDArray[np.float64]
    idle_gpu_s: NDArray[np.float64]
    status: NDArray[np.str_]
    time_s: NDArray[np.float64]
    allocated: NDArray[np.int64]
    reserved: NDArray[np.int64]
    queued: NDArray[np.int64]
    log: Attempts
    deadlock_s: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def decisions(self) -> int:
        """Attempts that were started."""
        return len(self.log.job)

    @property
    def preemptions(self) -> int:
        """Attempts that were preempted."""
        return int(np.maximum(self.attempts - 1, 0).sum())

    @property
    def horizon_s(self) -> float:
        """Time of the last event, 0 if there is none."""
        return float(self.time_s[-1]) if len(self.time_s) else 0.0

    @property
    def allocated_gpu_s(self) -> float:
        """Integral of `allocated` over time."""
        return float((np.diff(self.time_s) * self.allocated[:-1]).sum()) if len(self.time_s) else 0

    def allocated_at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return allocated GPUs at given times, same shape."""
        return self._at(self.allocated, times_s)

    def queued_at(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return waiting jobs at given times, same shape."""
        return self._at(self.queued, times_s)

    def summary(self, begin_s: float = 0.0, end_s: float | None = None) -> QueueSummary:
        """Sum the queue up over a window; without one, from 0 to the last event.

        Raises
        ------
        InputError
            The window is empty, or no job arrived in it and finished.
        """
        end = self.horizon_s if end_s is None else end_s
        if not begin_s < end:
            msg = f"window is {begin_s:g} s to {end:g} s; allowed is an end after the begin"
            raise InputError(msg)
        arrival, done = self.jobs.arrival_s, self.status == "done"
        inside = (arrival >= begin_s) & (arrival <= end)
        chosen = inside & done
        if not chosen.any():
            msg = f"no job arrived from {begin_s:g} s to {end:g} s and finished; allowed is one"
            raise InputError(msg)
        delay, priority = self.waiting_s[chosen], self.jobs.priority
        assert priority is not None, "Jobs fills it"
        urgent = priority[chosen] == priority[chosen].max()
        response = self.finish_s[chosen] - arrival[chosen]
        duration = np.maximum(self.jobs.duration_s[chosen], SHORT_S)
        capacity = self.pool.total * (end - begin_s)
        used = self._useful_between(begin_s, end)
        p50, p90, p99 = np.quantile(delay, [0.5, 0.9, 0.99])
        all_used = float(self.useful_gpu_s.sum() + self.lost_gpu_s.sum())
        started = (self.start_s >= begin_s) & (self.start_s < end)
        return QueueSummary(
            jobs=int(inside.sum()),
            delay_mean_s=float(delay.mean()),
            delay_p50_s=float(p50),
            delay_p90_s=float(p90),
            delay_p99_s=float(p99),
            urgent_delay_mean_s=float(delay[urgent].mean()),
            slowdown_mean=float(np.maximum(response / duration, 1).mean()),
            utilisation_pct=100 * used / capacity,
            allocated_pct=100 * self._held_between(begin_s, end) / capacity,
            started_per_h=float(started.sum()) / (end - begin_s) * _HOUR_S,
            preemptions=self.preemptions,
            lost_pct=100 * float(self.lost_gpu_s.sum()) / all_used if all_used else 0.0,
            makespan_s=self.horizon_s - float(arrival.min()),
            stuck=int((inside & (self.status == "stuck")).sum()),
        )

    def _at(self, values: NDArray, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        place = np.searchsorted(self.time_s, times_s, side="right")
        return np.concatenate([[0.0], values.astype(np.float64)])[place]

    def _held_between(self, begin_s: float, end_s: float) -> float:
        times = np.clip(np.append(self.time_s, end_s), begin_s, end_s)
        return float((np.diff(times) * self.allocated).sum())

    def _useful_between(self, begin_s: float, end_s: float) -> float:
        """GPU-seconds between two times of attempts, in proportion to what of each was useful."""
        log = self.log
        length = log.end_s - log.start_s
        inside = np.minimum(log.end_s, end_s) - np.maximum(log.start_s, begin_s)
        gpus = self.jobs.gpus[log.job]
        spent = np.bincount(log.job, gpus * length, minlength=len(self.jobs))
        share = np.divide(self.useful_gpu_s, spent, out=np.zeros(len(spent)), where=spent > 0)
        return float((np.maximum(inside, 0) * gpus * share[log.job]).sum())
