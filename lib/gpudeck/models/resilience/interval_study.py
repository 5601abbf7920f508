"""Efficiency by interval: the closed form, and simulated runs on it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.resilience.checkpoint import CheckpointCost, Mode
from gpudeck.models.resilience.checkpoint_interval import (
    best_interval,
    daly_interval,
    efficiency,
    exact_interval,
    young_interval,
)
from gpudeck.models.resilience.recovery import Protection
from gpudeck.models.resilience.simulate import simulate_runs
from gpudeck.models.resilience.training_job import LEAST_STALL_S, TrainingJob

# each run is long enough for about so many failures
FAILURES_A_RUN = 1000
# the curve reaches from a fraction of the best interval to a multiple of it
REACH, POINTS, SIMULATED = 30.0, 161, 9
# the line goes on beyond the last simulated point
LINE_TIMES = 10.0


@dataclass(frozen=True, slots=True, eq=False)
class IntervalCurve:
    """One way of saving: its cost, its intervals, and the efficiency at every interval.

    Parameters
    ----------
    mode, cost
        How it saves, and what a save costs.
    recovery_s
        Time from a failure until the job works again, the same at every interval.
    young_s, daly_s, exact_s, best_s
        Intervals; the best one is the exact one, or the floor where a save takes longer.
    interval_s, share
        The closed form, shape (points,), from the floor on.
    simulated_s, samples
        Intervals that were simulated, shape (simulated,), and the efficiency of each run there,
        shape (runs, simulated).
    """

    mode: Mode
    cost: CheckpointCost
    recovery_s: float
    young_s: float
    daly_s: float
    exact_s: float
    best_s: float
    interval_s: NDArray[np.float64]
    share: NDArray[np.float64]
    simulated_s: NDArray[np.float64]
    samples: NDArray[np.float64]
    mtbf_s: float

    def share_at(self, interval_s: float) -> float:
        """Return the efficiency of the closed form at one interval."""
        return float(
            efficiency(
                interval_s, self.cost.stall_s, self.mtbf_s, self.recovery_s, self.cost.save_s
            )
        )

    @property
    def best_share(self) -> float:
        """Efficiency at the best interval."""
        return self.share_at(self.best_s)


@dataclass(frozen=True, slots=True, eq=False)
class IntervalStudy:
    """The curves of several ways of saving on one job."""

    mtbf_s: float
    gpus: int
    curves: tuple[IntervalCurve, ...]

    def find(self, mode: Mode) -> IntervalCurve:
        """Return the curve of one mode.

        Raises
        ------
        InputError
            It was not studied.
        """
        for curve in self.curves:
            if curve.mode == mode:
                return curve
        names = ", ".join(curve.mode for curve in self.curves)
        msg = f"mode is {mode!r}; allowed are {names}"
        raise InputError(msg)


def study_intervals(
    job: TrainingJob,
    seeds: Sequence[int],
    modes: Sequence[Mode] = ("synchronous", "asynchronous"),
) -> IntervalStudy:
    """Compute and simulate the efficiency of a job by the interval of its saves.

    The job starts again by itself, after a fixed time, and never waits for a node: what is compared
    is how it saves.

    Parameters
    ----------
    job
        From `plan_job`.
    seeds
        One run each, two or more.
    modes
        Ways of saving to storage, without copies in memory.

    Raises
    ------
    InputError
        A mode is unknown, or there are no seeds.
    """
    run = replace(job.run, replace_s=0.0, burst_share=0.0)
    curves = []
    for mode in modes:
        cost = job.path.cost(mode)
        stall_s, mtbf_s = max(cost.stall_s, LEAST_STALL_S), run.mtbf_s
        best_s = best_interval(stall_s, mtbf_s, cost.floor_s)
        recovery_s = job.resilience.detection_s + job.resilience.restart_s + cost.load_s
        low_s, high_s = max(best_s / REACH, cost.floor_s, 1.0), best_s * REACH
        interval_s = np.geomspace(low_s, LINE_TIMES * high_s, POINTS)
        simulated_s = np.geomspace(low_s, high_s, SIMULATED)
        lasting = replace(
            run,
            work_s=float("inf"),
            horizon_s=FAILURES_A_RUN * max(mtbf_s, float(high_s) / 10),
        )
        samples = []
        for at_s in simulated_s:
            protection = Protection(
                mode,
                cost,
                float(at_s),
                job.resilience.detection_s,
                job.resilience.restart_s,
            )
            samples.append(simulate_runs(lasting, protection, seeds).effective)
        curves.append(
            IntervalCurve(
                mode,
                cost,
                recovery_s,
                young_interval(stall_s, mtbf_s),
                daly_interval(stall_s, mtbf_s),
                exact_interval(stall_s, mtbf_s),
                best_s,
                interval_s,
                efficiency(interval_s, cost.stall_s, mtbf_s, recovery_s, cost.save_s),
                simulated_s,
                np.array(samples).T,
                mtbf_s,
            )
        )
    return IntervalStudy(run.mtbf_s, run.gpus, tuple(curves))


@dataclass(frozen=True, slots=True, eq=False)
class FormulaError:
    """Young's and Daly's intervals against the exact one, by mean time between failures.

    All of shape (points,): `mtbf_s`; the three intervals in seconds; and what Young's and Daly's
    lose of the greatest efficiency, in points.
    """

    stall_s: float
    mtbf_s: NDArray[np.float64]
    young_s: NDArray[np.float64]
    daly_s: NDArray[np.float64]
    exact_s: NDArray[np.float64]
    young_lost: NDArray[np.float64]
    daly_lost: NDArray[np.float64]


def compare_formulas(stall_s: float, low_s: float, high_s: float, points: int = 80) -> FormulaError:
    """Compare the formulas over a range of mean times between failures, recovery left out.

    Parameters
    ----------
    stall_s
        What a save stops the job for, seconds, above 0.
    low_s, high_s
        Range of the mean time between failures, seconds, above 0.
    points
        How many, two or more.

    Raises
    ------
    InputError
        A number is out of range.
    """
    if not 0 < low_s < high_s < float("inf") or points < 2:
        msg = f"range is {low_s} to {high_s} s in {points} points; allowed is 0 < low < high, 2"
        raise InputError(msg)
    mtbf_s = np.geomspace(low_s, high_s, points)
    formulas = (young_interval, daly_interval, exact_interval)
    young_s, daly_s, exact_s = (
        np.array([formula(stall_s, float(m)) for m in mtbf_s]) for formula in formulas
    )
    shares = [
        np.array([float(efficiency(t, stall_s, float(m))) for t, m in zip(s, mtbf_s, strict=True)])
        for s in (young_s, daly_s, exact_s)
    ]
    return FormulaError(
        stall_s,
        mtbf_s,
        young_s,
        daly_s,
        exact_s,
        100 * (shares[2] - shares[0]),
        100 * (shares[2] - shares[1]),
    )


# from a failure every few minutes to one every few months
FREQUENT_S, RARE_S = 500.0, 2e7


def compare_job(job: TrainingJob) -> FormulaError:
    """Compare the formulas at the stall of a job's synchronous saves.

    Parameters
    ----------
    job
        From `plan_job`.
    """
    stall_s = max(job.path.cost("synchronous").stall_s, LEAST_STALL_S)
    return compare_formulas(stall_s, FREQUENT_S, RARE_S)
