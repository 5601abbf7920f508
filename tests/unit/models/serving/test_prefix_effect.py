"""A prefix cache saves time to first token where prompts repeat, and nothing where they do not."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving import Engine, Replica, StepTime
from gpudeck.models.serving.prefix_effect import (
    compare_prefix,
    plan_sessions,
    report_effect,
    study_prefix,
)
from gpudeck.scenario import read_scenario
from gpudeck.scenario.serving import read_serving_runs
from gpudeck.workload.prefix import Sessions, draw_sessions

# 20 µs a token and 5 ms a step: prompts cost what they are long
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


def test_conversations_wait_less_with_a_cache():
    sessions = Sessions(system_prompts=2, system_tokens=1024, turns=4.0)
    effect = compare_prefix(sessions, Engine("chunked"), REPLICA, [0.5, 4.0], [1, 2], duration_s=60)
    assert (effect.with_s < effect.without_s).all()
    assert (effect.hit_pct > 40).all()
    serving = read_scenario("default").serving
    facts = {fact.key: fact.value for fact in report_effect(effect, serving)}
    assert facts["requests_rate"] == effect.requests_per_s[:, -1].mean()
    assert facts["ttft_with"] < facts["ttft_without"]
    assert 0 < facts["ttft_saved"] < 100


def test_prompts_that_share_nothing_find_nothing():
    sessions = Sessions(system_tokens=0, turns=1.0, user_tokens=300.0)
    effect = compare_prefix(sessions, Engine("paged"), REPLICA, [1.0], [1], duration_s=40)
    assert effect.hit_pct.tolist() == [[0.0]]
    assert np.array_equal(effect.with_s, effect.without_s)


def test_it_needs_a_rate_and_a_seed():
    with pytest.raises(InputError, match="0 rates"):
        compare_prefix(Sessions(), Engine(), REPLICA, [], [1])


def test_a_run_without_a_request_in_it_is_refused():
    with pytest.raises(InputError, match="no request in the 1 s"):
        compare_prefix(Sessions(), Engine(), REPLICA, [0.1], [1], duration_s=1)


@pytest.mark.parametrize(("prompt", "output"), [(1155, 211), (2048, 28), (857, 652), (12035, 343)])
def test_planned_sessions_have_the_mean_lengths(prompt, output):
    drawn = draw_sessions(plan_sessions(prompt, output), 20_000, 1.0, seed=2)
    assert drawn.prompt_tokens.mean() == pytest.approx(prompt, rel=0.05)
    assert drawn.output_tokens.mean() == pytest.approx(output, rel=0.03)


def test_lengths_below_one_are_refused():
    with pytest.raises(InputError, match="mean lengths are 0"):
        plan_sessions(0, 5)


def test_the_scenario_gains_or_loses_nothing_but_time():
    scenario = read_scenario("default")
    runs = read_serving_runs(scenario, 200, runs=2)
    effect = study_prefix(scenario.serving, runs, [1])
    assert (effect.with_s <= effect.without_s).all()
    assert list(effect.rate_per_s) == sorted(effect.rate_per_s)
