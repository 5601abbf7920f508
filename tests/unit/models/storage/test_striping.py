"""Bandwidth of striped files: closed forms, properties, and what limits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.storage import (
    LIMITS,
    Lustre,
    bandwidth_grid,
    bandwidth_map,
    read_bandwidth,
    write_bandwidth,
)

SYSTEM = Lustre(4, 8, 2.5, 2.0, 25, 15, 50, 40, 80, 2, 1e5, 2e5, 1e-3, 8, 0.9)


def test_one_file_is_stripes_times_target_until_the_client_is_full() -> None:
    assert [read_bandwidth(SYSTEM, 1, s).gb_s for s in (1, 8, 14)] == [2.5, 20, 35]
    full = read_bandwidth(SYSTEM, 1, 16)
    assert (full.gb_s, full.limit) == (36, "client_network")
    assert full.terms == {
        "ost": 40, "oss": 100, "oss_network": 180, "client_network": 36, "client": 80,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("change", "limit", "gb_s"),
    [
        ({}, "ost", 80),
        ({"ost_read_gb_s": 10}, "oss", 100),
        ({"ost_read_gb_s": 10, "oss_network_gb_s": 20}, "oss_network", 72),
        ({"ost_read_gb_s": 10, "client_network_gb_s": 1}, "client_network", 18),
        ({"ost_read_gb_s": 10, "client_gb_s": 2}, "client", 40),
    ],
)
def test_each_part_may_be_the_one_that_limits(change: dict, limit: str, gb_s: float) -> None:
    result = read_bandwidth(replace(SYSTEM, **change), 20, 8)
    assert (result.limit, result.gb_s) == (limit, pytest.approx(gb_s))
    assert result.client_gb_s == pytest.approx(gb_s / 20)


def test_writing_has_its_own_limits() -> None:
    result = write_bandwidth(SYSTEM, 100)
    assert (result.gb_s, result.limit) == (60, "oss")


def test_a_shared_file_uses_its_own_targets_only() -> None:
    assert read_bandwidth(SYSTEM, 10, 4, shared_file=True).gb_s == 10
    assert read_bandwidth(SYSTEM, 10, 4).gb_s == 80


def test_random_placement_leaves_targets_idle_as_counting_says() -> None:
    rng = np.random.default_rng(0)
    drawn = [
        len({int(t) for _ in range(5) for t in rng.choice(32, 4, replace=False)})
        for _ in range(4000)
    ]
    result = read_bandwidth(SYSTEM, 5, 4, placement="random")
    assert result.osts_used == pytest.approx(32 * (1 - (1 - 4 / 32) ** 5))
    assert result.osts_used == pytest.approx(np.mean(drawn), rel=0.01)
    assert result.osts_used < read_bandwidth(SYSTEM, 5, 4).osts_used


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"clients": 0}, "clients is 0; allowed is a whole number from 1"),
        ({"clients": -3}, "clients is -3"),
        ({"files_per_client": 0}, "files_per_client is 0"),
        ({"stripe_count": 33}, "stripe_count is 33; allowed is 1 to 32"),
        ({"placement": "best"}, "placement is 'best'; allowed are round-robin, random"),
    ],
)
def test_bad_input_names_field_and_value(arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_bandwidth(SYSTEM, **arguments)


def test_a_grid_is_every_single_answer() -> None:
    stripes, clients = [1, 4, 32], [1, 3, 20, 200]
    grid = bandwidth_grid(SYSTEM, stripes, clients, access="write", files_per_client=2)
    assert grid.gb_s.shape == (3, 4)
    for row, stripe in enumerate(stripes):
        for column, count in enumerate(clients):
            one = write_bandwidth(SYSTEM, count, stripe, files_per_client=2)
            assert grid.gb_s[row, column] == one.gb_s
            assert LIMITS[grid.limit[row, column]] == one.limit
    with pytest.raises(InputError, match="clients is 0"):
        bandwidth_grid(SYSTEM, [1], [0])


def test_a_map_meets_the_grid_at_its_corners() -> None:
    plan = bandwidth_map(SYSTEM, 50, points=7)
    grid = bandwidth_grid(SYSTEM, [1, 32], [1, 50])
    assert plan.gb_s[[0, 0, -1, -1], [0, -1, 0, -1]] == pytest.approx(grid.gb_s.ravel())


@settings(max_examples=50, deadline=None)
@given(
    clients=st.integers(1, 300),
    stripes=st.integers(1, 31),
    files=st.integers(1, 5),
    placement=st.sampled_from(["round-robin", "random"]),
)
def test_more_clients_or_stripes_never_slow_all_of_them_down(
    clients: int, stripes: int, files: int, placement: str
) -> None:
    def gb_s(count: int, stripe: int) -> float:
        return read_bandwidth(
            SYSTEM, count, stripe, files_per_client=files, placement=placement
        ).gb_s

    here = gb_s(clients, stripes)
    assert gb_s(clients + 1, stripes) >= here * (1 - 1e-12)
    assert gb_s(clients, stripes + 1) >= here * (1 - 1e-12)
    assert here <= min(32 * 2.5, 4 * 25, clients * 36)
