"""The pictures of page 18 say what the runs say."""

from functools import partial

import pytest

from gpudeck.figures import loader as pipeline
from gpudeck.figures import stage3
from gpudeck.figures.loader_what_if import loader_what_if
from gpudeck.journey.stage3 import PARTS, STEPS, DataPathEffect, run_stage3
from gpudeck.models.storage.loader.sweep import fill_grid, sweep_bandwidth
from gpudeck.scenario import read_scenario
from gpudeck.units import format_number, format_quantity
from slide import Slide as AnySlide

Slide = partial(AnySlide, width_px=1100, height_px=480)


@pytest.fixture(scope="module")
def effect() -> DataPathEffect:
    return run_stage3(read_scenario("small", ["runs=2", "loading.steps=80"]), 0)


def test_the_four_measures_are_printed(effect: DataPathEffect) -> None:
    drawn = stage3.draw_effect(effect, Slide())
    for name in ("before", "after"):
        value = float(effect.samples("starving", name).mean())
        assert format_quantity(value, "%", "en", decimals=1) in drawn


def test_each_step_names_its_limit(effect: DataPathEffect) -> None:
    drawn = stage3.draw_steps(effect, Slide())
    for step in effect.steps:
        text = format_quantity(step.path.gpu_gb_s, "GB/s", "en")
        assert f"{text}  {step.path.limit}" in drawn


def test_the_star_marks_the_narrowest_part(effect: DataPathEffect) -> None:
    table = stage3.tabulate_limits(effect, Slide())
    assert table.count("* ") == len(STEPS)
    for step in effect.steps:
        assert f"* {format_number(step.path.gpu_gb_s, 'en')}" in table
    assert all(part in table for part in PARTS)


def test_the_timeline_shows_as_many_waits_as_steps(effect: DataPathEffect) -> None:
    drawn = pipeline.draw_pipelines(effect.first_runs, Slide())
    assert drawn.count(">starves<") >= pipeline.STEPS - 1


def test_the_sweep_and_its_explorer_draw(effect: DataPathEffect) -> None:
    sweep = sweep_bandwidth(effect.job, effect.loader, 4, (0, 1))
    assert ">together<" in pipeline.draw_bandwidth(sweep, Slide())
    grid = fill_grid(effect.job, 0, gpus=(1, 4), prefetch=(1, 2), workers=(1,), steps=60)
    what_if = loader_what_if(grid, Slide())
    state = what_if.compute(gpus=4, workers=1, prefetch=1)
    assert state.y.shape == (2, len(state.x))
    assert (state.y[0] >= state.y[1] - 3).all()
