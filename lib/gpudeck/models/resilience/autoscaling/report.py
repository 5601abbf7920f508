"""The facts of page 23."""

from __future__ import annotations

import numpy as np

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.resilience.autoscaling.accuracy import Accuracy, measure_accuracy
from gpudeck.models.resilience.autoscaling.cloud_study import plan_clouds
from gpudeck.models.resilience.autoscaling.grid import LeadGrid, lead_grid
from gpudeck.models.resilience.autoscaling.pool_study import PoolStudy, study_pools
from gpudeck.models.resilience.autoscaling.study import (
    COMPARED,
    Elasticity,
    common_level,
    hours_at,
    study_elasticity,
)
from gpudeck.models.resilience.cloud_mix import KINDS, CloudMix, spot_efficiency
from gpudeck.scenario.schema import Autoscaling
from gpudeck.tables import read_table

MODEL = "model:autoscaling"
# the month of the public offers that the default scenario follows
_PRICED = "2026-03"


def report_elasticity(study: Elasticity) -> tuple[Fact, ...]:
    """Return what the policies do: late requests, GPU-hours, actions, calm and under surges.

    Returns
    -------
    tuple of Fact
        For each policy `late_<policy>` and `stress_<policy>` (% of requests), `hours_<policy>`,
        `actions_<policy>` (a day); `share` and `share_reactive` (% of static's GPU-hours); `level`,
        the objective; `ratio` and `ratio_static`, predictive over reactive and static GPU-hours (%)
        when all are tuned to `compared` late, the objective or what they reach next to it;
        settings; where the day's profile comes from.
    """
    by = function_name(study_elasticity)
    days = study.calm_demand.rate_per_s.shape[1] / 1440 - study.history_days
    facts = []
    for policy, result in study.calm.items():
        stressed = study.stressed[policy].late_pct
        facts += [
            mean_fact(f"late_{policy}", result.late_pct, "%", MODEL, by),
            mean_fact(f"stress_{policy}", stressed, "%", MODEL, by),
            mean_fact(f"hours_{policy}", result.gpu_hours, "GPU-hour", MODEL, by, decimals=0),
            mean_fact(f"actions_{policy}", result.actions / days, "count", MODEL, by, decimals=0),
        ]
    static = study.calm["static"].gpu_hours
    for key, policy in (("share", "predictive"), ("share_reactive", "reactive")):
        share = 100 * study.calm[policy].gpu_hours / static
        facts.append(mean_fact(key, share, "%", MODEL, by, decimals=0))
    demand = study.calm_demand
    profile = Fact("demand", demand.source, "text", "derived", demand.source, by)
    measured = demand.basis == "measured"
    facts.append(
        Fact("demand", demand.source, "text", "scenario", "model:load", by) if measured else profile
    )
    return (*facts, *_compare(study), *_settings(study, days))


def _compare(study: Elasticity) -> tuple[Fact, ...]:
    by, level = function_name(hours_at), study.service.late_pct
    compared = common_level(study, COMPARED)
    tuned = [hours_at(study.frontier[policy], compared) for policy in COMPARED]
    # no common level: the settings of the scenario, as they are
    hours = [
        study.calm[policy].gpu_hours if any(h is None for h in tuned) else found
        for policy, found in zip(COMPARED, tuned, strict=True)
    ]
    predictive, reactive, static = (np.asarray(samples) for samples in hours)
    return (
        Fact("level", level, "%", "scenario", MODEL, by, decimals=0),
        Fact("compared", compared, "%", "simulated", MODEL, by, decimals=0),
        mean_fact("ratio", 100 * predictive / reactive, "%", MODEL, by, decimals=0),
        mean_fact("ratio_static", 100 * predictive / static, "%", MODEL, by, decimals=0),
    )


def _settings(study: Elasticity, days: float) -> tuple[Fact, ...]:
    by, service, rule = function_name(study_elasticity), study.service, study.rule
    ahead_min = study.forecasts[rule.method].ahead - 1
    rows: list[tuple[str, float, str, int]] = [
        ("runs", len(study.calm_demand.rate_per_s), "count", 0),
        ("days", days, "day", 0),
        ("history", study.history_days, "day", 0),
        ("lead", ahead_min, "min", 0),
        ("z", rule.z, "1", 1),
        ("target", rule.target_pct, "%", 0),
        ("tolerance", rule.tolerance_pct, "%", 0),
        ("window", rule.window_s / 60, "min", 0),
        ("wait", service.wait_s, "s", 0),
        ("service", service.service_s, "s", 0),
        ("pool", service.warm_pool, "count", 0),
        ("cold", service.cold_start_s, "s", 0),
        ("warm", service.warm_start_s, "s", 0),
        ("peak_erlang", float(study.calm_demand.rate_per_s.max()) * service.service_s, "count", 0),
    ]
    rows += [(f"{name}_s", value, "s", 0) for name, value in study.start.stages_s.items()]
    return tuple(
        Fact(key, value, unit, "scenario", MODEL, by, decimals=decimals)
        for key, value, unit, decimals in rows
    )


def report_pools(pools: PoolStudy, study: Elasticity) -> tuple[Fact, ...]:
    """Return the share of starts that are cold with the scenario's pool, and what is expected."""
    by = function_name(study_pools)
    place = int(np.argmin(np.abs(np.array(pools.pools) - study.service.warm_pool)))
    facts = [
        mean_fact(f"cold_{policy}", samples[place], "%", MODEL, by, decimals=0)
        for policy, samples in pools.simulated_pct.items()
    ]
    poisson = float(pools.poisson_pct[place])
    return (
        *facts,
        Fact("cold_poisson", poisson, "%", "computed", "model:erlang-b", by, decimals=0),
        Fact("pool_shown", pools.pools[place], "count", "scenario", MODEL, by, decimals=0),
        Fact("starts", pools.starts_per_h, "1", "simulated", MODEL, by, decimals=0),
    )


def report_accuracy(accuracy: Accuracy, study: Elasticity) -> tuple[Fact, ...]:
    """Return each method's error at the lead nearest to the rule's own, and the band's coverage."""
    by = function_name(measure_accuracy)
    lead = study.forecasts[study.rule.method].ahead
    place = int(np.argmin(np.abs(np.array(accuracy.leads_min) - lead)))
    facts = [
        mean_fact(f"error_{method}", rows[place], "%", MODEL, by)
        for method, rows in accuracy.error_pct.items()
    ]
    far = Fact("lead_shown", accuracy.leads_min[place], "min", "scenario", MODEL, by, decimals=0)
    covered = mean_fact("covered", accuracy.covered_pct, "%", MODEL, by)
    return (*facts, far, covered)


def report_clouds(mix: CloudMix, section: Autoscaling, study: Elasticity) -> tuple[Fact, ...]:
    """Return the cost of the mix, what it saves, and whether spot pays in each cloud.

    Returns
    -------
    tuple of Fact
        `usd`, `usd_on_demand` (of the counted days), `mix_saved` (%), `hours_<kind>` in % of the
        useful GPU-hours, `eta` (the lowest spot efficiency), `price_ratio` (the highest of spot
        over on-demand in one cloud).
    """
    by = function_name(plan_clouds)
    # what is rented beyond the need, as a reserved GPU at night, is no work done
    held = mix.gpus.sum()
    facts = [
        Fact("usd", mix.usd, "USD", "computed", "model:cloud-mix", by),
        Fact("usd_on_demand", mix.all_on_demand_usd, "USD", "computed", "model:cloud-mix", by),
        Fact("mix_saved", mix.saved_pct, "%", "computed", "model:cloud-mix", by, decimals=0),
    ]
    for kind in ("reserved", "on_demand", "spot"):
        rented = sum(g.sum() for o, g in zip(mix.offers, mix.gpus, strict=True) if o.kind == kind)
        share = 100 * float(rented) / max(float(held), 1e-12)
        facts.append(
            Fact(f"rented_{kind}", share, "%", "computed", "model:cloud-mix", by, decimals=0)
        )
    spots = [o for o in mix.offers if o.kind == "spot"]
    etas = [
        spot_efficiency(o.preemptions_per_h, section.stall_s, study.start.cold_s) for o in spots
    ]
    eta = 100 * min(etas, default=1.0)
    efficiency_by = function_name(spot_efficiency)
    facts.append(Fact("eta", eta, "%", "computed", "model:daly", efficiency_by, decimals=1))
    facts.append(Fact("spot_limit", section.spot_share_pct, "%", "scenario", MODEL, by, decimals=0))
    return (*facts, *_list_prices())


def _list_prices() -> tuple[Fact, ...]:
    """Return the public offers that the default scenario's specialist is taken from."""
    table, by = read_table("prices"), function_name(read_table)
    rows = {kind: table.row("H100-SXM", f"specialist_{kind}@{_PRICED}") for kind in KINDS}
    row = rows["on_demand"]
    return (
        Fact("priced", _PRICED, "text", row.kind, row.sources[0], by),
        *(
            Fact(f"list_{kind}", row.number, row.unit, row.kind, row.sources[0], by, decimals=2)
            for kind, row in rows.items()
        ),
    )


def report_grid(grid: LeadGrid) -> tuple[Fact, ...]:
    """Return the late requests with the longest and the shortest cold start, predictive, z of 2."""
    by = function_name(lead_grid)
    cells = sorted({cell for cell in grid.late_pct if cell[1] == 2.0 and cell[2] == 0})
    short, long = cells[0], cells[-1]
    rows = (
        ("short_cold", short[0], "min", 0),
        ("long_cold", long[0], "min", 0),
        ("short_predictive", grid.late_pct[short][0], "%", 1),
        ("long_predictive", grid.late_pct[long][0], "%", 1),
        ("short_hours", grid.gpu_hours[short][0], "GPU-hour", 0),
        ("long_hours", grid.gpu_hours[long][0], "GPU-hour", 0),
        ("short_reactive", grid.late_pct[short][1], "%", 0),
        ("long_reactive", grid.late_pct[long][1], "%", 0),
    )
    return tuple(
        Fact(key, value, unit, "simulated", MODEL, by, decimals=decimals)
        for key, value, unit, decimals in rows
    )
