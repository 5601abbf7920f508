"""The pictures of page 19 are drawn from what the models return."""

import numpy as np
import pytest

from gpudeck.figures import llm_stack, llm_stack_splits
from gpudeck.figures.llm_stack_what_if import waste_what_if
from gpudeck.models.serving.block_table import allocate_blocks, example_tables
from gpudeck.models.serving.disaggregation_report import measure_move
from gpudeck.models.serving.disaggregation_study import FleetLatencies, study_splits
from gpudeck.models.serving.kv_report import report_published
from gpudeck.models.serving.kv_study import (
    compare_schemes,
    draw_runs,
    published_case,
    waste_grid,
)
from gpudeck.models.serving.kv_waste import SCHEMES
from gpudeck.models.serving.prefix_effect import PrefixEffect
from gpudeck.models.serving.prefix_study import published_hits
from gpudeck.scenario import read_scenario
from gpudeck.workload.prefix import Sessions
from gpudeck.workload.request import RequestTable
from slide import Slide

SERVING = read_scenario("default").serving


def test_memory_is_drawn_with_a_row_a_scheme() -> None:
    case = published_case()
    study = compare_schemes(case, draw_runs(case, [1, 2], count=120))
    facts = {fact.key: fact for fact in report_published(study)}
    svg = llm_stack.draw_kv_split(study, Slide(), facts)
    assert "published" not in llm_stack.draw_kv_split(study, Slide())
    assert all(f">{scheme}<" in svg for scheme in SCHEMES)
    assert "published" in svg


@pytest.mark.parametrize("size", [4, 16])
def test_block_tables_show_each_pointer(size: int) -> None:
    tables = example_tables(size)
    svg = llm_stack.draw_block_tables(tables, Slide())
    assert svg.count("→") == sum(map(len, tables.tables))
    assert svg.count(">free<") == tables.references.count(0)


def test_one_sequence_is_enough_for_a_block_table() -> None:
    tables = allocate_blocks([[1, 2, 3]], 2, 4, 6)
    assert llm_stack.draw_block_tables(tables, Slide()).count("→") == 2


def test_hits_are_drawn_for_a_memory_within_the_table() -> None:
    assert "unbounded" in llm_stack.draw_prefix_hits(published_hits(), 400_000, Slide())


def test_both_pools_are_drawn() -> None:
    move = measure_move(SERVING, [RequestTable([0.0, 1.0], [100, 4000], [5, 5])])
    svg = llm_stack.draw_disaggregation(move, Slide())
    assert "prefill pool" in svg
    assert "decode pool" in svg


def test_time_to_first_token_is_drawn_with_and_without() -> None:
    samples = np.array([[0.1, 0.4], [0.2, 0.6]])
    effect = PrefixEffect(Sessions(), (1.0, 2.0), samples, samples / 2, samples, samples)
    svg = llm_stack.draw_prefix_effect(effect, Slide())
    assert "without" in svg


def test_the_explorer_reads_the_grid() -> None:
    grid = waste_grid(published_case(), spread=(0.0, 1.0), block_size=(1, 16), output_mean=(50,))
    what_if = waste_what_if(grid, Slide())
    state = what_if.compute(block_size=1, output_mean=50)
    assert state.y[SCHEMES.index("paged")].tolist() == [100, 100]
    assert state.words["spread"] == "100%"


def test_splits_are_drawn_and_explored() -> None:
    rates = np.array([1.0, 2.0])
    some = np.array([[[0.1, 0.2], [1.5, 2.5]], [[0.1, 0.2], [1.6, 2.6]]])
    tables = {prefill: some * (1 + prefill) for prefill in range(3)}
    latencies = FleetLatencies(3, 3, rates, tables, {k: v / 20 for k, v in tables.items()})
    svg = llm_stack_splits.draw_splits(study_splits(SERVING, latencies), Slide())
    assert "apart 1:2" in svg
    assert "together" in svg
    what_if = llm_stack_splits.splits_what_if(SERVING, {1.0: latencies.first_run()}, Slide())
    state = what_if.compute(prefill=1, prompts=1.0, ttft=1.0)
    assert state.words["points"] == str(len(state.x))
    assert state.y.shape == (2, len(state.x))
