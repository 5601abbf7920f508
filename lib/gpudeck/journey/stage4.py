"""Stage 4: the serving software. The same requests on the same replica, engine after engine.

Each engine is run twice on the requests of each seed. Saturated: all of them wait from the start,
which shows what the replica can do. Loaded: they arrive at one rate for all engines, a stated share
of what the slowest can serve, so that every queue is stable and latencies compare.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.interval import Interval, interval_of_change
from gpudeck.metrics import Objectives, ServingMetrics, measure_serving
from gpudeck.models.serving import Engine, Replica, RequestTable, ServingResult, simulate
from gpudeck.models.serving.engine import Policy
from gpudeck.models.serving.service import plan_engine, plan_replica
from gpudeck.scenario import Scenario
from gpudeck.scenario.serving import read_serving_runs

# from what a plain server does to what is compared with it; one more step beyond
STEPS = ("static", "dynamic", "continuous", "paged", "chunked", "fp8_cache")
BEFORE, AFTER = "static", "chunked"
# those whose latencies are shown, so that only they are run at the common rate
LOADED = ("static", "dynamic", "chunked")
# load at which latencies are compared, as a share of the least capacity: an assumption
LOAD_SHARE = 0.8
# the first so many requests of a run: enough for its intervals, and soon served
MOST_REQUESTS = 500

Read = Callable[[ServingMetrics], float]
# what is compared: the run it is read from, its unit, and where it stands
MEASURES: dict[str, tuple[str, str, Read]] = {
    "throughput": ("saturated", "token/s", lambda m: m.throughput),
    "ttft_p50_s": ("loaded", "s", lambda m: m.ttft.p50_s),
    "ttft_p90_s": ("loaded", "s", lambda m: m.ttft.p90_s),
    "tbt_p50_ms": ("loaded", "ms", lambda m: 1000 * m.tbt.p50_s),
    "tbt_p99_ms": ("loaded", "ms", lambda m: 1000 * m.tbt.p99_s),
    "goodput": ("loaded", "request/s", lambda m: m.goodput),
    "busy": ("saturated", "%", lambda m: 100 * m.busy),
    "mfu": ("saturated", "%", lambda m: 100 * m.mfu),
    "mbu": ("saturated", "%", lambda m: 100 * m.mbu),
    "memory_overhead": ("saturated", "%", lambda m: 100 * m.memory_overhead),
    "cache_overhead": ("saturated", "%", lambda m: 100 * m.cache_overhead),
    "prefill_efficiency": ("saturated", "%", lambda m: 100 * m.prefill_efficiency),
    "decoding_parallelism": ("saturated", "count", lambda m: m.decoding_parallelism),
    "per_usd": ("saturated", "Mtoken/USD", lambda m: m.tokens_per_usd / 1e6),
    "per_joule": ("saturated", "token/J", lambda m: m.tokens_per_joule),
}


@dataclass(frozen=True, slots=True)
class EngineStep:
    """One engine of the ladder, on its replica."""

    name: str
    engine: Engine
    replica: Replica


@dataclass(frozen=True, slots=True, eq=False)
class StepRuns:
    """Metrics of one step, one a seed; the loaded ones and their runs only of `LOADED`."""

    step: EngineStep
    saturated: tuple[ServingMetrics, ...]
    loaded: tuple[ServingMetrics, ...]
    capacity_per_s: NDArray[np.float64]
    results: tuple[ServingResult, ...]


@dataclass(frozen=True, slots=True, eq=False)
class ServingEffect:
    """Every step on the same requests, in order, and the rate of arrival at which they compare."""

    steps: tuple[StepRuns, ...]
    rate_per_s: float
    requests: int

    def find(self, name: str) -> StepRuns:
        """Return the runs of one step.

        Raises
        ------
        InputError
            There is no such step.
        """
        for runs in self.steps:
            if runs.step.name == name:
                return runs
        names = ", ".join(runs.step.name for runs in self.steps)
        msg = f"step is {name!r}; allowed are {names}"
        raise InputError(msg)

    def samples(self, measure: str, name: str) -> NDArray[np.float64]:
        """Return a measure of one step, a value a seed, shape (runs,); none of a run not made.

        Parameters
        ----------
        measure : str
            A key of `MEASURES`.
        name : str
            Name of a step.

        Raises
        ------
        InputError
            There is no such measure or step.
        """
        if measure not in MEASURES:
            msg = f"measure is {measure!r}; allowed are {', '.join(MEASURES)}"
            raise InputError(msg)
        where, _, read = MEASURES[measure]
        return np.array([read(one) for one in getattr(self.find(name), where)])

    def gain(self, measure: str) -> NDArray[np.float64]:
        """Return after less before, paired by seed, in the measure's unit, shape (runs,)."""
        return self.samples(measure, AFTER) - self.samples(measure, BEFORE)

    def change_pct(self, measure: str) -> Interval | None:
        """Return the change in % of what it was before, paired; None where that was nothing."""
        return interval_of_change(self.samples(measure, BEFORE), self.samples(measure, AFTER))

    def ratio(self, measure: str, name: str = AFTER) -> NDArray[np.float64]:
        """Return how many times a step's measure is that before, paired, shape (runs,)."""
        return self.samples(measure, name) / self.samples(measure, BEFORE)


def serving_steps(
    replica: Replica, engine: Engine, cached: Replica | None
) -> tuple[EngineStep, ...]:
    """Return the ladder of engines on one replica, from static batching to paged blocks in chunks.

    Parameters
    ----------
    replica
        The same GPUs, weights and memory for every step.
    engine
        The last engine; the others take its limits of batch and its overhead from it.
    cached
        The same replica with a smaller cache entry for the step beyond, or None to leave it out.
    """
    limits = replace(engine, policy="static", prefix_cache=False, adaptive=None, buckets=None)
    policies: tuple[Policy, ...] = ("static", "dynamic", "continuous", "paged", "chunked")
    steps = [EngineStep(name, replace(limits, policy=name), replica) for name in policies]
    if cached is not None:
        steps.append(EngineStep("fp8_cache", steps[-1].engine, cached))
    return tuple(steps)


def climb_steps(
    tables: Sequence[RequestTable],
    steps: Sequence[EngineStep],
    objectives: Objectives,
    usd_per_gpu_h: float,
    load_share: float = LOAD_SHARE,
) -> ServingEffect:
    """Serve the same requests with each step, saturated and at one common rate.

    Parameters
    ----------
    tables
        Requests of each seed, two or more.
    steps
        From `serving_steps`; the least capacity among them sets the rate.
    objectives, usd_per_gpu_h
        As in `measure_serving`.
    load_share
        The rate, as a share of the least capacity, above 0 and below 1.

    Raises
    ------
    InputError
        Fewer than two tables, a share out of range, or a request that does not fit a replica.
    """
    if len(tables) < 2:
        msg = f"tables are {len(tables)}; allowed are 2 or more, one a seed"
        raise InputError(msg)
    if not 0 < load_share < 1:
        msg = f"load_share is {load_share}; allowed is above 0 and below 1"
        raise InputError(msg)
    waiting = [table.all_at_once() for table in tables]
    capacities, saturated = [], []
    for step in steps:
        results = [simulate(table, step.engine, step.replica) for table in waiting]
        capacities.append(np.array([len(r.finish_s) / r.makespan_s for r in results]))
        saturated.append(tuple(measure_serving(r, objectives, usd_per_gpu_h) for r in results))
    rate = load_share * min(float(capacity.mean()) for capacity in capacities)
    arriving = [table.with_rate(rate) for table in tables]
    runs = []
    for step, capacity, full in zip(steps, capacities, saturated, strict=True):
        kept: tuple[ServingResult, ...] = ()
        if step.name in LOADED:
            kept = tuple(simulate(table, step.engine, step.replica) for table in arriving)
        loaded = tuple(measure_serving(r, objectives, usd_per_gpu_h) for r in kept)
        runs.append(StepRuns(step, full, loaded, capacity, kept))
    return ServingEffect(tuple(runs), rate, len(tables[0].arrival_s))


def run_stage4(scenario: Scenario, seed: int) -> ServingEffect:
    """Serve the scenario's requests with each engine of the ladder on the scenario's replica.

    Parameters
    ----------
    scenario : Scenario
        Its section `serving`, its number of runs, and the price of a GPU-hour.
    seed : int
        The seeds of the runs are spawned from it.

    Raises
    ------
    InputError
        As in `climb_steps`, or the model does not fit the GPU.
    """
    serving = scenario.serving
    tables = read_serving_runs(scenario, MOST_REQUESTS, seed)
    replica = plan_replica(serving)
    cached: Replica | None = plan_replica(serving, "fp8")
    if cached is not None and cached.kv_bytes_per_token >= replica.kv_bytes_per_token:
        cached = None
    engine = plan_engine(serving)
    objectives = Objectives(serving.ttft_objective_s, serving.tbt_objective_s)
    steps = serving_steps(replica, engine, cached)
    return climb_steps(tables, steps, objectives, scenario.cost.central_usd_per_gpu_h)
