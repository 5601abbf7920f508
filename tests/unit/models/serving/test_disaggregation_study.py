"""Goodput of prefill and decode apart: every split is served, and a slow link costs goodput."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving import Engine, Replica, RequestTable, StepTime
from gpudeck.models.serving.capacity import find_capacity, find_splits
from gpudeck.models.serving.disaggregation import LINK_LATENCY_S
from gpudeck.models.serving.disaggregation_report import (
    count_wins,
    measure_move,
    report_move,
    report_splits,
)
from gpudeck.models.serving.disaggregation_study import (
    compare_splits,
    serve_fleets,
    stretch_prompts,
)
from gpudeck.models.serving.objectives import Objectives
from gpudeck.models.serving.service import plan_replica
from gpudeck.scenario import read_scenario
from gpudeck.workload.request_lognormal import draw_requests, lengths_of_means

SERVING = read_scenario("default").serving
# 20 µs a token and 5 ms a step
REPLICA = Replica(
    "H100-SXM",
    "llama-2-7b",
    step_time=StepTime(
        linear_s=np.r_[0.0, 0.005 + 2e-5 * np.arange(1, 1025)],
        head_s=np.zeros(2),
        prefill_chunk_s=0.0,
        prefill_work_s=0.0,
        decode_step_s=0.0,
        decode_request_s=0.0,
        decode_token_s=0.0,
        low=0.9,
        high=1.1,
        provenance="by hand",
    ),
)


ENGINE = Engine("paged")
GOAL = Objectives(10, 1)


def spaced(count, gap_s, prompt=1000, output=20):
    return RequestTable(gap_s * np.arange(count), [prompt] * count, [output] * count)


def serve(goal=GOAL, **options):
    runs = [draw_requests(lengths_of_means(800, 60, 4000), 200, seed) for seed in (0, 1)]
    return runs, serve_fleets(runs, ENGINE, ENGINE, REPLICA, goal, replicas=3, **options)


def test_goodput_is_that_of_the_search():
    goal = Objectives(0.5, 0.02, 90)
    shares = np.geomspace(0.1, 12, 18)
    runs, latencies = serve(goal, shares=shares)
    told = {"ttft_objective_s": 0.5, "tbt_objective_s": 0.02, "percentile": 90}
    options = {"router": "least_outstanding", **told}
    together = latencies.goodput(0, goal)
    splits = find_splits(runs[0], ENGINE, REPLICA, replicas=3, link_gb_s=50.0, **options)
    alone = find_capacity(runs[0], ENGINE, REPLICA, replicas=3, **options)
    assert together[0] == pytest.approx(alone.per_gpu_per_s, rel=0.12)
    for split in splits:
        found = latencies.goodput(split.prefill_replicas, goal)[0]
        assert found == pytest.approx(split.capacity.per_gpu_per_s, rel=0.12)


def test_tighter_objectives_carry_no_more():
    _, latencies = serve()
    study = compare_splits(latencies, Objectives(1.0, 0.05, 90), 0.005, points=6)
    assert study.tbt_s[study.own] == 0.05
    for table in study.goodput.values():
        assert (np.diff(table, axis=1) >= -1e-9).all()
    assert (study.apart().mean(axis=0) >= study.goodput[1].mean(axis=0)).all()
    facts = {fact.key: fact.value for fact in report_splits(study, SERVING)}
    assert facts["prefill_replicas"] + facts["decode_replicas"] == 3
    wins = count_wins(study)
    assert facts["ties"] == len(study.tbt_s) - sum(wins)


def test_no_rate_or_every_rate_is_met():
    _, latencies = serve(shares=(0.1, 0.2))
    lenient, strict = Objectives(1e6, 1e6), Objectives(1e-9, 1.0)
    assert np.allclose(latencies.goodput(0, lenient) * 3, latencies.rate_per_s[-1])
    assert (latencies.goodput(0, strict) == 0).all()
    assert len(latencies.first_run().goodput(1, lenient)) == 1


def test_a_slow_link_misses_the_time_per_token():
    goal = Objectives(10, 0.05)
    found = [serve(goal, link_gb_s=rate)[1].goodput(1, goal).max() for rate in (0.05, 50.0)]
    # four hundred megabytes of cache take 8 s at 0.05 GB/s, far more than the gaps may
    assert found[0] == 0 < found[1]


def test_prompts_are_stretched_and_cut():
    longer = stretch_prompts(RequestTable([0.0, 1.0], [10, 90], [5, 5]), 2.0, 100)
    assert longer.prompt_tokens.tolist() == [20, 95]
    with pytest.raises(InputError, match="factor is 0"):
        stretch_prompts(longer, 0, 100)


def test_bytes_that_move_are_the_cache_of_the_prompt():
    replica = plan_replica(SERVING)
    move = measure_move(SERVING, [spaced(10, 1.0, prompt=2000)], link_gb_s=100.0)
    assert move.cache_bytes == (2000 * replica.kv_bytes_per_token,) * 2
    assert move.moved_s[0] == pytest.approx(move.cache_bytes[0] / 1e11 + LINK_LATENCY_S)
    facts = {fact.key: fact for fact in report_move(move, SERVING)}
    assert facts["kv_mean"].value == pytest.approx(move.cache_bytes[0] / 1e6)
    assert facts["trace_name"].source == "azure-llm-2023"
    with pytest.raises(InputError, match="link_gb_s is 0"):
        measure_move(SERVING, [spaced(2, 1.0)], link_gb_s=0.0)


def test_what_cannot_be_asked():
    with pytest.raises(InputError, match="1 replicas"):
        serve_fleets([spaced(2, 1.0)], ENGINE, ENGINE, REPLICA, GOAL, replicas=1)
    with pytest.raises(InputError, match=r"runs of \[2, 3\]"):
        serve_fleets([spaced(2, 1.0), spaced(3, 1.0)], ENGINE, ENGINE, REPLICA, GOAL)
    with pytest.raises(InputError, match="tightest_s is 0"):
        compare_splits(serve(shares=(0.1,))[1], GOAL, 0.0)
