"""The scenario's large training job: its state, its failures, and the ways to protect it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil

from gpudeck.models.resilience.checkpoint import CheckpointPath, Mode, checkpoint_bytes
from gpudeck.models.resilience.checkpoint_interval import best_interval
from gpudeck.models.resilience.failure import DAY_S, read_failure_rates
from gpudeck.models.resilience.recovery import Protection, StorageFallback, fallback_every
from gpudeck.models.resilience.simulate import TrainingRun
from gpudeck.scenario.schema import Resilience, Training
from gpudeck.workload.model import find_model

# spread of the restart: people are asleep or at hand, a script always takes about as long
MANUAL_SIGMA, AUTOMATIC_SIGMA = 0.8, 0.2
# a run may take so many times its days before it is stopped
HORIZON_TIMES = 4.0
# shortest stall that is planned with: saving still costs something
LEAST_STALL_S = 1e-3
MINUTE_S, HOUR_S = 60.0, 3600.0


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """A job as it is planned: what runs on which nodes, and what a save has to move.

    Parameters
    ----------
    run
        Nodes, failures, work, time.
    path
        State and bandwidths of its saves.
    resilience
        The section of the scenario that says how it may be protected.
    """

    run: TrainingRun
    path: CheckpointPath
    resilience: Resilience

    def lasting(self, horizon_s: float) -> TrainingJob:
        """Return the same job with work without end, stopped after so many seconds."""
        run = replace(self.run, work_s=float("inf"), horizon_s=horizon_s)
        return replace(self, run=run)


def plan_job(training: Training, resilience: Resilience, gpus: int | None = None) -> TrainingJob:
    """Return the scenario's job, or the same model and storage on another number of GPUs.

    Parameters
    ----------
    training, resilience
        Sections of the scenario.
    gpus
        GPUs in place of the scenario's, a multiple of those of a node.

    Raises
    ------
    InputError
        The job has fewer nodes than a replica.
    """
    count = training.gpus if gpus is None else gpus
    nodes = count // training.gpus_per_node
    run = TrainingRun(
        nodes,
        training.gpus_per_node,
        read_failure_rates().scaled(resilience.failure_rate_x),
        resilience.days * DAY_S,
        HORIZON_TIMES * resilience.days * DAY_S,
        resilience.replica_nodes,
        resilience.replace_h * HOUR_S,
        resilience.burst_pct / 100,
        # no more can be lost than there are
        min(resilience.burst_nodes, nodes),
    )
    path = CheckpointPath(
        checkpoint_bytes(find_model(training.model).parameters),
        count,
        nodes,
        resilience.storage_gb_s,
        resilience.snapshot_gb_s,
        resilience.save_overhead_s,
        resilience.replica_gb_s,
        # a copy on each node at most; on a single node there is none to lose it with
        min(resilience.replica_copies, nodes),
    )
    return TrainingJob(run, path, resilience)


def protect(
    job: TrainingJob, mode: Mode, *, automatic: bool, spares: bool = False, elastic: bool = False
) -> Protection:
    """Return a protection of a job, its interval the best one for what a save costs.

    A job of one node has nowhere to put copies: its saves go to storage.

    Parameters
    ----------
    job
        From `plan_job`.
    mode
        Where its saves go.
    automatic
        Heartbeats and a restart by script; otherwise a collective that times out, and people.
    spares
        Nodes stand by.
    elastic
        It goes on with fewer replicas.

    Raises
    ------
    InputError
        The mode is unknown.
    """
    mode = "asynchronous" if mode == "memory" and job.path.copies < 2 else mode
    chosen, cost = job.resilience, job.path.cost(mode)
    stall_s = max(cost.stall_s, LEAST_STALL_S)
    interval_s = best_interval(stall_s, job.run.mtbf_s, cost.floor_s)
    detection_s = chosen.detection_s if automatic else chosen.watchdog_s
    restart_s = chosen.restart_s if automatic else chosen.manual_restart_min * MINUTE_S
    fallback = None
    if mode == "memory":
        storage_s = job.path.storage_s
        every = fallback_every(interval_s, cost.stall_s, storage_s, job.run.mtbf_s)
        fallback = StorageFallback(every, storage_s, storage_s)
    return Protection(
        mode,
        cost,
        interval_s,
        detection_s,
        restart_s,
        AUTOMATIC_SIGMA if automatic else MANUAL_SIGMA,
        ceil(chosen.spare_pct / 100 * job.run.nodes) if spares else 0,
        chosen.elastic_min_pct / 100 if elastic else 1.0,
        job.path.copies if mode == "memory" else 1,
        fallback,
    )
