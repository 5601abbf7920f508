from dataclasses import replace

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.hardware.node import Nodes
from gpudeck.journey import report_stage2, run_days, run_stage1, run_stage2
from gpudeck.journey.fragments import free_gpu_pct, mean_free_pct
from gpudeck.journey.stage2 import MEASURES, QUEUES, QUOTAS, at_price
from gpudeck.models.scheduling.queue import climb
from gpudeck.models.scheduling.quota import POLICIES, compare_policies, pool_of
from gpudeck.rng import spawn_seeds
from gpudeck.scenario import Cluster, read_scenario
from gpudeck.workload.pod import Pods

SCENARIO = read_scenario("small", ["runs=3", "queue.days=0.5", "fairness.days=1"])
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
EFFECT = run_stage2(SCENARIO, CLUSTER, 0)


def test_before_is_what_stage_1_calls_after() -> None:
    stage1 = run_stage1(SCENARIO, CLUSTER, 0)
    for measure in ("asked", "sm", "useful"):
        assert EFFECT.samples(measure)[0].tolist() == stage1.samples(measure)[1].tolist()
    stranded = stage1.after.percent("stranded")
    assert EFFECT.samples("stranded")[0].tolist() == stranded.tolist()
    usd = SCENARIO.cost.central_usd_per_gpu_h
    assert usd == EFFECT.usd_per_gpu_h
    per_useful = stage1.samples("cost_useful")[1]
    np.testing.assert_allclose(EFFECT.samples("per_usd")[0], 1 / per_useful, rtol=1e-12)


def test_queues_are_steps_of_the_ladder_on_the_same_jobs() -> None:
    ladder = climb(SCENARIO, CLUSTER, spawn_seeds(0, SCENARIO.runs))
    for runs, step in zip(EFFECT.queues, QUEUES, strict=True):
        assert runs.summaries == ladder.summaries[step]


def test_tenants_are_those_of_the_study_of_all_policies() -> None:
    pool = pool_of(SCENARIO, CLUSTER.nodes.gpu_count)
    study = compare_policies(pool, SCENARIO.runs, 0)
    assert set(QUOTAS) <= set(POLICIES)
    for place, policy in ((0, QUOTAS[0]), (1, QUOTAS[-1])):
        for measure in ("useful_pct", "jain", "mean_reclaim_s"):
            expected = study.samples[policy][measure]
            assert EFFECT.samples(measure)[place].tolist() == expected.tolist()


def test_days_are_paired_by_seed_and_only_the_policy_differs() -> None:
    for before, after in zip(*(runs.runs for runs in EFFECT.days), strict=True):
        for column in ("pod", "start_h", "end_h"):
            one, other = (getattr(run.day.sessions, column) for run in (before, after))
            assert one.tolist() == other.tolist()
        assert before.day.pod_use.peak_ppm.tolist() == after.day.pod_use.peak_ppm.tolist()
        assert before.day.grain == after.day.grain == "share"


def test_free_gpu_is_fragments_and_whole_gpus_and_nothing_else() -> None:
    for runs in EFFECT.days:
        split = sum(mean_free_pct(runs))
        np.testing.assert_allclose(split, runs.percent("stranded", "unneeded"), atol=1e-9)
        np.testing.assert_allclose(split, 100 - runs.gpu_pct("held"), atol=1e-9)


def test_free_gpu_is_split_as_counted_by_hand() -> None:
    day = EFFECT.days[0].runs[0].day
    partly, whole = free_gpu_pct(day)
    hour = 12
    held = {}
    sessions = day.sessions
    for job in range(len(sessions)):
        if day.placed[job] and sessions.start_h[job] <= hour < sessions.end_h[job]:
            for device in range(8):
                if int(day.device[job]) >> device & 1 and day.held_milli[job]:
                    place = int(day.node[job]), device
                    milli = int(day.pods.gpu_milli[sessions.pod[job]])
                    held[place] = held.get(place, 0) + milli
    total = day.nodes.gpu_count
    assert held
    left = sum(1000 - milli for milli in held.values())
    assert partly[hour] == pytest.approx(100 * left / (1000 * total))
    assert whole[hour] == pytest.approx(100 * (total - len(held)) / total)


def test_metrics_follow_from_the_useful_part() -> None:
    for place in (0, 1):
        part = EFFECT.samples("useful")[place] / 100
        gpus = CLUSTER.nodes.gpu_count
        np.testing.assert_allclose(EFFECT.samples("throughput")[place], gpus * part)
        kwh = EFFECT.gpu_w / 1000
        np.testing.assert_allclose(EFFECT.samples("per_kwh")[place], part / kwh)
    dear = at_price(EFFECT, 2 * EFFECT.usd_per_gpu_h)
    assert (dear.samples("per_usd")[1] < EFFECT.samples("per_usd")[1]).all()
    same, other = EFFECT.change_pct("per_usd"), dear.change_pct("per_usd")
    assert same is not None
    assert other is not None
    assert same.mean == pytest.approx(other.mean)


def test_what_nothing_came_before_has_no_relative_change() -> None:
    assert EFFECT.change_pct("mean_reclaim_s") is None
    gain = EFFECT.gain("stranded") + EFFECT.gain("asked")
    assert np.abs(gain).max() < 100


def test_fair_sharing_is_fairer_and_lending_uses_more_on_this_pool() -> None:
    before, after = EFFECT.samples("jain")
    assert after.mean() > before.mean()
    assert EFFECT.gain("useful_pct").mean() > 0


def test_every_measure_is_a_fact_before_and_after() -> None:
    facts = {fact.key: fact for fact in report_stage2(EFFECT, SCENARIO, "en")}
    for measure in MEASURES:
        assert {f"{measure}_before", f"{measure}_after"} <= facts.keys()
    assert facts["stranded_after"].value == pytest.approx(EFFECT.samples("stranded")[1].mean())
    assert facts["gpus"].value == CLUSTER.nodes.gpu_count
    span = facts["per_usd_range"].interval
    assert span is not None
    assert span.low < facts["per_usd_after"].value < span.high


def test_bad_input_is_refused() -> None:
    with pytest.raises(InputError, match="measure is 'speed'; allowed are stranded"):
        EFFECT.samples("speed")
    with pytest.raises(InputError, match="usd_per_gpu_h is 0"):
        at_price(EFFECT, 0.0)
    with pytest.raises(InputError, match="gpu_w is -1"):
        replace(EFFECT, gpu_w=-1.0)
    fewer = replace(EFFECT.queues[0], summaries=EFFECT.queues[0].summaries[:2])
    with pytest.raises(InputError, match="allowed is one number, paired"):
        replace(EFFECT, queues=(fewer, EFFECT.queues[1]))
    whole = run_days(SCENARIO, CLUSTER, 0, "whole")
    with pytest.raises(InputError, match="grain is 'whole'; allowed is 'share'"):
        free_gpu_pct(whole.runs[0].day)
