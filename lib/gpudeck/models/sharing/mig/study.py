"""Studies over seeds: fragmentation over a day by policy, and the gap of the heuristic."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.sharing.mig import optimum
from gpudeck.models.sharing.mig.demand import MigDemand
from gpudeck.models.sharing.mig.partition import MAX_REQUESTS, partition
from gpudeck.models.sharing.mig.states import build_states
from gpudeck.models.sharing.mig.stream import (
    POLICIES,
    InstanceCosts,
    Stream,
    StreamResult,
    simulate_stream,
    static_instances,
)
from gpudeck.rng import generator, spawn_seeds


@dataclass(frozen=True, slots=True)
class PoolPlan:
    """A pool and the stream that comes to it: assumptions, stated where they are shown.

    Arrivals are Poisson, durations exponential. ``load`` is the least number of GPUs, divisible
    ones, that the requests present at a time need on average, over the GPUs of the pool.
    """

    gpus: int = 32
    load: float = 0.9
    horizon_s: float = 24 * 3600.0
    mean_duration_s: float = 3600.0
    costs: InstanceCosts = field(default_factory=InstanceCosts)

    def __post_init__(self) -> None:
        for name in ("load", "horizon_s", "mean_duration_s"):
            value = getattr(self, name)
            if not 0 < value < np.inf:
                msg = f"{name} is {value!r}; allowed are finite numbers above 0"
                raise InputError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class StreamStudy:
    """Results of every policy on the same streams, one for each seed."""

    plan: PoolPlan
    requests: tuple[int, ...]
    results: dict[str, tuple[StreamResult, ...]]

    def fragmented_pct(self, policy: str) -> NDArray[np.float64]:
        """Fragmented slices over time, in % of the pool's, shape (seeds, bins)."""
        results = self.results[policy]
        capacity = results[0].capacity_slice_s / results[0].horizon_s
        return 100 * np.array([result.fragmented_slices for result in results]) / capacity


def splittable(demand: MigDemand) -> dict[str, int]:
    """Count the requests for each profile that leaves a part of the GPU to others."""
    return {name: n for name, n in demand.counts.items() if n and name != demand.whole}


def shared_mix(demand: MigDemand) -> dict[str, int]:
    """Return the mix of a shared pool: `splittable`, or one request of each profile without any."""
    return splittable(demand) or dict.fromkeys(demand.names[:-1], 1)


def draw_stream(mix: Mapping[str, int], geometry: str, plan: PoolPlan, seed: int) -> Stream:
    """Draw requests that come in a Poisson stream and stay for exponential times.

    Parameters
    ----------
    mix : mapping of str to int
        Requests of each profile, in proportion to which they are drawn.
    geometry : str
        The pool's MIG geometry.
    plan : PoolPlan
        The pool, its load, and how long all lasts.
    seed : int
        0 or above.

    Raises
    ------
    InputError
        The mix is empty, a profile or a count is not allowed, or no request or far too many come.

    >>> draw_stream({"3g.40gb": 1}, "A100-80G", PoolPlan(gpus=4), 0).names
    ('3g.40gb',)
    """
    if not mix or any(count < 1 for count in mix.values()):
        msg = (
            f"mix is {dict(mix)}; allowed are one profile or more, each with a count of 1 or above"
        )
        raise InputError(msg)
    names = tuple(mix)
    states = build_states(geometry, names)
    share = np.array(list(mix.values()), dtype=float) / sum(mix.values())
    each_gpus = optimum.bound_gpus(states.counts[optimum.fullest_states(states)], share)
    present = plan.load * plan.gpus / each_gpus
    expected = present * plan.horizon_s / plan.mean_duration_s
    if expected > MAX_REQUESTS:
        msg = f"the plan brings {expected:.3g} requests; allowed are at most {MAX_REQUESTS}"
        raise InputError(msg)
    rng = generator(seed, "mig stream")
    count = int(rng.poisson(expected))
    if count == 0:
        msg = f"the plan brings {expected:.3g} requests on average, and none with seed {seed}"
        raise InputError(msg)
    return Stream(
        geometry,
        names,
        rng.choice(len(names), count, p=share),
        np.sort(rng.uniform(0, plan.horizon_s, count)),
        rng.exponential(plan.mean_duration_s, count),
    )


def study_streams(
    mix: Mapping[str, int],
    geometry: str,
    *,
    runs: int,
    seed: int,
    plan: PoolPlan | None = None,
    policies: Sequence[str] = POLICIES,
    bins: int = 24,
) -> StreamStudy:
    """Run every policy on the same streams, one for each of ``runs`` seeds.

    Raises
    ------
    InputError
        As of `draw_stream` and `simulate_stream`.
    """
    plan = plan or PoolPlan()
    streams = [draw_stream(mix, geometry, plan, each) for each in spawn_seeds(seed, runs)]
    # planned for the mix that is expected: a pool cannot know what will come
    held = static_instances(geometry, mix, plan.gpus)
    results = {
        policy: tuple(
            simulate_stream(
                stream,
                plan.gpus,
                policy,
                costs=plan.costs,
                instances=held,
                horizon_s=plan.horizon_s,
                bins=bins,
            )
            for stream in streams
        )
        for policy in policies
    }
    return StreamStudy(plan, tuple(len(stream) for stream in streams), results)


def study_gap(
    geometry: str, names: Sequence[str], *, requests: int = 200, mixes: int = 40, seed: int = 0
) -> NDArray[np.float64]:
    """Measure how many GPUs more than the optimum the heuristic takes, on random demands.

    Parameters
    ----------
    geometry : str
        A MIG geometry.
    names : sequence of str
        Profiles asked for; their shares are uniform on the simplex (Dirichlet of ones).
    requests : int
        Requests of each demand.
    mixes : int
        Number of demands.
    seed : int
        Of the draws.

    Returns
    -------
    The surplus over the optimum, in % of it, shape (mixes,).

    >>> bool((study_gap("A30", ["1g.6gb", "2g.12gb"], requests=9, mixes=3) >= 0).all())
    True
    """
    rng = generator(seed, "mig gap")
    gaps = []
    for _ in range(mixes):
        drawn = rng.multinomial(requests, rng.dirichlet(np.ones(len(names))))
        demand = {name: int(n) for name, n in zip(names, drawn, strict=True) if n}
        best, fast = (partition(demand, geometry, method=m) for m in ("optimal", "heuristic"))
        gaps.append(100 * (fast.gpus_used / best.gpus_used - 1))
    return np.array(gaps)
