"""Right-sizing on top of sharing: requests only shrink, and fewer GPUs are needed."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.hardware.node import Nodes
from gpudeck.journey import count_sized_gpus, report_sized, run_stage1, size_pods
from gpudeck.journey.use import draw_use
from gpudeck.scenario import Cluster, read_scenario
from gpudeck.workload.pod import Pods

SCENARIO = read_scenario("small", ["runs=3"])
PODS = Pods.from_specs(
    [1000] * 4, [1024] * 4, [1, 1, 2, 0], [400, 1000, 1000, 0], [""] * 4, [20, 20, 4, 4]
)
CLUSTER = Cluster(
    Nodes.from_types([64000], [2**18], [4], ["T4"], [12]), PODS, "scenario", "test.csv"
)
EFFECT = run_stage1(SCENARIO, CLUSTER, 0)


def test_a_request_never_grows_and_covers_the_peak():
    use = draw_use(PODS, SCENARIO.tenants, SCENARIO.use, 1)
    sized = size_pods(PODS, use, 0.2)
    one = PODS.num_gpu == 1
    assert (sized.gpu_milli <= PODS.gpu_milli).all()
    assert (sized.gpu_milli[~one] == PODS.gpu_milli[~one]).all()
    peak = np.maximum(use.peak_ppm, use.memory_ppm)[one] / 1e6
    assert (sized.gpu_milli[one] >= PODS.gpu_milli[one] * peak - 1e-9).all()


def test_more_headroom_needs_more_gpus_up_to_what_sharing_alone_needs():
    counts = [count_sized_gpus(EFFECT, headroom).mean() for headroom in (0.0, 0.5, 1e9)]
    shared = EFFECT.samples("gpus_needed")[1].mean()
    assert counts[0] < counts[1] < counts[2] == shared


def test_a_negative_headroom_is_refused():
    with pytest.raises(InputError, match=r"headroom is -0\.1; allowed is 0 or above"):
        count_sized_gpus(EFFECT, -0.1)


def test_facts_pair_the_runs():
    gpus, cut, headroom = report_sized(EFFECT, SCENARIO)
    exclusive = EFFECT.samples("gpus_needed")[0]
    assert cut.value == pytest.approx(
        100 * np.mean(1 - count_sized_gpus(EFFECT, headroom.value / 100) / exclusive)
    )
    assert 0 < gpus.value < exclusive.mean()
