"""A training run from failure to failure, simulated for many seeds.

The same seed meets the same failures whatever protects the job: the same moments on the clock, the
same components, the same nodes gone for as long. A node that stands idle does not fail.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.resilience import kernel
from gpudeck.models.resilience.elastic import full_replicas, nodes_needed
from gpudeck.models.resilience.failure import FailureRates
from gpudeck.models.resilience.recovery import Protection
from gpudeck.models.resilience.replicas import survivability_table

MOST_FAILURES = 20_000  # of one run: then it has given up
MOST_BURST = 64
MOST_NODES = 1_000_000
# nodes that may be lost before one save in memory is made anew and another counts; beyond is loss
MOST_LOST = 96

TIME_NAMES = ("useful", "rework", "stall", "detect", "restart", "wait", "load", "slowed")


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """A job on its nodes, what happens to them, and how long it has.

    Parameters
    ----------
    nodes, gpus_per_node
        Of the job, without spares.
    rates
        Failures of a GPU's share of each component.
    work_s
        Useful work of the job, in seconds at full speed, above 0; infinity: until time is up.
    horizon_s
        When the run ends at the latest, seconds, above 0 and finite.
    replica_nodes
        Nodes that hold one data-parallel replica of the model.
    replace_s
        Mean time until a node that was taken out is replaced, seconds, 0 or above; exponential.
    burst_share
        Part of the failures with a lost node that take several at once, from 0 to 1.
    burst_nodes
        How many those take, 1 to 64.
    """

    nodes: int
    gpus_per_node: int
    rates: FailureRates
    work_s: float
    horizon_s: float
    replica_nodes: int = 1
    replace_s: float = 0.0
    burst_share: float = 0.0
    burst_nodes: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.nodes <= MOST_NODES or self.gpus_per_node < 1:
            msg = (
                f"nodes is {self.nodes} of {self.gpus_per_node} GPUs; allowed are whole numbers"
                f" from 1 to {MOST_NODES}, and 1 GPU or more"
            )
            raise InputError(msg)
        if not self.work_s > 0:
            msg = f"work_s is {self.work_s}; allowed are numbers above 0, and infinity"
            raise InputError(msg)
        if not 0 < self.horizon_s < float("inf"):
            msg = f"horizon_s is {self.horizon_s}; allowed are finite numbers above 0"
            raise InputError(msg)
        if not 0 <= self.replace_s < float("inf"):
            msg = f"replace_s is {self.replace_s}; allowed are finite numbers of 0 or above"
            raise InputError(msg)
        if not 0 <= self.burst_share <= 1:
            msg = f"burst_share is {self.burst_share}; allowed are probabilities from 0 to 1"
            raise InputError(msg)
        if not 1 <= self.burst_nodes <= min(MOST_BURST, self.nodes):
            msg = (
                f"burst_nodes is {self.burst_nodes} of {self.nodes} nodes; allowed are whole"
                f" numbers from 1 to {MOST_BURST}, at most the nodes of the job"
            )
            raise InputError(msg)
        full_replicas(self.nodes, self.replica_nodes)

    @property
    def gpus(self) -> int:
        """GPUs of the job."""
        return self.nodes * self.gpus_per_node

    @property
    def mtbf_s(self) -> float:
        """Mean time between failures of the whole job, seconds."""
        return self.rates.mtbf_s(self.gpus)


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """What each of the runs came to.

    Parameters
    ----------
    protection
        What the job had.
    wall_s
        When each run ended, shape (runs,).
    times_s
        Where its time went, shape (runs, 8), columns `TIME_NAMES`, summing to `wall_s`: useful
        work; work done again; stalls of saves; until failures were noticed; restarts; waits for
        nodes; loading; and what a smaller job was slower.
    failures, by_component
        Failures that met the job, shape (runs,) and (runs, components).
    from_storage
        Recoveries that had to go back to storage, shape (runs,).
    finished
        Runs whose work was done in time, shape (runs,).
    gave_up
        Runs that met more failures than are simulated, shape (runs,).
    recovery_s
        Time from each failure until the job was where it had been, all runs in turn; a failure
        before that begins a recovery of its own, one during the downtime prolongs it.
    recovery_counts
        How many of these are of each run, shape (runs,).
    """

    protection: Protection
    wall_s: NDArray[np.float64]
    times_s: NDArray[np.float64]
    failures: NDArray[np.int64]
    by_component: NDArray[np.int64]
    from_storage: NDArray[np.int64]
    finished: NDArray[np.bool_]
    gave_up: NDArray[np.bool_]
    recovery_s: NDArray[np.float64] = field(repr=False)
    recovery_counts: NDArray[np.int64] = field(repr=False)

    @property
    def effective(self) -> NDArray[np.float64]:
        """Effective training time ratio of each run: useful over elapsed, shape (runs,)."""
        return self.times_s[:, kernel.USEFUL] / self.wall_s

    def share(self, *names: str) -> NDArray[np.float64]:
        """Return the part of the time that went to some of `TIME_NAMES`, shape (runs,).

        Raises
        ------
        InputError
            There is no such name.
        """
        if wrong := [name for name in names if name not in TIME_NAMES]:
            msg = f"name is {wrong[0]!r}; allowed are {', '.join(TIME_NAMES)}"
            raise InputError(msg)
        columns = [TIME_NAMES.index(name) for name in names]
        total: NDArray[np.float64] = self.times_s[:, columns].sum(axis=1) / self.wall_s
        return total


def simulate_runs(run: TrainingRun, protection: Protection, seeds: Sequence[int]) -> RunResult:
    """Simulate a protected job for each seed.

    Failures are a Poisson process at the rate of the whole job; each belongs to a component, takes
    no, one or several nodes, and stops the job. It is noticed, the job is started again on spares
    or with fewer replicas or waits for nodes, loads the last complete save, from memory where one
    copy of each state survives, and does the lost work again. A failure during that begins it anew.

    Parameters
    ----------
    run
        The job and its failures.
    protection
        What it saves and how it starts again.
    seeds
        One run each, one or more.

    Raises
    ------
    InputError
        There is no seed.

    Returns
    -------
    RunResult
        A run that cannot finish by its horizon is out of time, one that meets more than 20,000
        failures has given up: both are results, no errors.
    """
    if not len(seeds):
        msg = "there are no seeds; allowed is one or more"
        raise InputError(msg)
    runs = len(seeds)
    components = run.rates.components
    expected = run.horizon_s / run.mtbf_s
    room = int(min(MOST_FAILURES, expected + 8 * expected**0.5 + 16))
    times = np.zeros((runs, kernel.TIMES))
    by_component = np.zeros((runs, len(components)), np.int64)
    records, wall = np.zeros((runs, room)), np.zeros(runs)
    counts = np.zeros((runs, 4), np.int64)
    kernel.run_many(  # type: ignore[call-arg]  # numba's stub counts a starred tuple as one
        np.array([seed % 2**64 for seed in seeds], np.uint64),
        run.mtbf_s,
        np.array(list(run.rates.shares.values())),
        np.array([component.takes_node for component in components]),
        float(run.burst_share),
        run.burst_nodes,
        float(run.replace_s),
        *_plan(run, protection),
        times,
        by_component,
        records,
        counts,
        wall,
    )
    kept = np.arange(room) < counts[:, 2, None]
    return RunResult(
        protection,
        wall,
        times,
        counts[:, 1],
        by_component,
        counts[:, 3],
        counts[:, 0] == kernel.FINISHED,
        counts[:, 0] == kernel.GAVE_UP,
        records[kept],
        counts[:, 2],
    )


def _plan(run: TrainingRun, protection: Protection) -> tuple[object, ...]:
    """Return the kernel's arguments for the job and its protection, in its order."""
    cost, fallback = protection.cost, protection.fallback
    in_memory = fallback is not None
    survive = survivability_table(run.nodes, protection.copies, MOST_LOST) if in_memory else (1.0,)
    return (
        run.nodes,
        run.replica_nodes,
        nodes_needed(run.nodes, run.replica_nodes, protection.elastic_min_share),
        protection.spare_nodes,
        float(run.work_s),
        float(run.horizon_s),
        MOST_FAILURES,
        float(protection.interval_s),
        float(cost.stall_s),
        float(cost.save_s),
        float(cost.load_s),
        fallback.every if fallback else 1,
        float(fallback.save_s if fallback else cost.save_s),
        float(fallback.load_s if fallback else cost.load_s),
        in_memory,
        np.array(survive),
        float(protection.detection_s),
        float(protection.restart_median_s),
        float(protection.restart_sigma),
        float(protection.restart_s),
    )
