"""Costs of saves, spares, elasticity and protections: closed forms, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from gpudeck.errors import InputError
from gpudeck.models.resilience.checkpoint import CheckpointCost, CheckpointPath, checkpoint_bytes
from gpudeck.models.resilience.elastic import elastic_speed, full_replicas, nodes_needed
from gpudeck.models.resilience.recovery import Protection, StorageFallback, fallback_every
from gpudeck.models.resilience.spares import availability, node_up, spares_needed

PATH = CheckpointPath(1e12, 1024, 128, 20, 20, 5, 10, 3)
COST = CheckpointCost(5, 100, 10)


def test_a_save_by_mode() -> None:
    assert PATH.cost("synchronous") == CheckpointCost(55, 0, 50)
    stall_s, node_s = 5 + 1e12 / 1024 / 20e9, 1e12 / 128 / 10e9
    cost = PATH.cost("asynchronous")
    assert (cost.stall_s, cost.save_s, cost.load_s) == pytest.approx((stall_s, 50, 50))
    cost = PATH.cost("memory")
    assert (cost.stall_s, cost.save_s, cost.load_s) == pytest.approx((stall_s, 2 * node_s, node_s))
    assert PATH.cost("asynchronous").floor_s == 50
    assert checkpoint_bytes(70e9) == 980e9


@settings(max_examples=50)
@given(st.integers(1, 300), st.floats(0, 1), st.integers(0, 30))
def test_availability_is_the_binomial_sum(nodes: int, up: float, spares: int) -> None:
    expected = binom.sf(nodes - 1, nodes + spares, up)
    assert availability(nodes, up, spares) == pytest.approx(expected, abs=1e-9)


def test_spares_needed_are_the_fewest() -> None:
    spares = spares_needed(128, 0.99, 0.999)
    assert availability(128, 0.99, spares) >= 0.999 > availability(128, 0.99, spares - 1)
    assert spares_needed(10, 1.0, 0.9) == 0
    assert spares_needed(10, 0.5, 0.0) == 0
    # one node that fails every 100 h and is gone for 1 h
    assert node_up(3600, 100, 1.0, 3600) == pytest.approx(100 / 101)


@settings(max_examples=50)
@given(st.integers(1, 200), st.integers(1, 20), st.integers(0, 250), st.floats(0.01, 1))
def test_elastic_speed(nodes: int, replica: int, available: int, share: float) -> None:
    replica = min(replica, nodes)
    speed = elastic_speed(nodes, replica, available)
    assert 0 <= speed <= 1
    assert speed <= elastic_speed(nodes, replica, available + 1)
    needed = nodes_needed(nodes, replica, share)
    assert needed <= nodes
    assert elastic_speed(nodes, replica, needed) >= min(share, 1) - 1e-9
    assert full_replicas(nodes, replica) * replica <= nodes


def test_recovery_is_downtime_and_half_an_interval() -> None:
    plain = Protection("asynchronous", COST, 600, 30, 300)
    assert plain.downtime_s == 340
    assert plain.recovery_s() == 340 + 300 + 100
    assert plain.restart_median_s == 300
    assert Protection("asynchronous", COST, 600, 30, 300, 1.0).restart_median_s < 300


def test_saves_go_on_to_storage_as_often_as_it_can() -> None:
    assert fallback_every(300, 5, 1000, 10_000) == 4
    assert fallback_every(5000, 5, 1, 10_000) == 1


def memory(**changes: object) -> Protection:
    given_ = {
        "mode": "memory", "cost": CheckpointCost(5, 1, 1), "interval_s": 100, "detection_s": 1,
        "restart_s": 1, "copies": 2, "fallback": StorageFallback(3, 200, 50),
    }  # fmt: skip
    return Protection(**(given_ | changes))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: CheckpointPath(1e12, 8, 1, 0, 1, 1, 1), "storage_gb_s is 0"),
        (lambda: CheckpointPath(1e12, 8, 1, 1, 1, 1, 0), "replica_gb_s is 0"),
        (lambda: CheckpointPath(0, 8, 1, 1, 1, 1, 1), "state_bytes is 0"),
        (lambda: CheckpointPath(1, 8, 9, 1, 1, 1, 1), "gpus is 8, nodes 9"),
        (lambda: CheckpointPath(1, 8, 1, 1, 1, -1, 1), "overhead_s is -1"),
        (lambda: PATH.cost("tape"), "mode is 'tape'"),
        (lambda: CheckpointCost(float("inf"), 0, 0), "stall_s is inf"),
        (lambda: checkpoint_bytes(0), "parameters is 0"),
        (lambda: availability(10, 1.5, 0), "up is 1.5"),
        (lambda: availability(10, 0.5, -1), "spares is -1"),
        (lambda: availability(0, 0.5, 1), "nodes is 0"),
        (lambda: spares_needed(10, 0.5, 1.0), "target is 1.0"),
        (lambda: spares_needed(10, 0.0, 0.5), "up with probability 0.0"),
        (lambda: node_up(0, 1, 1, 1), "mtbf_s is 0"),
        (lambda: full_replicas(8, 9), "replica_nodes is 9 of 8"),
        (lambda: elastic_speed(8, 2, -1), "available is -1"),
        (lambda: nodes_needed(8, 2, 0), "min_share is 0"),
        (lambda: Protection("tape", COST, 600, 1, 1), "mode is 'tape'"),
        (lambda: Protection("asynchronous", COST, 99, 1, 1), "a save takes 100 s"),
        (lambda: Protection("asynchronous", COST, 0, 1, 1), "interval_s is 0"),
        (lambda: Protection("asynchronous", COST, 600, -1, 1), "detection_s is -1"),
        (lambda: Protection("asynchronous", COST, 600, 1, 1, 5), "restart_sigma is 5"),
        (lambda: Protection("asynchronous", COST, 600, 1, 1, 0, -1), "spare_nodes is -1"),
        (lambda: Protection("asynchronous", COST, 600, 1, 1, 0, 0, 0), "elastic_min_share is 0"),
        (lambda: Protection("asynchronous", COST, 600, 1, 1, copies=2), "with copies 2"),
        (lambda: memory(copies=1), "with copies 1"),
        (lambda: memory(fallback=None), "fallback None"),
        (lambda: memory(fallback=StorageFallback(1, 200, 50)), "a save in storage takes 200 s"),
        (lambda: StorageFallback(0, 1, 1), "every is 0"),
    ],
)
def test_refuses(call, named: str) -> None:
    with pytest.raises(InputError, match=named):
        call()
