"""Another share of sharing pods, the same specifications."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.workload import Pods
from gpudeck.workload.resample import resample_sharing


def make_pods() -> Pods:
    return Pods.from_specs(
        [1, 2, 3, 4], [1] * 4, [0, 1, 1, 4], [0, 250, 1000, 1000], [""] * 4, [10, 30, 20, 10]
    )


@given(share_pct=st.integers(0, 100), seed=st.integers(0, 5))
def test_the_share_is_met_and_nothing_else_changes(share_pct: int, seed: int) -> None:
    pods = make_pods()
    drawn = resample_sharing(pods, share_pct, seed)
    shared = int(((drawn.num_gpu == 1) & (drawn.gpu_milli < 1000)).sum())
    assert len(drawn) == len(pods)
    assert int((drawn.num_gpu == 0).sum()) == 10
    assert shared == round(60 * share_pct / 100)
    known = set(zip(pods.cpu_milli, pods.num_gpu, pods.gpu_milli, strict=True))
    assert set(zip(drawn.cpu_milli, drawn.num_gpu, drawn.gpu_milli, strict=True)) <= known


@pytest.mark.parametrize("share_pct", [-1, 101, float("nan")])
def test_a_share_outside_0_to_100_is_refused(share_pct: float) -> None:
    with pytest.raises(InputError, match="0 to 100"):
        resample_sharing(make_pods(), share_pct)


def test_a_workload_without_sharing_pods_cannot_share() -> None:
    whole = Pods.from_specs([1], [1], [1], [1000], [""], [5])
    with pytest.raises(InputError, match="shared"):
        resample_sharing(whole, 50)
    assert len(resample_sharing(whole, 0)) == 5
