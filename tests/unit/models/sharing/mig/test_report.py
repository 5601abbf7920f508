"""What page 6 says: its facts agree with the model, and its what-ifs with a partition alone."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.sharing import mig
from gpudeck.workload.pod import Pods

A100 = "A100-80G"


def make_pods():
    return Pods.from_specs(
        [1] * 4, [1] * 4, [1, 1, 1, 2], [470, 810, 230, 1000], [""] * 4, [5, 3, 6, 2]
    )


def values(facts):
    return {fact.key: fact.value for fact in facts}


def test_facts_of_a_partition_add_up():
    demand = mig.map_pods(make_pods(), A100)
    best, fast = (mig.partition(demand.requests, A100, method=m) for m in mig.METHODS)
    facts = values(mig.report_partition(demand, best, fast))
    assert facts["shared_pods"] == facts["whole_gpus"] == 14
    # 3 of 810 alone, 5 of 470 as 4g with a 2g beside each, one 2g more
    assert (facts["mig_gpus"], facts["saved_gpus"]) == (9, 5)
    assert facts["unsplit_pods"] + facts["split_pods"] == 14
    assert facts["split_gpus"] == facts["mig_gpus"] - facts["unsplit_pods"] == 6
    assert facts["saved_pct"] == pytest.approx(100 * 5 / 14)
    free = 9 * 7 - 3 * 7 - 5 * 4 - 6 * 2
    assert facts["free_compute_pct"] == pytest.approx(100 * free / (9 * 7))
    assert facts["bound_gpus"] <= facts["mig_gpus"] <= facts["heuristic_gpus"]


def test_facts_of_streams_are_means_over_the_seeds_with_their_intervals():
    plan = mig.PoolPlan(gpus=3, horizon_s=20_000, mean_duration_s=1000)
    study = mig.study_streams({"2g.20gb": 1, "4g.40gb": 2}, A100, runs=4, seed=0, plan=plan)
    facts = {fact.key: fact for fact in mig.report_streams(study)}
    for policy in mig.POLICIES:
        mean = np.mean([result.fragmented_pct for result in study.results[policy]])
        assert facts[f"fragmented_{policy}"].value == pytest.approx(mean)
        assert facts[f"fragmented_{policy}"].interval is not None
    saved = facts["fragmented_static"].value - facts["fragmented_dynamic"].value
    assert facts["dynamic_saves"].value == pytest.approx(saved)
    assert facts["stall"].value == study.plan.costs.stall_s == 64


@pytest.mark.parametrize(("gpu", "count"), [("A100-80G-SXM", 19), ("A30", 5), ("B200", 19)])
def test_full_configurations_are_counted_for_every_gpu(gpu, count):
    assert values(mig.report_gpu(gpu))["configurations"] == count


def test_the_lowest_start_traps_pairs_with_4g_only():
    split = mig.split_gpu("A100-80G-SXM")
    pairs = mig.trapped_pairs(A100, split.profiles)
    assert {second for _, second in pairs} == {"4g.40gb"}
    assert values(mig.report_trap("A100-80G-SXM"))["trapped_pairs"] == len(pairs) == 3
    assert values(mig.report_trap("A30"))["trapped_pairs"] == 0


def test_only_mig_isolates_faults_and_guards_bandwidth():
    facts = values(mig.report_isolation())
    both = [m for m in ("mig", "mps", "time_slicing") if facts[f"{m}_fault_isolation"] == "yes"]
    assert both == ["mig"]
    assert (facts["mig_bandwidth_qos"], facts["mps_bandwidth_qos"]) == ("yes", "no")
    assert facts["mps_max_partitions"] == 48


def test_unverified_profiles_are_told():
    loose = next(fact for fact in mig.report_profiles() if fact.key == "loose_profiles")
    assert (loose.kind, loose.value) == ("unverified", 10)


def test_a_cell_of_the_grid_is_the_partition_of_the_capped_requests():
    asked = mig.map_pods(make_pods(), A100).gpu_milli
    grid = mig.cap_grid(asked, "A100-80G-SXM", scales_pct=(80, 100), caps_milli=(428, 500, 1000))
    for gpu in grid.gpus:
        geometry = mig.geometry_of(gpu)
        for scale in grid.scales_pct:
            for place, cap in enumerate(grid.caps_milli):
                capped = mig.cap_requests(asked, scale, int(cap))
                assert capped.max() <= cap
                profiles = mig.smallest_profiles(capped, geometry)
                names = [p.name for p in mig.split_gpu(gpu).profiles]
                alone = mig.partition([names[p] for p in profiles], geometry).gpus_used
                assert grid.mig_gpus[gpu, scale][place] == alone >= capped.sum() / 1000
            assert (np.diff(grid.mig_gpus[gpu, scale]) >= 0).all()
    facts = values(mig.report_caps(asked, "A100-80G-SXM"))
    assert (facts["cap_large"], facts["cap_small"]) == (50, 42.8)
    assert facts["gpus_small"] == grid.mig_gpus["A100-80G-SXM", 100][0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mig.cap_requests(np.array([5]), 0, 500), "scale_pct is 0"),
        (lambda: mig.cap_requests(np.array([5]), 50, 1001), "cap_milli 1001"),
        (lambda: mig.count_gpus(np.array([], int), A100), "0 requests; allowed are 1 or more"),
        (lambda: mig.cap_grid(np.array([5]), "T4"), "'T4', and it has no MIG"),
    ],
)
def test_bad_what_ifs_are_refused(call, words):
    with pytest.raises(InputError, match=words):
        call()
