"""The facts of page 8: which there are, and that they say what the models say."""

import numpy as np
import pytest

from gpudeck.fact import index_facts
from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.sharing import right_sizing as sizing
from gpudeck.scenario import read_scenario


@pytest.fixture(scope="module")
def population() -> sizing.Population:
    scenario = read_scenario("small")
    pods = scenario.cluster_tables(0).pods
    shape = sizing.usage_shape(scenario.right_sizing)
    return sizing.simulate_population(pods, shape, count=20, profile_days=3, seeds=[1, 2])


def test_a_scenario_becomes_a_shape_in_fractions() -> None:
    settings = read_scenario("small").right_sizing
    shape = sizing.usage_shape(settings)
    assert shape.days == settings.profile_days + settings.days
    assert shape.use == settings.use_pct / 100
    assert shape.compute_noise == settings.compute_noise_pct / 100


def test_strategies_and_settings_are_reported(population: sizing.Population) -> None:
    settings = read_scenario("small").right_sizing
    outcomes = sizing.compare_strategies(
        population, quantile=0.95, headroom=0.2, device_gib=78.5, restart_min=3
    )
    facts = index_facts(sizing.report_strategies(outcomes, population, settings, "small"))
    assert facts["kills_damped"].value == pytest.approx(outcomes["damped"].kills.mean())
    assert facts["saved_sized"].interval is not None
    assert facts["vpa_margin"].value == pytest.approx(15)
    assert facts["vpa_margin"].source == "k8s-vpa"
    assert facts["quantile"].kind == "scenario"
    assert facts["pod_days"].value == pytest.approx(2 * population.pod_days)


def test_a_profile_is_reported_in_per_cent(population: sizing.Population) -> None:
    use = population.runs[0].memory[0]
    sized = sizing.size_request(use[:432], 0.95, 0.2)
    last = sizing.size_request(use, 0.95, 0.2)
    facts = index_facts(sizing.report_sizing(sized, 0.25, last))
    assert facts["request"].value == pytest.approx(100 * sized.request)
    assert facts["exceed_seen"].value == 25
    assert facts["exceed_upper"].value == pytest.approx(100 * sized.exceedance.high)


def test_models_are_reported_with_their_sources() -> None:
    survey = sizing.survey_models(find_gpu("A100-80G-SXM"), context=8192, sequences=8)
    facts = sizing.report_models(survey, "A100-80G-SXM", 8192, 8, "small")
    by_key = index_facts(facts)
    assert by_key["models"].value == 5
    assert 0 < by_key["smaller"].value <= 5
    assert by_key["largest_wide"].value > by_key["largest_narrow"].value
    assert {fact.source for fact in facts} >= {"qwen25-config", "small"}


def test_the_grid_of_the_sliders_starts_at_the_defaults(population: sizing.Population) -> None:
    usage = population.runs[0]
    grid = sizing.loop_grid(usage, 3, 78.5, population.profile_steps)
    loop = sizing.run_recommender(usage, sizing.default_policy(), 78.5)
    assert len(grid.cells) == 36
    assert grid.use.shape == grid.day.shape == grid.cells[90, 15, 24].request.shape
    assert np.isin(grid.cells[90, 15, 24].request, loop.memory[3]).all()
    saved = [grid.cells[90, margin, 24].saved_pct for margin in grid.margins_pct]
    assert saved == sorted(saved, reverse=True)
    facts = index_facts(sizing.report_grid(grid))
    assert facts["margin_saved"].value == pytest.approx(saved[1])
