"""Packing: what always holds, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.hardware import Nodes
from gpudeck.models.scheduling import POLICIES, fill, fill_curves, random_orders, replay
from gpudeck.models.scheduling.packing import FillResult
from gpudeck.workload import Pods, openb_nodes, openb_pods

PODS = openb_pods(400)
SMALL = openb_nodes().take(slice(0, 1213, 60))

cases = st.tuples(st.sampled_from(list(POLICIES)), st.integers(0, 10**6))


def check_capacity(nodes: Nodes, pods: Pods, order: np.ndarray, result: FillResult) -> None:
    for n in range(len(nodes)):
        here = result.node == n
        assert pods.cpu_milli[order[here]].sum() <= nodes.cpu_milli[n]
        assert pods.memory_mib[order[here]].sum() <= nodes.memory_mib[n]
        for i in range(64):
            share = pods.gpu_milli[order[here & ((result.device >> i & 1) == 1)]]
            assert share.sum() <= (1000 if i < nodes.gpus[n] else 0)


@settings(max_examples=40, deadline=None)
@given(cases)
def test_nothing_is_given_twice(case: tuple[str, int]) -> None:
    policy, seed = case
    order, rank = random_orders(PODS, SMALL, 1.3, seed)
    result = fill(SMALL, PODS, order, rank, policy, seed=seed)
    check_capacity(SMALL, PODS, order, result)
    placed = result.node >= 0
    demand = PODS.gpu_demand_milli[order]
    assert np.bitwise_count(result.device).tolist() == (PODS.num_gpu[order] * placed).tolist()
    assert result.allocated_milli.tolist() == np.cumsum(demand * placed).tolist()
    assert result.arrived_milli.tolist() == np.cumsum(demand).tolist()
    left = result.capacity_milli - result.allocated_milli
    assert (result.fragmented_milli >= -1e-6).all()
    assert (result.fragmented_milli <= left + 1e-6).all()


@settings(max_examples=40, deadline=None)
@given(cases, st.randoms(use_true_random=False))
def test_the_order_of_the_nodes_does_not_matter_but_their_rank(
    case: tuple[str, int], random: object
) -> None:
    policy, seed = case
    order, rank = random_orders(PODS, SMALL, 1.2, seed)
    moved = np.array(random.sample(range(len(SMALL)), len(SMALL)))
    first = fill(SMALL, PODS, order, rank, policy, seed=seed)
    second = fill(SMALL.take(moved), PODS, order, rank[moved], policy, seed=seed)
    assert np.where(second.node >= 0, moved[second.node], -1).tolist() == first.node.tolist()
    assert second.device.tolist() == first.device.tolist()
    assert second.fragmented_milli == pytest.approx(first.fragmented_milli)


@settings(max_examples=20, deadline=None)
@given(cases)
def test_a_replay_without_departures_is_a_fill(case: tuple[str, int]) -> None:
    policy, seed = case
    order, rank = random_orders(PODS, SMALL, 1.2, seed)
    filled = fill(SMALL, PODS, order, rank, policy, seed=seed)
    times = {
        "arrival_s": np.arange(len(order)),
        "departure_s": np.full(len(order), np.inf),
    }
    played = replay(SMALL, PODS, rank, policy, order=order, **times, seed=seed)
    assert played.node.tolist() == filled.node.tolist()
    assert played.allocated_milli.tolist() == filled.allocated_milli.tolist()
    assert played.fragmented_milli.tolist() == filled.fragmented_milli.tolist()


def test_a_replay_by_the_times_of_the_pods() -> None:
    pods = Pods(["a", "b"], [1, 1], [1, 1], [1, 1], [600, 600], ["", ""], [10, 0], [40, 20])
    nodes = Nodes.from_types([10], [10], [1], ["T4"], [1])
    result = replay(nodes, pods, [0], "bestfit")
    assert result.node.tolist() == [-1, 0]
    assert result.time_s.tolist() == [0, 10, 20, 40]
    assert result.allocated_milli.tolist() == [600, 600, 0, 0]
    assert result.mean_allocated_milli() == 300


@given(st.integers(0, 10**6), st.floats(0.1, 3))
def test_random_orders_stop_below_the_load(seed: int, load: float) -> None:
    order, rank = random_orders(PODS, SMALL, load, seed)
    demand = PODS.gpu_demand_milli
    assert demand[order].sum() <= load * 1000 * SMALL.gpu_count < demand[order].sum() + 8000
    first = order[: len(PODS)]
    assert len(set(first.tolist())) == len(first)
    assert sorted(rank.tolist()) == list(range(len(SMALL)))
    again, _ = random_orders(PODS, SMALL, load, seed)
    assert again.tolist() == order.tolist()


def test_curves_are_paired_and_never_fall() -> None:
    curves = fill_curves(SMALL, PODS, ["fgd", "random"], 1.1, [3, 4])
    assert curves.arrived_pct.tolist() == list(range(111))
    assert list(curves.allocated_pct) == ["fgd", "random"]
    for policy in curves.allocated_pct:
        assert curves.allocated_pct[policy].shape == curves.fragmented_pct[policy].shape == (2, 111)
        assert (np.diff(curves.allocated_pct[policy], axis=1) >= 0).all()
    order, rank = random_orders(PODS, SMALL, 1.1, 4)
    single = fill(SMALL, PODS, order, rank, "fgd", seed=4)
    assert single.allocated_pct(110).tolist() == curves.allocated_pct["fgd"][1].tolist()


def test_a_percent_at_which_nothing_arrives_repeats_the_one_before() -> None:
    nodes = Nodes.from_types([10], [10], [2], ["T4"], [1])
    pods = Pods.from_specs([1], [1], [1], [500], [""], [1])
    curve = fill(nodes, pods, [0] * 4, [0], "fgd").allocated_pct(100)
    assert curve.tolist() == [0] * 25 + [25] * 25 + [50] * 25 + [75] * 25 + [100]


NODES = Nodes.from_types([10], [10], [1], ["T4"], [2])
ONE = Pods.from_specs([1], [1], [1], [500], [""], [1])


@pytest.mark.parametrize(
    ("order", "rank", "policy", "message"),
    [
        ([0], [0, 1], "spread", "policy is 'spread'; allowed are random, least_allocated"),
        ([1], [0, 1], "fgd", "order is 1 at place 0; allowed are 0 to 0"),
        ([0, -1], [0, 1], "fgd", "order is -1 at place 1"),
        ([0.5], [0, 1], "fgd", "order has shape"),
        ([0], [0], "fgd", "node_rank has shape"),
        ([0], [1, 1], "fgd", "1 distinct values; allowed are 2 distinct"),
        ([0], [0.0, 1.0], "fgd", "node_rank has shape"),
    ],
)
def test_wrong_arguments_are_named(order: list, rank: list, policy: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        fill(NODES, ONE, order, rank, policy)


def test_an_empty_cluster_is_refused() -> None:
    with pytest.raises(InputError, match="no node"):
        fill(NODES.take([]), ONE, [0], [], "fgd")


def test_a_cluster_without_gpu_has_no_curve() -> None:
    nodes = Nodes.from_types([10], [10], [0], [""], [1])
    result = fill(nodes, ONE, [0], [0], "fgd")
    assert result.node.tolist() == [-1]
    with pytest.raises(InputError, match="no GPU"):
        result.allocated_pct(100)
    with pytest.raises(InputError, match="0 GPUs"):
        random_orders(ONE, nodes, 1.3, 0)


@pytest.mark.parametrize("load", [0, -1, np.nan, np.inf])
def test_a_load_out_of_range_is_refused(load: float) -> None:
    with pytest.raises(InputError, match="load is"):
        random_orders(ONE, NODES, load, 0)


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ({}, "arrival_s is not told"),
        ({"arrival_s": [0]}, "departure_s is not told"),
        ({"arrival_s": [0, 1], "departure_s": [2]}, "arrival_s has shape"),
        ({"arrival_s": [np.nan], "departure_s": [2]}, "NaN"),
        ({"arrival_s": [3], "departure_s": [2]}, "comes at 3.0 s and leaves at 2.0 s"),
        ({"arrival_s": [np.inf], "departure_s": [np.inf]}, "finite"),
    ],
)
def test_wrong_times_are_named(times: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        replay(NODES, ONE, [0, 1], "fgd", **times)
