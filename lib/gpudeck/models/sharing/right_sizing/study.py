"""The study of page 8: one population, its risk grid, its strategies, and one pod to look at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name
from gpudeck.hardware.gpu import Gpu, find_gpu
from gpudeck.models.sharing.right_sizing.demand import mig_sizes
from gpudeck.models.sharing.right_sizing.population import (
    Population,
    simulate_population,
    usage_shape,
)
from gpudeck.models.sharing.right_sizing.recommender import (
    LoopResult,
    default_policy,
    run_recommender,
)
from gpudeck.models.sharing.right_sizing.report import MODEL, report_strategies
from gpudeck.models.sharing.right_sizing.risk import RiskGrid, sweep_requests
from gpudeck.models.sharing.right_sizing.sizing import SizedRequest, size_by_days
from gpudeck.models.sharing.right_sizing.strategy import Outcome, compare_strategies
from gpudeck.models.sharing.right_sizing.usage import Usage
from gpudeck.rng import spawn_seeds
from gpudeck.scenario.schema import Scenario

QUANTILES = (0.9, 0.95, 0.99)


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """All that page 8 draws. `shown` is a pod of the first run, `loop` that run's loop.

    `by_days` sizes the shown pod's memory on one day, two days, and so on; `seen` is the share of
    its samples after the profile that exceeded the request made from the profile.
    """

    scenario: Scenario
    gpu: Gpu
    device_gib: float
    population: Population
    grid: RiskGrid
    outcomes: dict[str, Outcome]
    loop: LoopResult
    shown: int
    by_days: tuple[SizedRequest, ...]
    seen: float
    facts: tuple[Fact, ...]

    @property
    def usage(self) -> Usage:
        """Use in the first run."""
        return self.population.runs[0]

    @property
    def profile(self) -> NDArray[np.float64]:
        """Profiled memory use of the shown pod, shape (samples,)."""
        return self.usage.memory[self.shown, : self.population.profile_steps]

    @property
    def sized(self) -> SizedRequest:
        """The shown pod's request from its profile."""
        return self.by_days[self.population.profile_days - 1]

    @property
    def longest(self) -> SizedRequest:
        """The shown pod's request from all its days."""
        return self.by_days[-1]


def run_study(scenario: Scenario, seed: int) -> Study:
    """Simulate, size and adjust requests as a scenario says.

    Parameters
    ----------
    scenario : Scenario
        Its pods, its GPU for sharing and its section `right_sizing`.
    seed : int
        Of all simulations.

    Raises
    ------
    InputError
        As in the functions that it calls.
    """
    settings, gpu = scenario.right_sizing, find_gpu(scenario.sharing.gpu)
    cluster = scenario.cluster_tables(seed)
    population = simulate_population(
        cluster.pods,
        usage_shape(settings),
        count=settings.pods,
        profile_days=settings.profile_days,
        seeds=spawn_seeds(seed, scenario.runs),
    )
    quantile, headroom = settings.quantile_pct / 100, settings.headroom_pct / 100
    device_gib = mig_sizes(gpu)[-1][1]
    outcomes = compare_strategies(
        population,
        quantile=quantile,
        headroom=headroom,
        device_gib=device_gib,
        restart_min=settings.restart_minutes,
    )
    usage, begin = population.runs[0], population.profile_steps
    loop = run_recommender(usage, default_policy(), device_gib, begin=begin)
    # The pod with the most kills, the first of several: where the loop has the most to do.
    shown = int(np.argmax((loop.marks >= 2).sum(axis=1)))
    by_days = size_by_days(usage.memory[shown], usage.steps_per_day, quantile, headroom)
    request = by_days[population.profile_days - 1].request
    seen = float((usage.memory[shown, begin:] > request).mean())
    facts = report_strategies(outcomes, population, settings, scenario.id)
    facts += _report_pod(usage, loop, shown) + cluster.facts()
    return Study(
        scenario,
        gpu,
        device_gib,
        population,
        sweep_requests(population, QUANTILES),
        outcomes,
        loop,
        shown,
        by_days,
        seen,
        facts,
    )


def _report_pod(usage: Usage, loop: LoopResult, shown: int) -> tuple[Fact, ...]:
    """Return how often the shown pod is resized and killed, and on how many days."""
    marks, by = loop.marks[shown], function_name(run_recommender)
    values = (
        ("pod_resizes", int((marks % 2).sum()), "count"),
        ("pod_kills", int((marks >= 2).sum()), "count"),
        ("total_days", len(marks) / usage.steps_per_day, "day"),
    )
    return tuple(
        Fact(key, value, unit, "simulated", MODEL, by, decimals=0) for key, value, unit in values
    )
