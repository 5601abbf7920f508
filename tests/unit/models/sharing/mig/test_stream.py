"""Streams on a pool: conservation, the plain twin of the kernel, what each policy can do."""

from heapq import heappop, heappush

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.hardware.mig import classic_profiles, find_mig_profiles
from gpudeck.models.sharing import mig
from gpudeck.models.sharing.mig.states import build_states
from gpudeck.models.sharing.mig.tables import preference, victims

A100 = "A100-80G"
NAMES = tuple(p.name for p in classic_profiles(find_mig_profiles(A100)))
COMPUTE = dict(zip(NAMES, (1, 2, 3, 4, 7), strict=True))
FREE = mig.InstanceCosts(0, 0, 0)


@st.composite
def streams(draw, most=30):
    geometry = draw(st.sampled_from(["A100-80G", "A30"]))
    names = [p.name for p in classic_profiles(find_mig_profiles(geometry))]
    rows = draw(
        st.lists(
            st.tuples(st.sampled_from(names), st.integers(0, 50), st.integers(1, 60)),
            min_size=1,
            max_size=most,
        )
    )
    arrival = np.cumsum([gap for _, gap, _ in rows])
    return mig.Stream.build(geometry, [n for n, _, _ in rows], arrival, [d for *_, d in rows])


def draw_day(seed=0, gpus=4, load=0.95):
    plan = mig.PoolPlan(gpus=gpus, load=load, horizon_s=20_000, mean_duration_s=1000)
    mix = {"1g.10gb": 2, "2g.20gb": 3, "3g.40gb": 3, "4g.40gb": 4}
    return mig.draw_stream(mix, A100, plan, seed)


@given(streams(), st.integers(2, 4), st.sampled_from(mig.POLICIES), st.sampled_from([1.0, 0.4]))
@settings(max_examples=50, deadline=None)
def test_slice_seconds_are_conserved(stream, gpus, policy, part):
    costs = mig.InstanceCosts(1, 2, 5)
    whole = mig.simulate_stream(stream, gpus, policy, costs=costs, horizon_s=1e5)
    size = build_states(stream.geometry, stream.names).compute[stream.profile]
    done = np.isfinite(whole.released_s)
    # once all have left, tenants have worked for as long as they asked for, moved or not
    assert whole.useful_slice_s == pytest.approx((size * stream.duration_s)[done].sum())
    used = 0 if policy == "static" else (3 * size).sum() + 8 * (size * whole.restarts).sum()
    assert whole.overhead_slice_s <= used + 8 * size.sum()
    assert policy == "repartition" or whole.overhead_slice_s == pytest.approx(used)
    end_s = max(part * float(stream.arrival_s[-1]), 1.0)
    cut = mig.simulate_stream(stream, gpus, policy, costs=costs, horizon_s=end_s, bins=7)
    for result in (whole, cut):
        parts = (
            result.useful_slice_s,
            result.overhead_slice_s,
            result.fragmented_slice_s,
            result.idle_slice_s,
        )
        assert all(part >= -1e-6 for part in parts)
        assert sum(parts) == pytest.approx(result.capacity_slice_s)
        mean = float(np.average(result.fragmented_slices))
        assert mean * result.horizon_s == pytest.approx(result.fragmented_slice_s)


@given(streams(), st.integers(1, 3))
@settings(max_examples=50, deadline=None)
def test_no_two_instances_overlap_and_nobody_is_served_before_arrival(stream, gpus):
    for policy in ("dynamic", "repartition"):
        result = mig.simulate_stream(stream, gpus, policy, horizon_s=1e6)
        assert (result.granted_s >= stream.arrival_s).all()
        assert np.isfinite(result.released_s).all()
        for time_s in np.unique(result.granted_s):
            there = (result.granted_s <= time_s) & (result.released_s > time_s)
            names = [stream.names[p] for p in stream.profile[there]]
            # whoever was moved where: what is there at once fits on the pool, slice by slice
            assert mig.partition(names, stream.geometry).gpus_used <= gpus


def simulate_plainly(stream, gpus, costs):
    """Run the policy "dynamic" with lists in place of the kernel's tables."""
    states = build_states(stream.geometry, stream.names)
    order = preference(states)
    at_state = {0: list(range(gpus))}
    granted = np.full(len(stream), np.inf)
    released = np.full(len(stream), np.inf)
    state, where, waiting, leaving = [0] * gpus, {}, [], []

    def move(gpu, new):
        at_state[state[gpu]].remove(gpu)
        at_state.setdefault(new, []).insert(0, gpu)
        state[gpu] = int(new)

    def serve(now):
        for request in list(waiting):
            p = stream.profile[request]
            for s in order[p]:
                if s >= 0 and at_state.get(int(s)):
                    gpu, start = at_state[int(s)][0], int(states.start[s, p])
                    move(gpu, states.after[s, p, start])
                    where[request] = (gpu, start)
                    granted[request] = now
                    spent_s = costs.create_s + stream.duration_s[request] + costs.destroy_s
                    released[request] = now + spent_s
                    heappush(leaving, (released[request], request))
                    waiting.remove(request)
                    return True
        return False

    came = 0
    while came < len(stream) or leaving:
        if leaving and (came == len(stream) or leaving[0][0] <= stream.arrival_s[came]):
            now, request = heappop(leaving)
            gpu, start = where.pop(request)
            move(gpu, states.before[state[gpu], start])
        else:
            now = stream.arrival_s[came]
            waiting.append(came)
            came += 1
        while serve(now):
            pass
    return granted, released


@given(streams(most=40), st.integers(1, 4))
@settings(max_examples=50, deadline=None)
def test_the_kernel_serves_as_its_plain_twin(stream, gpus):
    costs = mig.InstanceCosts(1, 2, 5)
    result = mig.simulate_stream(stream, gpus, "dynamic", costs=costs, horizon_s=1e6)
    granted, released = simulate_plainly(stream, gpus, costs)
    np.testing.assert_array_equal(result.granted_s, granted)
    np.testing.assert_array_equal(result.released_s, released)


def test_a_waiting_request_is_let_in_by_moving_one_that_runs():
    # 1g at 0, for 1g at 6 and 2g at 4 were taken: when those leave, 4g still finds no start
    names = ["2g.20gb", "2g.20gb", "2g.20gb", "4g.40gb"]
    stream = mig.Stream.build(A100, names, [0, 0, 0, 10], [5, 5, 1000, 100])
    stuck = mig.simulate_stream(stream, 1, "dynamic", costs=FREE, horizon_s=2000)
    moved = mig.simulate_stream(stream, 1, "repartition", costs=FREE, horizon_s=2000)
    assert stuck.granted_s[3] == 1000
    assert (moved.granted_s[3], moved.restarts.tolist()) == (10, [0, 0, 1, 0])
    # three free slices beside the four held by 4g, or five beside the 2g: all while 4g waits
    assert stuck.fragmented_slice_s == pytest.approx(5 * 990)
    assert moved.fragmented_slice_s == 0
    costs = mig.InstanceCosts(1, 2, 7)
    paid = mig.simulate_stream(stream, 1, "repartition", costs=costs, horizon_s=2000)
    assert paid.released_s[2] == pytest.approx(1000 + 3 + 10)
    assert paid.released_s[3] == pytest.approx(10 + 10 + 100 + 2)
    assert paid.overhead_slice_s == pytest.approx(3 * 2 * 3 + 10 * 2 + (10 + 2) * 4)


def test_an_instance_that_is_done_sooner_than_it_would_be_moved_stays():
    names = ["2g.20gb", "2g.20gb", "2g.20gb", "4g.40gb"]
    stream = mig.Stream.build(A100, names, [0, 0, 0, 10], [5, 5, 60, 100])
    costs = mig.InstanceCosts(1, 1, 58)
    result = mig.simulate_stream(stream, 1, "repartition", costs=costs, horizon_s=2000)
    assert result.restarts.sum() == 0


def test_victims_are_the_fewest_slices_that_make_room():
    states = build_states(A100)
    mask, order = victims(states)
    index = {held: number for number, held in enumerate(states.held)}
    four = states.names.index("4g.40gb")
    held = (mig.place_in_order(["1g.10gb"], A100, rule="lowest")[0],)
    assert mask[index[held], four] == 1
    assert mask[0].tolist() == [0] * len(states.names)
    for state, p in zip(*np.nonzero(mask), strict=True):
        assert states.start[state, p] < 0
        left = tuple(h for h in states.held[state] if not mask[state, p] >> h.start & 1)
        assert states.start[index[left], p] >= 0
    assert set(order[four][order[four] >= 0]) == set(np.flatnonzero(mask[:, four]))


def test_a_static_pool_holds_the_mix_and_serves_each_profile_in_order():
    stream = draw_day()
    held = mig.static_instances(A100, {"1g.10gb": 2, "2g.20gb": 3, "3g.40gb": 3, "4g.40gb": 4}, 4)
    assert mig.partition(held, A100).gpus_used <= 4
    result = mig.simulate_stream(stream, 4, "static", instances=held)
    for p, name in enumerate(stream.names):
        mine = stream.profile == p
        assert (np.diff(result.granted_s[mine]) >= 0).all()
        for time_s in result.granted_s[mine]:
            busy = (result.granted_s[mine] <= time_s) & (result.released_s[mine] > time_s)
            assert busy.sum() <= held[name]


def test_a_pool_too_small_for_every_profile_leaves_some_unserved_and_says_so():
    stream = mig.Stream.build(A100, ["7g.80gb", "4g.40gb"], [0, 0], [10, 10])
    result = mig.simulate_stream(stream, 1, "static", horizon_s=100)
    assert np.isfinite(result.granted_s).sum() == 1
    assert result.useful_slice_s + result.idle_slice_s + result.fragmented_slice_s == 700


def test_a_stream_and_a_study_repeat_with_their_seed():
    plan = mig.PoolPlan(gpus=3, horizon_s=5000, mean_duration_s=500)
    mix = {"3g.40gb": 1, "4g.40gb": 2}
    one, other = (mig.study_streams(mix, A100, runs=3, seed=5, plan=plan) for _ in range(2))
    for policy in mig.POLICIES:
        assert one.fragmented_pct(policy).shape == (3, 24)
        np.testing.assert_array_equal(one.fragmented_pct(policy), other.fragmented_pct(policy))
    assert one.requests == other.requests
    assert len(set(one.requests)) > 1


def test_moving_lets_a_loaded_pool_do_at_least_as_much_on_average():
    useful = {
        policy: np.mean(
            [mig.simulate_stream(draw_day(s), 4, policy, costs=FREE).useful_pct for s in range(8)]
        )
        for policy in mig.POLICIES
    }
    assert useful["static"] < useful["repartition"]
    assert useful["dynamic"] <= useful["repartition"] + 0.2


@pytest.mark.parametrize(
    ("arrival", "duration", "words"),
    [
        ([3, 1], [1, 1], "arrival_s of request 1 is 1.0; allowed .* ascending"),
        ([-1, 1], [1, 1], "arrival_s of request 0 is -1.0"),
        ([0, np.inf], [1, 1], "arrival_s of request 1 is inf"),
        ([0, np.nan], [1, 1], "arrival_s of request 1 is nan"),
        ([0, 1], [1, 0], "duration_s of request 1 is 0.0; allowed are finite seconds above 0"),
        ([0, 1], [-2, 1], "duration_s of request 0 is -2.0"),
        ([0, 1], [np.inf, 1], "duration_s of request 0 is inf"),
        ([0, 1], [1], "the stream has shapes"),
    ],
)
def test_a_wrong_stream_is_refused_by_its_row(arrival, duration, words):
    with pytest.raises(InputError, match=words):
        mig.Stream.build(A100, ["1g.10gb", "2g.20gb"], arrival, duration)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mig.Stream.build(A100, [], [], []), "1 or more requests"),
        (lambda: mig.Stream.build(A100, ["1g.5gb"], [0], [1]), "request 0: .* of A100-40G"),
        (lambda: mig.simulate_stream(draw_day(), 0, "static"), "gpus is 0"),
        (lambda: mig.simulate_stream(draw_day(), -1, "dynamic"), "gpus is -1"),
        (lambda: mig.simulate_stream(draw_day(), 2, "magic"), "policy is 'magic'; allowed"),
        (lambda: mig.simulate_stream(draw_day(), 2, "static", horizon_s=-1), "horizon_s is -1"),
        (lambda: mig.simulate_stream(draw_day(), 2, "static", bins=0), "0 bins"),
        (lambda: mig.InstanceCosts(drain_s=-1), "drain_s is -1"),
        (lambda: mig.InstanceCosts(create_s=np.nan), "create_s is nan"),
        (lambda: mig.PoolPlan(load=0), "load is 0"),
        (lambda: mig.static_instances(A100, {}, 2), "mix is {}; allowed"),
        (lambda: mig.static_instances(A100, {"1g.10gb": -1.0}, 2), "each with a share above 0"),
        (lambda: mig.draw_stream({}, A100, mig.PoolPlan(), 0), "mix is {}"),
        (lambda: mig.draw_stream({"1g.10gb": 0}, A100, mig.PoolPlan(), 0), "mix is {'1g.10gb': 0}"),
        (
            lambda: mig.draw_stream({"1g.10gb": 1}, A100, mig.PoolPlan(load=1e9), 0),
            "allowed are at",
        ),
        (
            lambda: mig.draw_stream({"1g.10gb": 1}, A100, mig.PoolPlan(horizon_s=1e-9), 0),
            "none with seed 0",
        ),
    ],
)
def test_bad_input_says_what_is_allowed(call, words):
    with pytest.raises(InputError, match=words):
        call()
