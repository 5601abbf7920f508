"""Nodes: columns of one length, whole numbers, smaller clusters."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.hardware import Nodes


def cluster(**changes: object) -> Nodes:
    columns = {
        "name": ["a", "b", "c"],
        "cpu_milli": [1000, 2000, 3000],
        "memory_mib": [10, 20, 30],
        "gpus": [0, 1, 8],
        "model": ["", "T4", "G2"],
    }
    return Nodes(**(columns | changes))


def test_take_keeps_rows_and_counts_gpus() -> None:
    nodes = cluster()
    assert (len(nodes), nodes.gpu_count) == (3, 9)
    part = nodes.take([2, 1])
    assert (part.name.tolist(), part.gpus.tolist(), part.gpu_count) == (["c", "b"], [8, 1], 9)
    assert len(nodes.take(nodes.gpus > 100)) == 0
    assert nodes.take(nodes.gpus == 1).model.tolist() == ["T4"]


@pytest.mark.parametrize("rows", [[3], [True, False], [0, 0]])
def test_take_refuses_rows_that_are_not_there(rows: list) -> None:
    with pytest.raises(InputError, match=r"rows|repeat"):
        cluster().take(rows)


def test_columns_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="read-only"):
        cluster().gpus[0] = 5


def test_types_expand_with_names_that_sort() -> None:
    nodes = Nodes.from_types([1, 2], [3, 4], [5, 6], ["x", "y"], [2, 10])
    assert nodes.name.tolist() == sorted(nodes.name.tolist())
    assert nodes.cpu_milli.tolist() == [1] * 2 + [2] * 10
    assert nodes.gpu_count == 70


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ["a", "a", "b"]}, "repeat"),
        ({"cpu_milli": [1, 2]}, "lengths"),
        ({"cpu_milli": [1, -2, 3]}, "cpu_milli is -2 in row 1"),
        ({"memory_mib": [1, np.nan, 3]}, "memory_mib is nan in row 1"),
        ({"memory_mib": [1.5, 2, 3]}, "memory_mib is 1.5 in row 0"),
        ({"memory_mib": ["1", "2", "3"]}, "whole numbers"),
        ({"gpus": [0, 1, 63]}, "gpus is 63; allowed are 0 to 62"),
    ],
)
def test_a_wrong_column_is_named(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        cluster(**changes)


def test_a_table_of_types_has_one_length() -> None:
    with pytest.raises(InputError, match="shapes"):
        Nodes.from_types([1, 2], [3], [5, 6], ["x", "y"], [2, 10])
