"""Stage 4: engines on the same requests, paired by seed."""

from dataclasses import replace

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.journey.stage4 import (
    AFTER,
    BEFORE,
    LOAD_SHARE,
    LOADED,
    MEASURES,
    STEPS,
    ServingEffect,
    climb_steps,
    run_stage4,
    serving_steps,
)
from gpudeck.journey.stage4_report import report_serving_cost, report_stage4
from gpudeck.metrics import Objectives
from gpudeck.models.serving import Engine, Replica, RequestTable, StepTime
from gpudeck.rng import generator
from gpudeck.scenario import read_scenario

STEP = StepTime(np.r_[0.0, 0.008 + 2e-5 * np.arange(1, 9001)], np.zeros(2))
REPLICA = Replica("H100-SXM", "llama-2-7b", step_time=STEP)
OBJECTIVES = Objectives(1.0, 0.1)


def tables(runs: int = 3, count: int = 60) -> list[RequestTable]:
    drawn = []
    for seed in range(runs):
        rng = generator(seed, "requests")
        arrival = np.cumsum(rng.exponential(0.2, count))
        drawn.append(
            RequestTable(arrival, rng.integers(50, 3000, count), rng.integers(1, 200, count))
        )
    return drawn


@pytest.fixture(scope="module")
def effect() -> ServingEffect:
    steps = serving_steps(REPLICA, Engine("chunked"), replace(REPLICA, kv_precision="fp8"))
    return climb_steps(tables(), steps, OBJECTIVES, 2.0)


def test_every_step_has_every_measure_for_every_seed(effect: ServingEffect) -> None:
    assert tuple(runs.step.name for runs in effect.steps) == STEPS
    for name in STEPS:
        for measure, (where, _, _) in MEASURES.items():
            values = effect.samples(measure, name)
            assert values.shape == (3 if where == "saturated" or name in LOADED else 0,)
            assert np.isfinite(values).all()


def test_the_engines_differ_in_nothing_else(effect: ServingEffect) -> None:
    plain = [replace(runs.step.engine, policy="chunked") for runs in effect.steps]
    assert len(set(plain)) == 1
    assert len({runs.step.replica.weights_bytes for runs in effect.steps}) == 1


def test_saturated_batching_in_blocks_beats_batching_to_the_end(effect: ServingEffect) -> None:
    assert (effect.gain("throughput") > 0).all()
    assert (effect.gain("cache_overhead") < 0).all()
    assert (effect.ratio("throughput") > 1).all()
    assert (effect.samples("busy", BEFORE) > 99.9).all()


def test_the_common_rate_is_below_what_both_can_serve(effect: ServingEffect) -> None:
    capacity = [effect.find(name).capacity_per_s.mean() for name in (BEFORE, AFTER)]
    assert effect.rate_per_s == pytest.approx(LOAD_SHARE * capacity[0])
    assert effect.rate_per_s < min(capacity)
    for name in (BEFORE, AFTER):
        for result in effect.find(name).results:
            arrival = result.table.arrival_s
            assert (len(arrival) - 1) / np.ptp(arrival) == pytest.approx(effect.rate_per_s)


def test_tokens_a_dollar_follow_throughput(effect: ServingEffect) -> None:
    dollars_s = 2.0 / 3600
    for name in STEPS:
        per_usd = effect.samples("throughput", name) / dollars_s / 1e6
        assert effect.samples("per_usd", name) == pytest.approx(per_usd)


def test_the_same_requests_give_the_same_effect(effect: ServingEffect) -> None:
    steps = serving_steps(REPLICA, Engine("chunked"), None)
    again = climb_steps(tables(), steps, OBJECTIVES, 2.0)
    assert [runs.step.name for runs in again.steps] == list(STEPS[:-1])
    for measure in MEASURES:
        assert (again.samples(measure, AFTER) == effect.samples(measure, AFTER)).all()


def test_what_is_wrong_is_named(effect: ServingEffect) -> None:
    steps = serving_steps(REPLICA, Engine("chunked"), None)
    with pytest.raises(InputError, match="tables are 1"):
        climb_steps(tables(1), steps, OBJECTIVES, 2.0)
    with pytest.raises(InputError, match="load_share is 1"):
        climb_steps(tables(), steps, OBJECTIVES, 2.0, load_share=1)
    with pytest.raises(InputError, match="measure is 'speed'"):
        effect.samples("speed", AFTER)
    with pytest.raises(InputError, match="step is 'none'"):
        effect.samples("busy", "none")


def test_the_report_names_its_trace_and_leaves_prices_to_their_slide() -> None:
    scenario = read_scenario("small", ["runs=2"])
    effect = run_stage4(scenario, 0)
    facts = {fact.key: fact for fact in report_stage4(effect, scenario)}
    assert facts["trace_requests"].source == "azure-llm-2023"
    assert facts["budget"].source == facts["gpu"].source == scenario.id
    more = effect.samples("throughput", "paged") - effect.samples("throughput", "chunked")
    assert facts["paged_more"].value == pytest.approx(more.mean())
    assert facts["throughput_after"].value == pytest.approx(
        effect.samples("throughput", AFTER).mean()
    )
    costs = {fact.key: fact for fact in report_serving_cost(effect, scenario, "en")}
    assert not facts.keys() & costs.keys()
    after = effect.samples("per_joule", AFTER).mean()
    assert costs["per_joule_facility"].value == pytest.approx(after / costs["pue"].value)
