"""Pods: what may be asked, and specifications expanded in proportion."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.workload import Pods


def pods(**changes: object) -> Pods:
    columns = {
        "name": ["a", "b", "c"],
        "cpu_milli": [1, 2, 3],
        "memory_mib": [1, 2, 3],
        "num_gpu": [0, 1, 2],
        "gpu_milli": [0, 500, 1000],
        "gpu_spec": ["", "T4|G2", ""],
    }
    return Pods(**(columns | changes))


def test_demand_is_over_all_gpus() -> None:
    assert pods().gpu_demand_milli.tolist() == [0, 500, 2000]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": ["a", "c", "b"]}, "'b' repeats or is out of order"),
        ({"name": ["a", "b", "b"]}, "'b' repeats or is out of order"),
        ({"gpu_milli": [0, 1001, 1000]}, "pod b asks num_gpu 1 with gpu_milli 1001"),
        ({"gpu_milli": [0, 0, 1000]}, "pod b asks num_gpu 1 with gpu_milli 0"),
        ({"gpu_milli": [0, 500, 500]}, "pod c asks num_gpu 2 with gpu_milli 500"),
        ({"gpu_milli": [5, 500, 1000]}, "pod a asks num_gpu 0 with gpu_milli 5"),
        ({"cpu_milli": [1, 2, -3]}, "cpu_milli is -3 in row 2"),
        ({"creation_s": [1, 2, 3], "deletion_s": [1, 1, 3]}, "pod b is deleted before"),
    ],
)
def test_a_wrong_pod_is_named(changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        pods(**changes)


@given(st.lists(st.integers(0, 50), min_size=1, max_size=12), st.integers(0, 300))
def test_specifications_keep_their_proportions(counts: list[int], total: int) -> None:
    if sum(counts) == 0:
        counts = [*counts, 1]
    size = len(counts)
    none = [0] * size
    args = (range(size), none, none, none, [""] * size, counts)
    made = np.bincount(Pods.from_specs(*args, total=total).cpu_milli, minlength=size)
    assert made.sum() == total
    assert (np.abs(made - np.array(counts) * total / sum(counts)) < 1).all()
    exact = Pods.from_specs(*args)
    assert np.bincount(exact.cpu_milli, minlength=size).tolist() == counts
    assert exact.name.tolist() == sorted(exact.name.tolist())


@pytest.mark.parametrize(("counts", "total"), [([0], 5), ([3], -1)])
def test_an_impossible_total_is_refused(counts: list[int], total: int) -> None:
    with pytest.raises(InputError, match=f"total is {total}"):
        Pods.from_specs([1], [1], [0], [0], [""], counts, total=total)
