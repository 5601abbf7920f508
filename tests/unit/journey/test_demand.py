import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.hardware.node import Nodes
from gpudeck.journey import count_demand, report_demand
from gpudeck.scenario import Cluster
from gpudeck.workload.pod import Pods

SIZES = (0, 1, 250, 251, 500, 750, 751, 999, 1000, 2000, 8000)


@given(asked=st.lists(st.sampled_from(SIZES), min_size=1, max_size=40).filter(any))
@settings(max_examples=50, deadline=None)
def test_classes_hold_every_gpu_pod_once(asked) -> None:
    pods = Pods.from_specs(
        [1] * len(asked),
        [1] * len(asked),
        [max(milli // 1000, int(milli > 0)) for milli in asked],
        [min(milli, 1000) for milli in asked],
        [""] * len(asked),
        [1] * len(asked),
    )
    demand = count_demand(pods)
    assert demand.pods.sum() == np.count_nonzero(asked)
    assert demand.asked.sum() == pytest.approx(sum(asked) / 1000)
    assert demand.given.sum() == pods.num_gpu.sum()
    assert (demand.asked <= demand.given + 1e-9).all()
    # whole GPUs lose nothing to rounding
    assert demand.asked[-2:] == pytest.approx(demand.given[-2:])


def test_limits_of_the_classes() -> None:
    pods = Pods.from_specs([1] * 4, [1] * 4, [1] * 4, [250, 251, 999, 1000], [""] * 4, [1] * 4)
    assert count_demand(pods).pods.tolist() == [1, 1, 0, 1, 1, 0]


def test_report_by_hand() -> None:
    pods = Pods.from_specs([1, 1], [1, 1], [1, 1], [500, 1000], ["", ""], [2, 1])
    nodes = Nodes.from_types([1000], [1024], [4], ["T4"], [1])
    facts = {
        f.key: f.value
        for f in report_demand(count_demand(pods), Cluster(nodes, pods, "scenario", "own.csv"))
    }
    assert facts["whole_demand"] == 75
    assert facts["real_demand"] == 50
    assert facts["surplus_gpus"] == 1
    assert facts["surplus"] == pytest.approx(100 / 3)
    assert (facts["sharing_pods"], facts["mean_share"]) == (pytest.approx(200 / 3), 50)


def test_without_gpu_pods_there_is_no_demand() -> None:
    with pytest.raises(InputError, match="none of which asks for GPU"):
        count_demand(Pods.from_specs([1], [1], [0], [0], [""], [3]))
