"""Forecasts: equal to statsmodels, nothing from the future, and too short a history refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.holtwinters import ExponentialSmoothing

from gpudeck.errors import InputError
from gpudeck.models.resilience.forecast import (
    METHODS,
    estimate_smoothing,
    fit_smoothing,
    forecast_load,
    holt_winters,
    last_value,
    seasonal_naive,
    start_smoothing,
)

PERIOD = 24


def wave(days=5, seed=0, noise=3.0):
    step = np.arange(PERIOD * days)
    rng = np.random.default_rng(seed)
    return 50 + 40 * np.sin(2 * np.pi * step / PERIOD) + rng.normal(0, noise, len(step))


def by_statsmodels(values, smoothing, row=0):
    model = ExponentialSmoothing(
        values,
        trend="add",
        seasonal="add",
        seasonal_periods=PERIOD,
        initialization_method="known",
        initial_level=smoothing.level[row],
        initial_trend=smoothing.trend[row],
        initial_seasonal=smoothing.seasonal[row],
    )
    return model.fit(
        smoothing_level=smoothing.alpha[row],
        smoothing_trend=smoothing.beta[row],
        smoothing_seasonal=smoothing.gamma[row],
        optimized=False,
    )


@given(
    st.floats(0.01, 0.9), st.floats(0.0, 0.1), st.floats(0.0, 0.5), st.integers(0, 100)
)  # fmt: skip
@settings(max_examples=15, deadline=None)
def test_recursion_is_that_of_statsmodels(alpha, beta, gamma, seed):
    series = np.stack([wave(seed=seed), 2 * wave(seed=seed + 1)])
    smoothing = start_smoothing(series, PERIOD, alpha=alpha, beta=beta, gamma=gamma)
    made = holt_winters(series, smoothing, 1)
    for row in range(2):
        expected = by_statsmodels(series[row], smoothing, row).fittedvalues
        np.testing.assert_allclose(made.mean[row], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("ahead", [1, 3, 30])
def test_steps_ahead_are_those_of_statsmodels(ahead):
    values = wave()
    smoothing = start_smoothing(values[None], PERIOD, alpha=0.3, beta=0.02, gamma=0.2)
    longer = np.append(values, 0.0)
    made = holt_winters(longer[None], smoothing, ahead).mean[0, -1]
    expected = by_statsmodels(values, smoothing).forecast(ahead)[ahead - 1]
    assert made == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("method", METHODS)
def test_no_forecast_knows_the_future(method):
    values = np.stack([wave()])
    known = 3 * PERIOD
    changed = values.copy()
    changed[:, known:] += 1000
    pair = [forecast_load(v, PERIOD, 2, method, known) for v in (values, changed)]
    # column t may use values before t
    np.testing.assert_array_equal(pair[0].mean[:, : known + 1], pair[1].mean[:, : known + 1])
    np.testing.assert_array_equal(pair[0].sigma[:, :known], pair[1].sigma[:, :known])


def test_a_pure_season_is_forecast_exactly():
    values = np.tile(np.r_[1.0, 5.0, 2.0, 8.0], 6)[None]
    for made in (seasonal_naive(values, 4, 3), holt_winters(values, start_smoothing(values, 4), 3)):
        ahead = values[:, 2:]
        np.testing.assert_allclose(made.mean[:, : ahead.shape[1]], ahead, atol=1e-9)
        np.testing.assert_allclose(made.sigma, 0, atol=1e-9)


def test_sigma_is_the_size_of_the_errors():
    values = 100 + np.random.default_rng(1).normal(0, 5, (1, 4000))
    made = seasonal_naive(values, PERIOD, 1)
    assert made.sigma[0, -1] == pytest.approx(5 * np.sqrt(2), rel=0.1)
    above = values[0, 1000:] <= made.upper(2.0)[0, 1000:]
    assert above.mean() == pytest.approx(0.977, abs=0.01)


def test_fit_beats_the_last_value_and_estimates_are_in_range():
    series = np.stack([wave(days=8)])
    smoothing = fit_smoothing(series[:, : 4 * PERIOD], PERIOD, 4)
    made, last = holt_winters(series, smoothing, 4), last_value(series, PERIOD, 4)
    late = slice(4 * PERIOD, -3)
    wrong = [np.abs(m.mean[0, late] - series[0, 4 * PERIOD + 3 :]).sum() for m in (made, last)]
    assert wrong[0] < 0.5 * wrong[1]
    found = estimate_smoothing(series[0], PERIOD)
    assert all(0 <= weight[0] <= 1 for weight in (found.alpha, found.beta, found.gamma))


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: start_smoothing([[1.0] * 47], PERIOD), "two seasons"),
        (lambda: fit_smoothing([[1.0] * 30], PERIOD, 1), "two seasons"),
        (lambda: seasonal_naive([[1.0] * 30], PERIOD, 1), "two seasons"),
        (lambda: estimate_smoothing([1.0] * 30, PERIOD), "two seasons"),
        (lambda: start_smoothing([[np.nan] * 48], PERIOD), "finite"),
        (lambda: start_smoothing([[1.0] * 48], PERIOD, alpha=1.5), "alpha"),
        (lambda: start_smoothing([[1.0] * 48], 1), "period"),
        (lambda: seasonal_naive([[1.0] * 48], PERIOD, 0), "ahead"),
        (lambda: seasonal_naive([[1.0] * 48], PERIOD, 25), "ahead"),
        (lambda: forecast_load([[1.0] * 48], PERIOD, 1, "oracle", 48), "method"),
    ],
)
def test_bad_input_is_named(call, word):
    with pytest.raises(InputError, match=word):
        call()
