"""Several days of one fleet, each with a seed of its own, and what is measured on them."""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.journey.day import DEFAULT_POLICY, Day, GpuMeans, Grain, measure_gpus, simulate_day
from gpudeck.journey.session import draw_sessions
from gpudeck.journey.use import draw_use
from gpudeck.journey.waterfall import Waterfall, attribute_day
from gpudeck.models.scheduling import typical_pods
from gpudeck.rng import generator, spawn_seeds
from gpudeck.scenario import Cluster, Scenario
from gpudeck.workload.pod import GPU_MILLI, Pods

Loss = tuple[float, float]


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """One simulated day and what it comes to.

    ``waiting_pods`` is the mean over the day of GPU pods without a place, ``running_pods`` of those
    with one; ``gpus_needed`` the GPUs that all pods of the busiest hour need, were there enough.
    """

    day: Day
    waterfall: Waterfall
    gpus: GpuMeans
    running_pods: float
    waiting_pods: float
    gpus_needed: int


@dataclass(frozen=True, slots=True, eq=False)
class Runs:
    """Days of the same fleet and workload with different draws, paired by their seeds."""

    grain: Grain
    runs: tuple[Run, ...]

    def percent(self, *parts: str) -> NDArray[np.float64]:
        """Return some causes' part of the GPU-hours, in percent, shape (runs,)."""
        return np.array([run.waterfall.percent(*parts) for run in self.runs])

    def hourly_pct(self, *parts: str) -> NDArray[np.float64]:
        """Return some causes' part of each hour, in percent, shape (runs, 24)."""
        return np.array([run.waterfall.hourly_pct(*parts) for run in self.runs])

    def gpu_pct(self, field: str) -> NDArray[np.float64]:
        """Return the fleet's mean of a field of `GpuMeans`, in percent, shape (runs,)."""
        return np.array([100 * getattr(run.gpus, field).mean() for run in self.runs])

    def values(self, field: str) -> NDArray[np.float64]:
        """Return a number of each run, shape (runs,)."""
        return np.array([getattr(run, field) for run in self.runs], dtype=float)

    @property
    def tenancy(self) -> NDArray[np.float64]:
        """Mean pods on a GPU in use, shape (runs,)."""
        return np.array([run.gpus.tenancy for run in self.runs])

    @property
    def paid_per_useful(self) -> NDArray[np.float64]:
        """GPU-hours paid for one useful GPU-hour, shape (runs,)."""
        return 100 / self.percent("useful")


# several pages of a notebook look at the same days
@lru_cache(maxsize=4)
def run_days(
    scenario: Scenario,
    cluster: Cluster,
    seed: int,
    grain: Grain,
    *,
    policy: str = DEFAULT_POLICY,
    loss: Loss | None = None,
) -> Runs:
    """Simulate a day for each of the scenario's runs.

    The draws of a run (tenants, use, jobs, order, ranks of nodes) depend on its seed alone, so that
    runs of another grain or policy are paired with these.

    Parameters
    ----------
    scenario, cluster : Scenario, Cluster
        Use, tenants and number of runs; the fleet and its pods.
    seed : int
        From which the seeds of the runs are spawned.
    grain : {"whole", "share"}
        What a pod gets: whole GPUs, or the part that it asked for.
    policy : str
        A key of `POLICIES`.
    loss : (float, float), optional
        Least and greatest part of a sharing pod's work that sharing costs, 0 to 1, drawn for each
        run; the scenario's if not told.

    Raises
    ------
    InputError
        No pod asks for GPU, nothing useful was done, or the loss is out of range.
    """
    low, high = loss or (
        scenario.use.sharing_loss_low_pct / 100,
        scenario.use.sharing_loss_high_pct / 100,
    )
    if not 0 <= low <= high <= 1:
        msg = f"loss is {low} to {high}; allowed are two rising numbers from 0 to 1"
        raise InputError(msg)
    typical = typical_pods(cluster.pods)
    runs = []
    for own in spawn_seeds(seed, scenario.runs):
        pod_use = draw_use(cluster.pods, scenario.tenants, scenario.use, own)
        sessions = draw_sessions(pod_use, scenario.use, own)
        day = simulate_day(
            cluster.nodes, cluster.pods, pod_use, sessions, grain, own, policy, typical
        )
        lost = float(generator(own, "sharing loss").uniform(low, high))
        runs.append(measure_day(day, lost))
    return Runs(grain, tuple(runs))


def measure_day(day: Day, sharing_loss: float = 0.0) -> Run:
    """Measure a day.

    Parameters
    ----------
    day : Day
        A simulated day.
    sharing_loss : float
        As in `attribute_day`.

    Raises
    ------
    InputError
        Nothing useful was done: then no cost of a useful hour exists.
    """
    waterfall = attribute_day(day, sharing_loss)
    if not waterfall.part("useful"):
        msg = "no GPU-hour of the day was useful; allowed is a fleet on which some pod runs"
        raise InputError(msg)
    asks = day.held_milli > 0
    each = np.ones(len(day.sessions), dtype=np.int64)
    running = day.per_hour(each, asks & day.placed)
    waiting = day.per_hour(each, asks & ~day.placed)
    return Run(
        day=day,
        waterfall=waterfall,
        gpus=measure_gpus(day),
        running_pods=float(running.mean()),
        waiting_pods=float(waiting.mean()),
        gpus_needed=count_gpus_needed(day.pods, busiest_pods(day), day.grain),
    )


def busiest_pods(day: Day) -> NDArray[np.int64]:
    """Return the pods that are there in the hour of greatest demand for GPU, placed or waiting."""
    hour = int(day.per_hour(day.asked_milli).argmax())
    there = (day.sessions.start_h <= hour) & (hour < day.sessions.end_h)
    return day.sessions.pod[there]


def count_gpus_needed(pods: Pods, rows: NDArray[np.int64], grain: Grain) -> int:
    """Count the GPUs that pods need if CPU and memory were no limit.

    Whole GPUs add up. Shares are packed by best fit, largest first, pods of each list of models
    apart from the others: that many suffice, fewer may do.

    Parameters
    ----------
    pods : Pods
        The pods.
    rows : array
        Which of them, shape (n,).
    grain : {"whole", "share"}
        What a pod gets.

    >>> pods = Pods.from_specs([1, 1], [1, 1], [1, 1], [500, 600], ["", ""], [3, 1])
    >>> [count_gpus_needed(pods, np.arange(4), grain) for grain in ("whole", "share")]
    [4, 3]
    """
    sharing = (pods.num_gpu[rows] == 1) & (pods.gpu_milli[rows] < GPU_MILLI)
    if grain == "whole":
        return int(pods.num_gpu[rows].sum())
    total = int(pods.num_gpu[rows[~sharing]].sum())
    shared = rows[sharing]
    for spec in np.unique(pods.gpu_spec[shared]):
        asked = pods.gpu_milli[shared[pods.gpu_spec[shared] == spec]]
        total += _best_fit_decreasing(sorted(asked.tolist(), reverse=True))
    return total


def _best_fit_decreasing(sizes: list[int]) -> int:
    left: list[int] = []  # ascending
    for size in sizes:
        place = bisect_left(left, size)
        room = left.pop(place) if place < len(left) else GPU_MILLI
        insort(left, room - size)
    return len(left)
