"""Latency over carried load: static, dynamic, continuous and adaptive batching, same arrivals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.serving.capacity import find_capacity
from gpudeck.models.serving.engine import Adaptive, Engine
from gpudeck.models.serving.goodput import gap_percentile, ttft_percentile
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.result import ServingResult
from gpudeck.models.serving.service import plan_engine, plan_replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.scenario import Scenario
from gpudeck.scenario.schema import Serving
from gpudeck.scenario.serving import read_serving_runs
from gpudeck.workload.request import RequestTable

ENGINES = ("static", "dynamic", "continuous", "adaptive")
# offered rates of an engine, as shares of what it serves when all requests wait at the start
LOAD_SHARES = (0.15, 0.35, 0.55, 0.75, 0.95, 1.2)
# the feedback aims below the objective, for it sees the mean and the objective is a p99: assumed
TARGET_SHARE = 0.5
# batches among which the one of static batching is chosen; larger ones are rarely full
STATIC_BATCHES = (8, 16, 32, 64)
# where no static batch meets the objective of TTFT, compare at so many times that: an assumption
RELAXED = 30.0
# requests of a run, and runs at most: each is served a hundred times
MOST_REQUESTS, MOST_RUNS = 400, 5
# what is carried is measured between the first tokens of these shares of the requests
WINDOW = (0.2, 0.9)
# relative width at which a search for capacity ends, and for a choice among batches
TOLERANCE, COARSE = 0.03, 0.1


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """Longest TTFT and time between tokens at a percentile of each, pooled; in seconds."""

    ttft_s: float
    tbt_s: float
    percentile: float = 99.0

    def relaxed(self) -> Goal:
        """Return the goal with a TTFT that static batching can meet."""
        return replace(self, ttft_s=RELAXED * self.ttft_s)


@dataclass(frozen=True, slots=True, eq=False)
class LoadCurve:
    """Engines at rising load; arrays of a name have shape (seeds, rates), offered rates (rates,).

    `capacity_per_s[name]`, shape (seeds,), is the highest rate that meets the goal, 0 where none
    of those offered does.
    """

    goal: Goal
    engines: dict[str, Engine]
    offered_per_s: dict[str, NDArray[np.float64]]
    carried_per_s: dict[str, NDArray[np.float64]]
    ttft_s: dict[str, NDArray[np.float64]]
    tbt_s: dict[str, NDArray[np.float64]]
    capacity_per_s: dict[str, NDArray[np.float64]]


def read_load_runs(scenario: Scenario, seed: int = 0) -> tuple[RequestTable, ...]:
    """Return the requests that a load curve serves: the scenario's, a run for each seed.

    Parameters
    ----------
    scenario
        Its section `serving` says what they are like.
    seed
        Seed from which the runs' seeds are drawn.
    """
    return read_serving_runs(scenario, MOST_REQUESTS, seed, runs=min(scenario.runs, MOST_RUNS))


def plan_goal(serving: Serving) -> Goal:
    """Return a scenario's objectives and the percentile that has to meet them."""
    return Goal(serving.ttft_objective_s, serving.tbt_objective_s, serving.objective_percentile)


def study_load(serving: Serving, tables: Sequence[RequestTable]) -> LoadCurve:
    """Sweep the load on the replica of a scenario.

    Parameters
    ----------
    serving
        The scenario's section.
    tables
        Requests, one table a seed, two or more for an interval.

    Raises
    ------
    InputError
        As in `sweep_load`.
    """
    base, replica, goal = (
        plan_engine(serving, "continuous"),
        plan_replica(serving),
        plan_goal(serving),
    )
    batch = choose_static_batch(tables[0], base, replica, goal.relaxed())
    return sweep_load(tables, batching_engines(base, goal.tbt_s, batch), replica, goal)


def batching_engines(base: Engine, tbt_objective_s: float, static_batch: int) -> dict[str, Engine]:
    """Return the four engines: the same memory, overhead and prompt limit, another batch former.

    Parameters
    ----------
    base
        Gives `max_batch`, `max_batch_tokens`, `max_delay_s` and `step_overhead_s`. Memory is
        reserved for the true length, so that only batching differs.
    tbt_objective_s
        Objective for p99 time between tokens.
    static_batch
        Requests that a static batch waits for.

    >>> list(batching_engines(Engine(), 0.1, 16))
    ['static', 'dynamic', 'continuous', 'adaptive']
    """
    common = replace(base, policy="continuous", reservation="oracle", adaptive=None, buckets=None)
    loop = Adaptive(TARGET_SHARE * tbt_objective_s)
    return {
        "static": replace(common, policy="static", max_batch=static_batch),
        "dynamic": replace(common, policy="dynamic"),
        "continuous": common,
        "adaptive": replace(common, adaptive=loop),
    }


def choose_static_batch(
    table: RequestTable,
    base: Engine,
    replica: Replica,
    goal: Goal,
    batches: Sequence[int] = STATIC_BATCHES,
) -> int:
    """Return the static batch that carries most within a goal; the smallest where none does.

    Parameters
    ----------
    table
        Requests of one seed.
    base, replica, goal
        As for `sweep_load`; batches above the base's `max_batch` are not tried.
    batches
        Sizes to choose from, rising.
    """
    tried = [batch for batch in batches if batch <= base.max_batch] or [base.max_batch]
    carried = []
    for batch in tried:
        engine = batching_engines(base, goal.tbt_s, batch)["static"]
        carried.append(_capacity(table, engine, replica, goal, COARSE))
    return tried[int(np.argmax(carried))]


def sweep_load(
    tables: Sequence[RequestTable],
    engines: dict[str, Engine],
    replica: Replica,
    goal: Goal,
    shares: Sequence[float] = LOAD_SHARES,
) -> LoadCurve:
    """Serve the same requests at rising rates with each engine, and find what it carries.

    Parameters
    ----------
    tables
        Requests, one table a seed, two or more for an interval.
    engines
        From `batching_engines`.
    replica
        What serves.
    goal
        What capacity has to meet.
    shares
        Rates offered, rising, as shares of the engine's own saturated rate.

    Raises
    ------
    InputError
        No table, shares that do not rise from above 0, or as in `simulate`.
    """
    if not tables or len(shares) < 2 or not (np.diff([0.0, *shares]) > 0).all():
        msg = f"{len(tables)} tables, shares {tuple(shares)}; allowed are 1 or more, rising from 0"
        raise InputError(msg)
    offered = {
        name: np.array(shares) * saturated_per_s(tables[0], engine, replica)
        for name, engine in engines.items()
    }
    shape = (len(tables), len(shares))
    carried, ttft, tbt = ({name: np.zeros(shape) for name in engines} for _ in range(3))
    for name, engine in engines.items():
        for row, table in enumerate(tables):
            for column, rate in enumerate(offered[name]):
                run = simulate(table.with_rate(float(rate)), engine, replica)
                carried[name][row, column] = carried_rate(run)
                ttft[name][row, column] = ttft_percentile(run, goal.percentile)
                tbt[name][row, column] = gap_percentile(run, goal.percentile)
    curve = LoadCurve(goal, engines, offered, carried, ttft, tbt, {})
    curve.capacity_per_s.update(find_capacities(curve, tables, replica, goal))
    return curve


def find_capacities(
    curve: LoadCurve, tables: Sequence[RequestTable], replica: Replica, goal: Goal
) -> dict[str, NDArray[np.float64]]:
    """Return the highest rate of each engine within a goal, on the requests of each seed.

    Where a seed misses the goal at every rate offered, its capacity is 0. None is above the
    saturated rate: the queue of a run of some hundred requests ends before it is too long.

    Parameters
    ----------
    curve, tables, replica
        As given to and returned by `sweep_load`.
    goal
        What has to be met; the curve's own or another.
    """
    found = {}
    for name, engine in curve.engines.items():
        met = (curve.ttft_s[name] <= goal.ttft_s) & (curve.tbt_s[name] <= goal.tbt_s)
        found[name] = np.array(
            [
                _capacity(table, engine, replica, goal) if met[row].any() else 0.0
                for row, table in enumerate(tables)
            ]
        )
    return found


def saturated_per_s(table: RequestTable, engine: Engine, replica: Replica) -> float:
    """Return the requests a second that are served when all of them wait at the start."""
    return len(table) / simulate(table.all_at_once(), engine, replica).makespan_s


def carried_rate(run: ServingResult, window: tuple[float, float] = WINDOW) -> float:
    """Return the requests a second that a run carries, without its beginning and its end.

    Σ output tokens in the window / (its length · mean output tokens of a request). The window
    opens when the first of its shares of the requests have their first token and closes when the
    second have, so that neither filling nor draining counts; batches that start together are
    counted whole.

    Parameters
    ----------
    run
        A run of `simulate`.
    window
        Shares of the requests, rising, from 0 to below 1.

    >>> from gpudeck.models.serving import Engine, Replica, RequestTable, simulate
    >>> table = RequestTable(np.arange(100) / 2.0, [100] * 100, [20] * 100)
    >>> round(carried_rate(simulate(table, Engine(), Replica())), 1)
    2.0
    """
    first = np.sort(run.first_token_s)
    opened, closed = (first[int(share * len(first))] for share in window)
    if closed <= opened:
        return len(first) / run.makespan_s
    inside = (run.end_s > opened) & (run.end_s <= closed)
    tokens = int(run.decodes[inside].sum()) + int(((first > opened) & (first <= closed)).sum())
    return float(tokens / (closed - opened) / run.table.output_tokens.mean())


def _capacity(
    table: RequestTable,
    engine: Engine,
    replica: Replica,
    goal: Goal,
    tolerance: float = TOLERANCE,
) -> float:
    """Search for the highest rate; the saturated one where a run is too short to show its limit."""
    found = find_capacity(
        table,
        engine,
        replica,
        ttft_objective_s=goal.ttft_s,
        tbt_objective_s=goal.tbt_s,
        percentile=goal.percentile,
        by="gaps",
        tolerance=tolerance,
    )
    return min(found.rate_per_s, saturated_per_s(table, engine, replica))
