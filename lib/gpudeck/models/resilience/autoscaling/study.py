"""The study of page 23: one service's week under four policies, over seeds, and its stress test."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.resilience.autoscaling.scaling import (
    DAY_MIN,
    POLICIES,
    Rule,
    ScalingResult,
    predict,
    simulate_scaling,
)
from gpudeck.models.resilience.autoscaling.service import Service
from gpudeck.models.resilience.cold_start import ColdStart
from gpudeck.models.resilience.forecast import METHODS, Forecast
from gpudeck.rng import spawn_seeds
from gpudeck.scenario.schema import Autoscaling
from gpudeck.workload.diurnal_load import Spread, count_arrivals, draw_load
from gpudeck.workload.load_series import read_diurnal_profile, read_load_series

TARGETS_PCT = (40.0, 50.0, 55.0, 60.0, 65.0, 70.0, 75.0)
MARGINS = (1.0, 1.5, 2.0, 2.5, 3.0)
PEAKS_PCT = (20.0, 30.0, 40.0, 50.0, 60.0, 70.0, 80.0, 90.0, 100.0)
KNOBS = {
    "static": PEAKS_PCT,
    "reactive": TARGETS_PCT,
    "predictive": MARGINS,
    "hybrid": MARGINS,
}
# what the headline compares, each tuned to the same late requests
COMPARED = ("predictive", "reactive", "static")
# the field of `Rule` that each policy's knob turns
_FIELDS = {"static": "peak_pct", "reactive": "target_pct", "predictive": "z", "hybrid": "z"}


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """What the service has to bear: true and counted rates, shape (runs, minutes), history first.

    `basis` is "synthetic" (a measured day's profile with a drawn spread) or "measured".
    """

    rate_per_s: NDArray[np.float64]
    observed: NDArray[np.float64]
    basis: str
    source: str


@dataclass(frozen=True, slots=True, eq=False)
class Elasticity:
    """Four policies on the same load.

    `frontier[policy]` holds one result a knob of `KNOBS`; `chosen` is the scenario's own setting,
    `calm` and `stressed` the same with what the load is without and with surges. `forecasts` by
    method are of the calm load, as far ahead as a cold start.
    """

    service: Service
    rule: Rule
    start: ColdStart
    calm_demand: Demand
    stress_demand: Demand
    forecasts: dict[str, Forecast]
    calm: dict[str, ScalingResult]
    stressed: dict[str, ScalingResult]
    frontier: dict[str, tuple[ScalingResult, ...]]
    history_days: int

    def day(self, policy: str, day: int = 0) -> dict[str, NDArray[np.float64]]:
        """Return one counted day of the first run: minutes of demand, ready and paid replicas."""
        series = self.calm[policy].series
        assert series is not None, "the study keeps its series"
        begin = (self.history_days + day) * DAY_MIN
        part = slice(begin, begin + DAY_MIN)
        paid = series.ready + series.starting + series.pooled
        return {
            "offered": self.calm_demand.rate_per_s[0, part] * self.service.service_s,
            "ready": series.ready[0, part],
            "paid": paid[0, part],
            "late": series.late[0, part],
        }


def plan_service(section: Autoscaling) -> tuple[Service, Rule, ColdStart]:
    """Return the service, the rule and the stages of a cold start that a scenario describes."""
    start = ColdStart(
        section.provision_s,
        section.image_gib,
        section.weights_gib,
        section.fetch_gib_s,
        section.engine_s,
        section.attach_s,
    )
    service = Service(
        section.service_s,
        section.slots,
        section.gpus_per_replica,
        section.wait_s,
        section.late_pct,
        start.cold_s,
        start.warm_s,
        section.warm_pool,
        section.min_replicas,
        section.max_replicas,
    )
    rule = Rule(
        section.target_pct, section.tolerance_pct, section.window_s, section.z, section.lead_s
    )
    return service, rule, start


def draw_demand(section: Autoscaling, runs: int, seed: int, *, surges: bool = False) -> Demand:
    """Draw a week of load for each run, or read the scenario's own series.

    A series of the reader's own is the same in all runs; what the monitor counts is drawn.

    Parameters
    ----------
    section
        Of the scenario.
    runs, seed
        How many, and the seed that all of them come from.
    surges
        Whether sudden surges are added, that no history announces.

    Raises
    ------
    InputError
        The series is shorter than the history and a day.
    """
    seeds = spawn_seeds(seed, runs)
    profile = read_diurnal_profile()
    bursts = section.bursts_per_day if surges else 0.0
    noise = profile.cv if section.noise_pct is None else section.noise_pct / 100
    spread = Spread(
        noise, profile.correlation, section.day_pct / 100,
        bursts, section.burst_factor, section.burst_min,
    )  # fmt: skip
    days = section.history_days + section.days
    if section.load is None:
        rate = draw_load(profile, section.peak_per_s, days, spread, seeds)
        return Demand(rate, count_arrivals(rate, seeds), "synthetic", profile.source)
    series = read_load_series(Path(section.load))
    if series.days < section.history_days + 1:
        msg = (
            f"{section.load} spans {series.days:.2f} days; the forecast needs"
            f" {section.history_days} days of history and one to count: lengthen the series,"
            " lower autoscaling.history_days (2 or above), or leave autoscaling.load null"
        )
        raise InputError(msg)
    kept = min(int(series.days), days) * DAY_MIN
    surge = replace(spread, noise=0.0, day=0.0)
    flat = np.stack([series.rate_per_s[:kept]] * runs)
    if surges:
        ones = replace(profile, level=np.ones(24))
        flat = flat * draw_load(ones, 1.0, kept // DAY_MIN, surge, seeds)
    return Demand(flat, count_arrivals(flat, seeds), "measured", series.source)


def study_elasticity(section: Autoscaling, runs: int, seed: int) -> Elasticity:
    """Run the four policies on the same weeks, calm and with surges, and along their knobs.

    Parameters
    ----------
    section
        Of the scenario.
    runs, seed
        Weeks, each with a seed of its own.

    Raises
    ------
    InputError
        As in `draw_demand` and `simulate_scaling`.
    """
    service, rule, start = plan_service(section)
    calm = draw_demand(section, runs, seed)
    stress = draw_demand(section, runs, seed, surges=True)
    days = section.history_days
    forecasts = {
        method: predict(calm.observed, service, replace(rule, method=method), days)
        for method in METHODS
    }
    made = forecasts[rule.method]
    made_stress = predict(stress.observed, service, rule, days)

    def run(demand: Demand, policy: str, knobs: Rule, made: Forecast, keep: bool) -> ScalingResult:
        return simulate_scaling(
            demand.rate_per_s, demand.observed, service, policy, knobs,
            history_days=days, forecast=made, keep_series=keep,
        )  # fmt: skip

    frontier = {
        policy: tuple(
            run(calm, policy, _turn(rule, policy, knob), made, False) for knob in KNOBS[policy]
        )
        for policy in KNOBS
    }
    return Elasticity(
        service,
        rule,
        start,
        calm,
        stress,
        forecasts,
        {policy: run(calm, policy, rule, made, True) for policy in POLICIES},
        {policy: run(stress, policy, rule, made_stress, False) for policy in POLICIES},
        frontier,
        days,
    )


def common_level(study: Elasticity, policies: tuple[str, ...]) -> float:
    """Return the late requests at which policies are compared: the objective's share, in %.

    Where not every run of each policy reaches it with some setting of its knob, the nearest that
    they do.

    Parameters
    ----------
    study
        From `study_elasticity`.
    policies
        Names in `Elasticity.frontier`.
    """
    late = [np.array([r.late_pct for r in study.frontier[policy]]) for policy in policies]
    low = max(float(rows.min(axis=0).max()) for rows in late)
    high = min(float(rows.max(axis=0).min()) for rows in late)
    return float(np.clip(study.service.late_pct, low, max(low, high)))


def hours_at(results: tuple[ScalingResult, ...], late_pct: float) -> NDArray[np.float64] | None:
    """Interpolate each run's GPU-hours where its late requests cross a percentage.

    Parameters
    ----------
    results
        One policy along its knob, from `Elasticity.frontier`.
    late_pct
        The late requests at which policies are compared, above 0.

    Returns
    -------
    Shape (runs,), or None where some run never crosses it.
    """
    late = np.array([result.late_pct for result in results]).T
    hours = np.array([result.gpu_hours for result in results]).T
    found = []
    for row_late, row_hours in zip(late, hours, strict=True):
        order = np.argsort(row_hours)
        falling = np.minimum.accumulate(row_late[order])[::-1]
        if not falling[0] <= late_pct <= falling[-1]:
            return None
        found.append(np.interp(late_pct, falling, row_hours[order][::-1]))
    return np.array(found)


def _turn(rule: Rule, policy: str, knob: float) -> Rule:
    return replace(rule, **{_FIELDS[policy]: knob})  # type: ignore[arg-type]  # numbers all
