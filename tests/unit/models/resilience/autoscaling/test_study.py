"""The study of page 23 on the small scenario: its facts, and a load of the reader's own."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.resilience import autoscaling
from gpudeck.models.resilience.autoscaling import hours_at, lead_grid
from gpudeck.models.resilience.autoscaling.grid import COLD_MIN, MARGINS, POOLS
from gpudeck.scenario import read_scenario


@pytest.fixture(scope="module")
def section():
    return read_scenario("small").autoscaling.model_copy(update={"days": 2})


@pytest.fixture(scope="module")
def study(section):
    return autoscaling.study_elasticity(section, 3, 0)


def test_facts_are_those_of_the_runs(study, section):
    facts = {fact.key: fact for fact in autoscaling.report_elasticity(study)}
    assert facts["days"].value == 2
    assert facts["late_reactive"].value == study.calm["reactive"].late_pct.mean()
    share = 100 * study.calm["predictive"].gpu_hours / study.calm["static"].gpu_hours
    assert facts["share"].value == pytest.approx(share.mean())
    assert sum(facts[f"{name}_s"].value for name in study.start.stages_s) == facts["cold"].value
    assert study.service.max_replicas == section.max_replicas


def test_same_seed_same_numbers(study, section):
    again = autoscaling.study_elasticity(section, 3, 0)
    for policy, result in study.calm.items():
        np.testing.assert_array_equal(result.gpu_hours, again.calm[policy].gpu_hours)


def test_hours_at_a_level_lie_on_the_frontier(study):
    frontier = study.frontier["predictive"]
    late = frontier[1].late_pct
    if (late == late[0]).all():
        pytest.skip("runs do not differ")
    level = float(late.mean())
    hours = hours_at(frontier, level)
    if hours is not None:
        low, high = frontier[0].gpu_hours, frontier[-1].gpu_hours
        assert ((low <= hours) & (hours <= high)).all()
    assert hours_at(frontier, 99.9) is None


def test_policies_are_compared_where_all_are_as_late(study):
    level = autoscaling.common_level(study, autoscaling.COMPARED)
    for policy in autoscaling.COMPARED:
        late = np.array([result.late_pct for result in study.frontier[policy]])
        assert late.min(axis=0).max() <= level + 1e-9
        assert hours_at(study.frontier[policy], level) is not None or level != (
            study.service.late_pct
        )
    ratio = {fact.key: fact.value for fact in autoscaling.report_elasticity(study)}
    tuned = [hours_at(study.frontier[policy], level) for policy in autoscaling.COMPARED]
    if all(hours is not None for hours in tuned):
        predictive, reactive, static = tuned
        assert ratio["ratio"] == pytest.approx(100 * (predictive / reactive).mean())
        assert ratio["ratio_static"] == pytest.approx(100 * (predictive / static).mean())


def test_static_that_holds_less_is_cheaper_and_later(study):
    results = study.frontier["static"]
    hours = np.array([result.gpu_hours for result in results])
    late = np.array([result.late_pct for result in results])
    assert (np.diff(hours, axis=0) >= 0).all()
    assert (np.diff(late, axis=0) <= 1e-9).all()
    # the last knob is the whole peak, as the policy itself holds it
    np.testing.assert_array_equal(results[-1].gpu_hours, study.calm["static"].gpu_hours)


def test_accuracy_pools_grid_and_clouds(study, section):
    accuracy = autoscaling.measure_accuracy(study, (1, 60))
    # the last value gets worse with the lead
    assert (accuracy.error_pct["last_value"][1] > accuracy.error_pct["last_value"][0]).all()
    pools = autoscaling.study_pools(study, (0, 2))
    assert (pools.simulated_pct["reactive"][0] == 100).all()
    assert pools.poisson_pct[0] == 100
    grid = lead_grid(study)
    assert len(grid.ready) == len(COLD_MIN) * len(MARGINS) * len(POOLS)
    mix = autoscaling.plan_clouds(study, section)
    assert (mix.useful.sum(axis=0) >= mix.demand - 1e-6).all()
    assert mix.usd <= mix.all_on_demand_usd + 1e-6
    keys = [
        fact.key
        for facts in (
            autoscaling.report_accuracy(accuracy, study),
            autoscaling.report_pools(pools, study),
            autoscaling.report_grid(grid),
            autoscaling.report_clouds(mix, section, study),
        )
        for fact in facts
    ]
    assert len(set(keys)) == len(keys)


def write_load(folder, days):
    minute = np.arange(days * 1440)
    rate = 1 + np.sin(2 * np.pi * minute / 1440) ** 2
    rows = "\n".join(f"{60 * m},{r:.4f}" for m, r in zip(minute, rate, strict=True))
    path = folder / "load.csv"
    path.write_text(f"time,qps\n{rows}\n", encoding="utf-8")
    return str(path)


def test_own_series_is_used_as_it_is(section, tmp_path):
    own = section.model_copy(update={"load": write_load(tmp_path, 4)})
    demand = autoscaling.draw_demand(own, 2, 0)
    assert demand.basis == "measured"
    assert demand.rate_per_s.shape == (2, 4 * 1440)
    facts = autoscaling.report_elasticity(autoscaling.study_elasticity(own, 2, 0))
    assert {fact.key: fact.value for fact in facts}["demand"] == "load.csv"
    surged = autoscaling.draw_demand(own, 2, 0, surges=True)
    assert (surged.rate_per_s >= demand.rate_per_s - 1e-9).all()


def test_too_short_a_series_says_what_to_do(section, tmp_path):
    own = section.model_copy(update={"load": write_load(tmp_path, 3)})
    with pytest.raises(InputError, match="history_days"):
        autoscaling.draw_demand(own, 2, 0)
