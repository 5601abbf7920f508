"""Autoscaling minute by minute: static peak, the reactive rule of Kubernetes, a forecast, both.

Each minute starts that are due come up; the policy wishes a number of replicas; more are taken out
of the warm pool first, and started cold beyond it; fewer are let go, those not yet up first, and
fill the pool. Requests queue for the slots in service. A minute is late when Erlang C says that too
many of its requests wait too long, or when what queued up in an overload takes longer than allowed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.resilience.autoscaling import kernel
from gpudeck.models.resilience.autoscaling.service import MINUTE_S, Service
from gpudeck.models.resilience.forecast import Forecast, forecast_load

POLICIES = ("static", "reactive", "predictive", "hybrid")
DAY_MIN = 1440


@dataclass(frozen=True, slots=True)
class Rule:
    """The knobs of the policies.

    Parameters
    ----------
    target_pct
        Reactive: share of a replica's slots that the rule keeps busy, above 0 to 100 %.
    tolerance_pct
        Reactive: no change while the ratio to the target is this close to 1, 0 to below 100 %.
    window_s
        Reactive: a lower wish waits until it was the highest for so long, 0 or above.
    z
        Predictive: standard errors added to the forecast, 0 or above.
    lead_s
        Predictive: how far ahead the forecast looks; a cold start if None.
    method
        Predictive: one of `forecast.METHODS`.
    peak_pct
        Static: share of the history's busiest minute that is held, above 0 to 200 %.
    """

    target_pct: float = 70.0
    tolerance_pct: float = 10.0
    window_s: float = 300.0
    z: float = 2.0
    lead_s: float | None = None
    method: str = "holt_winters"
    peak_pct: float = 100.0

    def __post_init__(self) -> None:
        lead = 0.0 if self.lead_s is None else self.lead_s
        ranges = (
            ("target_pct", self.target_pct, 0 < self.target_pct <= 100, "above 0 to 100"),
            ("tolerance_pct", self.tolerance_pct, 0 <= self.tolerance_pct < 100, "0 to below 100"),
            ("window_s", self.window_s, 0 <= self.window_s <= 86400, "0 to a day"),
            ("z", self.z, 0 <= self.z <= 20, "0 to 20"),
            ("lead_s", lead, 0 <= lead <= 43200, "0 to half a day"),
            ("peak_pct", self.peak_pct, 0 < self.peak_pct <= 200, "above 0 to 200"),
        )
        for name, value, right, allowed in ranges:
            if not right:
                msg = f"{name} is {value}; allowed is {allowed}"
                raise InputError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class ScalingSeries:
    """Minute by minute, shape (services, minutes): replicas, and what was late or queued."""

    ready: NDArray[np.float64]
    starting: NDArray[np.float64]
    pooled: NDArray[np.float64]
    late: NDArray[np.float64]
    backlog: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ScalingResult:
    """What a policy did to each service after the history; shapes (services,).

    `late_pct` is the share of the requests that arrived in a minute that broke the objective,
    `late_min_pct` that of the minutes, `gpu_hours` all that is paid: in service, starting, and in
    the pool. `actions` counts changes of the wish, `cold_starts` replicas started from nothing,
    `starts` all that were started.
    """

    policy: str
    late_pct: NDArray[np.float64]
    late_min_pct: NDArray[np.float64]
    gpu_hours: NDArray[np.float64]
    actions: NDArray[np.float64]
    cold_starts: NDArray[np.float64]
    starts: NDArray[np.float64]
    series: ScalingSeries | None


def desired_replicas(current: int, metric: float, target: float, tolerance: float = 0.1) -> int:
    """Apply the rule of Kubernetes' Horizontal Pod Autoscaler once.

    ⌈current · metric / target⌉, and current while the ratio is within the tolerance of 1.

    Parameters
    ----------
    current
        Replicas now, 1 or above.
    metric, target
        Mean of the metric over the replicas, and what it should be, above 0.
    tolerance
        Largest distance of the ratio from 1 that changes nothing.

    Raises
    ------
    InputError
        A number is out of range.

    Source: Kubernetes documentation, Horizontal Pod Autoscaling, "Algorithm details".

    >>> desired_replicas(50, 90, 75), desired_replicas(50, 80, 75)
    (60, 50)
    """
    if current < 1 or not 0 <= metric < np.inf or not 0 < target < np.inf or tolerance < 0:
        msg = (
            f"current is {current}, metric {metric}, target {target}, tolerance {tolerance};"
            " allowed are 1 replica or more, a target above 0, and none negative"
        )
        raise InputError(msg)
    ratio = metric / target
    if abs(ratio - 1) <= tolerance:
        return current
    return ceil(current * ratio - 1e-9)


def predict(observed: ArrayLike, service: Service, rule: Rule, history_days: int) -> Forecast:
    """Forecast the observed rate as far ahead as the rule looks, at every minute.

    Parameters
    ----------
    observed
        Requests a second, shape (services, minutes), history first.
    service, rule
        Whose lead, and the method.
    history_days
        Days on which Holt–Winters is fitted, 2 or above.

    Raises
    ------
    InputError
        The history is too short: a day's season needs two days.
    """
    lead_s = service.cold_start_s if rule.lead_s is None else rule.lead_s
    ahead = ceil(lead_s / MINUTE_S) + 1
    return forecast_load(observed, DAY_MIN, ahead, rule.method, history_days * DAY_MIN)


def simulate_scaling(
    rate_per_s: ArrayLike,
    observed: ArrayLike,
    service: Service,
    policy: str,
    rule: Rule | None = None,
    *,
    history_days: int = 3,
    forecast: Forecast | None = None,
    keep_series: bool = False,
) -> ScalingResult:
    """Scale services by one policy, minute by minute; only the minutes after the history count.

    `static` holds what the busiest minute of the history needs, or a share of it. `reactive` is
    Kubernetes' rule on the rate of the minute before, with tolerance and a stabilisation window.
    `predictive` holds what forecast + z·σ needs from now until the lead. `hybrid` takes the larger
    of both.

    Parameters
    ----------
    rate_per_s, observed
        The true rate, and what a monitor counted in each minute, requests a second, shape
        (services, minutes).
    service, policy, rule
        The service, a name of `POLICIES`, and their knobs.
    history_days
        Days at the start that only teach, 2 or above for a forecast.
    forecast
        From `predict`, if it is at hand.
    keep_series
        Whether the result holds every minute.

    Raises
    ------
    InputError
        A number is out of range, shapes differ, or nothing is left after the history.

    >>> rate = np.full((1, 4 * 1440), 2.0)
    >>> float(simulate_scaling(rate, rate, Service(), "static").gpu_hours[0])
    576.0
    """
    rule = rule or Rule()
    rates, counts = _check_rates(rate_per_s, observed, history_days)
    loads = _loads(service)
    erlangs = rates * service.service_s
    seen = np.empty_like(counts)
    seen[:, 0] = counts[:, 0]
    seen[:, 1:] = counts[:, :-1] * service.service_s
    seen[:, 0] *= service.service_s
    first = history_days * DAY_MIN
    planned = _PLANS[policy if policy in _PLANS else _refuse(policy)](
        counts, service, rule, loads, history_days, forecast
    )
    kept = np.empty((5, *rates.shape) if keep_series else (5, 0, 0))
    totals = kernel.run(
        erlangs, seen, planned, loads, service.cold_min, service.warm_min,
        service.warm_pool if policy != "static" else 0, service.min_replicas, service.max_replicas,
        policy in ("reactive", "hybrid"), rule.target_pct / 100, rule.tolerance_pct / 100,
        ceil(rule.window_s / MINUTE_S), service.slots, service.wait_s / MINUTE_S, first, kept,
    )  # fmt: skip
    work, late, late_min, paid, actions, cold, starts = totals.T
    minutes = rates.shape[1] - first
    return ScalingResult(
        policy,
        100 * late / np.maximum(work, 1e-300),
        100 * late_min / minutes,
        paid * service.gpus / 60,
        actions,
        cold,
        starts,
        ScalingSeries(*kept) if keep_series else None,
    )


@lru_cache(maxsize=32)
def _loads(service: Service) -> NDArray[np.float64]:
    return service.loads()


def _refuse(policy: str) -> str:
    msg = f"policy is {policy!r}; allowed are {', '.join(POLICIES)}"
    raise InputError(msg)


_Plan = Callable[
    [NDArray[np.float64], Service, Rule, NDArray[np.float64], int, Forecast | None],
    NDArray[np.int64],
]


def _plan_static(
    counts: NDArray[np.float64],
    service: Service,
    rule: Rule,
    loads: NDArray[np.float64],
    history_days: int,
    _forecast: Forecast | None,
) -> NDArray[np.int64]:
    busiest = counts[:, : history_days * DAY_MIN].max(axis=1) * service.service_s
    peak = busiest * rule.peak_pct / 100
    held = kernel.plan(peak[:, None], loads, service.slots, 0)
    return np.broadcast_to(held, counts.shape).copy()


def _plan_nothing(counts: NDArray[np.float64], *_: object) -> NDArray[np.int64]:
    return np.zeros(counts.shape, np.int64)


def _plan_forecast(
    counts: NDArray[np.float64],
    service: Service,
    rule: Rule,
    loads: NDArray[np.float64],
    history_days: int,
    forecast: Forecast | None,
) -> NDArray[np.int64]:
    made = forecast or predict(counts, service, rule, history_days)
    upper = made.upper(rule.z) * service.service_s
    return np.asarray(kernel.plan(upper, loads, service.slots, made.ahead - 1))


_PLANS: dict[str, _Plan] = {
    "static": _plan_static,
    "reactive": _plan_nothing,
    "predictive": _plan_forecast,
    "hybrid": _plan_forecast,
}


def _check_rates(
    rate_per_s: ArrayLike, observed: ArrayLike, history_days: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rates = np.ascontiguousarray(rate_per_s, dtype=np.float64)
    counts = np.ascontiguousarray(observed, dtype=np.float64)
    if rates.ndim != 2 or rates.shape != counts.shape:
        msg = f"rate_per_s has shape {rates.shape}, observed {counts.shape}; allowed: equal, 2 axes"
        raise InputError(msg)
    if not ((rates >= 0) & np.isfinite(rates) & (counts >= 0) & np.isfinite(counts)).all():
        msg = "a rate is negative or not finite; allowed are finite numbers of 0 or above"
        raise InputError(msg)
    if history_days < 1 or rates.shape[1] <= history_days * DAY_MIN:
        msg = (
            f"the load spans {rates.shape[1] / DAY_MIN:.2f} days and the history is {history_days};"
            " allowed is a history of a day or more, and load after it"
        )
        raise InputError(msg)
    return rates, counts
