"""Autoscaling: the compiled minutes against a plain twin, the rule, and what has to hold."""

from dataclasses import replace
from math import ceil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.resilience.autoscaling import (
    Rule,
    Service,
    desired_replicas,
    kernel,
    predict,
    simulate_scaling,
)

DAY = 1440


def plain_run(offered, seen, planned, loads, service, rule, reactive):  # noqa: PLR0915
    """The minutes of one service, with a list of starts in place of rings."""
    per = rule.target_pct / 100 * service.slots
    low, high = service.min_replicas, service.max_replicas
    first = max(planned[0], ceil(seen[0] / per) if reactive else 0)
    ready = min(max(first, low), high)
    window = max(ceil(rule.window_s / 60), 1)
    starts, refills, pool, backlog, recent = [], [], service.warm_pool, 0.0, [ready] * window
    out = []
    for minute, load in enumerate(offered):
        ready += starts.count(minute)
        starts = [due for due in starts if due > minute]
        pool += refills.count(minute)
        refills = [due for due in refills if due > minute]
        present = ready + len(starts)
        desired = planned[minute]
        if reactive:
            wish = present
            if abs(seen[minute] / (per * max(present, 1)) - 1) > rule.tolerance_pct / 100:
                wish = ceil(seen[minute] / per - 1e-9)
            recent = [*recent[1:], wish]
            desired = max(desired, wish if wish > present else min(max(recent), present))
        desired = min(max(desired, low), high)
        cold = 0
        if desired > present:
            taken = min(pool, desired - present)
            cold = desired - present - taken
            pool -= taken
            for count, minutes, kind in (
                (taken, service.warm_min, "in"), (cold, service.cold_min, "in"),
                (taken, service.cold_min, "pool"),
            ):  # fmt: skip
                if minutes:
                    (starts if kind == "in" else refills).extend([minute + minutes] * count)
                elif kind == "in":
                    ready += count
                else:
                    pool += count
        else:
            drop = present - desired
            starts = sorted(starts)
            cancelled = min(drop, len(starts))
            starts = starts[: len(starts) - cancelled]
            drop -= cancelled
            ready -= drop
            spared = min(drop, len(refills))
            refills = sorted(refills)[: len(refills) - spared]
            pool += spared
        servers = ready * service.slots
        backlog = max(0.0, backlog + load - servers)
        late = load > loads[servers] or backlog > service.wait_s / 60 * servers
        out.append((ready, len(starts), pool + len(refills), float(late), cold))
    return np.array(out).T


@given(
    st.integers(0, 10_000),
    st.booleans(),
    st.integers(0, 4),
    st.integers(0, 4),
    st.sampled_from([0.0, 60.0, 300.0]),
)
@settings(max_examples=40, deadline=None)
def test_kernel_is_its_plain_twin(seed, reactive, pool, cold, window_s):
    rng = np.random.default_rng(seed)
    service = Service(
        slots=2, cold_start_s=60.0 * cold, warm_start_s=60.0 * min(cold, 1), warm_pool=pool,
        max_replicas=20,
    )  # fmt: skip
    rule, loads = Rule(window_s=window_s), service.loads()
    offered = np.abs(np.cumsum(rng.normal(0, 4, 80)))
    seen = np.maximum(offered + rng.normal(0, 2, 80), 0)
    planned = rng.integers(0, 12, 80)
    series = np.empty((5, 1, 80))
    totals = kernel.run(
        offered[None], seen[None], planned[None], loads, service.cold_min, service.warm_min, pool,
        1, 20, reactive, 0.7, 0.1, ceil(window_s / 60), 2, service.wait_s / 60, 0, series,
    )  # fmt: skip
    ready, starting, pooled, late, cold_starts = plain_run(
        offered, seen, planned, loads, service, rule, reactive
    )
    np.testing.assert_array_equal(series[0, 0], ready)
    np.testing.assert_array_equal(series[1, 0], starting)
    np.testing.assert_array_equal(series[2, 0], pooled)
    np.testing.assert_array_equal(series[3, 0], late)
    assert totals[0, 5] == cold_starts.sum()
    assert totals[0, 3] == (ready + starting + pooled).sum()
    assert (pooled == pool).all()


@pytest.mark.parametrize(
    ("current", "metric", "target", "expected"),
    [(50, 90, 75, 60), (10, 200, 100, 20), (10, 50, 100, 5), (7, 109, 100, 7), (1, 0, 50, 0)],
)
def test_rule_of_kubernetes(current, metric, target, expected):
    assert desired_replicas(current, metric, target) == expected


def day_load(days=4, level=2.0):
    minute = np.arange(days * DAY)
    return (level * (1.1 + np.sin(2 * np.pi * minute / DAY)))[None]


def test_steady_load_costs_what_it_needs():
    rate = np.full((2, 4 * DAY), 3.0)
    service = Service()
    need = int(np.searchsorted(service.loads(), 30.0))
    static = simulate_scaling(rate, rate, service, "static")
    predictive = simulate_scaling(rate, rate, service, "predictive")
    np.testing.assert_allclose(static.gpu_hours, need * 24)
    np.testing.assert_allclose(predictive.gpu_hours, need * 24)
    reactive = simulate_scaling(rate, rate, service, "reactive")
    np.testing.assert_allclose(reactive.gpu_hours, ceil(30 / 0.7) * 24)
    for result in (static, predictive, reactive):
        assert (result.late_pct == 0).all()
        assert (result.actions == 0).all()


def test_a_known_season_is_met_ahead_and_cheaper_than_static():
    rate, service = day_load(), Service(cold_start_s=600)
    results = {
        policy: simulate_scaling(rate, rate, service, policy, Rule(target_pct=95, tolerance_pct=0))
        for policy in ("static", "reactive", "predictive", "hybrid")
    }
    assert results["predictive"].late_pct[0] == 0
    assert results["reactive"].late_pct[0] > 5
    assert results["predictive"].gpu_hours[0] < 0.8 * results["static"].gpu_hours[0]
    assert results["hybrid"].gpu_hours[0] >= results["predictive"].gpu_hours[0]


def test_more_margin_is_never_later_and_never_cheaper():
    rng = np.random.default_rng(3)
    rate = day_load() * np.abs(1 + 0.2 * rng.standard_normal((1, 4 * DAY)))
    results = [
        simulate_scaling(rate, rate, Service(), "predictive", Rule(z=z)) for z in (0, 1, 2, 3)
    ]
    assert (np.diff([r.late_pct[0] for r in results]) <= 0).all()
    assert (np.diff([r.gpu_hours[0] for r in results]) >= 0).all()


def test_the_history_does_not_count():
    rate = day_load()
    other = rate.copy()
    other[:, :DAY] = 0.0
    a, b = (simulate_scaling(r, r, Service(), "reactive", history_days=3) for r in (rate, other))
    np.testing.assert_array_equal(a.gpu_hours, b.gpu_hours)


def test_overload_beyond_the_most_replicas_is_late_and_ends():
    rate = np.full((1, 4 * DAY), 100.0)
    result = simulate_scaling(rate, rate, Service(max_replicas=10), "hybrid")
    assert result.late_pct[0] == pytest.approx(100)
    assert result.gpu_hours[0] == 240


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: Service(service_s=0), "service_s"),
        (lambda: Service(slots=0), "slots"),
        (lambda: Service(late_pct=100), "late_pct"),
        (lambda: Service(late_pct=-1), "late_pct"),
        (lambda: Service(max_replicas=0, min_replicas=0), "max_replicas"),
        (lambda: Service(min_replicas=5, max_replicas=4), "min_replicas"),
        (lambda: Service(warm_start_s=400), "warm_start_s"),
        (lambda: Rule(target_pct=0), "target_pct"),
        (lambda: Rule(tolerance_pct=100), "tolerance_pct"),
        (lambda: Rule(z=-1), "z is"),
        (lambda: Rule(lead_s=-1), "lead_s"),
        (lambda: Rule(peak_pct=0), "peak_pct"),
        (lambda: desired_replicas(0, 1, 1), "current"),
        (lambda: desired_replicas(1, 1, 0), "target"),
        (lambda: simulate_scaling([[1.0] * 5], [[1.0] * 5], Service(), "static"), "history"),
        (lambda: simulate_scaling([[1.0] * 5], [[1.0] * 4], Service(), "static"), "shape"),
        (lambda: simulate_scaling(-day_load(), day_load(), Service(), "static"), "negative"),
        (lambda: simulate_scaling(day_load(), day_load(), Service(), "psychic"), "policy"),
        (lambda: predict([[1.0] * 100], Service(), Rule(), 2), "two seasons"),
        (
            lambda: predict(day_load(), Service(), replace(Rule(), method="tea"), 2),
            "method",
        ),
    ],
)
def test_bad_input_is_named(call, word):
    with pytest.raises(InputError, match=word):
        call()
