"""The loop over days: what it settles at, how it answers kills, and that it does not flap."""

from dataclasses import replace

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.sharing.right_sizing import (
    Usage,
    UsageShape,
    default_policy,
    run_recommender,
    simulate_usage,
)

PER_DAY = 144
DEVICE_GIB = 78.5


def constant(memory: float, compute: float, days: int = 4, ceiling: float = 1.0) -> Usage:
    ones = np.ones((1, days * PER_DAY))
    return Usage(memory * ones, compute * ones, np.ones(1), np.full(1, ceiling), 10)


def test_the_defaults_are_those_of_the_table() -> None:
    policy = default_policy()
    assert (policy.margin, policy.oom_bump_ratio, policy.oom_bump_b) == (0.15, 1.2, 100 * 2**20)
    assert (policy.min_change, policy.lifetime_h, policy.hysteresis) == (0.1, 12, True)


def test_constant_use_settles_one_bucket_above_with_the_margin() -> None:
    result = run_recommender(constant(0.4, 0.3), default_policy(), DEVICE_GIB)
    for settled, use in ((result.memory[0, -1], 0.4), (result.compute[0, -1], 0.3)):
        assert 1.15 * use <= settled <= 1.15 * use * 1.06
    assert (result.kills[0], result.throttled[0]) == (0, 0)
    assert result.resizes[0] == 1


def test_a_kill_raises_memory_by_a_fifth_and_the_margin() -> None:
    usage = constant(0.4, 0.3, days=6, ceiling=4.0)
    usage.memory[0, 4 * PER_DAY + 7 :] = 0.7
    result = run_recommender(usage, default_policy(), DEVICE_GIB)
    kills = np.flatnonzero(result.marks[0] >= 2)
    before, after = result.memory[0, kills[0] - 1], result.memory[0, kills[0]]
    assert kills[0] == 4 * PER_DAY + 7
    assert result.marks[0, kills[0]] == 3
    assert 1.2 * 1.15 * before <= after <= 1.2 * 1.15 * 1.06 * before
    assert result.memory[0, -1] > 0.7


def test_small_memory_grows_by_a_hundred_mebibytes() -> None:
    # 0.1 of 1 GiB: a fifth more is 20 MiB, the rule adds 100.
    usage = constant(0.1, 0.3, days=6)
    usage.memory[0, 4 * PER_DAY + 7 :] = 0.13
    result = run_recommender(usage, default_policy(), 1.0)
    kill = int(np.argmax(result.marks[0] >= 2))
    step = result.memory[0, kill] / 1.15 - result.memory[0, kill - 1]
    assert step >= 100 / 1024


def test_without_the_loop_requests_stay_and_an_excursion_kills_once() -> None:
    usage = constant(0.4, 0.3, ceiling=2.0)
    usage.memory[0, 100:130] = 1.5
    usage.memory[0, 200:201] = 1.5
    usage.compute[0, 10:20] = 1.2
    result = run_recommender(usage, None, DEVICE_GIB)
    assert (result.memory == 1).all()
    assert (result.kills[0], result.throttled[0], result.resizes[0]) == (2, 10, 0)


def test_hysteresis_saves_restarts_and_hardly_costs_capacity() -> None:
    shape = UsageShape(14, 10, 0.35, 0.25, 0.08, 0.25, 0.03, 0.1, 0.3)
    usage = simulate_usage(shape, np.ones(30), np.ones(30), seed=0)
    damped = run_recommender(usage, default_policy(), DEVICE_GIB, begin=3 * PER_DAY)
    eager = run_recommender(
        usage, replace(default_policy(), hysteresis=False), DEVICE_GIB, begin=3 * PER_DAY
    )
    assert damped.resizes.sum() < eager.resizes.sum() / 3
    assert damped.memory[:, damped.begin :].mean() == pytest.approx(
        eager.memory[:, eager.begin :].mean(), rel=0.05
    )


def test_a_pod_is_not_resized_within_the_cool_down_unless_it_leaves_the_bounds() -> None:
    shape = UsageShape(10, 10, 0.35, 0.0, 0.02, 0.05, 0.0, 0.0, 0.0)
    usage = simulate_usage(shape, np.ones(10), np.ones(10), seed=0)
    policy = replace(default_policy(), lower_percentile=0.001, upper_percentile=0.999)
    marks = run_recommender(usage, policy, DEVICE_GIB).marks
    # In the first days bounds move with the length of the history.
    late = [np.flatnonzero(row % 2 == 1) for row in marks]
    gaps = np.concatenate([np.diff(at[at >= 2 * PER_DAY]) for at in late])
    assert (gaps >= 12 * 6).all()
    assert sum(map(len, late)) > 10


def test_requests_never_exceed_the_device() -> None:
    shape = UsageShape(8, 10, 0.9, 0.5, 0.5, 0.5, 0.5, 3, 0.5)
    usage = simulate_usage(shape, np.ones(20), np.ones(20), seed=0)
    result = run_recommender(usage, default_policy(), DEVICE_GIB)
    assert result.memory.max() <= 1
    assert result.kills.sum() == 0 or result.memory.min() < 1


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("target_percentile", 1.0, "target_percentile is 1"),
        ("lower_percentile", 0.0, "lower_percentile is 0"),
        ("margin", -0.1, "margin is -0.1"),
        ("half_life_h", 0.0, "half_life_h is 0"),
        ("bucket_growth", float("nan"), "bucket_growth is nan"),
    ],
)
def test_a_policy_out_of_range_is_refused(field: str, value: float, told: str) -> None:
    with pytest.raises(InputError, match=told):
        replace(default_policy(), **{field: value})


def test_impossible_runs_are_refused() -> None:
    usage = constant(0.4, 0.3)
    with pytest.raises(InputError, match="device_gib is 0"):
        run_recommender(usage, default_policy(), 0)
    with pytest.raises(InputError, match="begin is 576"):
        run_recommender(usage, default_policy(), 1, begin=576)
    with pytest.raises(InputError, match="half-lives at most"):
        run_recommender(usage, replace(default_policy(), half_life_h=0.01), 1)
