"""Closed forms of collectives."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.fabric.alpha_beta import (
    hierarchical_all_reduce_s,
    nvls_all_reduce_s,
    reduce_scatter_s,
    ring_all_reduce_s,
    tree_all_reduce_s,
)
from gpudeck.models.fabric.busbw import bus_bandwidth_gb_s, bus_factor, switch_bus_bandwidth

ALL = (ring_all_reduce_s, tree_all_reduce_s, nvls_all_reduce_s, reduce_scatter_s)
sizes = st.floats(1, 1e12)
counts = st.integers(2, 4096)


def test_worked_cases():
    assert float(ring_all_reduce_s(2**30, 8, 450e9)) == pytest.approx(0.004175662648888889)
    assert float(ring_all_reduce_s(25e6, 1024, 50e9, 5e-6)) == pytest.approx(0.0112290234375)
    assert float(tree_all_reduce_s(25e6, 1024, 50e9, 5e-6)) == pytest.approx(0.0011)
    inside, between = hierarchical_all_reduce_s(2**32, 8, 4, 740.64e9, 50e9)
    assert [float(inside), float(between)] == pytest.approx([0.01014824, 0.01610613], rel=1e-6)
    assert float(switch_bus_bandwidth(304.1, 8)) == pytest.approx(473.04, rel=1e-4)


@pytest.mark.parametrize("collective", ALL)
def test_one_rank_takes_no_time(collective):
    assert float(collective(1e9, 1, 1e9, 0.0)) == 0


@settings(max_examples=50)
@given(sizes, counts, st.floats(1e6, 1e13), st.floats(0, 1e-3))
def test_more_bandwidth_is_never_slower_and_more_bytes_never_faster(size, ranks, speed, latency):
    for collective in ALL:
        time = float(collective(size, ranks, speed, latency))
        assert float(collective(size, ranks, 2 * speed, latency)) <= time
        assert float(collective(2 * size, ranks, speed, latency)) >= time


@settings(max_examples=50)
@given(sizes, counts)
def test_bus_bandwidth_of_a_ring_is_its_link(size, ranks):
    time = ring_all_reduce_s(size, ranks, 50e9)
    assert float(bus_bandwidth_gb_s("all_reduce", size, ranks, time)) == pytest.approx(50)


def test_an_all_reduce_is_a_scatter_and_a_gather():
    ranks = np.arange(1, 40)
    assert np.allclose(ring_all_reduce_s(1e9, ranks, 1e9), 2 * reduce_scatter_s(1e9, ranks, 1e9))
    assert bus_factor("all_gather", 4) * 2 == bus_factor("all_reduce", 4)


@pytest.mark.parametrize("bandwidth", [0, -1, float("nan"), float("inf"), "fast"])
@pytest.mark.parametrize("collective", ALL)
def test_wrong_bandwidths_are_refused(collective, bandwidth):
    with pytest.raises(InputError, match=r"bandwidth_b_s is .*; allowed are"):
        collective(1e6, 8, bandwidth)


@pytest.mark.parametrize("ranks", [0, -8, 2.5, float("nan")])
@pytest.mark.parametrize("collective", ALL)
def test_wrong_ranks_are_refused(collective, ranks):
    with pytest.raises(InputError, match=r"ranks is .*; allowed are whole numbers of 1 or more"):
        collective(1e6, ranks, 1e9)


def test_a_negative_size_latency_or_an_unknown_operation_is_refused():
    with pytest.raises(InputError, match="size_bytes is -1; allowed are finite numbers of 0"):
        ring_all_reduce_s([4, -1], 8, 1e9)
    with pytest.raises(InputError, match="latency_s is -1"):
        tree_all_reduce_s(1, 8, 1e9, -1)
    with pytest.raises(InputError, match="operation is 'scan'; allowed are all_reduce"):
        bus_factor("scan", 8)
