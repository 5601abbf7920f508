"""Synthetic jobs of a shared cluster: when they arrive, how large they are, how long they run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, log, sqrt

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.rng import generator
from gpudeck.workload.job import Jobs

DAY_S = 86_400.0
# Assumptions, stated in the notes of the pages that use them: gangs of 2, 4 or 8 pods, half as many
# of each size as of the one before; busiest at 14:00; durations of a second to two days.
GANG_PODS = (2, 4, 8)
PEAK_H = 14.0
SHORTEST_S, LONGEST_S = 1.0, 2 * DAY_S
MAX_JOBS = 2_000_000


@dataclass(frozen=True, slots=True)
class Durations:
    """Durations by a lognormal distribution with a given mean and median, cut off at both ends.

    ln T ~ N(μ, σ²) with μ = ln(median) and σ² = 2 ln(mean / median). Cutting off the longest makes
    the mean of what is drawn smaller than `mean_s`; the median stays.

    Raises
    ------
    InputError
        The mean is not above the median, or the median not above 0.

    >>> round(Durations(18_006.055, 874.0).sigma, 2)
    2.46
    """

    mean_s: float
    median_s: float

    def __post_init__(self) -> None:
        if not 0 < self.median_s < self.mean_s < float("inf"):
            msg = (
                f"mean_s is {self.mean_s}, median_s is {self.median_s};"
                " allowed is 0 < median < mean, as of every lognormal"
            )
            raise InputError(msg)

    @property
    def sigma(self) -> float:
        """Standard deviation of the logarithm."""
        return sqrt(2 * log(self.mean_s / self.median_s))

    def draw(self, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw durations in seconds, shape (count,)."""
        drawn = self.median_s * np.exp(self.sigma * rng.standard_normal(count))
        return np.clip(drawn, SHORTEST_S, LONGEST_S)


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who submits jobs: a name, its share of them, and their priority."""

    id: str
    share: float
    priority: int


def draw_jobs(
    node_gpus: ArrayLike,
    pod_gpus: ArrayLike,
    submitters: Sequence[Submitter],
    durations: Durations,
    *,
    load: float,
    days: float,
    gang_share: float = 0.0,
    over_estimate: float = 1.0,
    diurnal: float = 0.0,
    seed: int = 0,
) -> Jobs:
    """Draw jobs until their GPU-seconds reach a load of the cluster's capacity.

    Arrivals are a Poisson process, given its number: independent times with the density
    1 + diurnal · cos(2π (hour − 14) / 24). A job has one pod, or is a gang of 2, 4 or 8 pods; the
    GPUs of a pod are drawn from a list. What the empty cluster could not hold is made smaller.

    Parameters
    ----------
    node_gpus
        GPUs of each node, shape (nodes,).
    pod_gpus
        GPUs that a pod may ask, one entry a pod, shape (pods,); entries of 0 are left out.
    submitters
        Tenants with shares that sum to 1.
    durations
        Their distribution.
    load
        GPU-seconds asked over capacity, above 0.
    days
        Length of the window in which jobs arrive, above 0.
    gang_share
        Share of jobs that are gangs, 0 to 1.
    over_estimate
        Estimate over duration, 1 or above: users ask for more time than they need.
    diurnal
        How far the rate swings about its mean, 0 to 1.
    seed
        Seed of all draws.

    Raises
    ------
    InputError
        A number out of range, no GPU, or more than 2,000,000 jobs.

    >>> one = [Submitter("x", 1.0, 0)]
    >>> jobs = draw_jobs([8, 8], [1, 4], one, Durations(900, 300), load=0.5, days=1, seed=1)
    >>> float(jobs.gpu_seconds.sum()) >= 0.5 * 16 * 86400
    True
    """
    nodes, sizes = np.asarray(node_gpus, dtype=np.int64), np.asarray(pod_gpus, dtype=np.int64)
    sizes = sizes[sizes > 0]
    _check(nodes, sizes, submitters, load, days, (gang_share, over_estimate, diurnal))
    wanted_s = load * float(nodes.sum()) * days * DAY_S
    rng = generator(seed, "queue", "jobs")
    parts: list[tuple[NDArray, NDArray, NDArray]] = []
    drawn_s, count = 0.0, 0
    while drawn_s < wanted_s:
        pods, grain = _draw_sizes(nodes, sizes, gang_share, 4096, rng)
        duration = durations.draw(4096, rng)
        reached = drawn_s + np.cumsum(pods * grain * duration)
        upto = int(np.searchsorted(reached, wanted_s)) + 1
        parts.append((pods[:upto], grain[:upto], duration[:upto]))
        drawn_s, count = float(reached[-1]), count + min(upto, 4096)
        if count > MAX_JOBS:
            msg = f"a load of {load:g} over {days:g} days takes more than {MAX_JOBS} jobs"
            raise InputError(msg)
    pods, grain, duration = (np.concatenate(column) for column in zip(*parts, strict=True))
    rng = generator(seed, "queue", "arrivals")
    arrival = np.sort(_draw_arrivals(count, days, diurnal, rng))
    shares = np.array([one.share for one in submitters])
    whose = generator(seed, "queue", "tenants").choice(len(shares), count, p=shares / shares.sum())
    width = len(str(count))
    return Jobs(
        np.array([f"job-{number:0{width}}" for number in range(count)]),
        np.array([one.id for one in submitters])[whose],
        arrival,
        pods,
        grain,
        duration,
        duration * over_estimate,
        np.array([one.priority for one in submitters])[whose],
    )


def _draw_sizes(
    nodes: NDArray[np.int64],
    sizes: NDArray[np.int64],
    gang_share: float,
    count: int,
    rng: np.random.Generator,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    grain = np.minimum(rng.choice(sizes, count), nodes.max())
    weight = 0.5 ** np.arange(len(GANG_PODS))
    gang = rng.choice(GANG_PODS, count, p=weight / weight.sum())
    pods = np.where(rng.random(count) < gang_share, gang, 1)
    room = np.array([0, *((nodes // size).sum() for size in range(1, int(nodes.max()) + 1))])
    return np.minimum(pods, room[grain]), grain


def _draw_arrivals(
    count: int, days: float, diurnal: float, rng: np.random.Generator
) -> NDArray[np.float64]:
    """Draw times with the daily density, by rejection of uniform ones."""
    kept: list[NDArray[np.float64]] = []
    missing = count
    while missing > 0:
        time = rng.random(2 * missing + 16) * days
        density = 1 + diurnal * np.cos(2 * np.pi * (time - PEAK_H / 24))
        time = time[rng.random(len(time)) * (1 + diurnal) < density][:missing]
        kept.append(time * DAY_S)
        missing -= len(time)
    return np.concatenate(kept) if kept else np.empty(0)


def _check(
    nodes: NDArray[np.int64],
    sizes: NDArray[np.int64],
    submitters: Sequence[Submitter],
    load: float,
    days: float,
    shares: tuple[float, float, float],
) -> None:
    gang_share, over_estimate, diurnal = shares
    if not (nodes.size and (nodes >= 0).all() and nodes.any() and sizes.size):
        msg = "node_gpus or pod_gpus holds no GPU; allowed are nodes and pods with at least one"
        raise InputError(msg)
    total = sum(one.share for one in submitters)
    if not submitters or abs(total - 1) > 1e-6 or any(one.share < 0 for one in submitters):
        msg = f"the shares of the submitters sum to {total:g}; allowed are shares that sum to 1"
        raise InputError(msg)
    ranges = (
        ("load", load, load > 0, "above 0"),
        ("days", days, days > 0, "above 0"),
        ("gang_share", gang_share, 0 <= gang_share <= 1, "0 to 1"),
        ("over_estimate", over_estimate, over_estimate >= 1, "1 or above"),
        ("diurnal", diurnal, 0 <= diurnal <= 1, "0 to 1"),
    )
    for name, value, right, allowed in ranges:
        if not (right and value < exp(100)):
            msg = f"{name} is {value}; allowed is {allowed}, and finite"
            raise InputError(msg)
