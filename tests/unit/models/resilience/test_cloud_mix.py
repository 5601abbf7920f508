"""The mix of clouds, spot's threshold, the warm pool and the cold start."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.resilience.cloud_mix import (
    Offer,
    mix_clouds,
    spot_efficiency,
    spot_pays,
)
from gpudeck.models.resilience.cold_start import ColdStart
from gpudeck.models.resilience.warm_pool import cold_start_probability, smallest_pool

RESERVED, ON_DEMAND = Offer("a", "reserved", 1.0), Offer("a", "on_demand", 2.0)


def test_reserve_what_is_busy_at_least_half_of_the_time():
    # a reserved GPU at half the price pays when it is needed in half of the hours or more
    mix = mix_clouds([1, 2, 3, 4], [RESERVED, ON_DEMAND], stall_s=0, recovery_s=0)
    assert mix.usd == pytest.approx(min(4 * r + 2 * max(0, 1 - r) + 2 * max(0, 2 - r)
                                        + 2 * max(0, 3 - r) + 2 * max(0, 4 - r)
                                        for r in range(5)))  # fmt: skip
    assert mix.all_on_demand_usd == 20


@given(st.floats(0.1, 3.0), st.floats(0.01, 2.0))
@settings(max_examples=20, deadline=None)
def test_spot_is_taken_exactly_where_it_pays(price, rate):
    spot = Offer("a", "spot", price, preemptions_per_h=rate)
    share = spot_efficiency(rate, 30, 240)
    mix = mix_clouds([4.0], [ON_DEMAND, spot], stall_s=30, recovery_s=240)
    if abs(price / 2 - share) > 1e-6:
        assert (mix.gpus[1].sum() > 0) == spot_pays(price, 2.0, share)
    assert mix.useful.sum() == pytest.approx(4.0)
    assert mix.usd == pytest.approx(min(8.0, 4 * price / share))


def test_limits_and_the_share_of_spot_hold():
    offers = [ON_DEMAND, Offer("b", "spot", 0.1, limit_gpus=3)]
    mix = mix_clouds([10, 20], offers, stall_s=0, recovery_s=0, spot_share_pct=20)
    np.testing.assert_allclose(mix.gpus[1], [2, 3])
    np.testing.assert_allclose(mix.gpus.sum(axis=0), [10, 20])


def test_a_lack_names_hour_and_gpus():
    with pytest.raises(InputError, match=r"lack 3\.0 of 5\.0 useful GPUs in hour 1"):
        mix_clouds([1, 5], [Offer("a", "on_demand", 1.0, 2)], stall_s=0, recovery_s=0)


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: Offer("a", "loan", 1.0), "kind"),
        (lambda: Offer("a", "spot", -1.0), "usd_per_gpu_h"),
        (lambda: Offer("a", "reserved", 1.0, preemptions_per_h=1), "preemptions_per_h"),
        (lambda: Offer("a", "reserved", 1.0, -1), "limit_gpus"),
        (lambda: mix_clouds([-1], [ON_DEMAND], stall_s=0, recovery_s=0), "demand"),
        (lambda: mix_clouds([], [ON_DEMAND], stall_s=0, recovery_s=0), "demand"),
        (
            lambda: mix_clouds([1], [ON_DEMAND], stall_s=0, recovery_s=0, spot_share_pct=101),
            "spot_share_pct",
        ),
        (lambda: mix_clouds([1], [RESERVED], stall_s=0, recovery_s=0), "on_demand"),
        (lambda: mix_clouds([1], [], stall_s=0, recovery_s=0), "lack"),
        (lambda: spot_efficiency(1, -1, 0), "stall_s"),
        (lambda: spot_efficiency(-1, 0, 0), "preemptions_per_h"),
        (lambda: spot_pays(1.0, 0.0, 0.5), "on_demand_usd"),
        (lambda: spot_pays(1.0, 1.0, 1.5), "share"),
        (lambda: cold_start_probability(1, -1, 1), "starts_per_h"),
        (lambda: cold_start_probability(-1, 1, 1), "servers"),
        (lambda: smallest_pool(1, 1, 0), "probability"),
        (lambda: smallest_pool(1, 1, 1.2), "probability"),
        (lambda: ColdStart(1, 1, 1, 0, 1, 1), "fetch_gib_s"),
        (lambda: ColdStart(-1, 1, 1, 1, 1, 1), "provision_s"),
    ],
)
def test_bad_input_is_named(call, word):
    with pytest.raises(InputError, match=word):
        call()


def test_efficiency_falls_with_the_rate_from_one():
    shares = [spot_efficiency(rate, 30, 240) for rate in (0, 0.01, 0.1, 1, 10, 100)]
    assert shares[0] == 1
    assert (np.diff(shares) < 0).all()
    assert shares[-1] > 0


@pytest.mark.parametrize(("need", "usd"), [([0, 0], 2.0), ([1, 2], 0.0)])
def test_nothing_is_saved_where_on_demand_costs_nothing(need, usd):
    mix = mix_clouds(need, [Offer("a", "on_demand", usd)], stall_s=0, recovery_s=0)
    assert (mix.usd, mix.saved_pct) == (0, 0)


def test_pool_is_a_loss_system():
    """Poisson starts, each refill of fixed length: the share found empty is Erlang B."""
    rng = np.random.default_rng(0)
    times, pool, refill_s = np.cumsum(rng.exponential(100.0, 200_000)), 4, 300.0
    due, cold = [], 0
    for time in times:
        due = [end for end in due if end > time]
        if len(due) < pool:
            due.append(time + refill_s)
        else:
            cold += 1
    expected = float(cold_start_probability(pool, 36.0, refill_s))
    assert cold / len(times) == pytest.approx(expected, abs=0.004)
    assert smallest_pool(36.0, refill_s, expected) == pool
    assert smallest_pool(36.0, refill_s, 0.9999 * expected) == pool + 1


def test_stages_sum_and_a_warm_start_is_never_longer():
    start = ColdStart(60, 10, 20, 0.25, 60, 20)
    assert start.cold_s == sum(start.stages_s.values()) == 240
    assert ColdStart(1, 0, 0, 1, 0, 20).warm_s == 1
