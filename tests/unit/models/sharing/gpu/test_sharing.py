"""Sharing one GPU: closed forms, conservation, isolation, refusals, faults and bad input."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.sharing.gpu import (
    WAYS,
    Fault,
    Instance,
    Tenant,
    TokenBucket,
    client_limit,
    share,
    share_rates,
    slice_shares,
)

ROOM = {"gpu_memory_gib": 80.0}


def greedy(name, **changes):
    """A tenant that always has work."""
    return Tenant(name, **({"kernel_ms": 1.0} | changes))


def shares_of(result):
    return {n: t.work_done_ms / (1000 * result.duration_s) for n, t in result.tenants.items()}


def mixed(count=3):
    """Tenants of every kind: open, closed, with pauses."""
    return [
        Tenant("a-open", kernel_ms=0.5, kernels=20, sm=0.4, bandwidth=0.6, rate_hz=15.0),
        Tenant("b-busy", kernel_ms=2.0, kernels=30, sm=0.9, bandwidth=0.5, core_limit_pct=30),
        Tenant("c-now-and-then", kernel_ms=3.0, kernels=10, sm=0.6, bandwidth=0.2, pause_ms=80.0),
    ][:count]


class TestTimeSlicing:
    def test_three_greedy_clients_get_a_third_each(self):
        got = share([greedy(n) for n in "abc"], "time_slicing", duration_s=6, switch_us=0, **ROOM)
        assert list(shares_of(got).values()) == pytest.approx([1 / 3] * 3, abs=1e-9)

    def test_an_idle_client_leaves_a_half_to_each_other(self):
        idle = greedy("idle", rate_hz=1e-6)
        got = share(
            [greedy("a"), greedy("b"), idle], "time_slicing", duration_s=6, switch_us=0, **ROOM
        )
        assert shares_of(got) == pytest.approx({"a": 0.5, "b": 0.5, "idle": 0.0}, abs=1e-9)

    def test_a_switch_of_a_tenth_costs_four_clients_a_twentyfirst(self):
        got = share(
            [greedy(n) for n in "abcd"], "time_slicing", duration_s=8.4, switch_us=100, **ROOM
        )
        assert list(shares_of(got).values()) == pytest.approx([0.25 * 2 / 2.1] * 4, abs=1e-9)
        assert slice_shares([1] * 4, 2.0, 0.1) == pytest.approx([0.23809523809523808] * 4)

    def test_weights_lengthen_slices(self):
        tenants = [greedy("a"), greedy("b", weight=2.0), greedy("c")]
        got = share(tenants, "time_slicing", duration_s=8, switch_us=0, **ROOM)
        assert list(shares_of(got).values()) == pytest.approx([0.25, 0.5, 0.25], abs=1e-9)

    @settings(max_examples=30, deadline=None)
    @given(
        weights=st.lists(st.sampled_from([0.5, 1.0, 3.0]), min_size=2, max_size=5),
        slice_ms=st.sampled_from([0.5, 2.0, 20.0]),
        switch_us=st.sampled_from([0.0, 50.0, 400.0]),
    )
    def test_greedy_clients_get_the_closed_form(self, weights, slice_ms, switch_us):
        tenants = [greedy(f"t{n}", weight=w) for n, w in enumerate(weights)]
        round_ms = sum(w * slice_ms + switch_us / 1000 for w in weights)
        got = share(
            tenants, "time_slicing", duration_s=round_ms * 50 / 1000, slice_ms=slice_ms,
            switch_us=switch_us, **ROOM,
        )  # fmt: skip
        expected = slice_shares(weights, slice_ms, switch_us / 1000)
        assert list(shares_of(got).values()) == pytest.approx(list(expected), abs=1e-6)
        assert sum(expected) == pytest.approx(sum(weights) * slice_ms / round_ms)

    def test_it_conserves_work(self):
        """Whatever is in the system is worked on: together they do what one alone would."""
        got = share(mixed(), "time_slicing", duration_s=20, switch_us=0, **ROOM)
        assert sum(shares_of(got).values()) == pytest.approx(1.0, abs=1e-9)

    def test_memory_is_not_partitioned(self):
        tenants = [greedy(name, memory_gib=30.0) for name in "abc"]
        got = share(tenants, "time_slicing", duration_s=1, **ROOM)
        assert got.refused == {"c": "out of memory: 60 + 30 > 80 GiB"}
        assert got.tenants["c"].throughput_hz == 0


class TestMps:
    def test_small_kernels_do_not_slow_each_other(self):
        pair = [greedy("a", sm=0.5, bandwidth=0.3), greedy("b", sm=0.4, bandwidth=0.3)]
        assert list(shares_of(share(pair, "mps", duration_s=1, **ROOM)).values()) == [1.0, 1.0]

    def test_a_saturated_resource_is_shared_in_proportion(self):
        pair = [greedy("a", sm=0.9), greedy("b", sm=0.6)]
        got = share(pair, "mps", duration_s=3, **ROOM)
        assert list(shares_of(got).values()) == pytest.approx([1 / 1.5] * 2)
        assert got.sm_busy == pytest.approx(1.0)

    def test_a_thread_percentage_caps_and_does_not_reserve(self):
        capped = share([greedy("a", sm=0.8, thread_pct=40.0)], "mps", duration_s=1, **ROOM)
        loose = share([greedy("a", sm=0.3, thread_pct=40.0)], "mps", duration_s=1, **ROOM)
        assert shares_of(capped)["a"] == pytest.approx(0.5)
        assert shares_of(loose)["a"] == pytest.approx(1.0)

    def test_the_pinned_memory_limit_refuses(self):
        got = share(
            [greedy("a", memory_gib=9.0, memory_limit_gib=8.0)], "mps", duration_s=1, **ROOM
        )
        assert got.refused == {"a": "its limit: 0 + 9 > 8 GiB"}

    def test_more_clients_than_allowed_are_an_error(self):
        many = [greedy(f"t{n:02}") for n in range(49)]
        with pytest.raises(
            InputError, match="49 MPS clients, 't48' is one too many; allowed are 48"
        ):
            share(many, "mps", duration_s=1, **ROOM)
        assert client_limit((13, 1)) == 60
        got = share(many, "mps", duration_s=1, clients_at_most=60, **ROOM)
        assert len(got.tenants) == 49


class TestHami:
    def test_the_step_is_that_of_the_source(self):
        bucket = TokenBucket()
        plain = 108 * 108 * 2048 * 5 // 2560
        assert bucket.refill(50, 48, 0) == plain == 46656
        assert bucket.refill(50, 52, 100_000) == 100_000 - plain
        assert bucket.refill(50, 52, 10) == 0
        wide = 108 * 108 * 2048 * 30 // 2560
        assert bucket.refill(50, 20, 0) == wide * 30 * 2 // 51
        assert bucket.refill(50, 20, bucket.pool) == bucket.pool

    def test_memory_beyond_the_limit_is_refused(self):
        tenants = [greedy("a", memory_gib=9.0, memory_limit_gib=8.0), greedy("b")]
        assert share(tenants, "hami", duration_s=1, **ROOM).refused.keys() == {"a"}

    @pytest.mark.parametrize("limit", [0, 100])
    def test_a_limit_that_is_off_leaves_time_slicing(self, limit):
        pair = [greedy("a", core_limit_pct=limit, kernels=5), greedy("b", kernels=5)]
        hami = share(pair, "hami", duration_s=3, **ROOM)
        plain = share(pair, "time_slicing", duration_s=3, **ROOM)
        assert shares_of(hami) == shares_of(plain)
        assert not hami.watches

    def test_a_lone_tenant_is_limited_only_when_forced(self):
        lone = [greedy("a", kernel_ms=0.1, kernels=10**6, blocks=864, core_limit_pct=20)]
        free = share(lone, "hami", duration_s=30, **ROOM)
        forced = share(lone, "hami", duration_s=30, forced=True, **ROOM)
        assert shares_of(free)["a"] == pytest.approx(1.0)
        assert 0.1 < shares_of(forced)["a"] < 0.4

    def test_it_reacts_and_does_not_cap(self):
        """The first second is over before the watcher's window is full."""
        lone = [greedy("a", kernel_ms=0.1, kernels=10**6, blocks=864, core_limit_pct=20)]
        watch = share(lone, "hami", duration_s=30, forced=True, **ROOM).watches["a"]
        assert watch.utilisation_pct.max() > 20 > watch.utilisation_pct.min()
        assert np.all(np.diff(watch.time_ms) == pytest.approx(120))


class TestMig:
    def test_a_tenant_does_not_feel_its_neighbours(self):
        parts = {t.id: Instance("part", 0.3, 0.25, 20) for t in mixed()}
        alone = share(mixed(1), "mig", duration_s=20, instances=parts, **ROOM)
        full = share(mixed(3), "mig", duration_s=20, instances=parts, **ROOM)
        both = (alone.tenants["a-open"], full.tenants["a-open"])
        assert both[0].latency_ms.tolist() == both[1].latency_ms.tolist()

    def test_an_instance_slows_by_its_scarcer_resource(self):
        part = {"a": Instance("part", 0.5, 0.25, 20)}
        got = share(
            [greedy("a", sm=0.8, bandwidth=0.5)], "mig", duration_s=1, instances=part, **ROOM
        )
        assert shares_of(got)["a"] == pytest.approx(0.5)

    def test_instances_beyond_the_gpu_are_an_error(self):
        parts = {name: Instance("part", 0.6, 0.3, 20) for name in "ab"}
        with pytest.raises(InputError, match=r"1\.200 of the GPU's sm"):
            share([greedy("a"), greedy("b")], "mig", duration_s=1, instances=parts, **ROOM)

    def test_a_tenant_without_instance_or_memory_is_refused(self):
        parts = {"a": Instance("1g", 0.1, 0.1, 5)}
        tenants = [greedy("a", memory_gib=6.0), greedy("b")]
        got = share(tenants, "mig", duration_s=1, instances=parts, **ROOM)
        assert got.refused == {"a": "out of memory: 6 > 5 GiB of 1g", "b": "no instance left"}


class TestEveryWay:
    @pytest.mark.parametrize("way", WAYS)
    def test_the_order_of_the_tenants_changes_nothing(self, way):
        one = share(mixed(), way, duration_s=10, **ROOM)
        two = share(mixed()[::-1], way, duration_s=10, **ROOM)
        assert shares_of(one) == shares_of(two)

    @pytest.mark.parametrize("way", WAYS)
    def test_the_same_seed_gives_the_same_and_another_does_not(self, way):
        first, again, other = (
            share(mixed(), way, duration_s=10, seed=seed, **ROOM).tenants["a-open"].latency_ms
            for seed in (1, 1, 2)
        )
        assert first.tolist() == again.tolist() != other.tolist()

    @pytest.mark.parametrize("way", WAYS)
    def test_one_tenant_alone_gets_the_same(self, way):
        tenant = mixed(1)
        alone = share(tenant, "exclusive", duration_s=30, **ROOM).tenants["a-open"]
        got = share(tenant, way, duration_s=30, **ROOM).tenants["a-open"]
        assert got.throughput_hz == alone.throughput_hz
        assert got.latency_ms == pytest.approx(alone.latency_ms)
        assert got.slowdown == pytest.approx(1.0)

    @settings(max_examples=30, deadline=None)
    @given(
        way=st.sampled_from(WAYS),
        seed=st.integers(0, 50),
        demand=st.lists(
            st.tuples(st.floats(0.05, 1), st.floats(0, 1), st.booleans()), min_size=1, max_size=5
        ),
    )
    def test_nothing_exceeds_the_gpu_and_work_is_conserved(self, way, seed, demand):
        tenants = [
            Tenant(
                f"t{n}", kernel_ms=1.3, kernels=7, sm=sm, bandwidth=bandwidth, blocks=5000,
                rate_hz=30.0 if opened else None, pause_ms=4.0, core_limit_pct=20,
            )
            for n, (sm, bandwidth, opened) in enumerate(demand)
        ]  # fmt: skip
        got = share(tenants, way, duration_s=2, seed=seed, **ROOM)
        assert got.sm_busy <= 1 + 1e-9
        assert got.bandwidth_busy <= 1 + 1e-9
        for tenant in got.tenants.values():
            assert tenant.busy_ms <= 2000 + 1e-6
            assert tenant.work_done_ms <= tenant.busy_ms + 1e-6
            assert tenant.work_left_ms >= -1e-6
            in_service = tenant.work_done_ms - tenant.finished * 7 * 1.3
            assert -1e-6 <= in_service <= 7 * 1.3 + 1e-6
            assert tenant.finished <= tenant.arrived
        if way in ("time_slicing", "hami"):
            assert sum(t.busy_ms for t in got.tenants.values()) <= 2000 + 1e-6

    @pytest.mark.parametrize("way", WAYS)
    def test_memory_larger_than_the_gpu_is_a_refusal(self, way):
        got = share([greedy("a", memory_gib=100.0), greedy("b")], way, duration_s=1, **ROOM)
        assert "a" in got.refused
        assert math.isnan(got.tenants["a"].mean_ms)
        assert got.tenants["b"].finished > 0

    @pytest.mark.parametrize(
        ("way", "victims"),
        [("exclusive", 1), ("time_slicing", 3), ("mps", 3), ("hami", 3), ("mig", 1)],
    )
    def test_who_dies_of_a_fault(self, way, victims):
        got = share(mixed(), way, duration_s=4, fault=Fault("b-busy", 1.0), **ROOM)
        assert len(got.victims) == victims
        assert "b-busy" in got.victims
        assert got.tenants["b-busy"].busy_ms <= 1000 + 1e-6
        if victims == 1:
            assert got.tenants["c-now-and-then"].busy_ms > 1000 * 0.2

    def test_exclusive_holds_a_gpu_each(self):
        got = share(mixed(), "exclusive", duration_s=5, **ROOM)
        assert got.gpus == 3
        assert all(t.slowdown == pytest.approx(1) for t in got.tenants.values())

    def test_the_log_tells_who_ran(self):
        pair = [greedy("a", kernels=10), greedy("b", kernels=10)]
        got = share(pair, "time_slicing", duration_s=1, switch_us=500, log_entries=5, **ROOM)
        assert [run.tenant for run in got.runs] == ["a", None, "b", None, "a"]
        assert [run.end_ms for run in got.runs] == pytest.approx([2, 2.5, 4.5, 5, 7])


def test_rates_need_one_number_a_tenant():
    with pytest.raises(InputError, match="allowed is one each"):
        share_rates([0.5], [0.5, 0.5])
    with pytest.raises(InputError, match=r"tenant 0: sm is 1\.5"):
        share_rates([1.5], [0.5])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kernel_ms": 0}, "tenant 'x': kernel_ms is 0; allowed is a number from 0.001"),
        ({"kernel_ms": -1.0}, "kernel_ms is -1.0"),
        ({"kernel_ms": math.nan}, "kernel_ms is nan"),
        ({"sm": 1.2}, "sm is 1.2; allowed is a number from 0 to 1"),
        ({"bandwidth": -0.1}, "bandwidth is -0.1"),
        ({"sm": 0.0}, "sm and bandwidth are both 0"),
        ({"kernels": 0}, "kernels is 0; allowed is a whole number from 1"),
        ({"kernels": 1.5}, "kernels is 1.5"),
        ({"rate_hz": 0.0}, "rate_hz is 0.0; allowed is a number above 0"),
        ({"pause_ms": -1}, "pause_ms is -1"),
        ({"memory_gib": -1}, "memory_gib is -1"),
        ({"thread_pct": 0}, "thread_pct is 0; allowed is a number above 0 to 100"),
        ({"thread_pct": 101}, "thread_pct is 101"),
        ({"core_limit_pct": 101}, "core_limit_pct is 101; allowed is a whole number from 0 to 100"),
        ({"core_limit_pct": -1}, "core_limit_pct is -1"),
        ({"blocks": True}, "blocks is True"),
        ({"weight": math.inf}, "weight is inf"),
        ({"memory_limit_gib": 0}, "memory_limit_gib is 0"),
    ],
)
def test_a_bad_tenant_is_named(changes, message):
    with pytest.raises(InputError, match=message):
        Tenant("x", **({"kernel_ms": 1.0} | changes))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration_s": 0}, "duration_s is 0"),
        ({"duration_s": math.inf}, "duration_s is inf"),
        ({"gpu_memory_gib": -1}, "gpu_memory_gib is -1"),
        ({"slice_ms": 0}, "slice_ms is 0"),
        ({"slice_ms": 1e-6}, "allowed are 2e7 slices"),
        ({"switch_us": -1}, "switch_us is -1"),
        ({"fault": Fault("nobody", 1)}, "one of a"),
        ({"seed": -1}, "seed is -1"),
        ({"duration_s": 1e7, "slice_ms": 1e6}, "about 1e[+]10 requests"),
    ],
)
def test_a_bad_option_is_named(options, message):
    with pytest.raises(InputError, match=message):
        share([greedy("a")], "time_slicing", **({"duration_s": 100, **ROOM} | options))


def test_bad_tenant_lists_and_ways_are_named():
    with pytest.raises(InputError, match="there are no tenants"):
        share([], "mps", duration_s=1, **ROOM)
    with pytest.raises(InputError, match=r"rows \[0, 2\] have the id 'a'"):
        share([greedy("a"), greedy("b"), greedy("a")], "mps", duration_s=1, **ROOM)
    with pytest.raises(InputError, match="way is 'luck'; allowed are exclusive"):
        share([greedy("a")], "luck", duration_s=1, **ROOM)
    with pytest.raises(InputError, match="tenant id is empty"):
        greedy("")
