"""The queue simulator: jobs arrive, wait, run, are preempted, and leave."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.scheduling.queue import kernel
from gpudeck.models.scheduling.queue.podwise.kernel import run_pods
from gpudeck.models.scheduling.queue.policy import Preemption, QueuePolicy
from gpudeck.models.scheduling.queue.pool import GpuPool, as_pool
from gpudeck.models.scheduling.queue.reservation import assign_nodes
from gpudeck.models.scheduling.queue.result import Attempts, QueueResult
from gpudeck.workload.job import Jobs

_STATUS = {kernel.DONE: "done", kernel.UNSCHEDULABLE: "unschedulable"}
_BACKFILL = {False: kernel.NO_BACKFILL, "easy": kernel.EASY, "greedy": kernel.GREEDY}
MAX_PODS = 20_000_000
MAX_PRIORITIES = 1000


def simulate_queue(
    jobs: Jobs, cluster: GpuPool | int | ArrayLike, policy: QueuePolicy, seed: int = 0
) -> QueueResult:
    """Run all jobs through the queue of a cluster until the last has ended, or none can move.

    Whoever is first in the policy's order starts as soon as its gang fits; where it does not, it
    may preempt, and others may pass it by backfill. What ends, begins or arrives at one moment is
    taken together, in this order: ends, reservations, arrivals.

    EASY backfill: when a job becomes head, its start is reserved at the shadow time, when running
    jobs have given enough back by their estimates; a job may pass it that is expected to end by
    then, or that fits into what will be left beside it. With estimates no shorter than the
    durations the head never starts later than its shadow time.

    Preemption: only the head preempts, and only jobs of lower priority, whole gangs of them. Its
    pods are placed one after the other; where one does not fit, the node is chosen by Kubernetes'
    rules (`choose_victims`), a gang's GPUs on a node being one pod. For a gang of several pods, at
    the end every victim without which it fits all the same is reprieved, by the same order. If a
    pod finds no place, nothing is preempted. A victim keeps its place in the order, its work up to
    the last checkpoint, and pays the restart.

    Parameters
    ----------
    jobs
        The jobs, in any order of arrival.
    cluster
        A pool, a number of GPUs, or the GPUs of each node.
    policy
        The rules.
    seed
        Not drawn from by any of these policies; every model takes one.

    Raises
    ------
    InputError
        A job larger than the empty cluster, unless the policy lets it be; reservations beyond the
        capacity.

    >>> jobs = Jobs(["a", "b", "c"], ["x"] * 3, [0, 0, 0], [6, 8, 4], [1, 1, 1], [10, 5, 10])
    >>> simulate_queue(jobs, 10, QueuePolicy()).start_s.tolist()
    [0.0, 10.0, 15.0]
    >>> simulate_queue(jobs, 10, QueuePolicy(backfill="easy")).start_s.tolist()
    [0.0, 10.0, 0.0]
    """
    pool = as_pool(cluster)
    fits = pool.fits(jobs.pods, jobs.gpus_per_pod)
    if policy.oversized == "refuse" and not fits.all():
        _refuse_oversized(jobs, int(np.argmin(fits)), pool)
    if not policy.gang:
        return _simulate_pods(jobs, pool, policy, fits)
    return _simulate_gangs(jobs, pool, policy, fits)


def _refuse_oversized(jobs: Jobs, row: int, pool: GpuPool) -> None:
    msg = (
        f"row {row}, job {str(jobs.id[row])!r}: {jobs.pods[row]} pods of"
        f" {jobs.gpus_per_pod[row]} GPUs do not fit into the empty cluster of {pool.total} GPUs,"
        f" {pool.gpus.max()} on its largest node; allowed is a gang that fits, or a policy with"
        " oversized='unschedulable'"
    )
    raise InputError(msg)


def _notes(jobs: Jobs, fits: NDArray[np.bool_], deadlock_s: float | None) -> tuple[str, ...]:
    notes = []
    if (np.diff(jobs.arrival_s) < 0).any():
        notes.append("arrivals were not sorted: sorted by time and row; results are by row")
    if not fits.all():
        notes.append(f"{int((~fits).sum())} jobs do not fit into the empty cluster")
    if deadlock_s is not None:
        notes.append(f"deadlock at {deadlock_s:g} s: the jobs that wait hold what the others need")
    return tuple(notes)


def _ranks(jobs: Jobs, policy: QueuePolicy) -> NDArray[np.int64]:
    first, second = policy.keys(jobs)
    order = np.lexsort((np.arange(len(jobs)), second, first))
    ranks = np.empty(len(jobs), dtype=np.int64)
    ranks[order] = np.arange(len(jobs))
    return ranks


def _simulate_gangs(
    jobs: Jobs, pool: GpuPool, policy: QueuePolicy, fits: NDArray[np.bool_]
) -> QueueResult:
    order = np.argsort(jobs.arrival_s, kind="stable")
    order = order[fits[order]]
    preemption = policy.preemption or Preemption()
    depth, room = min(policy.backfill_depth, len(jobs)), 2 * len(jobs) + 16
    moments = 2 * len(jobs) + 2 * len(policy.reservations) + 1
    times, levels = np.empty(moments), np.zeros((moments, 3), dtype=np.int64)
    while True:
        state = _open(jobs, pool, policy, room)
        count = kernel.run_gangs(
            *state,
            order,
            policy.placement == "spread",
            _BACKFILL[policy.backfill],
            depth,
            policy.preemption is not None,
            float(preemption.checkpoint_s),
            float(preemption.restart_s),
            times,
            levels,
        )
        if not state[1].count[kernel.OVERFLOW]:
            break
        room *= 4
    return _close(jobs, pool, state, times[:count], levels[:count], fits)


def _levels(jobs: Jobs, policy: QueuePolicy) -> tuple[int, NDArray[np.int64]]:
    """Number the distinct priorities from the lowest; one for all where nobody preempts."""
    if policy.preemption is None:
        return 1, np.zeros(len(jobs), dtype=np.int64)
    assert jobs.priority is not None, "Jobs fills it"
    values, level = np.unique(jobs.priority, return_inverse=True)
    if len(values) > MAX_PRIORITIES:
        msg = (
            f"priority has {len(values)} different values; allowed with preemption are"
            f" {MAX_PRIORITIES}"
        )
        raise InputError(msg)
    return max(1, len(values)), level.reshape(-1).astype(np.int64)


def _open(jobs: Jobs, pool: GpuPool, policy: QueuePolicy, room: int) -> tuple[Any, Any, Any]:
    """Lay out the kernel's arrays: jobs, the empty cluster, and empty books with room for a log."""
    count, nodes, gpus = len(jobs), pool.gpus.size, pool.total
    largest = int(max(pool.gpus.max(), jobs.gpus_per_pod.max(initial=1)))
    levels, level = _levels(jobs, policy)
    windows, want = assign_nodes(policy.reservations, pool)
    begins = np.array([window.begin_s for window in windows])
    ends = np.array([window.end_s for window in windows])
    together = [want[(begins <= begin) & (ends > begin)].sum(axis=0) for begin in begins]
    apart = np.array(together, dtype=np.int64).reshape(len(windows), nodes)
    slot = np.zeros((gpus + 1, 6), dtype=np.int64)
    slot[:, kernel.S_NEXT] = np.arange(1, gpus + 2)
    counters = np.zeros(15, dtype=np.int64)
    counters[kernel.ALL_FREE] = gpus
    counters[[kernel.RESERVED_FOR, kernel.HOPELESS]] = -1
    whole = np.int64
    told = kernel.Jobs(
        arrival=jobs.arrival_s,
        pods=jobs.pods,
        grain=jobs.gpus_per_pod,
        duration=jobs.duration_s,
        estimate=jobs.estimate_s,
        priority=jobs.priority,
        level=level,
        rank=_ranks(jobs, policy),
    )
    cluster = kernel.Cluster(
        free=pool.gpus.copy(),
        capacity=pool.gpus.copy(),
        slot=slot,
        job_slot=np.full(count, -1, dtype=whole),
        node_slot=np.full(nodes, -1, dtype=whole),
        count=counters,
        by_end=np.zeros(min(count, gpus) + 1, dtype=whole),
        end=np.zeros(count),
        held=np.zeros(levels, dtype=whole),
        room=pool.gpus - apart,
        begins=begins,
        ends=ends,
        want=want,
        taken=np.zeros_like(want),
        tally=np.bincount(pool.gpus).astype(whole),
        by_level=np.zeros((nodes, levels), dtype=whole),
    )
    books = kernel.Books(
        state=np.full(count, kernel.UNSCHEDULABLE, dtype=whole),
        start=np.full(count, np.nan),
        began=np.zeros(count),
        first=np.zeros(count),
        waited=np.zeros(count),
        attempts=np.zeros(count, dtype=whole),
        saved=np.zeros(count),
        overhead=np.zeros(count),
        lost=np.zeros(count),
        tag=np.zeros(count, dtype=whole),
        log=np.zeros(room, dtype=whole),
        log_s=np.zeros((room, 2)),
        place=np.zeros((2 * room, 3), dtype=whole),
        place_s=np.zeros(2 * room),
        queue=np.zeros(2 * count + 2, dtype=whole),
        finish=np.zeros(count + 1),
        finish_job=np.zeros(count + 1, dtype=whole),
        extra=np.zeros(nodes, dtype=whole),
        scratch=np.zeros(nodes, dtype=whole),
        cached=np.zeros((2, largest + 1), dtype=whole),
        stamp=np.full((2, largest + 1), -1, dtype=whole),
        shadow=np.zeros(1),
        victim=np.zeros(count, dtype=bool),
        chosen=np.full(count + 1, -1, dtype=whole),
        trial=np.zeros(nodes, dtype=whole),
        trial_room=np.zeros_like(want),
        found=np.zeros(int(pool.gpus.max()) + 1, dtype=whole),
        found_gpus=np.zeros(int(pool.gpus.max()) + 1, dtype=whole),
        counts=np.zeros(min(largest, nodes) + 1, dtype=whole),
        cost=np.zeros((nodes, 3), dtype=whole),
        start_of=np.zeros(nodes),
        dirty=np.zeros(nodes, dtype=bool),
        touched=np.zeros(nodes, dtype=bool),
        need=np.zeros(nodes, dtype=whole),
    )
    return told, cluster, books


def _close(
    jobs: Jobs,
    pool: GpuPool,
    state: tuple[Any, Any, Any],
    times: NDArray[np.float64],
    levels: NDArray[np.int64],
    fits: NDArray[np.bool_],
) -> QueueResult:
    _, cluster, books = state
    done = books.state == kernel.DONE
    logged, placed = cluster.count[kernel.LOGGED], cluster.count[kernel.PLACED]
    places = books.place[:placed]
    log = Attempts(
        job=books.log[:logged].copy(),
        start_s=books.log_s[:logged, 0].copy(),
        end_s=books.log_s[:logged, 1].copy(),
        attempt=places[:, 0].copy(),
        node=places[:, 1].copy(),
        gpus=places[:, 2].copy(),
        since_s=books.place_s[:placed].copy(),
    )
    finish = np.full(len(jobs), np.nan)
    finish[log.job] = log.end_s  # a job's last attempt stands last
    useful = np.where(done, jobs.gpu_seconds, 0.0)
    return QueueResult(
        jobs=jobs,
        pool=pool,
        start_s=books.start,
        finish_s=np.where(done, finish, np.nan),
        waiting_s=np.where(done, books.waited, np.nan),
        attempts=books.attempts,
        useful_gpu_s=useful,
        lost_gpu_s=np.maximum(jobs.gpus * books.lost - useful, 0.0),
        idle_gpu_s=np.zeros(len(jobs)),
        status=np.array([_STATUS.get(code, "stuck") for code in books.state.tolist()], dtype=str),
        time_s=times,
        allocated=levels[:, 0],
        reserved=levels[:, 1],
        queued=levels[:, 2],
        log=log,
        notes=_notes(jobs, fits, None),
    )


def _simulate_pods(
    jobs: Jobs, pool: GpuPool, policy: QueuePolicy, fits: NDArray[np.bool_]
) -> QueueResult:
    count = int(jobs.pods[fits].sum())
    if count > MAX_PODS:
        msg = f"the jobs have {count} pods; allowed without gangs are {MAX_PODS}"
        raise InputError(msg)
    owner = np.repeat(np.flatnonzero(fits), jobs.pods[fits])
    number = np.arange(count) - np.repeat(
        np.cumsum(jobs.pods[fits]) - jobs.pods[fits], jobs.pods[fits]
    )
    later = number * policy.pod_interval_s
    first, second = (key[owner] for key in policy.keys(jobs))
    ranks = np.empty(count, dtype=np.int64)
    ranks[np.lexsort((owner, number, second + later, first))] = np.arange(count)
    arrival = jobs.arrival_s[owner] + later
    node, placed_s = np.full(count, -1, dtype=np.int64), np.full(count, np.nan)
    start, finish = np.full(len(jobs), np.nan), np.full(len(jobs), np.nan)
    times = np.empty(count + len(jobs) + 1)
    levels = np.zeros((len(times), 3), dtype=np.int64)
    moments, deadlock = run_pods(
        arrival,
        owner,
        np.ascontiguousarray(jobs.gpus_per_pod[owner]),
        ranks,
        np.argsort(arrival, kind="stable"),
        np.ascontiguousarray(jobs.pods),
        np.ascontiguousarray(jobs.duration_s),
        pool.gpus.copy(),
        policy.placement == "spread",
        policy.backfill == "greedy",
        policy.backfill_depth,
        node,
        placed_s,
        start,
        finish,
        times,
        levels,
    )
    stuck = float(deadlock) if np.isfinite(deadlock) else None
    return _close_pods(
        jobs, pool, fits, stuck, (owner, node, placed_s), (start, finish), times[:moments],
        levels[:moments],
    )  # fmt: skip


def _close_pods(
    jobs: Jobs,
    pool: GpuPool,
    fits: NDArray[np.bool_],
    deadlock_s: float | None,
    pods: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]],
    spans: tuple[NDArray[np.float64], NDArray[np.float64]],
    times: NDArray[np.float64],
    levels: NDArray[np.int64],
) -> QueueResult:
    owner, node, placed_s = pods
    start, finish = spans
    done = np.isfinite(finish)
    held = node >= 0
    owner, node, placed_s = owner[held], node[held], placed_s[held]
    grain = jobs.gpus_per_pod[owner]
    # a job that is stuck holds its GPUs until nothing moves any more
    last = deadlock_s or 0.0
    idle_s = np.where(np.isfinite(start), start, last)[owner] - placed_s
    rows = np.unique(owner)
    log = Attempts(
        job=rows,
        start_s=np.where(np.isfinite(start), start, last)[rows],
        end_s=np.where(done, finish, last)[rows],
        attempt=np.searchsorted(rows, owner),
        node=node,
        gpus=grain,
        since_s=placed_s,
    )
    status = np.where(done, "done", np.where(fits, "stuck", "unschedulable"))
    return QueueResult(
        jobs=jobs,
        pool=pool,
        start_s=start,
        finish_s=finish,
        waiting_s=start - jobs.arrival_s,
        attempts=done.astype(np.int64),
        useful_gpu_s=np.where(done, jobs.gpu_seconds, 0.0),
        lost_gpu_s=np.zeros(len(jobs)),
        idle_gpu_s=np.bincount(owner, grain * idle_s, minlength=len(jobs)).astype(np.float64),
        status=status,
        time_s=times,
        allocated=levels[:, 0],
        reserved=levels[:, 1],
        queued=levels[:, 2],
        log=log,
        deadlock_s=deadlock_s,
        notes=_notes(jobs, fits, deadlock_s),
    )
