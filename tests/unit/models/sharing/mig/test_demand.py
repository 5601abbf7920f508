"""From a pod's share of a GPU to a profile, and how a GPU is split."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.hardware.mig import classic_profiles, find_mig_profiles, read_mig_profiles
from gpudeck.models.sharing import mig
from gpudeck.workload.pod import Pods

A100 = "A100-80G"


@given(st.integers(1, 1000), st.sampled_from(sorted(read_mig_profiles())))
@settings(max_examples=50, deadline=None)
def test_the_profile_covers_the_share_and_the_next_smaller_does_not(asked, geometry):
    classic = classic_profiles(find_mig_profiles(geometry))
    index = int(mig.smallest_profiles([asked], geometry)[0])
    compute, memory = classic[-1].compute_slices, classic[-1].memory_slices

    def covers(profile):
        return (
            profile.compute_slices * 1000 >= asked * compute
            and profile.memory_slices * 1000 >= asked * memory
        )

    assert covers(classic[index])
    assert not any(covers(profile) for profile in classic[:index])


def test_only_pods_that_share_one_gpu_are_mapped():
    pods = Pods.from_specs(
        [1] * 5, [1] * 5, [0, 1, 1, 1, 4], [0, 120, 700, 1000, 1000], [""] * 5, [2, 3, 4, 5, 6]
    )
    demand = mig.map_pods(pods, A100)
    assert demand.pod.tolist() == [2, 3, 4, 5, 6, 7, 8]
    assert demand.counts == {"1g.10gb": 3, "2g.20gb": 0, "3g.40gb": 0, "4g.40gb": 0, "7g.80gb": 4}
    assert mig.splittable(demand) == {"1g.10gb": 3}
    assert demand.requests[0] == "1g.10gb"


@pytest.mark.parametrize("wrong", [[0], [1001], [-5], [250.5], [[1]]])
def test_a_share_out_of_range_is_refused(wrong):
    with pytest.raises(
        InputError, match=r"gpu_milli is .* allowed are whole numbers from 1 to 1000"
    ):
        mig.smallest_profiles(wrong, A100)


def test_sms_are_lost_to_slicing():
    a100 = mig.split_gpu("A100-80G-SXM")
    assert (a100.gpu.sm_count, a100.slice_sms, a100.lost_sms) == (108, 14, 10)
    assert a100.slice_l2_mib == 5
    assert a100.slice_memory_gb == 10
    assert mig.split_gpu("A30").lost_sms == 0
    assert mig.split_gpu("H100-SXM").lost_sms == 132 - 7 * 16
    assert "starts" in mig.split_gpu("B200").unverified


def test_two_halves_use_fewer_sms_than_seven_small_ones():
    halves = mig.place_in_order(["3g.40gb"] * 2, A100)
    small = mig.place_in_order(["1g.10gb"] * 7, A100)
    assert mig.used_sms(halves, A100) == 84
    assert mig.used_sms(small, A100) == 98
    with pytest.raises(InputError, match=r"B200/4g[.]90gb has no sm_count"):
        mig.used_sms(mig.place_in_order(["4g.90gb"], "B200"), "B200")


def test_l2_and_memory_slices_make_up_the_gpu():
    for gpu in ("A30", "A100-40G-SXM", "H200"):
        split = mig.split_gpu(gpu)
        np.testing.assert_allclose(split.slice_memory_gb * split.memory_slices, split.gpu.memory_gb)
        np.testing.assert_allclose(split.slice_l2_mib * split.memory_slices, split.gpu.l2_mib)
