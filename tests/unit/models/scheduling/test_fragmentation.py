"""Typical pods, and the fragmentation that they see."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.scheduling import TypicalPods, fragmentation_of, typical_pods
from gpudeck.workload import Pods


def list_of(*rows: tuple[int, int, int, str, int]) -> Pods:
    cpu, num, milli, spec, count = zip(*rows, strict=True)
    return Pods.from_specs(cpu, [0] * len(rows), num, milli, spec, count)


def test_typical_pods_come_by_count_then_by_falling_specification() -> None:
    rows = [(1, 1, 500, "", 5), (2, 1, 300, "", 5), (2, 1, 400, "", 5), (9, 0, 0, "", 84)]
    typical = typical_pods(list_of(*rows, (7, 1, 1000, "", 1)))
    assert typical.cpu_milli.tolist() == [9, 2, 2, 1]
    assert typical.gpu_milli.tolist() == [0, 400, 300, 500]
    assert (typical.weight.tolist(), typical.scale) == ([84, 5, 5, 5], 99)


def test_exactly_95_percent_is_enough() -> None:
    assert len(typical_pods(list_of((1, 1, 500, "", 95), (2, 1, 500, "", 5)))) == 1
    assert len(typical_pods(list_of((1, 1, 500, "", 94), (2, 1, 500, "", 6)))) == 2


def test_memory_does_not_make_two_specifications() -> None:
    pods = Pods.from_specs([1, 1], [5, 6], [0, 0], [0, 0], ["", ""], [1, 1])
    assert len(typical_pods(pods)) == 1


devices = st.lists(st.integers(0, 1000), min_size=1, max_size=8)
specs = st.sampled_from([(0, 0), (1, 1), (1, 470), (1, 1000), (2, 1000), (8, 1000)])


@given(devices, st.lists(specs, min_size=1, max_size=5), st.integers(0, 9000))
def test_fragmentation_lies_between_nothing_and_all_that_is_left(
    left: list[int], asks: list[tuple[int, int]], cpu: int
) -> None:
    typical = typical_pods(list_of(*((4000, num, milli, "", 1) for num, milli in asks)))
    value = fragmentation_of(typical, cpu, left)
    assert 0 <= value <= sum(left)
    assert fragmentation_of(typical, cpu, left[::-1]) == value
    assert fragmentation_of(typical, 0, left) == sum(left)
    assert fragmentation_of(typical, 9999, left) <= value


def test_a_pod_of_another_model_sees_all_as_fragmented() -> None:
    typical = typical_pods(list_of((0, 1, 500, "T4|G2", 1)))
    assert fragmentation_of(typical, 1, [1000, 400], "G2") == 400
    assert fragmentation_of(typical, 1, [1000, 400], "P100") == 1400


@pytest.mark.parametrize("share", [0, 1.1, -1, np.nan])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(InputError, match="0 < share"):
        typical_pods(list_of((1, 0, 0, "", 1)), share)


def test_no_pods_are_refused() -> None:
    with pytest.raises(InputError, match="typical pods of 0 pods"):
        typical_pods(Pods([], [], [], [], [], []))


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        (0, [1, 2], "different length"),
        (4, [1.5], "probability"),
        (4, [np.nan], "probability"),
        (2, [0], "allowed is 0 GPUs"),
        (1, [-1], "num_gpu is -1"),
    ],
)
def test_wrong_probabilities_are_refused(column: int, values: list, message: str) -> None:
    columns: list = [[1], [1], [500], [""], [0.5]]
    columns[column] = values
    with pytest.raises(InputError, match=message):
        TypicalPods.from_probabilities(*columns)


@pytest.mark.parametrize(("cpu", "left"), [(-1, [0]), (0, [1001]), (0, [-1])])
def test_an_impossible_node_is_refused(cpu: int, left: list[int]) -> None:
    typical = typical_pods(list_of((1, 0, 0, "", 1)))
    with pytest.raises(InputError, match="allowed are"):
        fragmentation_of(typical, cpu, left)
