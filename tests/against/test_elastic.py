"""Erlang C against the oracle, and the measured day of a real trace through the models."""

import json
import tarfile

import numpy as np
import pytest

from gpudeck.deck.validation import validate_models
from gpudeck.models.resilience.autoscaling import Rule, Service, predict, simulate_scaling
from gpudeck.models.resilience.erlang import erlang_c
from gpudeck.workload.diurnal_load import Spread, count_arrivals, draw_load
from gpudeck.workload.load_series import read_diurnal_profile, read_load_series

PEAK_PER_S = 10.0


def test_erlang_c(shared):
    cases = json.loads((shared / "oracles" / "infrastructure.json").read_text())
    case = next(case for case in cases if case["id"] == "O12")
    servers, offered = np.array(case["inputs"]["c,A"]).T
    np.testing.assert_allclose(erlang_c(servers, offered), case["expected"]["Pw"], rtol=1e-6)


def test_published_values_are_met():
    assert all(result.ok for result in validate_models("elastic"))


@pytest.fixture(scope="module")
def measured(shared, tmp_path_factory):
    folder = tmp_path_factory.mktemp("genai")
    with tarfile.open(shared / "traces" / "genai" / "qps.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return read_load_series(folder / "qps.csv")


def test_profile_is_that_of_the_trace(measured):
    """The table's hours are those that the trace's own minutes give."""
    profile = read_diurnal_profile()
    hours = measured.rate_per_s[: 22 * 60].reshape(22, 60).mean(axis=1)
    np.testing.assert_allclose(hours / hours.max(), profile.level[:22], atol=0.02)
    assert measured.days == pytest.approx(22.3 / 24, abs=0.01)


def test_the_measured_day_favours_the_forecast(measured):
    """History drawn from the profile, then the measured day itself, as it was."""
    profile = read_diurnal_profile()
    spread = Spread(profile.cv, profile.correlation, 0.1)
    rate = draw_load(profile, PEAK_PER_S, 4, spread, [0])
    day = measured.rate_per_s / measured.rate_per_s[7 * 60 : 8 * 60].mean() * PEAK_PER_S
    rate = np.concatenate([rate[:, : 3 * 1440], day[None]], axis=1)
    counts = count_arrivals(rate, [0])
    service, made = Service(), predict(counts, Service(), Rule(), 3)
    result = {
        policy: simulate_scaling(rate, counts, service, policy, Rule(z=3.0), forecast=made)
        for policy in ("static", "reactive", "predictive", "hybrid")
    }
    assert result["predictive"].gpu_hours[0] < 0.6 * result["static"].gpu_hours[0]
    assert result["hybrid"].late_pct[0] < result["reactive"].late_pct[0]
    assert result["predictive"].late_pct[0] < result["reactive"].late_pct[0]
