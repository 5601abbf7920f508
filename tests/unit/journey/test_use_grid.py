from dataclasses import replace

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.hardware.node import Nodes
from gpudeck.journey import report_use, run_baseline, use_grid
from gpudeck.journey.use_grid import RANKS_PCT
from gpudeck.scenario import Cluster, read_scenario
from gpudeck.workload.pod import Pods

SCENARIO = read_scenario("small", ["runs=2"])
CLUSTER = Cluster(
    Nodes.from_types([64000], [2**18], [4], ["T4"], [8]),
    Pods.from_specs([1000, 1000], [1024, 1024], [1, 1], [500, 1000], ["", ""], [20, 20]),
    "scenario",
    "test.csv",
)
RUNS = run_baseline(SCENARIO, CLUSTER, 0)
DAY = RUNS.runs[0].day
GRID = use_grid(DAY, SCENARIO, 0, training_pct=(20, 52, 90), inference_pct=(10, 80))


def test_the_scenarios_own_use_gives_the_run_itself() -> None:
    use = SCENARIO.use
    own = use.model_copy(
        update={"inference": use.inference.model_copy(update={"sm_peak_pct": 20.0})}
    )
    scenario = SCENARIO.model_copy(update={"use": own})
    again = run_baseline(scenario, CLUSTER, 0)
    grid = use_grid(again.runs[0].day, scenario, 0, training_pct=(52,), inference_pct=(20,))
    assert grid.useful_pct[52, 20] == pytest.approx(again.runs[0].waterfall.percent("useful"))
    ranked = 100 * np.quantile(again.runs[0].gpus.sm, 1 - RANKS_PCT / 100)
    assert grid.sm_pct[52, 20] == pytest.approx(ranked)


def test_more_use_is_more_useful_and_ranks_fall() -> None:
    assert GRID.useful_pct[20, 10] < GRID.useful_pct[52, 10] < GRID.useful_pct[90, 10]
    assert GRID.useful_pct[52, 10] < GRID.useful_pct[52, 80]
    for curve in (GRID.held_pct, *GRID.sm_pct.values()):
        assert curve.shape == RANKS_PCT.shape
        assert (np.diff(curve) <= 1e-9).all()
        assert (curve <= GRID.held_pct + 1e-9).all()


def test_start_is_nearest_to_the_scenario() -> None:
    assert GRID.start == (52, 10)
    facts = {fact.key: fact.value for fact in report_use(GRID)}
    assert facts["useful_least"] == GRID.useful_pct[20, 10]
    assert facts["training_most"] == 90


@pytest.mark.parametrize("mean", [0, 100, -5])
def test_mean_out_of_range_is_refused(mean) -> None:
    with pytest.raises(InputError):
        use_grid(DAY, SCENARIO, 0, training_pct=(mean,), inference_pct=(10,))


def test_day_is_left_as_it_was() -> None:
    before = DAY.pod_use.peak_ppm.copy()
    use_grid(replace(DAY), SCENARIO, 0, training_pct=(90,), inference_pct=(10,))
    assert (DAY.pod_use.peak_ppm == before).all()
