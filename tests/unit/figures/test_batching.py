"""The pictures of page 11 are drawn from what the models return."""

from functools import partial

import numpy as np
import pytest

from gpudeck.figures import batching, batching_feedback
from gpudeck.figures.batching_what_if import batching_what_if
from gpudeck.models.serving import Engine, Replica, RequestTable
from gpudeck.models.serving.batch_grid import batch_grid
from gpudeck.models.serving.cap_feedback import study_overload
from gpudeck.models.serving.equal_latency import EqualLatency
from gpudeck.models.serving.load_curve import ENGINES, Goal, batching_engines, sweep_load
from gpudeck.scenario import read_scenario
from gpudeck.units import format_number
from slide import Slide as AnySlide

Slide = partial(
    AnySlide, words={"aim": "aim {}", "code": "\n".join(f"line {n}" for n in range(1, 13))}
)


def tables() -> list[RequestTable]:
    drawn = []
    for seed in range(2):
        rng = np.random.default_rng(seed)
        arrival = np.cumsum(rng.exponential(0.1, 150))
        drawn.append(RequestTable(arrival, rng.integers(50, 900, 150), rng.integers(2, 90, 150)))
    return drawn


@pytest.mark.parametrize("ttft_s", [30.0, 1e-6])
def test_the_curve_marks_what_the_adaptive_engine_carries(ttft_s: float) -> None:
    engines = batching_engines(Engine(), 0.1, 8)
    curve = sweep_load(tables(), engines, Replica(), Goal(ttft_s, 0.1), (0.2, 0.6, 1.0))
    svg = batching.draw_load_curve(curve, Slide())
    assert all(svg.count(f">{name}<") == 2 for name in ENGINES)
    carried = format_number(float(curve.capacity_per_s["adaptive"].mean()), "en", decimals=1)
    # not at all where nothing meets the goal
    assert (f">{carried}<" in svg) == (ttft_s > 1)


def test_bars_say_where_nothing_meets_the_goal() -> None:
    within = {"static": np.zeros(2), "adaptive": np.array([2.0, 3.0])}
    relaxed = {"static": np.array([1.0, 1.2]), "adaptive": np.array([2.0, 3.0])}
    svg = batching.draw_equal(EqualLatency(Goal(1, 0.1), within, relaxed), Slide())
    assert svg.count(">none<") == 1
    assert svg.count(">2.5 requests/s<") == 2


def test_the_loop_and_its_algorithm_are_drawn() -> None:
    svg = batching.draw_batcher(Slide())
    assert all(f">{name}<" in svg for name in ("queue", "former", "executor", "control", "monitor"))
    code, chart = batching.draw_adaptation(Slide())
    assert code.startswith("<ol")
    assert "shrink" in chart


def test_decisions_and_overload_are_drawn_from_the_study() -> None:
    continuous = Engine("continuous", reservation="oracle", max_batch=32)
    overload = study_overload(tables(), continuous, Replica())
    decisions = batching_feedback.draw_windows(overload, Slide())
    assert all(f">{name}<" in decisions for name in ("add", "keep", "cut", "cap"))
    svg = batching_feedback.draw_overload(overload, Slide())
    assert all(f">{cap}<" in svg for cap in overload.caps)
    assert svg.count(">aim ") == len(overload.targets_s)


def test_the_explorer_reads_the_grid_and_starts_in_its_middle() -> None:
    serving = read_scenario("small").serving
    grid = batch_grid(serving, tables()[0], shares=(0.1, 0.5), caps=(4, 8), delays_ms=(10, 1000))
    explorer = batching_what_if(grid, Slide())
    start = tuple(slider.values[slider.start] for slider in explorer.sliders)
    assert start == grid.start
    rate, cap, delay = grid.start
    state = explorer.compute(rate=rate, cap=cap, delay=delay)
    assert state.y[1].tolist() == np.clip(grid.continuous[rate, cap], 0.01, 1000).tolist()
    pixels = explorer.frame.y_px(np.array(explorer.frame.y_limits))
    assert pixels[0] > pixels[1] == explorer.frame.top_px
    middle = np.sqrt(np.prod(explorer.frame.y_limits))
    assert explorer.frame.y_px(middle) == pytest.approx(pixels.mean(), abs=0.1)
