"""Saved GPUs against risk: closed forms, and what must rise or fall with the request."""

import math

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.sharing.right_sizing import (
    Population,
    Usage,
    UsageShape,
    compare_strategies,
    simulate_population,
    sweep_requests,
    zero_kills_bound,
)
from gpudeck.models.sharing.right_sizing.risk import size_profiles
from gpudeck.workload import Pods

PODS = Pods.from_specs([1] * 3, [1] * 3, [1, 1, 4], [250, 1000, 1000], [""] * 3, [40, 40, 20])
SHAPE = UsageShape(7, 30, 0.35, 0.25, 0.1, 0.25, 0.05, 0.5, 0.3)


@pytest.fixture(scope="module")
def population() -> Population:
    return simulate_population(PODS, SHAPE, count=40, profile_days=2, seeds=[1, 2, 3])


def test_constant_use_saves_what_is_not_used_and_risks_nothing() -> None:
    ones = np.ones((2, 96))
    usage = Usage(0.25 * ones, 0.5 * ones, np.array([1.0, 3.0]), np.ones(2), 60)
    grid = sweep_requests(Population((usage, usage), 2, (0, 1)), [0.9], [0.0, 0.2, 1.5])
    assert grid.saved_pct[0, 0] == pytest.approx([50, 40, 0])
    assert grid.memory_saved_pct[0, 0] == pytest.approx([75, 70, 37.5])
    assert (grid.kills == 0).all()
    assert (grid.throttled_pct == 0).all()
    assert grid.pod_days == 4


def test_more_headroom_or_quantile_saves_less_and_throttles_less(population: Population) -> None:
    grid = sweep_requests(population)
    for axis in (1, 2):
        assert (np.diff(grid.saved_pct, axis=axis) <= 1e-9).all()
        assert (np.diff(grid.memory_saved_pct, axis=axis) <= 1e-9).all()
        assert (np.diff(grid.throttled_pct, axis=axis) <= 1e-9).all()
    assert (grid.saved_pct <= grid.memory_saved_pct + 1e-9).all()
    # Excursions may merge at low requests; where requests are generous, more of it kills less.
    assert (np.diff(grid.kills.mean(axis=0)[-1]) <= 0).all()


def test_requests_are_the_order_statistics_of_each_profile() -> None:
    use = np.array([np.arange(1.0, 21.0), np.arange(20.0, 0.0, -1.0)])
    sized = size_profiles(use, np.array([100.0, 20.0]), [0.5, 0.95], [0.0, 0.5])
    assert sized[0].tolist() == [[10, 15], [19, 28.5]]
    assert sized[1].tolist() == [[10, 15], [19, 20]]


def test_the_sized_strategy_is_a_cell_of_the_grid(population: Population) -> None:
    grid = sweep_requests(population)
    got = compare_strategies(
        population, quantile=0.95, headroom=0.2, device_gib=78.5, restart_min=3
    )["sized"]
    cell = (slice(None), *grid.place(0.95, 0.2))
    assert got.saved_pct == pytest.approx(grid.saved_pct[cell])
    assert got.kills == pytest.approx(grid.kills[cell])
    assert got.throttled_pct == pytest.approx(grid.throttled_pct[cell])


def test_strategies_trade_capacity_for_kills_and_restarts(population: Population) -> None:
    outcome = compare_strategies(
        population, quantile=0.95, headroom=0.2, device_gib=78.5, restart_min=3
    )
    assert outcome["declared"].saved_pct == pytest.approx(0)
    assert (outcome["declared"].resizes == 0).all()
    assert (outcome["damped"].kills < outcome["sized"].kills).all()
    assert (outcome["damped"].resizes < outcome["eager"].resizes).all()
    restarts = outcome["damped"].kills * 7 / 1000 + outcome["damped"].resizes
    assert outcome["damped"].lost_min == pytest.approx(3 * restarts)


def test_none_seen_is_the_rule_of_three() -> None:
    assert zero_kills_bound(1000) == pytest.approx(-math.log(0.05))


def test_the_same_seeds_give_the_same_grid(population: Population) -> None:
    again = simulate_population(PODS, SHAPE, count=40, profile_days=2, seeds=[1, 2, 3])
    assert (sweep_requests(again).kills == sweep_requests(population).kills).all()


@pytest.mark.parametrize(
    ("quantiles", "headrooms", "told"),
    [
        ([], [0], "quantiles are"),
        ([1.0], [0], "quantiles are"),
        ([0.9], [], "headrooms are"),
        ([0.9], [-1], "headrooms are"),
    ],
)
def test_a_grid_out_of_range_is_refused(population, quantiles, headrooms, told) -> None:
    with pytest.raises(InputError, match=told):
        sweep_requests(population, quantiles, headrooms)


def test_impossible_populations_are_refused(population: Population) -> None:
    with pytest.raises(InputError, match="profile_days is 7; allowed is 1 to 6"):
        simulate_population(PODS, SHAPE, count=4, profile_days=7, seeds=[1])
    with pytest.raises(InputError, match="0 seeds"):
        simulate_population(PODS, SHAPE, count=4, profile_days=1, seeds=[])
    with pytest.raises(InputError, match=r"quantile 0\.42"):
        sweep_requests(population).place(0.42, 0)
