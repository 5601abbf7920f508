"""Stage 5: protections on the same failures, paired by seed."""

from dataclasses import replace

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.journey.stage5 import (
    AFTER,
    BEFORE,
    JOBS_A_RUN,
    STEPS,
    ResilienceEffect,
    run_stage5,
    scale_sizes,
)
from gpudeck.journey.stage5_report import report_stage5
from gpudeck.scenario import Scenario, read_scenario


def variant(**changes: object) -> Scenario:
    """Return the default scenario with other values of its sections resilience and training."""
    scenario = read_scenario("default")
    training = {name: changes.pop(name) for name in ("gpus",) if name in changes}
    return scenario.model_copy(
        update={
            "runs": 3,
            "resilience": scenario.resilience.model_copy(update=changes),
            "training": scenario.training.model_copy(update=training),
        }
    )


@pytest.fixture(scope="module")
def effect() -> ResilienceEffect:
    return run_stage5(variant(), 0)


def test_every_step_meets_the_same_failures(effect: ResilienceEffect) -> None:
    assert tuple(step.name for step in effect.steps) == tuple(STEPS)
    # while both still run: a job that is done sooner meets fewer
    whole = [effect.find(name).result.failures for name in (BEFORE, "asynchronous")]
    assert (whole[0] >= whole[1]).all()
    assert len(whole[0]) == 3 * JOBS_A_RUN


def test_each_step_only_helps_on_average(effect: ResilienceEffect) -> None:
    means = [effect.effective_pct(name).mean() for name in STEPS]
    assert means == sorted(means)
    gain = effect.gain_pct()
    assert gain.low > 0
    assert gain.mean == pytest.approx(means[-1] - means[0])
    assert effect.success(AFTER).share.mean >= effect.success(BEFORE).share.mean
    assert effect.success_gain().mean == pytest.approx(
        100 * (effect.success(AFTER).share.mean - effect.success(BEFORE).share.mean)
    )


def test_lost_hours_are_what_is_not_useful(effect: ResilienceEffect) -> None:
    result = effect.find(AFTER).result
    hours = effect.lost_gpu_hours(AFTER)
    expected = (1 - result.effective) * result.wall_s * effect.job.run.gpus / 3600
    spares, nodes = effect.find(AFTER).protection.spare_nodes, effect.job.run.nodes
    # the job holds its spares from beginning to end: they are part of the price
    idle = result.wall_s * spares * effect.job.run.gpus_per_node / 3600
    assert spares > 0
    assert hours == pytest.approx(expected + idle)
    held = result.wall_s * (nodes + spares) * effect.job.run.gpus_per_node / 3600
    assert 100 * (1 - hours / held) == pytest.approx(effect.paid_share_pct(AFTER))
    paid = effect.effective_pct(AFTER) * nodes / (nodes + spares)
    assert effect.paid_share_pct(AFTER) == pytest.approx(paid)


def test_recoveries_are_grouped_by_the_scenario_s_runs(effect: ResilienceEffect) -> None:
    means, result = effect.mean_recovery_min(BEFORE), effect.find(BEFORE).result
    assert len(means) == 3
    first = int(result.recovery_counts[:JOBS_A_RUN].sum())
    assert means[0] == pytest.approx(result.recovery_s[:first].mean() / 60)
    total = means @ result.recovery_counts.reshape(3, -1).sum(axis=1)
    assert total == pytest.approx(result.recovery_s.sum() / 60)


def test_larger_jobs_are_worse_off(effect: ResilienceEffect) -> None:
    for samples in (effect.scale.before, effect.scale.after):
        means = samples.mean(axis=0)
        assert means.tolist() == sorted(means, reverse=True)
    assert scale_sizes(variant()) == (256, 1024, 4096, 16_384, 65_536)
    # a replica of 64 nodes does not fit into 256 GPUs
    assert scale_sizes(variant(replica_nodes=64)) == (1024, 4096, 16_384, 65_536)


def test_facts_are_the_same_for_the_same_seed(effect: ResilienceEffect) -> None:
    facts = report_stage5(effect, variant())
    keys = [fact.key for fact in facts]
    assert len(set(keys)) == len(keys)
    again = report_stage5(run_stage5(variant(), 0), variant())
    assert [fact.plain() for fact in facts] == [fact.plain() for fact in again]


def test_a_step_that_is_not_there_is_named(effect: ResilienceEffect) -> None:
    with pytest.raises(InputError, match="step is 'hope'"):
        effect.find("hope")


@pytest.mark.parametrize(
    "changes",
    [
        # one node, nowhere to put a copy; nothing ever fails; nothing ever works
        {"gpus": 8, "replica_nodes": 1},
        {"failure_rate_x": 1e-9},
        {"failure_rate_x": 1000.0},
        {"save_overhead_s": 0.0, "snapshot_gb_s": 10_000.0, "storage_gb_s": 1_000_000.0},
        {"storage_gb_s": 0.001},
        {"spare_pct": 0.0, "elastic_min_pct": 1.0, "replace_h": 10_000.0},
    ],
)
def test_odd_scenarios_have_results(changes: dict[str, object]) -> None:
    scenario = variant(days=2.0, **changes)
    effect = run_stage5(scenario, 1)
    for name in STEPS:
        values = effect.effective_pct(name)
        assert ((values >= 0) & (values <= 100)).all()
    assert report_stage5(effect, scenario)


def test_contradictions_are_named() -> None:
    with pytest.raises(InputError, match="replica_nodes is 200 of 128 nodes"):
        run_stage5(variant(replica_nodes=200), 0)
    assert replace(run_stage5(variant(), 0), slack_pct=0.0).success(BEFORE).share.mean == 0
    assert np.isfinite(run_stage5(variant(), 0).scale.before).all()
