"""Intervals of checkpoints: closed forms, limits, and what is refused."""

from math import exp

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import lambertw

from gpudeck.errors import InputError
from gpudeck.models.resilience.checkpoint_interval import (
    best_interval,
    daly_interval,
    efficiency,
    exact_interval,
    first_order_waste,
    young_interval,
)

ratios = st.floats(1e-7, 50)


def test_worked_examples() -> None:
    assert young_interval(60, 86_400) == pytest.approx(3219.937887599697)
    assert first_order_waste(3219.937887599697, 60, 86_400) == pytest.approx(0.0372677996)
    assert daly_interval(60, 10_800) == pytest.approx(1098.7713218450797)
    assert exact_interval(60, 10_800) == pytest.approx(1098.78, abs=0.005)
    assert float(efficiency(1098.7713218450797, 60, 10_800, 600)) == pytest.approx(0.8497189284)


@settings(max_examples=50)
@given(ratios)
def test_exact_interval_is_lambert_s(ratio: float) -> None:
    mtbf_s = 10_000.0
    share = exact_interval(ratio * mtbf_s, mtbf_s) / mtbf_s
    # W loses digits near its branch point, at small ratios
    assert share == pytest.approx(1 + lambertw(-exp(-1 - ratio)).real, rel=1e-5, abs=1e-8)
    if ratio < 20:
        assert np.log1p(-share) + share + ratio == pytest.approx(0, abs=1e-6)


@settings(max_examples=50)
@given(ratios, st.floats(0.2, 5))
def test_no_interval_beats_the_exact_one(ratio: float, times: float) -> None:
    mtbf_s, stall_s = 5000.0, 5000.0 * ratio
    best_s = exact_interval(stall_s, mtbf_s)
    at_best, elsewhere = efficiency([best_s, times * best_s], stall_s, mtbf_s)
    assert elsewhere <= at_best * (1 + 1e-9)


@settings(max_examples=50)
@given(st.floats(1e-6, 0.01))
def test_first_orders_agree_at_rare_failures(ratio: float) -> None:
    exact = exact_interval(ratio, 1.0)
    assert daly_interval(ratio, 1.0) == pytest.approx(exact, rel=1e-4)
    # Young's is longer by the stall, less a third of its square
    assert exact < young_interval(ratio, 1.0) < exact * 1.06


def test_very_rare_and_very_frequent_failures() -> None:
    assert exact_interval(1e-6, 1e9) == pytest.approx(young_interval(1e-6, 1e9), rel=1e-6)
    # a save that takes much longer than the job lives: hardly anything before M is lost by waiting
    assert exact_interval(1e6, 1.0) == pytest.approx(1.0)
    assert daly_interval(3.0, 1.0) == 1.0
    assert float(efficiency(1.0, 1e6, 1.0)) == 0.0
    assert float(efficiency(1.0, 1.0, 1.0, recovery_s=1e9)) == 0.0


def test_efficiency_tends_to_one_and_falls_with_recovery() -> None:
    assert float(efficiency(1000, 0, 1e12)) == pytest.approx(1.0)
    shares = [float(efficiency(1000, 10, 1e4, recovery_s=r)) for r in (0, 100, 1000)]
    assert shares == sorted(shares, reverse=True)
    # a save that is pending costs as much as a recovery that is longer by it
    assert efficiency(1000, 10, 1e4, 100, 300) == efficiency(1000, 10, 1e4, 400)


def test_a_slow_save_sets_the_interval() -> None:
    assert best_interval(60, 10_800, floor_s=5000) == 5000
    assert best_interval(60, 10_800) == exact_interval(60, 10_800)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: young_interval(0, 1), "stall_s is 0"),
        (lambda: young_interval(1, 0), "mtbf_s is 0"),
        (lambda: daly_interval(1, -5), "mtbf_s is -5"),
        (lambda: exact_interval(float("nan"), 1), "stall_s is nan"),
        (lambda: exact_interval(1, float("inf")), "mtbf_s is inf"),
        (lambda: best_interval(1, 1, -1), "floor_s is -1"),
        (lambda: efficiency(0, 1, 1), "interval_s is 0"),
        (lambda: efficiency(10, -1, 1), "stall_s is -1"),
        (lambda: efficiency(10, 1, 1, recovery_s=float("inf")), "recovery_s is inf"),
        (lambda: efficiency([10, 5], 1, 100, pending_s=7), "its interval is 5.0 s"),
        (lambda: first_order_waste(0, 1, 1), "interval_s is 0"),
    ],
)
def test_refuses(call, named: str) -> None:
    with pytest.raises(InputError, match=named):
        call()
