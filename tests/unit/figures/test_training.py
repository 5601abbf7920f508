"""The pictures of page 21 say what the model says."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from gpudeck.deck.page import Slot
from gpudeck.figures import training, training_checks, training_what_if
from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.fabric.collectives import build_collectives
from gpudeck.models.training import Job
from gpudeck.models.training.grid import step_grid
from gpudeck.models.training.printed import SUSPECT, compare_printed, find_contradictions
from gpudeck.models.training.published import run_points
from gpudeck.models.training.study import study_layouts, study_memory
from gpudeck.models.training.techniques import climb_techniques
from gpudeck.units import format_quantity
from gpudeck.workload.model import find_model


@dataclass(frozen=True)
class Slide:
    """A slide whose words are their own names."""

    key: str = "slide"
    lang: str = "en"
    title: str = "title"
    alt: str = "what is seen"

    @property
    def slot(self) -> Slot:
        return Slot(1168, 480)

    def label(self, name: str) -> str:
        return "\n".join(f"line {k}" for k in range(11)) if name == "code" else name


@pytest.fixture(scope="module")
def job() -> Job:
    return Job(find_model("llama-3-8b"), find_gpu("H100-SXM"), 64, 8, 8192, 128)


@pytest.fixture(scope="module")
def net():
    return build_collectives()


def test_each_technique_prints_its_step_and_utilisation(job, net) -> None:
    ladder = climb_techniques(job, net)
    svg = training.draw_techniques(ladder, Slide())
    for rung in ladder:
        assert format_quantity(rung.step_s, "s", "en", decimals=1) in svg
        assert f"MFU {rung.mfu_pct:.0f}%" in svg
        assert rung.name in svg


def test_a_part_that_takes_no_time_has_no_name(job, net) -> None:
    ladder = climb_techniques(job, net)
    assert float(ladder[0].steps.parts["recompute"][0]) == 0
    assert "recompute" not in training.draw_techniques(ladder, Slide())


def test_memory_is_printed_for_every_case(job, net) -> None:
    study = study_memory(job, climb_techniques(job, net)[-1].layout)
    svg = training.draw_memory(study, Slide())
    for stage, mode in study.cases:
        total = study.total_gb(stage, mode)
        assert format_quantity(total, "GB", "en", decimals=int(total < 100)) in svg


@pytest.mark.parametrize("usual", [True, False])
def test_named_layouts_are_drawn(job, net, usual) -> None:
    study = study_layouts(job, net)
    study = study if usual else replace(study, usual=None)
    svg = training.draw_layouts(study, Slide())
    assert ("usual" in svg) == usual
    assert "best" in svg
    assert "slowest" in svg


def test_points_that_miss_are_marked() -> None:
    points = run_points(build_collectives)
    svg = training_checks.draw_points(points, Slide())
    missed = [point for point in points if abs(point.error_pct) > 10]
    assert missed
    for point in missed:
        assert f"{abs(point.error_pct):.1f}%" in svg


def test_tables_print_what_is_printed() -> None:
    table = training_checks.tabulate_printed(compare_printed(), SUSPECT, Slide())
    assert table.count("<tr") == 8
    assert "2,166.3" in table
    assert "dk-mark" in table
    claims = training_checks.tabulate_contradictions(find_contradictions(), Slide())
    for words in ("16,384", "8,192", "55.2%", "56.5%"):
        assert words in claims


def test_the_explorer_leaves_a_gap_where_memory_does_not_suffice(net) -> None:
    job = Job(find_model("llama-3-70b"), find_gpu("H100-SXM"), 64, 8, 8192, 64)
    grid = step_grid(job, net)
    what_if = training_what_if.training_what_if(grid, "bf16", Slide())
    state = what_if.compute(tensor=1, pipeline=1, precision="bf16")
    assert np.isnan(state.y).all()
    assert state.words["mfu_1"] == "over"
    fits = what_if.compute(tensor=8, pipeline=grid.pipeline[-1], precision="bf16")
    assert np.isfinite(fits.y).any()


def test_method_and_formulas_have_a_part_for_each_label() -> None:
    code, chart = training.draw_method(Slide())
    assert code.count("line") >= 11
    assert "inside" in chart
    assert training.draw_formulas(Slide()).count("<dt>") == 8
