"""The pictures of page 22 say what the runs say."""

from functools import partial

import numpy as np
import pytest

from gpudeck.figures import stage4
from gpudeck.figures.formula import formula_svg
from gpudeck.journey.stage4 import AFTER, BEFORE, STEPS, ServingEffect, climb_steps, serving_steps
from gpudeck.metrics import DEFINITIONS, FURTHER, Definition, Objectives
from gpudeck.models.serving import Engine, Replica, RequestTable, StepTime
from gpudeck.units import format_number
from slide import Slide as AnySlide

Slide = partial(AnySlide, width_px=900, height_px=500)


@pytest.fixture(scope="module")
def effect() -> ServingEffect:
    step = StepTime(np.r_[0.0, 0.008 + 2e-5 * np.arange(1, 9001)], np.zeros(2))
    replica = Replica("H100-SXM", "llama-2-7b", step_time=step)
    arrival = np.arange(40) / 5
    tables = [
        RequestTable(arrival, [300 + 60 * seed] * 40, [2 + k + seed for k in range(40)])
        for seed in range(3)
    ]
    return climb_steps(
        tables, serving_steps(replica, Engine("chunked"), None), Objectives(1, 1), 2.0
    )


def test_the_main_picture_prints_both_means(effect: ServingEffect) -> None:
    svg = stage4.draw_effect(effect, Slide())
    for name in (BEFORE, AFTER):
        mean = float(effect.samples("throughput", name).mean())
        assert format_number(mean, "en", decimals=0) in svg


def test_the_table_has_seven_rows_and_marks_one(effect: ServingEffect) -> None:
    table = stage4.tabulate_effect(effect, Slide())
    assert table.count("<tr") == 8
    assert table.count("dk-mark") == 1


def test_every_engine_has_its_bar_and_its_capacity(effect: ServingEffect) -> None:
    svg = stage4.draw_steps(effect, Slide())
    for name in STEPS[:-1]:
        assert name in svg
        capacity = float(effect.find(name).capacity_per_s.mean())
        assert f"({format_number(capacity, 'en', decimals=1)} requests/s)" in svg


def test_details_are_drawn_with_plain_numbers_on_their_axes(effect: ServingEffect) -> None:
    for svg in (*stage4.draw_latency(effect, Slide()), *stage4.draw_economy(effect, Slide())):
        assert svg.startswith("<svg")
        assert "10^" not in svg
    assert "mbu" in stage4.draw_use(effect, Slide())


@pytest.mark.parametrize("definition", [*DEFINITIONS, *FURTHER], ids=lambda one: one.metric)
def test_every_formula_can_be_set(definition: Definition) -> None:
    assert "<path" in formula_svg(definition.formula, definition.metric, 24)
