"""Requests from samples: closed forms, coverage of the intervals, and what is refused."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from gpudeck.errors import InputError
from gpudeck.models.sharing.right_sizing import (
    effective_samples,
    exceedance_interval,
    size_by_days,
    size_request,
)
from gpudeck.rng import generator

profiles = st.lists(st.floats(0.01, 100), min_size=2, max_size=40)
quantiles = st.floats(0.05, 0.95)
headrooms = st.floats(0, 2)
few = settings(max_examples=50, deadline=None)


def test_the_request_is_an_order_statistic_with_headroom() -> None:
    sized = size_request(np.arange(1, 21), 0.95, 0.5, dependence="iid")
    assert sized.quantile.mean == 19
    assert sized.request == 28.5
    assert (sized.exceedance.mean, sized.exceedance.low) == (0, 0)


@pytest.mark.parametrize(("hits", "count"), [(0, 10), (1, 10), (5, 10), (10, 10), (37, 864)])
@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
def test_the_exceedance_is_clopper_and_pearsons(hits: int, count: int, level: float) -> None:
    expected = binomtest(hits, count).proportion_ci(level, method="exact")
    got = exceedance_interval(hits / count, count, level)
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@pytest.mark.parametrize("count", [2, 10, 300])
def test_large_headroom_leaves_the_bound_of_none_seen(count: int) -> None:
    samples = generator(0, "none").random(count)
    sized = size_request(samples, 0.9, 99, dependence="iid")
    assert sized.exceedance.mean == 0
    assert sized.exceedance.high == pytest.approx(1 - 0.025 ** (1 / count))


def test_three_hundred_samples_without_a_kill_say_about_one_per_cent() -> None:
    # Rule of three: one-sided at 95 % is a two-sided 90 %.
    assert exceedance_interval(0, 300, 0.9).high == pytest.approx(3 / 300, rel=0.01)


def test_the_quantile_interval_covers_the_truth_for_independent_samples() -> None:
    rng = generator(1, "coverage")
    held = 0
    for _ in range(400):
        bounds = size_request(rng.exponential(size=200), 0.9, 0, dependence="iid").quantile
        held += bounds.low <= -math.log(0.1) <= bounds.high
    assert held / 400 >= 0.93


def test_the_exceedance_interval_covers_the_truth_for_independent_samples() -> None:
    rng = generator(2, "coverage")
    held = 0
    for _ in range(400):
        # The request is fixed by the profile; new samples of the same law test it.
        request = size_request(rng.exponential(size=100), 0.9, 0.2, dependence="iid").request
        hits = np.count_nonzero(rng.exponential(size=150) > request)
        bounds = exceedance_interval(hits / 150, 150)
        held += bounds.low <= math.exp(-request) <= bounds.high
    assert held / 400 >= 0.93


def test_discounting_restores_coverage_for_autocorrelated_samples() -> None:
    rng = generator(3, "coverage")
    held = {"ar1": 0, "iid": 0}
    for _ in range(200):
        noise = rng.standard_normal(600)
        series = np.empty(600)
        series[0] = noise[0]
        for step in range(1, 600):
            series[step] = 0.9 * series[step - 1] + math.sqrt(0.19) * noise[step]
        for name in held:
            bounds = size_request(np.exp(series), 0.9, 0, dependence=name).quantile
            held[name] += bounds.low <= math.exp(1.2815515655) <= bounds.high
    assert held["ar1"] / 200 >= 0.93
    assert held["iid"] / 200 < 0.75


def test_an_autocorrelated_series_is_worth_what_theory_says() -> None:
    rng = generator(4, "worth")
    noise = rng.standard_normal(40_000)
    series = np.empty(40_000)
    series[0] = noise[0]
    for step in range(1, 40_000):
        series[step] = 0.8 * series[step - 1] + 0.6 * noise[step]
    assert effective_samples(series) == pytest.approx(40_000 * 0.2 / 1.8, rel=0.1)
    assert effective_samples(rng.standard_normal(10_000)) == pytest.approx(10_000, rel=0.05)
    assert effective_samples([3.0, 3.0, 3.0]) == 1


def test_too_few_samples_bound_no_high_quantile() -> None:
    assert size_request(np.arange(1, 11), 0.99, 0, dependence="iid").quantile.high == math.inf


def test_more_days_bound_the_risk_better() -> None:
    use = 1 + generator(5, "days").random(6 * 144)
    sized = size_by_days(use, 144, 0.95, 1.0)
    bounds = [entry.exceedance.high for entry in sized]
    assert len(sized) == 6
    assert bounds == sorted(bounds, reverse=True)
    assert sized[0] == size_request(use[:144], 0.95, 1.0)


@few
@given(profiles, quantiles, quantiles, headrooms, headrooms)
def test_more_quantile_or_headroom_asks_more_and_risks_less(
    samples: list[float], q1: float, q2: float, h1: float, h2: float
) -> None:
    low = size_request(samples, min(q1, q2), min(h1, h2))
    high = size_request(samples, max(q1, q2), max(h1, h2))
    assert low.request <= high.request
    assert low.exceedance.mean >= high.exceedance.mean
    assert low.exceedance.high >= high.exceedance.high


@few
@given(profiles, quantiles, headrooms, st.integers(-8, 8))
def test_scaling_the_samples_scales_the_request(
    samples: list[float], quantile: float, headroom: float, power: int
) -> None:
    one = size_request(samples, quantile, headroom)
    many = size_request(np.asarray(samples) * 2.0**power, quantile, headroom)
    assert many.request == pytest.approx(one.request * 2.0**power)
    assert many.exceedance == one.exceedance


@few
@given(profiles, quantiles, headrooms, st.randoms(use_true_random=False))
def test_independent_samples_have_no_order(
    samples: list[float], quantile: float, headroom: float, random
) -> None:
    mixed = list(samples)
    random.shuffle(mixed)
    assert size_request(mixed, quantile, headroom, dependence="iid") == size_request(
        samples, quantile, headroom, dependence="iid"
    )


@pytest.mark.parametrize(
    ("samples", "quantile", "headroom", "level", "told"),
    [
        ([1, 2], 0, 0, 0.95, "quantile is 0"),
        ([1, 2], 1, 0, 0.95, "quantile is 1"),
        ([1, 2], math.nan, 0, 0.95, "quantile is nan"),
        ([1, 2], 0.9, -0.1, 0.95, "headroom is -0.1"),
        ([1, 2], 0.9, math.inf, 0.95, "headroom is inf"),
        ([1, 2], 0.9, 0, 1, "level is 1"),
        ([], 0.9, 0, 0.95, "two or more"),
        ([1], 0.9, 0, 0.95, "two or more"),
        ([[1, 2]], 0.9, 0, 0.95, "one dimension"),
        ([1, math.nan], 0.9, 0, 0.95, "samples hold nan"),
        ([1, -2], 0.9, 0, 0.95, "samples hold -2"),
        ([0, 0], 0.9, 0, 0.95, "all 0"),
    ],
)
def test_wrong_input_is_told(samples, quantile, headroom, level, told) -> None:
    with pytest.raises(InputError, match=told):
        size_request(samples, quantile, headroom, level)


def test_an_unknown_dependence_and_less_than_a_day_are_refused() -> None:
    with pytest.raises(InputError, match="allowed are ar1 and iid"):
        size_request([1, 2], 0.9, 0, dependence="block")
    with pytest.raises(InputError, match="a day or more"):
        size_by_days([1, 2], 3, 0.9, 0)
    with pytest.raises(InputError, match="worth 0"):
        exceedance_interval(0, 0)
