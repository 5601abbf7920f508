from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.hardware.node import Nodes
from gpudeck.journey import (
    report_baseline,
    report_gains,
    report_stage1,
    report_utilisation,
    run_baseline,
    run_days,
    run_stage1,
    snapshot_hour,
)
from gpudeck.journey.baseline import published_utilisation
from gpudeck.journey.run import count_gpus_needed
from gpudeck.journey.stage1 import MEASURES, StageEffect
from gpudeck.scenario import Cluster, read_scenario
from gpudeck.workload.pod import Pods

SCENARIO = read_scenario("small", ["runs=3"])
CLUSTER = Cluster(
    Nodes.from_types([64000, 32000], [2**18, 2**17], [4, 2], ["T4", "P100"], [4, 3]),
    Pods.from_specs(
        [2000, 4000, 1000, 8000, 8000, 4000],
        [4096] * 6,
        [1, 1, 1, 1, 2, 0],
        [250, 500, 810, 1000, 1000, 0],
        [""] * 6,
        [8, 8, 8, 8, 2, 4],
    ),
    "scenario",
    "test.csv",
)
EFFECT = run_stage1(SCENARIO, CLUSTER, 0)

some_pods = st.lists(st.sampled_from([0, 50, 333, 500, 501, 810, 1000, 2000]), max_size=40).map(
    lambda asked: Pods.from_specs(
        [1] * len(asked),
        [1] * len(asked),
        [max(milli // 1000, int(milli > 0)) for milli in asked],
        [min(milli, 1000) for milli in asked],
        ["T4" if milli == 333 else "" for milli in asked],
        [1] * len(asked),
    )
)


@given(pods=some_pods)
@settings(max_examples=50, deadline=None)
def test_sharing_never_needs_more_gpus_and_no_less_than_the_demand(pods) -> None:
    rows = np.arange(len(pods))
    whole, share = (count_gpus_needed(pods, rows, grain) for grain in ("whole", "share"))
    assert share <= whole == pods.num_gpu.sum()
    assert share >= pods.gpu_demand_milli.sum() / 1000


def test_packing_of_shares_by_hand() -> None:
    pods = Pods.from_specs([1] * 4, [1] * 4, [1] * 4, [700, 600, 400, 300], [""] * 4, [1] * 4)
    assert count_gpus_needed(pods, np.arange(4), "share") == 2
    apart = replace(pods, gpu_spec=np.array(["T4", "T4", "P100", "P100"]))
    assert count_gpus_needed(apart, np.arange(4), "share") == 3


def test_runs_of_both_grains_are_paired() -> None:
    for before, after in zip(EFFECT.before.runs, EFFECT.after.runs, strict=True):
        assert (before.day.sessions.pod == after.day.sessions.pod).all()
        assert (before.day.pod_use.peak_ppm == after.day.pod_use.peak_ppm).all()
        assert before.gpus_needed >= after.gpus_needed
    assert not (
        EFFECT.before.runs[0].day.pod_use.peak_ppm == EFFECT.before.runs[1].day.pod_use.peak_ppm
    ).all()


def test_same_seed_gives_the_same_numbers_and_another_others() -> None:
    again = run_baseline(SCENARIO, CLUSTER, 0)
    other = run_baseline(SCENARIO, CLUSTER, 1)
    assert (again.percent("useful") == EFFECT.before.percent("useful")).all()
    assert (other.percent("useful") != EFFECT.before.percent("useful")).any()


def test_cost_of_a_useful_hour_is_the_price_over_the_useful_part() -> None:
    facts = {fact.key: fact for fact in report_baseline(EFFECT.before, SCENARIO, "en")}
    ratio = (100 / EFFECT.before.percent("useful")).mean()
    assert facts["paid_per_useful"].value == pytest.approx(ratio)
    cost, price = facts["cost_useful"], facts["price"]
    assert cost.value == pytest.approx(ratio * price.value)
    assert cost.interval.low == pytest.approx(ratio * price.interval.low)
    assert cost.interval.high == pytest.approx(ratio * price.interval.high)
    parts = ("unneeded", "stranded", "grain", "oversized", "off_peak", "shared", "failed", "useful")
    assert sum(facts[part].value for part in parts) == pytest.approx(100)
    assert facts["lost"].value == pytest.approx(100 - facts["useful"].value)


def test_cost_falls_as_the_useful_part_rises() -> None:
    gain, cut = EFFECT.change_pct("useful"), -EFFECT.change_pct("cost_useful")
    assert cut == pytest.approx(100 * (1 - 1 / (1 + gain / 100)))
    facts = {fact.key: fact for fact in report_stage1(EFFECT, SCENARIO, "zh")}
    assert facts["cost_cut"].value == pytest.approx(cut.mean())
    assert {f"{m}_{when}" for m in MEASURES for when in ("before", "after")} <= facts.keys()
    assert all(facts[f"{measure}_after"].interval is not None for measure in MEASURES)


def test_a_larger_loss_leaves_less_that_is_useful() -> None:
    free = run_days(SCENARIO, CLUSTER, 0, "share", loss=(0, 0))
    dear = run_days(SCENARIO, CLUSTER, 0, "share", loss=(0.3, 0.3))
    assert (dear.percent("useful") < free.percent("useful")).all()
    assert (free.percent("shared") == 0).all()
    # whole GPUs are not shared, so nothing is lost
    alone = run_days(SCENARIO, CLUSTER, 0, "whole", loss=(0.3, 0.3))
    assert (alone.percent("shared") == 0).all()


def test_snapshot_shows_what_the_model_placed() -> None:
    day = EFFECT.before.runs[0].day
    nodes = snapshot_hour(day, 15)
    assert [len(node.gpus) for node in nodes] == [4, 2, 4, 2]
    assert {node.model for node in nodes} == {"T4", "P100"}
    states = [gpu for node in nodes for gpu in node.gpus]
    assert all(0 <= gpu.used <= gpu.asked <= gpu.held <= 1 for gpu in states)
    assert {gpu.held for gpu in states} <= {0.0, 1.0}
    assert any(gpu.asked < gpu.held for gpu in states)


def test_published_figures_are_read_not_typed() -> None:
    rows = published_utilisation()
    facts = {fact.key: fact for fact in report_utilisation()}
    assert facts["philly_mean"].value == rows["philly_mean"].value
    assert (facts["gentd_night"].interval.low, facts["gentd_night"].interval.high) == (0.2, 1.7)
    gains = {fact.key: fact.value for fact in report_gains()}
    assert (gains["aegaeon_before"], gains["aegaeon_after"]) == (1192, 213)


@pytest.mark.parametrize("loss", [(-0.1, 0.1), (0.2, 0.1), (0, 1.5)])
def test_wrong_loss_is_refused(loss) -> None:
    with pytest.raises(InputError, match="two rising numbers"):
        run_days(SCENARIO, CLUSTER, 0, "share", loss=loss)


def test_a_fleet_on_which_nothing_runs_has_no_cost_of_a_useful_hour() -> None:
    tiny = replace(CLUSTER, nodes=Nodes.from_types([1], [1], [1], ["T4"], [1]))
    with pytest.raises(InputError, match="no GPU-hour of the day was useful"):
        run_baseline(SCENARIO, tiny, 0)


@pytest.mark.parametrize("price", [0, -1.3, float("nan"), float("inf")])
def test_price_that_is_none_is_refused(price) -> None:
    with pytest.raises(InputError, match="usd_per_gpu_h"):
        StageEffect(EFFECT.before, EFFECT.after, price)


def test_unpaired_runs_and_unknown_measures_are_refused() -> None:
    fewer = run_days(read_scenario("small", ["runs=2"]), CLUSTER, 0, "share")
    with pytest.raises(InputError, match="3 runs before and 2 after"):
        StageEffect(EFFECT.before, fewer, 1.3)
    with pytest.raises(InputError, match="allowed are tenancy"):
        EFFECT.samples("speed")
