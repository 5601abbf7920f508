"""Copies in memory: counted sets of failed nodes, and what is refused."""

from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.resilience.replicas import (
    group_survivability,
    pair_survivability,
    ring_survivability,
    survivability_table,
)


def share_that_survives(nodes: int, holders: list[set[int]], failed: int) -> float:
    sets = [set(one) for one in combinations(range(nodes), failed)]
    return sum(not any(h <= one for h in holders) for one in sets) / len(sets)


def neighbours(members: list[int], copies: int) -> list[set[int]]:
    count = len(members)
    return [{members[(i + j) % count] for j in range(copies)} for i in range(count)]


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 10), st.integers(1, 4), st.integers(0, 10))
def test_counts_are_those_of_all_sets(nodes: int, copies: int, failed: int) -> None:
    copies, failed = min(copies, nodes), min(failed, nodes)
    left = nodes % copies
    last = nodes - copies - left
    holders = [set(range(i, i + copies)) for i in range(0, last, copies)]
    holders += neighbours(list(range(last, nodes)), copies)
    expected = share_that_survives(nodes, holders, failed)
    assert group_survivability(nodes, copies, failed) == pytest.approx(expected)
    expected = share_that_survives(nodes, neighbours(list(range(nodes)), copies), failed)
    assert ring_survivability(nodes, copies, failed) == pytest.approx(expected)


@settings(max_examples=50)
@given(st.integers(1, 200), st.integers(0, 40))
def test_pairs_are_groups_of_two(half: int, failed: int) -> None:
    failed = min(failed, 2 * half)
    pairs = pair_survivability(2 * half, failed)
    assert pairs == pytest.approx(group_survivability(2 * half, 2, failed))
    assert 0 <= pairs <= 1


def test_table_and_order() -> None:
    table = survivability_table(128, 2, 12)
    assert len(table) == 13
    assert table[:2] == (1.0, 1.0)
    assert list(table) == sorted(table, reverse=True)
    assert table[3] == group_survivability(128, 2, 3)
    # groups are safer than a ring, a third copy safer than two; a job as small as a pair
    assert ring_survivability(128, 2, 3) < table[3] < group_survivability(128, 3, 3)
    assert survivability_table(2, 2, 12) == (1.0, 1.0, 0.0)
    assert group_survivability(1_000_000, 2, 256) == pytest.approx(0.968, abs=0.001)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: pair_survivability(15, 2), "nodes is 15"),
        (lambda: pair_survivability(16, 17), "failed is 17 of 16"),
        (lambda: group_survivability(16, 2, -1), "failed is -1"),
        (lambda: group_survivability(3, 4, 1), "copies is 4 on 3 nodes"),
        (lambda: group_survivability(16, 0, 1), "copies is 0"),
        (lambda: group_survivability(0, 1, 0), "nodes is 0"),
        (lambda: ring_survivability(1000, 2, 300), "failed is 300 of 1000"),
        (lambda: survivability_table(10**7, 2, 1), "nodes is 10000000"),
    ],
)
def test_refuses(call, named: str) -> None:
    with pytest.raises(InputError, match=named):
        call()
