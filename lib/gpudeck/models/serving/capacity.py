"""Capacity: the highest rate of requests at which a fleet still meets its latency objectives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np

from gpudeck.errors import InputError
from gpudeck.interval import interval_of
from gpudeck.models.serving.disaggregation import LINK_LATENCY_S, simulate_disaggregated
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.goodput import Served
from gpudeck.models.serving.objectives import Judge, Objectives
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.simulate import Router, simulate
from gpudeck.workload.request import RequestTable

Outcome = Literal["found", "never", "always"]
Requests = RequestTable | Callable[[int], RequestTable]
# the search ends where both ends of the interval differ by this share
TOLERANCE = 0.02
# lowest and highest rate tried, as multiples of the throughput with all requests at once
LOWEST, HIGHEST = 1 / 256, 64.0


@dataclass(frozen=True, slots=True)
class Capacity:
    """The highest rate that meets the objectives.

    Parameters
    ----------
    rate_per_s, low, high
        Requests a second: mean over the seeds, and its 95 % interval (Student's t, not below 0);
        with one seed all three are the same.
    rates_per_s
        One a seed.
    outcomes
        One a seed. ``"found"``: the rate is met, one higher by the tolerance is not. ``"never"``:
        not even the lowest rate tried is met, the capacity is 0. ``"always"``: the highest rate
        tried is still met, the capacity is at least that.
    gpus
        GPUs of the fleet.
    runs
        Simulations it took.
    """

    rate_per_s: float
    low: float
    high: float
    rates_per_s: tuple[float, ...]
    outcomes: tuple[Outcome, ...]
    gpus: int
    runs: int

    @property
    def per_gpu_per_s(self) -> float:
        """Requests a second and GPU."""
        return self.rate_per_s / self.gpus

    @property
    def outcome(self) -> Outcome:
        """``"found"`` if it was with any seed, else what became of the first."""
        return "found" if "found" in self.outcomes else self.outcomes[0]


@dataclass(frozen=True, slots=True)
class Split:
    """A division of replicas between prompts and decoding, and its capacity."""

    prefill_replicas: int
    decode_replicas: int
    capacity: Capacity


def find_capacity(
    requests: Requests,
    engine: Engine,
    replica: Replica,
    *,
    ttft_objective_s: float,
    tbt_objective_s: float,
    percentile: float = 99,
    by: Judge = "requests",
    seeds: Iterable[int] = (0,),
    replicas: int = 1,
    router: Router = "round_robin",
    tolerance: float = TOLERANCE,
) -> Capacity:
    """Find the highest rate at which replicas behind a router meet their objectives.

    One table a seed, stretched in time to each rate tried: the same lengths in the same order with
    the same relative gaps (common random numbers), so that rates and fleets differ in nothing
    else. Bisection of the logarithm of the rate. A run ends, so a short one forgives an overload:
    in the benchmark 1,000 requests give a tenth to a fifth more than 100,000.

    Parameters
    ----------
    requests
        A table, or what makes one from a seed; its own rate does not matter.
    engine, replica, replicas, router
        The fleet; see `simulate`.
    ttft_objective_s, tbt_objective_s, percentile, by
        See `Objectives`; ``inf`` for no objective.
    seeds
        What `requests` is called with; one is enough for a table, which is not random.
    tolerance
        Relative width at which the search ends.

    Raises
    ------
    InputError
        A value out of range, a table with fewer than two requests or all at once, a request that
        does not fit, or several seeds with one table.

    Source: the definition of capacity is that of Agrawal et al., Sarathi-Serve, OSDI 2024.

    >>> table = RequestTable(np.arange(50.0), [100] * 50, [20] * 50)
    >>> found = find_capacity(table, Engine("chunked"), Replica("H100-SXM", "llama-2-7b"),
    ...     ttft_objective_s=0.5, tbt_objective_s=0.05)
    >>> found.rate_per_s > 1, found.gpus
    (True, 1)
    """
    goal = Objectives(ttft_objective_s, tbt_objective_s, percentile, by)
    run = partial(simulate, engine=engine, replica=replica, replicas=replicas, router=router)
    gpus = replicas * replica.tensor_parallel
    return _search(run, goal, _make_tables(requests, seeds), gpus, tolerance)


def find_disaggregated_capacity(
    requests: Requests,
    engine: Engine,
    replica: Replica,
    *,
    prefill_replicas: int,
    decode_replicas: int,
    link_gb_s: float,
    ttft_objective_s: float,
    tbt_objective_s: float,
    link_latency_s: float = LINK_LATENCY_S,
    layerwise: bool = False,
    decode_engine: Engine | None = None,
    decode_replica: Replica | None = None,
    router: Router = "round_robin",
    percentile: float = 99,
    by: Judge = "requests",
    seeds: Iterable[int] = (0,),
    tolerance: float = TOLERANCE,
) -> Capacity:
    """Find the highest rate at which prefill and decode pools meet their objectives.

    As `find_capacity`, with the fleet of `simulate_disaggregated`.

    Raises
    ------
    InputError
        As both of them.
    """
    goal = Objectives(ttft_objective_s, tbt_objective_s, percentile, by)
    run = partial(
        simulate_disaggregated,
        engine=engine,
        replica=replica,
        prefill_replicas=prefill_replicas,
        decode_replicas=decode_replicas,
        link_gb_s=link_gb_s,
        link_latency_s=link_latency_s,
        layerwise=layerwise,
        decode_engine=decode_engine,
        decode_replica=decode_replica,
        router=router,
    )
    gpus = prefill_replicas * replica.tensor_parallel
    gpus += decode_replicas * (decode_replica or replica).tensor_parallel
    return _search(run, goal, _make_tables(requests, seeds), gpus, tolerance)


def find_splits(
    requests: Requests, engine: Engine, replica: Replica, *, replicas: int, **options: Any
) -> tuple[Split, ...]:
    """Find the capacity of every division of replicas of one kind into two pools.

    All see the same requests. The best is ``max(splits, key=lambda s: s.capacity.rate_per_s)``, or
    `find_best_split`.

    Parameters
    ----------
    replicas
        Replicas of both pools together, 2 or more: the GPUs over `replica.tensor_parallel`.
    options
        All others of `find_disaggregated_capacity`.

    Raises
    ------
    InputError
        Fewer than two replicas, or as `find_disaggregated_capacity`.
    """
    if replicas < 2:
        msg = f"replicas is {replicas}; allowed is 2 or more, one of each pool"
        raise InputError(msg)
    seeds = tuple(options.pop("seeds", (0,)))
    tables = dict(zip(seeds, _make_tables(requests, seeds), strict=True))
    return tuple(
        Split(
            prompts,
            replicas - prompts,
            find_disaggregated_capacity(
                tables.__getitem__,
                engine,
                replica,
                prefill_replicas=prompts,
                decode_replicas=replicas - prompts,
                seeds=seeds,
                **options,
            ),
        )
        for prompts in range(1, replicas)
    )


def find_best_split(
    requests: Requests, engine: Engine, replica: Replica, *, replicas: int, **options: Any
) -> Split:
    """Find the division with the highest capacity; of equal ones, that with fewest for prompts.

    Raises
    ------
    InputError
        As `find_splits`.
    """
    splits = find_splits(requests, engine, replica, replicas=replicas, **options)
    return max(splits, key=lambda split: split.capacity.rate_per_s)


def highest_rate(
    requests: RequestTable,
    meets: Callable[[RequestTable], bool],
    top_per_s: float,
    tolerance: float = 0.04,
) -> float:
    """Return the highest rate of arrival that meets any goal, up to one; 0 if 1 % of it does not.

    For goals other than `Objectives`, as published studies have them.

    Parameters
    ----------
    requests
        Stretched to each rate tried.
    meets
        Whether the goal is met; taken to hold below the rate that is looked for and not above it.
    top_per_s
        No rate above this is tried.
    tolerance
        Relative width at which the search ends.
    """

    def is_met(rate: float) -> bool:
        return meets(requests.with_rate(rate))

    low, high = top_per_s / 100, top_per_s
    if is_met(high):
        return high
    return _narrow(is_met, low, high, tolerance) if is_met(low) else 0.0


def _make_tables(requests: Requests, seeds: Iterable[int]) -> list[RequestTable]:
    listed = list(seeds)
    if not listed:
        msg = "seeds is empty; allowed is 1 or more"
        raise InputError(msg)
    if isinstance(requests, RequestTable):
        if len(listed) > 1:
            msg = (
                f"seeds are {len(listed)} with one table of requests; allowed is 1, or a function"
                " that makes a table from a seed"
            )
            raise InputError(msg)
        tables = [requests]
    else:
        tables = [requests(seed) for seed in listed]
    for table in tables:
        if len(table) < 2:
            msg = f"there are {len(table)} requests; allowed are 2 or more, a rate needs a gap"
            raise InputError(msg)
    return tables


def _search(
    run: Callable[[RequestTable], Served],
    goal: Objectives,
    tables: list[RequestTable],
    gpus: int,
    tolerance: float,
) -> Capacity:
    if not 0 < tolerance < 1:
        msg = f"tolerance is {tolerance}; allowed is between 0 and 1, both excluded"
        raise InputError(msg)
    found = [_bisect(run, goal, table.with_rate(1.0), tolerance) for table in tables]
    rates = tuple(rate for rate, _, _ in found)
    mean, low, high = rates[0], rates[0], rates[0]
    if len(rates) > 1:
        interval = interval_of(rates)
        mean, low, high = interval.mean, max(interval.low, 0.0), interval.high
    outcomes = tuple(outcome for _, outcome, _ in found)
    return Capacity(mean, low, high, rates, outcomes, gpus, sum(runs for _, _, runs in found))


def _bisect(
    run: Callable[[RequestTable], Served], goal: Objectives, unit: RequestTable, tolerance: float
) -> tuple[float, Outcome, int]:
    """Search one table of unit rate: the rate, what became of the search, and its runs."""
    runs = 1

    def is_met(rate: float) -> bool:
        nonlocal runs
        runs += 1
        return goal.are_met(run(unit.with_rate(rate)))

    at_once = run(unit.all_at_once())
    saturated = len(unit) / at_once.makespan_s
    low, high = saturated * LOWEST, saturated * HIGHEST
    rate = saturated
    if is_met(rate):
        # beyond the throughput only while the run is too short to show it
        low = rate
        while is_met(rate := rate * 2):
            low = rate
            if rate >= high:
                return rate, "always", runs
        high = rate
    else:
        high = rate
        while not is_met(rate := rate / 2):
            high = rate
            if rate <= low:
                return 0.0, "never", runs
        low = rate
    return _narrow(is_met, low, high, tolerance), "found", runs


def _narrow(is_met: Callable[[float], bool], low: float, high: float, tolerance: float) -> float:
    """Halve the logarithm of the way between a rate that is met and one that is not."""
    while high > low * (1 + tolerance):
        middle = float(np.sqrt(low * high))
        if is_met(middle):
            low = middle
        else:
            high = middle
    return low
