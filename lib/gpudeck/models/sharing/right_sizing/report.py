"""The facts of page 8: what sizing saves and risks, each number with its interval."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.interval import Interval
from gpudeck.models.sharing.right_sizing.demand import (
    ContextSweep,
    Surveyed,
    survey_models,
    sweep_contexts,
)
from gpudeck.models.sharing.right_sizing.grid import LoopGrid, loop_grid
from gpudeck.models.sharing.right_sizing.population import Population, simulate_population
from gpudeck.models.sharing.right_sizing.recommender import VpaPolicy, default_policy
from gpudeck.models.sharing.right_sizing.sizing import SizedRequest, size_request
from gpudeck.models.sharing.right_sizing.strategy import Outcome, compare_strategies
from gpudeck.scenario.schema import RightSizing
from gpudeck.workload.model import find_model

MODEL = "model:right-sizing"
VPA_SOURCE = "k8s-vpa"


def report_strategies(
    outcomes: Mapping[str, Outcome], population: Population, settings: RightSizing, source: str
) -> tuple[Fact, ...]:
    """Return what each strategy saves and costs, and the settings behind it.

    Parameters
    ----------
    outcomes : mapping
        From `compare_strategies`, two runs or more.
    population : Population
        What was simulated.
    settings : RightSizing
        The scenario's section.
    source : str
        The scenario's id, where its settings come from.

    Returns
    -------
    tuple of Fact
        For each strategy `saved_<name>` (% of GPU capacity declared), `kills_<name>` (for 1,000
        pod-days), `throttled_<name>` (% of time), `resizes_<name>` (a pod and week) and
        `lost_<name>` (minutes a pod and week); settings and the loop's parameters.
    """
    by = function_name(compare_strategies)
    facts: list[Fact] = []
    for name, outcome in outcomes.items():
        for key, values, unit, decimals in (
            ("saved", outcome.saved_pct, "%", 1),
            ("kills", outcome.kills, "count", None),
            ("throttled", outcome.throttled_pct, "%", 1),
            ("resizes", outcome.resizes, "count", 1),
            ("lost", outcome.lost_min, "min", 1),
        ):
            facts.append(mean_fact(f"{key}_{name}", values, unit, MODEL, by, decimals=decimals))
    settled = (
        ("quantile", settings.quantile_pct, "%"),
        ("headroom", settings.headroom_pct, "%"),
        ("profile_days", settings.profile_days, "day"),
        ("days", settings.days, "day"),
        ("sample_min", settings.sample_minutes, "min"),
        ("use", settings.use_pct, "%"),
        ("diurnal", settings.diurnal_pct, "%"),
        ("noise", settings.noise_pct, "%"),
        ("compute_noise", settings.compute_noise_pct, "%"),
        ("growth", settings.growth_pct, "%"),
        ("jumps", settings.jumps_per_week, "count"),
        ("jump", settings.jump_pct, "%"),
        ("restart", settings.restart_minutes, "min"),
    )
    made = function_name(simulate_population)
    facts += [Fact(key, value, unit, "scenario", source, made) for key, value, unit in settled]
    counted = (
        ("runs", len(population.runs), "count"),
        ("sampled_pods", len(population.runs[0]), "count"),
        ("pod_days", population.pod_days * len(population.runs), "count"),
    )
    facts += [
        Fact(key, value, unit, "simulated", MODEL, made, decimals=0) for key, value, unit in counted
    ]
    return (*facts, *_report_policy(default_policy()))


def report_sizing(sized: SizedRequest, seen: float, last: SizedRequest) -> tuple[Fact, ...]:
    """Return what the profile of one pod says of its request, all of memory.

    Parameters
    ----------
    sized : SizedRequest
        The request from the profile.
    seen : float
        Share of the samples after the profile that exceeded it.
    last : SizedRequest
        The same sizing with all the days as profile.
    """
    by = function_name(size_request)
    shares = (
        ("base", 100 * sized.quantile.mean, "%", 1, None),
        ("request", 100 * sized.request, "%", 1, None),
        ("exceed", 100 * sized.exceedance.mean, "%", 1, _percent(sized.exceedance)),
        ("exceed_upper", 100 * sized.exceedance.high, "%", 0, None),
        ("exceed_upper_last", 100 * last.exceedance.high, "%", 1, None),
        ("exceed_seen", 100 * seen, "%", 1, None),
        ("samples", sized.samples, "count", 0, None),
        ("effective", sized.effective_samples, "count", 0, None),
        ("effective_last", last.effective_samples, "count", 0, None),
    )
    return tuple(
        Fact(key, value, unit, "simulated", MODEL, by, interval, decimals)
        for key, value, unit, decimals, interval in shares
    )


def report_models(
    survey: Sequence[Surveyed], gpu_id: str, context: int, sequences: int, source: str
) -> tuple[Fact, ...]:
    """Return how many models fit where, and how many move to a smaller slice when quantised.

    Parameters
    ----------
    survey : sequence of Surveyed
        From `survey_models`.
    gpu_id : str
        The GPU's id.
    context, sequences : int
        What was surveyed, from the scenario called `source`.
    """
    by = function_name(survey_models)
    precisions = list(dict.fromkeys(row.precision for row in survey))
    wide, narrow = precisions[0], precisions[-1]
    share = {(row.model.id, row.precision): row.placement.gpu_share for row in survey}
    ids = list(dict.fromkeys(row.model.id for row in survey))
    smaller = sum((share[i, narrow] or 2.0) < (share[i, wide] or 2.0) for i in ids)
    largest = max(survey, key=lambda row: row.demand.total_gib)
    quantised = next(
        row for row in survey if row.model is largest.model and row.precision == narrow
    )
    facts = [
        Fact("models", len(ids), "count", "computed", MODEL, by, decimals=0),
        Fact("smaller", smaller, "count", "computed", MODEL, by, decimals=0),
        Fact("largest_wide", largest.demand.total_gib, "GiB", "computed", MODEL, by, decimals=1),
        Fact(
            "largest_narrow", quantised.demand.total_gib, "GiB", "computed", MODEL, by, decimals=1
        ),
        Fact("runtime", largest.demand.runtime_gib, "GiB", "computed", MODEL, by, decimals=0),
        Fact("context", context, "token", "scenario", source, by, decimals=0),
        Fact("sequences", sequences, "count", "scenario", source, by, decimals=0),
        Fact("gpu", gpu_id, "text", "scenario", source, by),
    ]
    sources = dict.fromkeys(key for row in survey for key in row.model.rows["layers"].sources)
    layers = survey[0].model.layers
    # One fact for each document, so that the source line cites them all.
    facts += [
        Fact(f"dimensions_{n}", layers, "count", "vendor-spec", key, by, decimals=0)
        for n, key in enumerate(sources, start=1)
    ]
    return tuple(facts)


def report_contexts(sweep: ContextSweep) -> tuple[Fact, ...]:
    """Return the longest context, and the cache's share of memory there for the largest model."""
    by = function_name(sweep_contexts)
    last = {name: demands[-1] for name, demands in sweep.demands.items()}
    fitting = {name: demand for name, demand in last.items() if demand is not None}
    name = max(fitting, key=lambda key: fitting[key].total_gib)
    share_pct = 100 * fitting[name].cache_gib / fitting[name].total_gib
    return (
        Fact("context_longest", sweep.contexts[-1], "token", "computed", MODEL, by),
        Fact("cache_share", share_pct, "%", "computed", MODEL, by, decimals=0),
        Fact("cache_model", find_model(name).title, "text", "computed", MODEL, by),
    )


def report_grid(grid: LoopGrid, margin_pct: int = 15, half_life_h: int = 24) -> tuple[Fact, ...]:
    """Return memory saved with the least and the largest margin, and how many pods the grid has."""
    by = function_name(loop_grid)
    percentile = 90 if 90 in grid.percentiles_pct else grid.percentiles_pct[0]
    low, high = (
        grid.cells[percentile, margin, half_life_h].saved_pct
        for margin in (margin_pct, max(grid.margins_pct))
    )
    return (
        Fact("margin_saved", low, "%", "simulated", MODEL, by, decimals=0),
        Fact("margin_saved_most", high, "%", "simulated", MODEL, by, decimals=0),
        Fact("margin_most", max(grid.margins_pct), "%", "simulated", MODEL, by, decimals=0),
        Fact("grid_pods", grid.pods, "count", "simulated", MODEL, by, decimals=0),
    )


def _report_policy(policy: VpaPolicy) -> tuple[Fact, ...]:
    by = function_name(default_policy)
    values = (
        ("vpa_percentile", 100 * policy.target_percentile, "%"),
        ("vpa_margin", 100 * policy.margin, "%"),
        ("vpa_half_life", policy.half_life_h, "h"),
        ("vpa_bump", policy.oom_bump_ratio, "x"),
        ("vpa_bump_least", policy.oom_bump_b / 2**20, "MiB"),
        ("vpa_change", 100 * policy.min_change, "%"),
        ("vpa_lifetime", policy.lifetime_h, "h"),
        ("vpa_lower", 100 * policy.lower_percentile, "%"),
        ("vpa_upper", 100 * policy.upper_percentile, "%"),
    )
    return tuple(
        Fact(key, value, unit, "vendor-spec", VPA_SOURCE, by) for key, value, unit in values
    )


def _percent(interval: Interval) -> Interval:
    return Interval(100 * interval.mean, 100 * interval.low, 100 * interval.high, interval.level)
