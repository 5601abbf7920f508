"""The pictures of pages 24 and 25 say what the models say."""

from functools import partial

import numpy as np
import pytest

from gpudeck.figures import fault_diagrams, fault_tolerance, fault_what_if, stage5
from gpudeck.figures.duration import write_duration
from gpudeck.journey.stage5 import STEPS, ResilienceEffect, run_stage5
from gpudeck.models.resilience.copies_study import study_job, study_sixteen
from gpudeck.models.resilience.fault_grid import fault_grid
from gpudeck.models.resilience.interval_study import (
    IntervalStudy,
    compare_job,
    study_intervals,
)
from gpudeck.models.resilience.training_job import TrainingJob, plan_job
from gpudeck.scenario import Scenario, read_scenario
from gpudeck.units import format_quantity
from slide import Slide as AnySlide

Slide = partial(AnySlide, height_px=480)


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    return read_scenario("default").model_copy(update={"runs": 3})


@pytest.fixture(scope="module")
def job(scenario: Scenario) -> TrainingJob:
    return plan_job(scenario.training, scenario.resilience)


@pytest.fixture(scope="module")
def study(job: TrainingJob) -> IntervalStudy:
    return study_intervals(job, [1, 2, 3])


@pytest.fixture(scope="module")
def effect(scenario: Scenario) -> ResilienceEffect:
    return run_stage5(scenario, 0)


def test_the_best_intervals_are_written_beside_their_curves(study: IntervalStudy) -> None:
    svg = fault_tolerance.draw_efficiency(study, Slide())
    for curve in study.curves:
        assert f"best {write_duration(curve.best_s, 'en')}" in svg
        lost = format_quantity(100 * (1 - curve.best_share), "%", "en", decimals=1)
        assert f"loss {lost}" in svg


def test_formulas_copies_and_tables(job: TrainingJob, study: IntervalStudy) -> None:
    pictures = (
        *fault_tolerance.draw_formulas(compare_job(job), study, Slide()),
        *fault_tolerance.draw_copies(study_job(job), study_sixteen(), Slide()),
    )
    for svg in pictures:
        assert svg.startswith("<svg")
    assert fault_tolerance.draw_interval_formulas(Slide()).count("<dt>") == 7
    components = fault_tolerance.tabulate_components(job, Slide())
    assert components.count("<tr") == 7
    assert ">419<" in components
    shares = fault_tolerance.tabulate_shares(Slide())
    assert shares.count("<tr") == 8
    assert "35.3%" in shares
    assert "94.9%" in shares


def test_a_save_is_drawn_from_the_job_s_bytes(job: TrainingJob) -> None:
    svg = fault_diagrams.draw_save(job, Slide())
    for word in ("background", "async on", "sync on"):
        assert word in svg
    assert "load" in fault_diagrams.draw_recovery_architecture(Slide())
    assert "relaunch" in fault_diagrams.draw_recovery_flow(Slide())


def test_every_setting_of_the_explorer_has_a_state(job: TrainingJob) -> None:
    grid = fault_grid(job)
    what_if = fault_what_if.fault_what_if(grid, Slide())
    sizes, saves, modes = (slider.values for slider in what_if.sliders)
    assert len(sizes) * len(saves) * len(modes) == len(grid.share_pct)
    for size in sizes:
        for save in saves:
            for mode in modes:
                state = what_if.compute(gpus=size, storage_s=save, mode=mode)
                assert state.y.shape == (2, len(state.x))
                assert np.nanmax(state.y) <= 100
                best = grid.best[mode, size, save][1]
                # the grid of intervals never beats the best one
                assert np.nanmax(state.y[0], initial=0) <= best + 1e-9


def test_stage_five_prints_its_means(effect: ResilienceEffect) -> None:
    svg = stage5.draw_effect(effect, Slide())
    for name in ("before", "after"):
        mean = float(effect.effective_pct(name).mean())
        assert format_quantity(mean, "%", "en", decimals=1) in svg
    ladder = stage5.draw_ladder(effect, Slide())
    assert all(name in ladder for name in STEPS)
    assert "byterobust" in stage5.draw_scale(effect, Slide())
    assert "median" in stage5.draw_recovery(effect, Slide())
    assert "back before" in stage5.draw_anatomy(effect, Slide())
    assert "deadline" in stage5.draw_success(effect, Slide())
    assert "rework" in stage5.draw_times(effect, Slide())


def test_jobs_that_never_fail_can_be_drawn(scenario: Scenario) -> None:
    resilience = scenario.resilience.model_copy(update={"failure_rate_x": 1e-9})
    quiet = scenario.model_copy(update={"resilience": resilience})
    effect = run_stage5(quiet, 0)
    for draw in (
        stage5.draw_effect, stage5.draw_recovery, stage5.draw_anatomy, stage5.draw_scale,
        stage5.draw_success, stage5.draw_ladder, stage5.draw_times,
    ):  # fmt: skip
        assert draw(effect, Slide()).startswith("<svg")
    job = plan_job(quiet.training, quiet.resilience)
    study = study_intervals(job, [1, 2])
    assert fault_tolerance.draw_efficiency(study, Slide()).startswith("<svg")
