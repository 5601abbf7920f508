"""Ladder, studies, grid and the printed tables."""

from dataclasses import replace

import numpy as np
import pytest

from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.training import Layout, Software
from gpudeck.models.training.grid import start_degrees, step_grid
from gpudeck.models.training.printed import (
    SUSPECT,
    compare_printed,
    find_contradictions,
    read_printed,
)
from gpudeck.models.training.report import (
    report_grid,
    report_layouts,
    report_memory,
    report_techniques,
)
from gpudeck.models.training.step import estimate_step
from gpudeck.models.training.study import study_layouts, study_memory, usual_steps
from gpudeck.models.training.techniques import NAMES, climb_techniques


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp8"])
def test_no_technique_makes_the_step_slower(job, ring, precision):
    ladder = climb_techniques(replace(job, precision=precision), ring)
    assert tuple(rung.name for rung in ladder) == NAMES
    assert (np.diff([rung.step_s for rung in ladder]) <= 1e-12).all()
    assert (np.diff([rung.mfu_pct for rung in ladder]) >= -1e-12).all()


def test_the_ladder_ends_with_the_best_layout(job, ring):
    last = climb_techniques(job, ring)[-1]
    best = study_layouts(job, ring).steps
    assert last.step_s == pytest.approx(best.step_s[0])
    assert last.mfu_pct == pytest.approx(best.mfu_pct[0])
    facts = {fact.key: fact.value for fact in report_techniques(climb_techniques(job, ring), "s")}
    gains = np.prod([facts[f"gain_{name}"] for name in NAMES[1:]])
    assert facts["speedup"] == pytest.approx(gains)


def test_the_usual_layout_is_one_that_fits(job, ring):
    study = study_layouts(job, ring)
    usual = usual_steps(study)
    layout = usual.layouts.at(0)
    assert (layout.tensor, layout.zero, layout.microbatch, layout.context) == (8, 1, 1, 1)
    assert estimate_step(job, layout, ring).step_s[0] == pytest.approx(usual.step_s[0])
    facts = {fact.key: fact.value for fact in report_layouts(study)}
    assert facts["mfu_slowest"] <= facts["mfu_median"] <= facts["mfu_best"]
    assert facts["layouts_fit"] <= facts["layouts_listed"]


def test_memory_falls_with_each_stage_and_with_recompute(job, ring):
    study = study_memory(job, climb_techniques(job, ring)[-1].layout)
    facts = {fact.key: fact.value for fact in report_memory(study)}
    for stage in range(4):
        assert facts[f"zero_{stage}_full"] < facts[f"zero_{stage}"]
    assert facts["zero_3"] < facts["zero_2"] < facts["zero_1"] < facts["zero_0"]


def test_the_grid_is_a_step_of_the_model(job, ring):
    grid = step_grid(job, ring)
    for tensor, pipeline in ((2, 2), (8, 1)):
        place = tensor, pipeline, "bf16"
        column = grid.rounds.index(4)
        data = 64 // (tensor * pipeline)
        own = replace(job, batch_sequences=4 * data)
        layout = Layout(tensor, pipeline, data=data, zero=2)
        alone = estimate_step(own, layout, ring, Software())
        assert grid.mfu_pct[place][1, column] == pytest.approx(alone.mfu_pct[0])
        assert grid.tokens_s[place][1, column] == pytest.approx(alone.tokens_s(own)[0])
    tensor, pipeline = start_degrees(grid, "bf16")
    assert np.isfinite(grid.mfu_pct[tensor, pipeline, "bf16"][0]).all()
    facts = {fact.key: fact.value for fact in report_grid(grid, "bf16")}
    assert facts["mfu_once"] < facts["mfu_many"]


def test_only_the_suspect_row_contradicts_itself():
    for row in compare_printed():
        gap = abs(row.from_aggregate_pct - row.mfu_pct)
        assert (gap > 1) == (row.id == SUSPECT)
    work = [row.token_tflop for row in read_printed()]
    assert max(work[:3]) / min(work[:3]) < 1.001
    assert work[3] / work[0] > 1.02


def test_each_contradiction_is_larger_than_rounding():
    found = find_contradictions()
    assert len(found) == 5
    for one in found:
        assert abs(one.printed - one.follows) > 10 ** (1 - one.decimals)


@pytest.mark.parametrize("gpu", ["V100-32G-SXM", "MI355X"])
def test_the_ladder_begins_in_32_bits_where_there_is_no_tf32(job, ring, gpu):
    ladder = climb_techniques(replace(job, gpu=find_gpu(gpu)), ring)
    assert ladder[0].job.precision == "fp32"
    assert ladder[-1].job.precision == "bf16"
    facts = {fact.key: fact.value for fact in report_techniques(ladder, "s")}
    assert facts["precision"] == {"V100-32G-SXM": "FP16", "MI355X": "BF16"}[gpu]


def test_a_job_that_fits_only_with_zero_begins_with_as_much_as_it_takes(job, ring):
    ladder = climb_techniques(replace(job, gpus=7, gpus_per_node=7, batch_sequences=7), ring)
    assert ladder[0].layout.zero > 0
    assert (np.diff([rung.step_s for rung in ladder]) <= 1e-12).all()


def test_hierarchy_costs_nothing_where_links_in_a_node_are_slow(job, ring):
    ladder = climb_techniques(job, replace(ring, near=ring.far / 20))
    assert (np.diff([rung.step_s for rung in ladder]) <= 1e-12).all()
