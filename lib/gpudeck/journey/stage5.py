"""Stage 5: fault tolerance. The same job and the same failures, protection after protection.

Before: synchronous checkpoints to storage at their best interval, a collective that times out, a
restart by people, no spares. After: snapshots copied to other nodes' memory, heartbeats, a restart
by script, spare nodes, and fewer replicas where those run out. Every step meets the same moments of
failure and the same nodes lost for as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.interval import Interval, interval_of, interval_of_change
from gpudeck.models.resilience.checkpoint import Mode
from gpudeck.models.resilience.failure import DAY_S
from gpudeck.models.resilience.recovery import Protection
from gpudeck.models.resilience.simulate import RunResult, simulate_runs
from gpudeck.models.resilience.success import SuccessRate, success_rate
from gpudeck.models.resilience.training_job import TrainingJob, plan_job, protect
from gpudeck.rng import spawn_seeds
from gpudeck.scenario import Scenario

# what each step has: where saves go, automatic, spares, elastic
STEPS: dict[str, tuple[Mode, bool, bool, bool]] = {
    "before": ("synchronous", False, False, False),
    "asynchronous": ("asynchronous", False, False, False),
    "memory": ("memory", False, False, False),
    "automatic": ("memory", True, False, False),
    "spares": ("memory", True, True, False),
    "after": ("memory", True, True, True),
}
BEFORE, AFTER = "before", "after"
# a job takes a tenth of a millisecond: each of the scenario's runs stands for so many jobs
JOBS_A_RUN = 40
# sizes at which the ratio is shown, beside the scenario's own
SIZES = (256, 1024, 4096, 16_384, 65_536)
# failures that a job of another size meets: long enough for its mean
SCALE_FAILURES, SCALE_DAYS = 60.0, 30.0
SLACKS_PCT = np.arange(0, 20.1, 0.25)
MINUTE_S = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class StepRuns:
    """One step: its protection, and a run of the job for each seed."""

    name: str
    protection: Protection
    result: RunResult


@dataclass(frozen=True, slots=True, eq=False)
class ScaleCurve:
    """Effective training time of jobs of several sizes, before and after, in %, a row a seed."""

    gpus: NDArray[np.int64]
    before: NDArray[np.float64]
    after: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ResilienceEffect:
    """Every step on the same failures, and both ends of the ladder at other sizes."""

    job: TrainingJob
    steps: tuple[StepRuns, ...]
    scale: ScaleCurve
    slack_pct: float

    def find(self, name: str) -> StepRuns:
        """Return one step.

        Raises
        ------
        InputError
            There is no such step.
        """
        for step in self.steps:
            if step.name == name:
                return step
        msg = f"step is {name!r}; allowed are {', '.join(STEPS)}"
        raise InputError(msg)

    def effective_pct(self, name: str) -> NDArray[np.float64]:
        """Return the effective training time ratio of one step in %, shape (jobs,)."""
        return 100 * self.find(name).result.effective

    def gain_pct(self) -> Interval:
        """Return what the ratio gains, in points, paired by seed."""
        return interval_of(self.effective_pct(AFTER) - self.effective_pct(BEFORE))

    def recovery_min(self, name: str) -> NDArray[np.float64]:
        """Return every recovery time of one step in minutes, all jobs together."""
        return self.find(name).result.recovery_s / MINUTE_S

    def mean_recovery_min(self, name: str) -> NDArray[np.float64]:
        """Return the mean recovery of each group of jobs that had any, shape (groups,).

        Jobs are grouped, forty a run of the scenario, so that each group has recoveries.
        """
        result = self.find(name).result
        ends = np.cumsum(result.recovery_counts)
        pieces = np.split(result.recovery_s, ends[JOBS_A_RUN - 1 :: JOBS_A_RUN])
        return np.array([float(piece.mean()) for piece in pieces if len(piece)]) / MINUTE_S

    def success(self, name: str, slack_pct: float | None = None) -> SuccessRate:
        """Return the part of the jobs done within the days and so many % more."""
        return success_rate(self.find(name).result, self._deadline_s(slack_pct))

    def success_gain(self) -> Interval:
        """Return how many more jobs are done in time, in points, paired by seed."""
        done = {}
        for name in (BEFORE, AFTER):
            result = self.find(name).result
            done[name] = 100.0 * (result.finished & (result.wall_s <= self._deadline_s(None)))
        return interval_of(done[AFTER] - done[BEFORE])

    def _deadline_s(self, slack_pct: float | None) -> float:
        slack = self.slack_pct if slack_pct is None else slack_pct
        # a sum of many pieces may miss the deadline by its last digit
        return self.job.run.work_s * (1 + slack / 100) * (1 + 1e-9)

    def recovery_change_pct(self) -> Interval | None:
        """Return the change of the mean recovery in %, paired by group; None without recoveries."""
        before, after = (self.mean_recovery_min(name) for name in (BEFORE, AFTER))
        if len(before) != len(after) or len(before) < 2:
            return None
        return interval_of_change(before, after)

    def lost_change_pct(self) -> Interval | None:
        """Return the change of the GPU-hours lost in %, paired by group; None where none were."""
        before, after = (
            self.lost_gpu_hours(name).reshape(-1, JOBS_A_RUN).sum(axis=1)
            for name in (BEFORE, AFTER)
        )
        return interval_of_change(before, after)

    def lost_gpu_hours(self, name: str) -> NDArray[np.float64]:
        """Return the GPU-hours of each job that were no useful work, idle spares too, (jobs,)."""
        step, run = self.find(name), self.job.run
        held = run.gpus + step.protection.spare_nodes * run.gpus_per_node
        return (step.result.wall_s * held - step.result.times_s[:, 0] * run.gpus) / 3600

    def paid_share_pct(self, name: str) -> NDArray[np.float64]:
        """Return useful work over the time of all nodes that are held, spares too, in %."""
        nodes, spares = self.job.run.nodes, self.find(name).protection.spare_nodes
        return self.effective_pct(name) * nodes / (nodes + spares)


def climb_steps(job: TrainingJob, seeds: Sequence[int]) -> tuple[StepRuns, ...]:
    """Run the job under each protection of the ladder, on the same failures.

    Parameters
    ----------
    job
        From `plan_job`.
    seeds
        One job each, two or more.

    Raises
    ------
    InputError
        There are no seeds.
    """
    steps = []
    for name, (mode, automatic, spares, elastic) in STEPS.items():
        protection = protect(job, mode, automatic=automatic, spares=spares, elastic=elastic)
        steps.append(StepRuns(name, protection, simulate_runs(job.run, protection, seeds)))
    return tuple(steps)


def scale_sizes(scenario: Scenario) -> tuple[int, ...]:
    """Return the sizes of `SIZES` that the nodes and replicas allow, with the scenario's own."""
    training, resilience = scenario.training, scenario.resilience
    least = training.gpus_per_node * resilience.replica_nodes
    fitting = {size - size % training.gpus_per_node for size in SIZES if size >= least}
    return tuple(sorted(fitting | {training.gpus}))


def measure_scale(scenario: Scenario, seeds: Sequence[int]) -> ScaleCurve:
    """Simulate both ends of the ladder on jobs of other sizes: same model, storage and rates.

    Each runs until time is up, long enough for its mean, so that one that gets nowhere has a ratio.

    Parameters
    ----------
    scenario
        Its job, and how it is protected.
    seeds
        One job each, two or more.

    Raises
    ------
    InputError
        There are no seeds.
    """
    sizes = scale_sizes(scenario)
    ratios: dict[str, list[NDArray[np.float64]]] = {BEFORE: [], AFTER: []}
    for size in sizes:
        job = plan_job(scenario.training, scenario.resilience, size)
        days_s = SCALE_DAYS * DAY_S
        lasting = job.lasting(max(days_s, SCALE_FAILURES * job.run.mtbf_s))
        for name, samples in ratios.items():
            mode, automatic, spares, elastic = STEPS[name]
            protection = protect(job, mode, automatic=automatic, spares=spares, elastic=elastic)
            samples.append(100 * simulate_runs(lasting.run, protection, seeds).effective)
    before, after = (np.array(ratios[name]).T for name in (BEFORE, AFTER))
    return ScaleCurve(np.array(sizes), before, after)


def run_stage5(scenario: Scenario, seed: int) -> ResilienceEffect:
    """Run the scenario's training job under each protection, and both ends at other sizes.

    Parameters
    ----------
    scenario : Scenario
        Its sections `training` and `resilience`, and its number of runs.
    seed : int
        The seeds of the jobs are spawned from it.

    Raises
    ------
    InputError
        As in `plan_job`.
    """
    job = plan_job(scenario.training, scenario.resilience)
    seeds = spawn_seeds(seed, JOBS_A_RUN * scenario.runs)
    scale = measure_scale(scenario, seeds[: 2 * scenario.runs])
    return ResilienceEffect(
        job, climb_steps(job, seeds), scale, scenario.resilience.deadline_slack_pct
    )
