"""What page 22 says, as facts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.journey.stage4 import (
    AFTER,
    BEFORE,
    LOAD_SHARE,
    MEASURES,
    ServingEffect,
    run_stage4,
)
from gpudeck.scenario import Scenario
from gpudeck.scenario.serving import report_requests
from gpudeck.tables import read_sources, read_table

SOURCE = "model:serving"
# what a price or an energy goes into
ECONOMY = ("per_usd", "per_joule")
_DECIMALS: dict[str, int | None] = {"throughput": 0, "per_usd": 2, "per_joule": 2, "goodput": 2}


def report_stage4(effect: ServingEffect, scenario: Scenario) -> tuple[Fact, ...]:
    """Return each measure before and after with its 95 % interval over the runs.

    Parameters
    ----------
    effect : ServingEffect
        From `run_stage4`.
    scenario : Scenario
        What it was computed from.

    Returns
    -------
    tuple of Fact
        `<measure>_before`, `<measure>_after` for each of `MEASURES` but those of `ECONOMY`;
        `throughput_<step>` and `capacity_<step>` (requests a second) for each step;
        `ttft_p50_s_dynamic`; `times` (throughput after over before); `paged_more` (throughput of
        paged less that of chunked, paired); `rate`, `load_share`, `requests`, `runs`,
        `kv_capacity`; the scenario's `model`, `gpu`, `budget`; and those of `report_requests`.
    """
    by = function_name(run_stage4)
    facts = _before_and_after(effect, [name for name in MEASURES if name not in ECONOMY], by)
    ttft = effect.samples("ttft_p50_s", "dynamic")
    facts.append(_measured("ttft_p50_s_dynamic", ttft, "ttft_p50_s", by))
    for runs in effect.steps:
        name = runs.step.name
        samples = effect.samples("throughput", name)
        facts.append(_fact(f"throughput_{name}", samples, "token/s", by, 0))
        facts.append(_fact(f"capacity_{name}", runs.capacity_per_s, "request/s", by, 1))
    more = effect.samples("throughput", "paged") - effect.samples("throughput", "chunked")
    facts.append(_fact("paged_more", more, "token/s", by, 0))
    facts.append(_fact("times", effect.ratio("throughput"), "x", by, 1))
    return (*facts, *_settings(effect, scenario, by), *report_requests(scenario.serving))


def report_serving_cost(effect: ServingEffect, scenario: Scenario, lang: str) -> tuple[Fact, ...]:
    """Return tokens a dollar and a joule before and after, with price and PUE.

    Parameters
    ----------
    effect : ServingEffect
        From `run_stage4`.
    scenario : Scenario
        Its price.
    lang : str
        Language of what the price is of, "zh" or "en".

    Returns
    -------
    tuple of Fact
        `<measure>_before`, `<measure>_after` for each of `ECONOMY`; `price`, `month`, `basis`;
        `pue`, and `per_joule_facility` (the GPUs' energy × PUE).
    """
    by = function_name(run_stage4)
    cost = scenario.cost
    known = cost.source in read_sources()
    kind, source = ("published-measurement", cost.source) if known else ("scenario", scenario.id)
    pue = read_table("energy").row("Data-centres", "pue_mean")
    facility = effect.samples("per_joule", AFTER) / pue.number
    return (
        *_before_and_after(effect, ECONOMY, by),
        _fact("per_joule_facility", facility, "token/J", by, 2),
        Fact("pue", pue.number, "1", pue.kind, pue.sources[0], by, decimals=2),
        Fact("price", cost.central_usd_per_gpu_h, "USD/GPU-hour", kind, source, by),
        Fact("month", cost.month, "text", kind, source, by),
        Fact("basis", cost.basis.in_language(lang), "text", kind, source, by),
    )


def _before_and_after(effect: ServingEffect, measures: Sequence[str], by: str) -> list[Fact]:
    return [
        _measured(f"{measure}_{when}", effect.samples(measure, name), measure, by)
        for measure in measures
        for when, name in (("before", BEFORE), ("after", AFTER))
    ]


def _measured(key: str, samples: NDArray[np.float64], measure: str, by: str) -> Fact:
    """Return a measure as a fact; seconds in the unit in which they read well."""
    unit = MEASURES[measure][1]
    if unit == "s":
        short = float(samples.mean()) < 1
        return _fact(key, samples * (1000 if short else 1), "ms" if short else "s", by, None)
    return _fact(key, samples, unit, by, _DECIMALS.get(measure, 1))


def _settings(effect: ServingEffect, scenario: Scenario, by: str) -> tuple[Fact, ...]:
    first, serving = effect.find(BEFORE), scenario.serving
    replica = first.step.replica
    chosen = (
        ("rate", effect.rate_per_s, "request/s", 2),
        ("load_share", 100 * LOAD_SHARE, "%", 0),
        ("requests", effect.requests, "request", 0),
        ("runs", len(first.saturated), "count", 0),
        ("kv_capacity", replica.kv_capacity_tokens, "token", 0),
    )
    facts = [
        Fact(key, value, unit, "computed", SOURCE, by, decimals=digits)
        for key, value, unit, digits in chosen
    ]
    return (
        *facts,
        Fact("model", replica.language_model.title, "text", "scenario", scenario.id, by),
        Fact("gpu", replica.gpu, "text", "scenario", scenario.id, by),
        Fact("budget", serving.chunk_tokens, "token", "scenario", scenario.id, by, decimals=0),
    )


def _fact(key: str, samples: NDArray[np.float64], unit: str, by: str, decimals: int | None) -> Fact:
    return mean_fact(key, samples, unit, SOURCE, by, decimals=decimals)
