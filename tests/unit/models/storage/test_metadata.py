"""Metadata and small files: closed forms, limits and bad input."""

from dataclasses import replace

import pytest

from gpudeck.errors import InputError
from gpudeck.models.storage import Lustre, metadata_rate, read_small_files
from gpudeck.models.storage.metadata import copy_opens_s, crossover_bytes

SYSTEM = Lustre(4, 8, 2.5, 2.0, 25, 15, 50, 40, 80, 4, 1e5, 2e5, 1e-3, 8, 0.9)


def test_targets_limit_many_clients() -> None:
    rate = metadata_rate(SYSTEM, 1000, 64)
    assert (rate.per_s, rate.limit, rate.mdts_used) == (8e5, "mdt", 4)
    assert metadata_rate(SYSTEM, 1000, 64, operation="create").per_s == 4e5
    assert metadata_rate(SYSTEM, 1000, 64, directory_stripes=1).per_s == 2e5


def test_requests_in_flight_limit_few_clients_by_littles_law() -> None:
    # 2 clients, 8 requests to each of 4 targets, 1 ms each
    rate = metadata_rate(SYSTEM, 2, 64)
    assert (rate.per_s, rate.limit) == (pytest.approx(2 * 32 / 1e-3), "in_flight")
    # fewer threads than requests allowed
    assert metadata_rate(SYSTEM, 2, 5).per_s == pytest.approx(2 * 5 / 1e-3)


def test_a_directory_on_one_target_gains_nothing_from_more() -> None:
    grown = replace(SYSTEM, mdt_count=16)
    one = metadata_rate(SYSTEM, 1000, 64, directory_stripes=1)
    assert metadata_rate(grown, 1000, 64, directory_stripes=1) == one
    assert metadata_rate(grown, 1000, 64).per_s == 16 * 2e5


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"clients": 0}, "clients is 0"),
        ({"threads_per_client": 0}, "threads_per_client is 0"),
        ({"directory_stripes": 5}, "directory_stripes is 5; allowed is 1 to 4"),
        ({"directory_stripes": 0}, "directory_stripes is 0"),
        ({"operation": "rename"}, "operation is 'rename'; allowed are open, create"),
    ],
)
def test_bad_input_names_field_and_value(arguments: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        metadata_rate(SYSTEM, **({"clients": 1, "threads_per_client": 1} | arguments))


def test_small_files_are_opens_times_size_and_large_ones_bandwidth() -> None:
    small = read_small_files(SYSTEM, 1000, 64, 4096)
    assert (small.limit, small.files_per_s) == ("mdt", 8e5)
    assert small.gb_s == pytest.approx(8e5 * 4096 / 1e9)
    large = read_small_files(SYSTEM, 1000, 64, 1e9)
    assert (large.limit, large.gb_s) == ("ost", pytest.approx(80))


def test_a_single_thread_waits_for_its_open_and_then_for_its_bytes() -> None:
    one = read_small_files(SYSTEM, 1, 1, 25e6)
    assert one.terms["threads"] == pytest.approx(1 / (1e-3 + 25e6 / 2.5e9))
    assert (one.limit, one.files_per_s) == ("threads", pytest.approx(1 / 0.011))


def test_the_crossover_is_where_both_limits_are_equal() -> None:
    size = crossover_bytes(SYSTEM, 1000, 64)
    assert size == pytest.approx(80e9 / 8e5)
    terms = read_small_files(SYSTEM, 1000, 64, size).terms
    assert terms["mdt"] == pytest.approx(terms["ost"])


@pytest.mark.parametrize("size", [0, -1, float("inf"), float("nan")])
def test_a_file_has_bytes(size: float) -> None:
    with pytest.raises(InputError, match="file_bytes is"):
        read_small_files(SYSTEM, 1, 1, size)


def test_a_copy_waits_for_two_opens_and_a_miss() -> None:
    assert copy_opens_s(1000, 2e-3, 1e-3) == pytest.approx(5)
    with pytest.raises(InputError, match=r"open_s -0\.1"):
        copy_opens_s(10, -0.1, 0)
    with pytest.raises(InputError, match="files is 0"):
        copy_opens_s(0, 1, 1)
