"""One day of the fleet: who holds which GPU in which hour, by the grain that GPUs are given in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.node import Nodes
from gpudeck.journey.session import Sessions
from gpudeck.journey.use import HOURS, PPM, PodUse
from gpudeck.models.scheduling import TypicalPods, replay
from gpudeck.rng import generator
from gpudeck.workload.pod import GPU_MILLI, Pods

Grain = Literal["whole", "share"]
DEFAULT_POLICY = "least_allocated"


@dataclass(frozen=True, slots=True, eq=False)
class Day:
    """A simulated day.

    ``node`` and ``device`` have shape (jobs,), as in `ReplayResult`: −1 is a job that waits for as
    long as it would have run. ``held_milli`` is what a job holds or would hold of the GPUs,
    ``asked_milli`` what its pod asked for, shape (jobs,).
    """

    nodes: Nodes
    pods: Pods
    sessions: Sessions
    pod_use: PodUse
    grain: Grain
    node: NDArray[np.int64]
    device: NDArray[np.int64]
    held_milli: NDArray[np.int64]
    asked_milli: NDArray[np.int64]

    @property
    def placed(self) -> NDArray[np.bool_]:
        """Say which jobs got a place, shape (jobs,)."""
        return self.node >= 0

    @property
    def capacity_milli(self) -> int:
        """GPU of the whole fleet."""
        return self.nodes.gpu_count * GPU_MILLI

    def per_hour(
        self, amount: NDArray[np.int64], among: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """Sum an amount over the jobs of each hour, shape (24,).

        Parameters
        ----------
        amount
            Whole numbers whose sum stays below 2⁵³, shape (jobs,).
        among
            Only these jobs, shape (jobs,).
        """
        jobs = slice(None) if among is None else among
        begun = np.bincount(self.sessions.start_h[jobs], amount[jobs], HOURS + 1)
        ended = np.bincount(self.sessions.end_h[jobs], amount[jobs], HOURS + 1)
        return np.cumsum(begun - ended)[:HOURS].astype(np.int64)


def whole_gpus(pods: Pods) -> Pods:
    """Round each pod's request up to whole GPUs, as a device plugin without sharing gives them.

    >>> whole_gpus(Pods.from_specs([1000], [1024], [1], [300], [""], [1])).gpu_milli.tolist()
    [1000]
    """
    return replace(pods, gpu_milli=np.where(pods.num_gpu > 0, GPU_MILLI, 0))


def simulate_day(
    nodes: Nodes,
    pods: Pods,
    pod_use: PodUse,
    sessions: Sessions,
    grain: Grain,
    seed: int,
    policy: str = DEFAULT_POLICY,
    typical: TypicalPods | None = None,
) -> Day:
    """Place a day's jobs as they come and release them as they go.

    Parameters
    ----------
    nodes, pods : Nodes, Pods
        The fleet, and what the pods ask for.
    pod_use, sessions : PodUse, Sessions
        What the pods use, and when they are there.
    grain : {"whole", "share"}
        Each pod gets whole GPUs, or the part of one that it asked for.
    seed : int
        Seed of the nodes' ranks, 0 or above.
    policy : str
        How a node is chosen, a key of `POLICIES`; Kubernetes' default spreads.
    typical : TypicalPods, optional
        Pods that the policy "fgd" expects next, those of this grain if not told.

    Raises
    ------
    InputError
        The grain is unknown, or as in `replay`.
    """
    if grain not in ("whole", "share"):
        msg = f"grain is {grain!r}; allowed are 'whole' and 'share'"
        raise InputError(msg)
    asking = whole_gpus(pods) if grain == "whole" else pods
    rank = generator(seed, "node rank").permutation(len(nodes))
    result = replay(
        nodes,
        asking,
        rank,
        policy,
        order=sessions.pod,
        arrival_s=sessions.start_h * 3600.0,
        departure_s=sessions.end_h * 3600.0,
        seed=seed,
        typical=typical,
    )
    return Day(
        nodes=nodes,
        pods=pods,
        sessions=sessions,
        pod_use=pod_use,
        grain=grain,
        node=result.node,
        device=result.device,
        held_milli=asking.gpu_demand_milli[sessions.pod],
        asked_milli=pods.gpu_demand_milli[sessions.pod],
    )


@dataclass(frozen=True, slots=True, eq=False)
class GpuMeans:
    """What each GPU of the fleet was over the day, on average, each of shape (GPUs,), 0 to 1.

    ``held``, ``asked``, ``memory`` and ``sm`` are parts of the GPU; GPUs are numbered node by node.
    ``tenancy`` is the mean number of pods on a GPU over the hours in which it had one, over all
    GPUs.
    """

    held: NDArray[np.float64]
    asked: NDArray[np.float64]
    memory: NDArray[np.float64]
    sm: NDArray[np.float64]
    tenancy: float


def measure_gpus(day: Day) -> GpuMeans:
    """Average over the day what each GPU holds and uses."""
    job, gpu = _spread_over_gpus(day)
    pod, start, end = (
        column[job] for column in (day.sessions.pod, day.sessions.start_h, day.sessions.end_h)
    )
    hours = end - start
    share = day.pods.gpu_milli[pod] / GPU_MILLI
    held = np.ones(len(job)) if day.grain == "whole" else share
    until = np.pad(np.cumsum(day.pod_use.course_ppm, axis=1), ((0, 0), (1, 0))) / PPM
    kind = day.pod_use.kind[pod]
    used = day.pod_use.peak_ppm[pod] / PPM * (until[kind, end] - until[kind, start])
    count = day.nodes.gpu_count

    def mean(amount: NDArray) -> NDArray[np.float64]:
        return np.bincount(gpu, amount, minlength=count) / HOURS

    return GpuMeans(
        held=mean(held * hours),
        asked=mean(share * hours),
        memory=mean(share * hours * day.pod_use.memory_ppm[pod] / PPM),
        sm=mean(share * used),
        tenancy=_mean_tenancy(gpu, start, end, count),
    )


def _mean_tenancy(gpu: NDArray, start_h: NDArray, end_h: NDArray, count: int) -> float:
    """Average the pods on a GPU over the hours in which it has one."""
    width = HOURS + 1
    change = np.bincount(gpu * width + start_h, minlength=count * width)
    change = change - np.bincount(gpu * width + end_h, minlength=count * width)
    there = np.cumsum(change.reshape(count, width), axis=1)
    return float(there.sum() / max(np.count_nonzero(there), 1))


def _spread_over_gpus(day: Day) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List each GPU of each placed job: the job's index, and the GPU's number in the fleet."""
    first = np.concatenate([[0], np.cumsum(day.nodes.gpus)[:-1]])
    jobs = np.flatnonzero(day.placed & (day.held_milli > 0))
    bits = (day.device[jobs][:, None] >> np.arange(day.nodes.gpus.max())) & 1
    row, device = np.nonzero(bits)
    return jobs[row], first[day.node[jobs[row]]] + device
