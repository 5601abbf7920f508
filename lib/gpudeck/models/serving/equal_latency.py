"""What each way to batch carries at equal latency: within the objectives, and with TTFT relaxed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.load_curve import (
    RELAXED,
    Goal,
    LoadCurve,
    find_capacities,
    sweep_load,
)
from gpudeck.models.serving.service import plan_engine, plan_replica
from gpudeck.scenario.schema import Serving
from gpudeck.workload.request import RequestTable

SOURCE = "model:serving"
# prompts in chunks lift what limits the others; beyond this page, shown to say what is left
CHUNKED = "chunked"
# loads at which the chunked engine is tried before its capacity is searched for
_SHARES = (0.15, 0.55)


@dataclass(frozen=True, slots=True, eq=False)
class EqualLatency:
    """Highest rates within a goal and within the relaxed one, shape (seeds,), by engine."""

    goal: Goal
    within_per_s: dict[str, NDArray[np.float64]]
    relaxed_per_s: dict[str, NDArray[np.float64]]


def study_equal(serving: Serving, tables: Sequence[RequestTable], curve: LoadCurve) -> EqualLatency:
    """Find what each engine carries at equal latency, on the same requests.

    Parameters
    ----------
    serving
        The scenario's section.
    tables, curve
        As given to and returned by `study_load`.
    """
    replica, goal = plan_replica(serving), curve.goal
    chunked = {CHUNKED: chunked_engine(plan_engine(serving), curve.engines["adaptive"])}
    extra = sweep_load(tables, chunked, replica, goal, _SHARES)
    return EqualLatency(
        goal,
        {**curve.capacity_per_s, **extra.capacity_per_s},
        {
            **find_capacities(curve, tables, replica, goal.relaxed()),
            **find_capacities(extra, tables, replica, goal.relaxed()),
        },
    )


def chunked_engine(base: Engine, adaptive: Engine) -> Engine:
    """Return the adaptive engine with prompts in chunks and memory in blocks."""
    return replace(base, policy="chunked", adaptive=adaptive.adaptive)


def report_equal(equal: EqualLatency) -> tuple[Fact, ...]:
    """Return what each engine carries with TTFT relaxed, and how much more the adaptive one does.

    `relaxed_<engine>` (requests/s); `more_dynamic`, `more_static` (requests/s, paired by seed);
    `relaxed_ttft` (s); `relaxed_times`; `chunked` within the objectives.
    """
    by = function_name(study_equal)
    rates = equal.relaxed_per_s
    facts = [
        mean_fact(f"relaxed_{name}", samples, "request/s", SOURCE, by)
        for name, samples in rates.items()
    ]
    facts += [
        mean_fact(f"more_{name}", rates["adaptive"] - rates[name], "request/s", SOURCE, by)
        for name in ("static", "dynamic")
    ]
    within = equal.within_per_s[CHUNKED]
    return (
        *facts,
        mean_fact(CHUNKED, within, "request/s", SOURCE, by),
        Fact("relaxed_ttft", equal.goal.relaxed().ttft_s, "s", "computed", SOURCE, by),
        Fact("relaxed_times", RELAXED, "x", "computed", SOURCE, by, decimals=0),
    )
