"""The facts of page 21: what the ladder, the two studies, the grid and the published rows say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpudeck.fact import Fact, function_name
from gpudeck.models.training.grid import StepGrid, start_degrees, step_grid
from gpudeck.models.training.memory import usable_bytes
from gpudeck.models.training.published import RunPoint, run_points
from gpudeck.models.training.study import (
    LayoutStudy,
    MemoryStudy,
    study_layouts,
    study_memory,
    usual_steps,
)
from gpudeck.models.training.techniques import Technique, climb_techniques

MODEL = "model:training"
TOLERANCE_PCT = 10.0  # as in data/published/training.csv


def report_techniques(ladder: Sequence[Technique], scenario_id: str) -> tuple[Fact, ...]:
    """Return the step before and after all techniques, and what each of them brings.

    Parameters
    ----------
    ladder : sequence of Technique
        From `climb_techniques`.
    scenario_id : str
        Id of the scenario that the job is of.

    Returns
    -------
    tuple of Fact
        `step_<technique>` (s), `mfu_<technique>` (%), `memory_<technique>` (GB), `gain_<technique>`
        (times faster than the step before it); `speedup`; `usable` (GB); of the job `model`, `gpu`,
        `gpus`, `batch`, `precision`; `layout_before`, `layout_after`.
    """
    by = function_name(climb_techniques)
    facts, last = [], None
    for rung in ladder:
        facts += [
            _computed(f"step_{rung.name}", rung.step_s, "s", by, 1),
            _computed(f"mfu_{rung.name}", rung.mfu_pct, "%", by, 1),
            _computed(f"memory_{rung.name}", rung.memory_gb, "GB", by, 0),
        ]
        if last is not None:
            facts.append(_computed(f"gain_{rung.name}", last.step_s / rung.step_s, "x", by, 2))
        last = rung
    first, end = ladder[0], ladder[-1]
    facts.append(_computed("speedup", first.step_s / end.step_s, "x", by, 1))
    facts.append(_computed("usable", usable_bytes(end.job) / 1e9, "GB", by, 0))
    named = (
        ("model", end.job.model.title, "text"),
        ("gpu", end.job.gpu.id, "text"),
        ("gpus", end.job.gpus, "GPU"),
        ("batch", end.job.tokens, "token"),
        ("precision", end.job.precision_title, "text"),
        ("precision_before", first.job.precision_title, "text"),
    )
    facts += [Fact(key, value, unit, "scenario", scenario_id, by) for key, value, unit in named]
    facts.append(Fact("layout_before", str(first.layout), "text", "computed", MODEL, by))
    facts.append(Fact("layout_after", str(end.layout), "text", "computed", MODEL, by))
    return tuple(facts)


def report_memory(study: MemoryStudy) -> tuple[Fact, ...]:
    """Return memory by ZeRO stage: `zero_<stage>` and `zero_<stage>_full`, `limit`, `installed`."""
    by = function_name(study_memory)
    facts = [
        _computed(
            f"zero_{stage}" + ("_full" if mode == "full" else ""), study.total_gb(stage, mode),
            "GB", by, 0,
        )
        for stage, mode in study.cases
    ]  # fmt: skip
    facts.append(_computed("limit", study.usable_gb, "GB", by, 0))
    facts.append(_computed("installed", study.installed_gb, "GB", by, 0))
    facts.append(Fact("layout", _degrees(study), "text", "computed", MODEL, by))
    return tuple(facts)


def report_layouts(study: LayoutStudy) -> tuple[Fact, ...]:
    """Return how many layouts divide and fit, and the MFU of best, usual, median and slowest."""
    by = function_name(study_layouts)
    usual, mfu = usual_steps(study), study.steps.mfu_pct
    facts = [
        _computed("layouts_listed", study.listed, "count", by, 0),
        _computed("layouts_fit", len(mfu), "count", by, 0),
        _computed("mfu_best", float(mfu[0]), "%", by, 1),
        _computed("mfu_usual", float(usual.mfu_pct[0]), "%", by, 1),
        _computed("mfu_median", float(np.median(mfu)), "%", by, 1),
        _computed("mfu_slowest", float(mfu[-1]), "%", by, 1),
    ]
    for key, steps in (("best_layout", study.steps), ("usual_layout", usual)):
        facts.append(Fact(key, str(steps.layouts.at(0)), "text", "computed", MODEL, by))
    return tuple(facts)


def report_points(points: Sequence[RunPoint]) -> tuple[Fact, ...]:
    """Return how many published steps there are, how many are met, and the largest errors."""
    by = function_name(run_points)
    errors = np.array([abs(point.error_pct) for point in points])
    early = np.array([point.gpu.startswith("A100") for point in points])
    facts = [
        _computed("points", len(points), "count", by, 0),
        _computed("points_met", int((errors <= TOLERANCE_PCT).sum()), "count", by, 0),
        _computed("tolerance", TOLERANCE_PCT, "%", by, 0),
        _computed("worst", float(errors.max()), "%", by, 0),
        _computed("median_error", float(np.median(errors)), "%", by, 1),
        _computed("worst_a100", float(errors[early].max()), "%", by, 1),
    ]
    for number, source in enumerate(("megatron-sc21", "korthikanti-2023", "llama3"), start=1):
        count = sum(_SOURCES[point.id.partition("@")[2].partition("-")[0]] == source
                    for point in points)  # fmt: skip
        facts.append(
            Fact(f"points_of_{number}", count, "count", "published-measurement", source, by,
                 decimals=0)
        )  # fmt: skip
    return tuple(facts)


_SOURCES = {
    "megatron": "megatron-sc21",
    "selective": "korthikanti-2023",
    "full": "korthikanti-2023",
    "llama3": "llama3",
}


def report_grid(grid: StepGrid, precision: str) -> tuple[Fact, ...]:
    """Return what accumulation does at the degrees that the explorer begins with.

    `mfu_once` and `mfu_many` are of ZeRO-1 with the fewest and the most microbatches, `rounds` how
    many those are.
    """
    by = function_name(step_grid)
    start = start_degrees(grid, precision)
    curve = grid.mfu_pct[*start, precision][0]
    once, many = (float(np.nan_to_num(curve[place])) for place in (0, -1))
    return (
        _computed("mfu_once", once, "%", by, 1),
        _computed("mfu_many", many, "%", by, 1),
        _computed("rounds", grid.rounds[-1], "count", by, 0),
        _computed("stages", start[1], "count", by, 0),
    )


def _degrees(study: MemoryStudy) -> str:
    return str(study.layout).partition(" · ")[0]


def _computed(key: str, value: float, unit: str, by: str, decimals: int) -> Fact:
    return Fact(key, value, unit, "computed", MODEL, by, decimals=decimals)
