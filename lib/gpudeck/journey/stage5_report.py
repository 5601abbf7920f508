"""What page 25 says, as facts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.interval import Interval
from gpudeck.journey.stage5 import AFTER, BEFORE, JOBS_A_RUN, STEPS, ResilienceEffect, run_stage5
from gpudeck.models.resilience.training_job import HOUR_S, MINUTE_S
from gpudeck.scenario import Scenario
from gpudeck.tables import read_table
from gpudeck.workload.model import find_model

SOURCE = "model:resilience"
ENDS = {"before": BEFORE, "after": AFTER}


def report_stage5(effect: ResilienceEffect, scenario: Scenario) -> tuple[Fact, ...]:
    """Return each measure before and after with its 95 % interval, and what was assumed.

    Parameters
    ----------
    effect : ResilienceEffect
        From `run_stage5`.
    scenario : Scenario
        Its job, and the assumptions that the notes state.

    Returns
    -------
    tuple of Fact
        `effective_`, `recovery_` (minutes), `success_`, `lost_` (GPU-hours), `loss_` and `paid_`
        (%) with `before` and `after`; `median_` and `p90_` of the recovery; `effective_<step>` for
        each step; `gain` (points); `failures`, `mtbf`, `jobs`; `largest`, `largest_before` and
        `largest_after`; the settings of the scenario.
    """
    by = function_name(run_stage5)
    facts: list[Fact] = []
    for when, name in ENDS.items():
        facts.append(_recovery_fact(f"recovery_{when}", effect, name, by))
        facts += _quantile_facts(when, effect, name, by)
        success = effect.success(name).share
        scaled = Interval(*(100 * x for x in (success.mean, success.low, success.high)))
        facts.append(Fact(f"success_{when}", scaled.mean, "%", "simulated", SOURCE, by, scaled, 1))
        facts.append(_fact(f"lost_{when}", effect.lost_gpu_hours(name), "GPU-hour", by, None))
        facts.append(_fact(f"loss_{when}", 100 - effect.effective_pct(name), "%", by, 1))
        facts.append(_fact(f"paid_{when}", effect.paid_share_pct(name), "%", by, 1))
    facts += [_fact(f"effective_{name}", effect.effective_pct(name), "%", by, 1) for name in STEPS]
    gain = effect.gain_pct()
    facts.append(Fact("gain", gain.mean, "point", "simulated", SOURCE, by, gain, 1))
    failures = effect.find(BEFORE).result.failures
    facts.append(_fact("failures", failures.astype(float), "count", by, 1))
    scale = effect.scale
    for key, samples in (("largest_before", scale.before), ("largest_after", scale.after)):
        facts.append(_fact(key, samples[:, -1], "%", by, 0))
    facts.append(Fact("largest", f"{scale.gpus[-1]:,}", "text", "simulated", SOURCE, by))
    return (*facts, *_settings(effect, scenario, by), *_published(by))


def _recovery_fact(key: str, effect: ResilienceEffect, name: str, by: str) -> Fact:
    """Return the mean recovery; computed where the jobs met too few failures to simulate it."""
    samples = effect.mean_recovery_min(name)
    if len(samples) < 2:
        expected_min = effect.find(name).protection.recovery_s() / MINUTE_S
        return Fact(key, expected_min, "min", "computed", SOURCE, by)
    return _fact(key, samples, "min", by, None)


def _quantile_facts(when: str, effect: ResilienceEffect, name: str, by: str) -> list[Fact]:
    """Return median and p90 of all recoveries; the expected one where there were none."""
    values = effect.recovery_min(name)
    if not len(values):
        values = np.array([effect.find(name).protection.recovery_s() / MINUTE_S])
    return [
        Fact(f"{key}_{when}", float(np.quantile(values, share)), "min", "simulated", SOURCE, by)
        for key, share in (("median", 0.5), ("p90", 0.9))
    ]


def _settings(effect: ResilienceEffect, scenario: Scenario, by: str) -> tuple[Fact, ...]:
    """Return the job, and the assumptions on both sides."""
    chosen, after = scenario.resilience, effect.find(AFTER).protection
    computed = (
        ("mtbf", effect.job.run.mtbf_s / HOUR_S, "h", None),
        ("jobs", JOBS_A_RUN * scenario.runs, "count", 0),
        ("interval_before", effect.find(BEFORE).protection.interval_s / MINUTE_S, "min", 0),
        ("interval_after", after.interval_s / MINUTE_S, "min", 0),
        ("stall_before", effect.find(BEFORE).protection.cost.stall_s, "s", 0),
        ("stall_after", after.cost.stall_s, "s", 1),
        ("spares", after.spare_nodes, "node", 0),
    )
    given = (
        ("gpus", scenario.training.gpus, "GPU", 0),
        ("days", chosen.days, "day", 0),
        ("slack", chosen.deadline_slack_pct, "%", 0),
        ("watchdog", chosen.watchdog_s / MINUTE_S, "min", 0),
        ("detection", chosen.detection_s, "s", 0),
        ("manual_restart", chosen.manual_restart_min, "min", 0),
        ("restart", chosen.restart_s / MINUTE_S, "min", 0),
        ("replace", chosen.replace_h, "h", 0),
        ("elastic", chosen.elastic_min_pct, "%", 0),
        ("burst", chosen.burst_pct, "%", 0),
        ("burst_nodes", chosen.burst_nodes, "node", 0),
    )
    facts = [
        Fact(key, value, unit, "computed", SOURCE, by, decimals=digits)
        for key, value, unit, digits in computed
    ]
    facts += [
        Fact(key, value, unit, "scenario", scenario.id, by, decimals=digits)
        for key, value, unit, digits in given
    ]
    title = find_model(scenario.training.model).title
    return (*facts, Fact("model", title, "text", "scenario", scenario.id, by))


def _published(by: str) -> tuple[Fact, ...]:
    """Return the published ratios that the chart of scale shows."""
    table = read_table("failures")
    rows = (
        ("llama_above", "llama-3-405b", "effective_above", 0),
        ("byterobust", "byterobust", "effective", 0),
        ("hlat", "hlat", "uptime", 1),
        ("hlat_manual", "hlat-manual", "uptime", 1),
        ("opt", "opt-175b", "uptime", 0),
    )
    facts = []
    for key, row_id, attribute, digits in rows:
        row = table.row(row_id, attribute)
        facts.append(Fact(key, row.number, "%", row.kind, row.sources[0], by, decimals=digits))
    return tuple(facts)


def _fact(key: str, samples: NDArray[np.float64], unit: str, by: str, decimals: int | None) -> Fact:
    return mean_fact(key, samples, unit, SOURCE, by, decimals=decimals)
