"""What page 14 says, as facts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.hardware.gpu import find_gpu
from gpudeck.interval import Interval
from gpudeck.journey.baseline import MODEL, report_cost
from gpudeck.journey.fragments import mean_free_pct
from gpudeck.journey.stage2 import (
    MEASURES,
    QUOTAS,
    OrchestrationEffect,
    at_price,
    run_stage2,
)
from gpudeck.models.scheduling.queue import delay_unit
from gpudeck.scenario import Scenario

SOURCES = {"days": MODEL, "queue": "model:queue", "tenants": "model:tenant shares"}
_DECIMALS: dict[str, int | None] = {
    "throughput": 0,
    "per_usd": 3,
    "per_kwh": 3,
    "jain": 3,
    "stuck": 0,
    "mean_reclaim_s": 0,
}


def report_stage2(effect: OrchestrationEffect, scenario: Scenario, lang: str) -> tuple[Fact, ...]:
    """Return each measure before and after with its 95 % interval over the runs.

    Parameters
    ----------
    effect : OrchestrationEffect
        From `run_stage2`.
    scenario : Scenario
        Its prices and its settings.
    lang : str
        Language of what the price is of, "zh" or "en".

    Returns
    -------
    tuple of Fact
        `<measure>_before`, `<measure>_after` for each of `MEASURES`, delays in the unit in which
        each reads well; `<measure>_gain` (points, paired) of what is counted in %;
        `whole_free_before`, `whole_free_after` (GPUs that are all free, %); of quotas between
        `<measure>_<policy>`; `queue_gpus`, `queue_load`, `queue_jobs`, `tenant_load`, `gpus`,
        `runs`; `tdp` with `gpu`; `price`, `month`, `basis`; what a dollar buys at the ends of the
        price, in the interval of `per_usd_range`.
    """
    by = function_name(run_stage2)
    facts = []
    for measure, (where, unit) in MEASURES.items():
        for when, samples in zip(("before", "after"), effect.samples(measure), strict=True):
            facts.append(_fact(f"{measure}_{when}", samples, measure, SOURCES[where], by))
        if unit == "%":
            gain = effect.gain(measure)
            facts.append(mean_fact(f"{measure}_gain", gain, "point", SOURCES[where], by))
    for when, runs in zip(("before", "after"), effect.days, strict=True):
        facts.append(mean_fact(f"whole_free_{when}", mean_free_pct(runs)[1], "%", MODEL, by))
    for policy in QUOTAS[1:-1]:
        for measure in ("useful_pct", "jain", "share_gap_pct", "mean_reclaim_s"):
            samples = effect.tenants.samples[policy][measure]
            facts.append(_fact(f"{measure}_{policy}", samples, measure, SOURCES["tenants"], by))
    prices = report_cost(effect.days[1], scenario, lang)
    facts += [fact for fact in prices if fact.key in ("price", "month", "basis")]
    return (*facts, *_settings(effect, scenario, by))


def _fact(key: str, samples: NDArray[np.float64], measure: str, source: str, by: str) -> Fact:
    unit = MEASURES[measure][1]
    if unit == "s":
        unit, size = delay_unit(float(samples.mean()))
        return mean_fact(key, samples / size, unit, source, by, decimals=None)
    return mean_fact(key, samples, unit, source, by, decimals=_DECIMALS.get(measure, 1))


def _settings(effect: OrchestrationEffect, scenario: Scenario, by: str) -> tuple[Fact, ...]:
    cost, row = scenario.cost, find_gpu(scenario.sharing.gpu).rows["tdp_w"]
    central, low, high = (
        float(at_price(effect, usd).samples("per_usd")[1].mean())
        for usd in (
            cost.central_usd_per_gpu_h,
            cost.high_usd_per_gpu_h,
            cost.low_usd_per_gpu_h,
        )
    )
    first = effect.queues[0].first
    chosen = (
        ("queue_gpus", first.pool.total, "GPU", SOURCES["queue"]),
        ("queue_jobs", len(first.jobs), "job", SOURCES["queue"]),
        ("queue_load", scenario.queue.load_pct, "%", SOURCES["queue"]),
        ("queue_days", scenario.queue.days, "day", SOURCES["queue"]),
        ("tenant_load", effect.tenants.pool.load_pct, "%", SOURCES["tenants"]),
        ("tenants", len(effect.tenants.pool.quotas), "tenant", SOURCES["tenants"]),
        ("gpus", effect.days[0].runs[0].day.nodes.gpu_count, "GPU", MODEL),
        ("runs", len(effect.days[0].runs), "count", MODEL),
    )
    facts = [
        Fact(key, value, unit, "simulated", source, by, decimals=0)
        for key, value, unit, source in chosen
    ]
    span = Interval(central, low, high)
    return (
        *facts,
        Fact("per_usd_range", central, "GPU-hour/USD", "simulated", MODEL, by, span, decimals=2),
        Fact("tdp", effect.gpu_w, "W", row.kind, row.sources[0], by, decimals=0),
        Fact("gpu", scenario.sharing.gpu, "text", row.kind, row.sources[0], by),
    )
