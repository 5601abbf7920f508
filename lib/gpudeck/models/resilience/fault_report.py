"""The facts of page 24: what a save and a failure cost, and what the published table says."""

from __future__ import annotations

import numpy as np

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.resilience.checkpoint_interval import first_order_waste, young_interval
from gpudeck.models.resilience.copies_study import CopiesStudy, study_copies
from gpudeck.models.resilience.failure import HOUR_S, RUN, check_printed_shares, read_failure_rates
from gpudeck.models.resilience.fault_grid import FaultGrid, fault_grid
from gpudeck.models.resilience.interval_study import (
    FormulaError,
    IntervalStudy,
    compare_formulas,
    study_intervals,
)
from gpudeck.models.resilience.training_job import TrainingJob
from gpudeck.scenario.schema import Scenario
from gpudeck.tables import Row, read_table
from gpudeck.workload.model import find_model

MODEL = "model:resilience"
MINUTE_S, TB = 60.0, 1e12
LLAMA_STALL_S = 60.0  # a write that stops the job, to set beside the published failures
NAMES = {"synchronous": "sync", "asynchronous": "async"}


def report_faults(job: TrainingJob, study: IntervalStudy, scenario: Scenario) -> tuple[Fact, ...]:
    """Return what saving costs on the scenario's job, and on the published one.

    Parameters
    ----------
    job
        From `plan_job`.
    study
        From `study_intervals`, both modes.
    scenario
        Where model and GPUs come from.

    Returns
    -------
    tuple of Fact
        For `sync` and `async`: `<mode>_stall`, `<mode>_interval` (minutes), `<mode>_share`,
        `<mode>_loss` (%, at the best interval) and `<mode>_simulated`; `save`, `state`, `mtbf`,
        `recovery`, `node_share`, `software_share`; `llama_mtbf`, `llama_waste`, `llama_stall`;
        `pytorch_sync`, `pytorch_async`; `model`, `gpus`, `nodes`, `runs`.
    """
    by = function_name(study_intervals)
    facts: list[Fact] = []
    for mode, name in NAMES.items():
        curve = study.find(mode)  # type: ignore[arg-type]  # the keys are modes
        at = int(np.abs(np.log(curve.simulated_s / curve.best_s)).argmin())
        share_pct = 100 * curve.best_share
        facts += [
            _computed(f"{name}_stall", curve.cost.stall_s, "s", by, 1),
            _computed(f"{name}_interval", curve.best_s / MINUTE_S, "min", by, 0),
            _computed(f"{name}_share", share_pct, "%", by, 1),
            _computed(f"{name}_loss", 100 - share_pct, "%", by, 1),
            mean_fact(f"{name}_simulated", 100 * curve.samples[:, at], "%", MODEL, by, decimals=2),
        ]
    runs = len(study.curves[0].samples)
    shares = job.run.rates.shares
    facts += [
        _computed("save", study.find("asynchronous").cost.save_s, "s", by, 0),
        _computed("state", job.path.state_bytes / TB, "TB", by, 2),
        _computed("mtbf", study.mtbf_s / HOUR_S, "h", by, None),
        _computed("recovery", study.find("synchronous").recovery_s / MINUTE_S, "min", by, 1),
        _computed("node_share", 100 * job.run.rates.node_share, "%", by, 0),
        _computed("software_share", 100 * shares["software"], "%", by, 0),
        Fact("runs", runs, "count", "simulated", MODEL, by, decimals=0),
        Fact("gpus", job.run.gpus, "GPU", "scenario", scenario.id, by, decimals=0),
        Fact("nodes", job.run.nodes, "node", "scenario", scenario.id, by, decimals=0),
        Fact(
            "model", find_model(scenario.training.model).title, "text", "scenario", scenario.id, by
        ),
    ]
    return (*facts, *_published_facts())


def _published_facts() -> tuple[Fact, ...]:
    """Return what the published run and PyTorch's measurement say, and what follows."""
    failures, saves = read_table("failures"), read_table("checkpoints")
    by, gpus = function_name(read_failure_rates), failures.row(RUN, "gpus")
    mtbf_s = read_failure_rates().mtbf_s(int(gpus.number))
    waste = first_order_waste(young_interval(LLAMA_STALL_S, mtbf_s), LLAMA_STALL_S, mtbf_s)
    by_waste = function_name(first_order_waste)
    return (
        Fact("llama_gpus", f"{gpus.number:,.0f}", "text", gpus.kind, gpus.sources[0], by),
        _row_fact("llama_days", failures.row(RUN, "days"), by, 0),
        _row_fact("interruptions", failures.row(RUN, "interruptions"), by, 0),
        _row_fact("unexpected", failures.row(RUN, "unexpected"), by, 0),
        _computed("llama_mtbf", mtbf_s / HOUR_S, "h", by, 2),
        _computed("llama_waste", 100 * waste, "%", by_waste, 1),
        _computed("llama_stall", LLAMA_STALL_S, "s", by_waste, 0),
        _row_fact("pytorch_sync", saves.row("pytorch-7b", "synchronous_s"), by, 1),
        _row_fact("pytorch_async", saves.row("pytorch-7b", "asynchronous_s"), by, 1),
    )


def report_formulas(study: IntervalStudy, formulas: FormulaError) -> tuple[Fact, ...]:
    """Return the three intervals of a synchronous save in minutes, and what Young's loses.

    Parameters
    ----------
    study
        From `study_intervals`.
    formulas
        From `compare_formulas`.

    Returns
    -------
    tuple of Fact
        `young`, `daly`, `exact` (minutes), `young_long` (% longer than the exact one); `young_most`
        and `daly_most`, the most that each loses in points over the range.
    """
    curve, by = study.find("synchronous"), function_name(compare_formulas)
    return (
        _computed("young", curve.young_s / MINUTE_S, "min", by, 1),
        _computed("daly", curve.daly_s / MINUTE_S, "min", by, 1),
        _computed("exact", curve.exact_s / MINUTE_S, "min", by, 1),
        _computed("young_long", 100 * (curve.young_s / curve.exact_s - 1), "%", by, 1),
        _computed("young_most", float(formulas.young_lost.max()), "point", by, 2),
        _computed("daly_most", float(formulas.daly_lost.max()), "point", by, 6),
    )


def report_copies(study: CopiesStudy, failed: int = 4) -> tuple[Fact, ...]:
    """Return how likely copies survive so many lost nodes, or all but one of a small job.

    Returns
    -------
    tuple of Fact
        `lost_nodes`, `group`, `ring` and, where the job has three nodes, `group_3`, in %.
    """
    by = function_name(study_copies)
    lost = min(failed, len(study.survive["group-2"]) - 1)
    facts = [
        Fact("lost_nodes", lost, "node", "computed", MODEL, by, decimals=0),
        _computed("group", 100 * study.survive["group-2"][lost], "%", by, 1),
        _computed("ring", 100 * study.survive["ring-2"][lost], "%", by, 1),
    ]
    if "group-3" in study.survive:
        facts.append(_computed("group_3", 100 * study.survive["group-3"][lost], "%", by, 2))
    return tuple(facts)


def report_shares() -> tuple[Fact, ...]:
    """Return the arithmetic of the published table of interruptions.

    Returns
    -------
    tuple of Fact
        `faulty` (count), `printed`, `computed`, `printed_sum`, `gpu_printed`, `gpu_computed` (%),
        `missing` (points between 100 % and the printed sum).
    """
    found, by = check_printed_shares(), function_name(check_printed_shares)
    source = "llama3"
    published = (
        ("faulty", found.count, "count", 0),
        ("printed", found.printed_pct, "%", 1),
        ("gpu_printed", found.gpu_printed_pct, "%", 1),
    )
    return (
        *(
            Fact(key, value, unit, "published-measurement", source, by, decimals=digits)
            for key, value, unit, digits in published
        ),
        _computed("computed", found.computed_pct, "%", by, 1),
        _computed("printed_sum", found.printed_sum_pct, "%", by, 1),
        _computed("missing", 100 - found.printed_sum_pct, "point", by, 1),
        _computed("gpu_computed", found.gpu_computed_pct, "%", by, 1),
    )


def report_grid(grid: FaultGrid) -> tuple[Fact, ...]:
    """Return the best efficiency of the largest job with a middling storage, by mode.

    Returns
    -------
    tuple of Fact
        `largest` (GPUs), `largest_save` (seconds of a write), `largest_sync`, `largest_async`,
        `largest_memory` (%).
    """
    by, gpus, storage_s = function_name(fault_grid), grid.gpus[-1], grid.storage_s[2]
    names = {"synchronous": "sync", "asynchronous": "async", "memory": "memory"}
    return (
        # in full: 65,536 would be shortened to tens of thousands
        Fact("largest", f"{gpus:,}", "text", "computed", MODEL, by),
        Fact("largest_save", storage_s, "s", "computed", MODEL, by, decimals=0),
        *(
            _computed(f"largest_{names[mode]}", grid.best[mode, gpus, storage_s][1], "%", by, 0)
            for mode in grid.modes
        ),
    )


def _computed(key: str, value: float, unit: str, by: str, decimals: int | None) -> Fact:
    return Fact(key, float(value), unit, "computed", MODEL, by, decimals=decimals)


def _row_fact(key: str, row: Row, by: str, decimals: int | None) -> Fact:
    return Fact(key, row.number, row.unit, row.kind, row.sources[0], by, decimals=decimals)
