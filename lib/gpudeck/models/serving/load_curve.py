"""Latency over carried load: static, dynamic, continuous and adaptive batching, same arrivals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.serving.engine import Adaptive, Engine
from gpudeck.models.serving.pooled import pooled_quantile
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.result import ServingResult
from gpudeck.models.serving.service import plan_engine, plan_replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.scenario import Scenario
from gpudeck.scenario.schema import Serving
from gpudeck.scenario.serving import read_serving_runs
from gpudeck.workload.request import RequestTable

ENGINES = ("static", "dynamic", "continuous", "adaptive")
# offered rates, as shares of what continuous batching serves when all requests wait at the start
LOAD_SHARES = (0.02, 0.1, 0.3, 0.5, 0.7, 0.9, 1.1, 1.3)
# the feedback aims below the objective, for it sees the mean and the objective is a p99: assumed
TARGET_SHARE = 0.5
# requests that a static batch waits for: an assumption, small enough to fill at low rates
STATIC_BATCH = 8
# requests of a run, and runs at most: each is served 32 times
MOST_REQUESTS, MOST_RUNS = 400, 5


@dataclass(frozen=True, slots=True, eq=False)
class LoadCurve:
    """Engines over offered rates; every array of a name has shape (seeds, rates).

    `sustained_per_s[name]`, shape (seeds,), is the highest rate that meets both objectives, 0 where
    none does. `trace` is the adaptive engine on the first requests at the highest rate.
    """

    rates_per_s: NDArray[np.float64]
    ttft_objective_s: float
    tbt_objective_s: float
    carried_per_s: dict[str, NDArray[np.float64]]
    ttft_p99_s: dict[str, NDArray[np.float64]]
    tbt_p99_s: dict[str, NDArray[np.float64]]
    sustained_per_s: dict[str, NDArray[np.float64]]
    trace: ServingResult


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
    engine, replica = plan_engine(serving, "continuous"), plan_replica(serving)
    return sweep_load(tables, engine, replica, (serving.ttft_objective_s, serving.tbt_objective_s))


def batching_engines(base: Engine, tbt_objective_s: float) -> dict[str, Engine]:
    """Return the four engines: the same memory, overhead and prompt limit, another batch former.

    Parameters
    ----------
    base
        Gives `max_batch`, `max_batch_tokens`, `max_delay_s` and `step_overhead_s`. Memory is
        reserved for the true length, so that only batching differs.
    tbt_objective_s
        Objective for p99 time between tokens.

    >>> list(batching_engines(Engine(), 0.1))
    ['static', 'dynamic', 'continuous', 'adaptive']
    """
    common = replace(base, policy="continuous", reservation="oracle", adaptive=None, buckets=None)
    loop = Adaptive(TARGET_SHARE * tbt_objective_s)
    return {
        "static": replace(common, policy="static", max_batch=min(STATIC_BATCH, base.max_batch)),
        "dynamic": replace(common, policy="dynamic"),
        "continuous": common,
        "adaptive": replace(common, adaptive=loop),
    }


def sweep_load(
    tables: Sequence[RequestTable],
    base: Engine,
    replica: Replica,
    objectives_s: tuple[float, float],
    shares: Sequence[float] = LOAD_SHARES,
) -> LoadCurve:
    """Serve the same requests at rising rates with each engine.

    Parameters
    ----------
    tables
        Requests, one table a seed, two or more for an interval.
    base, replica
        As for `batching_engines`, and what serves.
    objectives_s
        For p99 TTFT and p99 time between tokens.
    shares
        Rates offered, rising, as shares of the saturated rate of continuous batching.

    Raises
    ------
    InputError
        No table, shares that do not rise from above 0, or as in `simulate`.
    """
    if not tables or len(shares) < 2 or not (np.diff([0.0, *shares]) > 0).all():
        msg = f"{len(tables)} tables, shares {tuple(shares)}; allowed are 1 or more, rising from 0"
        raise InputError(msg)
    engines = batching_engines(base, objectives_s[1])
    rates = np.array(shares) * saturated_per_s(tables[0], engines["continuous"], replica)
    shape = (len(tables), len(rates))
    carried, ttft, tbt = ({name: np.zeros(shape) for name in ENGINES} for _ in range(3))
    trace = None
    for row, table in enumerate(tables):
        for column, rate in enumerate(rates):
            offered = table.with_rate(float(rate))
            for name, engine in engines.items():
                result = simulate(offered, engine, replica)
                carried[name][row, column] = len(table) / result.makespan_s
                ttft[name][row, column] = np.quantile(result.ttft_s, 0.99)
                tbt[name][row, column] = pooled_quantile(*result.gaps(), 0.99)
                trace = trace if row else result
    assert trace is not None, "engines are never empty"
    sustained = {
        name: np.array(
            [
                sustained_rate(rates, ttft[name][row], tbt[name][row], objectives_s)
                for row in range(len(tables))
            ]
        )
        for name in ENGINES
    }
    return LoadCurve(rates, *objectives_s, carried, ttft, tbt, sustained, trace)


def saturated_per_s(table: RequestTable, engine: Engine, replica: Replica) -> float:
    """Return the requests a second that are served when all of them wait at the start."""
    return len(table) / simulate(table.all_at_once(), engine, replica).makespan_s


def sustained_rate(
    rates: NDArray[np.float64],
    ttft_s: NDArray[np.float64],
    tbt_s: NDArray[np.float64],
    objectives_s: tuple[float, float],
) -> float:
    """Return the highest rate up to which both objectives hold, between rates on a straight line.

    Parameters
    ----------
    rates, ttft_s, tbt_s
        Rising rates and the latencies at each, shape (rates,).
    objectives_s
        For TTFT and for time between tokens.

    >>> sustained_rate(np.array([1.0, 2.0]), np.array([1.0, 3.0]), np.zeros(2), (2.0, 1.0))
    1.5
    """
    # 1 or less: within both objectives
    strain = np.maximum(ttft_s / objectives_s[0], tbt_s / objectives_s[1])
    if strain[0] > 1:
        return 0.0
    over = np.flatnonzero(strain > 1)
    if len(over) == 0:
        return float(rates[-1])
    at = int(over[0])
    step = (1 - strain[at - 1]) / (strain[at] - strain[at - 1])
    return float(rates[at - 1] + step * (rates[at] - rates[at - 1]))
