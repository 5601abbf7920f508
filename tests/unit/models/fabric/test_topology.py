"""Topologies: what is counted on the graph is what the closed forms say."""

import networkx as nx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.fabric.topology import (
    count_fat_tree,
    count_hops,
    count_parts,
    drawn_rails,
    fat_tree,
    leaf_spine,
    rail_optimised,
    smallest_fat_tree,
)


@pytest.mark.parametrize("ratio", [1.0, 2.0, 7.0])
@pytest.mark.parametrize("k", [2, 4, 6, 8])
def test_a_fat_tree_has_what_its_closed_form_says(k, ratio):
    counted, told = count_parts(fat_tree(k, ratio)), count_fat_tree(k, 3, ratio)
    assert counted.bisection == pytest.approx(told.bisection)
    assert (counted.hosts, counted.switches, counted.links) == (
        told.hosts,
        told.switches,
        told.links,
    )


@pytest.mark.parametrize("k", [2, 4, 8, 16])
def test_two_tiers_have_what_their_closed_form_says(k):
    assert count_parts(leaf_spine(k)) == count_fat_tree(k, tiers=2)


def test_every_switch_of_a_fat_tree_has_all_its_ports_in_use():
    topology = fat_tree(6)
    switches = topology.of_kind("leaf", "aggregation", "spine")
    assert {topology.graph.degree(name) for name in switches} == {6}
    assert nx.is_connected(topology.graph)


def test_hops_by_distance():
    topology = fat_tree(4)
    assert count_hops(topology, "host-0-0", "host-0-1") == 1
    assert count_hops(topology, "host-0-0", "host-0-2") == 3
    assert count_hops(topology, "host-0-0", "host-1-0") == 5
    assert count_hops(topology, "host-0-0", "host-0-0") == 0


def test_rails_join_gpus_of_one_number():
    rails = rail_optimised(4, 8, 4)
    assert count_hops(rails, "gpu-0-5", "gpu-3-5") == 1
    assert count_hops(rails, "gpu-0-5", "gpu-0-1") == 0  # over NVLink
    assert count_hops(rails, "gpu-0-5", "gpu-3-1") == 1  # NVLink, then the rail
    assert count_parts(rails).switches == 12
    bare = rail_optimised(4, 8, 0)
    assert count_parts(bare).switches == 8
    assert count_hops(bare, "gpu-0-5", "gpu-3-1") == 1
    assert drawn_rails(72).of_kind("leaf") == [f"leaf-0-{n}" for n in range(8)]


@settings(max_examples=50)
@given(st.integers(1, 1_000_000))
def test_the_smallest_fat_tree_is_large_enough_and_no_smaller_one_is(hosts):
    k = smallest_fat_tree(hosts)
    assert count_fat_tree(k).hosts >= hosts
    assert k == 2 or count_fat_tree(k - 2).hosts < hosts


def test_the_smallest_fat_tree_is_found_at_once_for_any_number_of_hosts():
    k = smallest_fat_tree(10**30)
    assert k**3 // 4 >= 10**30 > (k - 2) ** 3 // 4


@pytest.mark.parametrize("k", [0, 1, 3, -4, 7, 4.0, True])
@pytest.mark.parametrize("build", [fat_tree, leaf_spine, count_fat_tree])
def test_odd_or_wrong_ports_are_refused(build, k):
    with pytest.raises(InputError, match=r"k is .*; allowed are even whole numbers of 2 or more"):
        build(k)


def test_other_mistakes_are_refused():
    with pytest.raises(InputError, match=r"oversubscription is 0.5"):
        fat_tree(4, 0.5)
    with pytest.raises(InputError, match="tiers is 4; allowed are 2 and 3"):
        count_fat_tree(4, 4)
    with pytest.raises(InputError, match="nodes is 0"):
        rail_optimised(0, 8, 4)
    with pytest.raises(InputError, match="spines is -1"):
        rail_optimised(4, 8, -1)
    with pytest.raises(InputError, match="host is 'host-9-9'; allowed are the vertices"):
        count_hops(fat_tree(4), "host-0-0", "host-9-9")
    with pytest.raises(InputError, match="hosts is 0"):
        smallest_fat_tree(0)
    cut = fat_tree(2)
    cut.graph.remove_node("spine-0")
    with pytest.raises(InputError, match="are not joined"):
        count_hops(cut, "host-0-0", "host-1-0")
