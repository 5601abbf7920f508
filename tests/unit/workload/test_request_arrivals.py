from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from scipy import stats

from gpudeck.errors import InputError
from gpudeck.workload.request import RequestTable
from gpudeck.workload.request_arrivals import (
    burst_arrivals,
    diurnal_arrivals,
    gamma_arrivals,
    poisson_arrivals,
    trace_arrivals,
)

TRACE = RequestTable([5.0, 9.0, 6.0], [1, 1, 1], [1, 1, 1])
PROCESSES = {
    "poisson": poisson_arrivals,
    "gamma": partial(gamma_arrivals, cv=2.0),
    "diurnal": partial(diurnal_arrivals, swing=0.5, period_s=100.0, peak_s=30.0),
    "burst": partial(burst_arrivals, factor=5.0, every_s=20.0, length_s=4.0),
}
each_process = pytest.mark.parametrize("draw", PROCESSES.values(), ids=PROCESSES)


@each_process
def test_times_rise_and_depend_on_the_seed(draw: Callable) -> None:
    one, same, other = (draw(3.0, count=500, seed=seed) for seed in (1, 1, 2))
    assert one.shape == (500,)
    assert (one >= 0).all()
    assert (np.diff(one) >= 0).all()
    assert one.tolist() == same.tolist()
    assert one.tolist() != other.tolist()


@each_process
def test_the_rate_is_the_one_told(draw: Callable) -> None:
    assert len(draw(3.0, duration_s=20_000.0, seed=1)) / 20_000 == pytest.approx(3.0, rel=0.03)
    assert 60_000 / draw(3.0, count=60_000, seed=1)[-1] == pytest.approx(3.0, rel=0.03)


@each_process
def test_a_duration_is_cut_off_and_may_be_nothing(draw: Callable) -> None:
    times = draw(3.0, duration_s=77.0, seed=1)
    assert times[-1] < 77.0
    assert len(draw(3.0, duration_s=0.0, seed=1)) == 0
    assert len(draw(3.0, count=0, seed=1)) == 0


@each_process
@pytest.mark.parametrize(
    ("rate", "told", "message"),
    [
        (0.0, {"count": 1}, "rate_per_s is 0.0; allowed is above 0"),
        (-2.0, {"count": 1}, "rate_per_s is -2.0"),
        (float("nan"), {"count": 1}, "rate_per_s is nan"),
        (1.0, {}, "count is None, duration_s is None; allowed is one"),
        (1.0, {"count": 1, "duration_s": 1.0}, "count is 1, duration_s is 1.0"),
        (1.0, {"count": -1}, "count is -1; allowed is a whole number"),
        (1.0, {"count": 10**9}, "count is 1000000000"),
        (1.0, {"duration_s": -1.0}, "duration_s is -1.0"),
        (1.0, {"duration_s": float("inf")}, "duration_s is inf"),
        (10.0, {"duration_s": 1e9}, "duration_s is 1000000000.0; allowed is so long"),
    ],
)
def test_bad_input_is_named(draw: Callable, rate: float, told: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw(rate, **told)


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (partial(gamma_arrivals, cv=-1.0), "cv is -1.0; allowed is 0 to 100"),
        (partial(gamma_arrivals, cv=float("nan")), "cv is nan"),
        (partial(diurnal_arrivals, swing=1.5), "swing is 1.5; allowed is 0 to 1"),
        (partial(diurnal_arrivals, swing=0.5, period_s=0.0), "period_s is 0.0"),
        (partial(diurnal_arrivals, swing=0.5, peak_s=float("nan")), "peak_s is nan"),
        (partial(burst_arrivals, factor=0.5, every_s=9.0, length_s=1.0), "factor is 0.5"),
        (partial(burst_arrivals, factor=2.0, every_s=0.0, length_s=1.0), "every_s is 0.0"),
        (partial(burst_arrivals, factor=2.0, every_s=9.0, length_s=9.0), "length_s is 9.0"),
    ],
)
def test_bad_shapes_are_named(draw: Callable, message: str) -> None:
    with pytest.raises(InputError, match=message):
        draw(1.0, count=5)


def test_poisson_gaps_are_exponential() -> None:
    gaps = np.diff(poisson_arrivals(4.0, count=5000, seed=3))
    assert stats.kstest(gaps, "expon", args=(0, 0.25)).pvalue > 0.01


@pytest.mark.parametrize("cv", [0.3, 1.0, 3.0])
def test_gamma_gaps_have_their_variation(cv: float) -> None:
    gaps = np.diff(gamma_arrivals(4.0, cv, count=40_000, seed=3))
    assert gaps.std() / gaps.mean() == pytest.approx(cv, rel=0.1)


def test_the_days_swing_is_that_of_the_cosine() -> None:
    times = diurnal_arrivals(50.0, 0.8, duration_s=4000.0, period_s=100.0, peak_s=30.0, seed=1)
    seen, edges = np.histogram(times % 100.0, bins=20, range=(0, 100))
    turn = 2 * np.pi / 100
    mass = edges + 0.8 / turn * np.sin(turn * (edges - 30.0))
    expected = np.diff(mass) / 100 * len(times)
    assert stats.chisquare(seen, expected).pvalue > 0.01


def test_a_burst_has_its_multiple_of_the_rate() -> None:
    times = burst_arrivals(50.0, 5.0, every_s=20.0, length_s=4.0, duration_s=4000.0, seed=1)
    within = (times % 20.0) >= 16.0
    ratio = (within.sum() / 4.0) / ((~within).sum() / 16.0)
    assert ratio == pytest.approx(5.0, rel=0.05)


def test_a_trace_is_stretched_repeated_and_cut() -> None:
    assert trace_arrivals(TRACE, 1.0, count=4).tolist() == [0.0, 0.5, 2.0, 3.0]
    assert trace_arrivals(TRACE, duration_s=6.5).tolist() == [0.0, 1.0, 4.0, 6.0]
    assert trace_arrivals(TRACE, duration_s=0.0).tolist() == []


def test_a_trace_needs_a_span() -> None:
    for times in ([], [1.0], [1.0, 1.0]):
        with pytest.raises(InputError, match="allowed is a span"):
            trace_arrivals(RequestTable(times, [1] * len(times), [1] * len(times)), count=1)
    with pytest.raises(InputError, match="rate_per_s is 0"):
        trace_arrivals(TRACE, 0.0, count=1)
