"""The pictures of page 20 are drawn from what the models return."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from gpudeck.figures import inference_tuning as figures
from gpudeck.figures.inference_tuning_what_if import tuning_what_if
from gpudeck.models.serving import Engine, Replica, RequestTable
from gpudeck.models.serving.bucketing import study_buckets
from gpudeck.models.serving.knobs import MEASURES, KnobStudy, chunk_grid, study_pools
from gpudeck.models.serving.stall import trace_stall
from slide import Slide as AnySlide

Slide = partial(
    AnySlide,
    words={
        "stalled": "stall {}",
        "waste": "{} and {}",
        "code": "\n".join(f"line {n}" for n in range(1, 14)),
        "batch": "batch {}",
    },
)


@pytest.fixture(scope="module")
def tables() -> list[RequestTable]:
    made = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        arrival = np.cumsum(rng.exponential(1, 60))
        made.append(RequestTable(arrival, rng.integers(20, 2000, 60), rng.integers(1, 120, 60)))
    return made


def test_the_stall_is_written_where_prompts_are_computed_alone() -> None:
    trace = trace_stall(Replica(), Engine(chunk_tokens=512))
    svg = figures.draw_stall(trace, Slide())
    assert svg.count("stall ") == 1
    assert f"stall {1e3 * trace.longest_s(trace.whole):.0f} ms" in svg
    for tokens in {*trace.chunks(trace.chunked)[:-1].tolist(), 4000}:
        assert f">{tokens}<" in svg


def test_a_step_is_told_twice() -> None:
    code, chart = figures.draw_step(Slide())
    assert code.count("<li") == 13
    assert all(f">{step}<" in chart for step in ("decode", "block", "preempt", "budget", "run"))


def test_padding_is_written_above_each_number_of_buckets(tables: list[RequestTable]) -> None:
    study = study_buckets(tables, Engine(), Replica(), buckets=(1, 4), batch=8)
    svg = figures.draw_buckets(study, Slide())
    for count in study.buckets:
        assert f">{study.padding_pct[count].mean():.0f}%<" in svg


def test_each_pool_has_its_panel(tables: list[RequestTable]) -> None:
    study = study_pools(tables, Replica(), 16)
    svg = figures.draw_pools(study, Slide())
    for name, internal in study.internal_pct.items():
        external = study.external_pct[name]
        assert f"{internal.mean():.1f}% and {external.mean():.1f}%" in svg


@pytest.mark.parametrize(
    ("longest_s", "header", "cell"),
    [(0.9, "ttft ms", "250 ± 0"), (12.0, "ttft s", "0.25 ± 0.00")],
)
def test_long_times_to_first_token_are_in_seconds(longest_s: float, header: str, cell: str) -> None:
    base = {name: np.array([0.25, 0.25]) for name in MEASURES}
    slow = {**base, "ttft_s": np.array([longest_s, longest_s])}
    table = figures.draw_knobs(
        KnobStudy({"base": base, "batch": slow}, {"batch": 32}, 1.0), Slide()
    )
    assert f">{header}<" in table
    assert f">{cell}<" in table
    assert ">batch 32<" in table


def test_the_explorer_starts_at_the_engine_s_own_budget(tables: list[RequestTable]) -> None:
    engine = replace(Engine(), chunk_tokens=256)
    grid = chunk_grid(tables[0], engine, Replica(), length_pct=(50, 100))
    assert grid.chunk_tokens == (64, 128, 256, 512, 1024)
    explorer = tuning_what_if(grid, Slide())
    assert tuple(slider.values[slider.start] for slider in explorer.sliders) == (256, 100)
    state = explorer.compute(chunk_tokens=256, length_pct=100)
    assert state.y[0].tolist() == (1e3 * grid.tbt_s[100, 256]).tolist()
    assert state.words["tbt_whole"] == f"{1e3 * grid.tbt_s[100, None][-1]:.0f} ms"
