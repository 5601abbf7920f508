"""What page 18 says, as facts."""

from __future__ import annotations

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.journey.stage3 import MEASURES, PARTS, DataPathEffect, run_stage3
from gpudeck.models.storage.loader.sweep import (
    BandwidthSweep,
    LoaderGrid,
    fill_grid,
    sweep_bandwidth,
)
from gpudeck.tables import read_table
from gpudeck.units import convert

MODEL = "model:input pipeline"
_DECIMALS = {"batch_s": None, "cores_per_gb_s": 2}


def report_stage3(effect: DataPathEffect) -> tuple[Fact, ...]:
    """Return each measure at each step with its 95 % interval over the runs.

    Parameters
    ----------
    effect : DataPathEffect
        From `run_stage3`.

    Returns
    -------
    tuple of Fact
        `<measure>_<step>`; `supply_<step>` and `<part>_<step>`, what a GPU may read (GB/s);
        `starving_gain` (points, paired); `times`, bandwidth read after over before; `need`,
        `target`, `batch_gb` of the workload; `gpus`, `nodes`, `workers`, `prefetch`, `runs`.
    """
    by = function_name(run_stage3)
    facts = []
    for step in effect.steps:
        name = step.path.name
        for measure, unit in MEASURES.items():
            samples = effect.samples(measure, name)
            decimals = _DECIMALS.get(measure, 1)
            facts.append(
                mean_fact(f"{measure}_{name}", samples, unit, MODEL, by, decimals=decimals)
            )
        facts.append(_computed(f"supply_{name}", step.path.gpu_gb_s, "GB/s", by))
        for part in PARTS:
            limit = float(getattr(step.path, f"{part}_gb_s"))
            facts.append(_computed(f"{part}_{name}", limit, "GB/s", by))
    ratio = effect.samples("read_gb_s", "after") / effect.samples("read_gb_s", "before")
    facts.append(mean_fact("times", ratio, "x", MODEL, by))
    facts.append(mean_fact("starving_gain", effect.gain("starving"), "point", MODEL, by))
    return (*facts, *_settings(effect, by))


def _settings(effect: DataPathEffect, by: str) -> tuple[Fact, ...]:
    loading, job = effect.loading, effect.job
    rows = read_table("training_inputs").of(job.id)
    kind, source = rows["sample_bytes"].kind, rows["sample_bytes"].sources[0]
    chosen = (
        ("gpus", loading.gpus, "GPU"),
        ("nodes", effect.nodes, "node"),
        ("workers", loading.workers, "count"),
        ("prefetch", loading.prefetch, "count"),
        ("runs", len(effect.steps[0].runs), "count"),
    )
    facts = [Fact(key, value, unit, "simulated", MODEL, by) for key, value, unit in chosen]
    batch_gb = convert(job.batch_bytes, "B", "GB")
    spread_pct = 100 * job.batch_sd_bytes / job.batch_bytes
    return (
        *facts,
        Fact("workload", job.id, "text", kind, source, by),
        Fact("batch_gb", batch_gb, "GB", kind, source, by),
        Fact("spread", spread_pct, "%", "derived", source, by, decimals=0),
        Fact("step_s", job.compute_s, "s", kind, source, by),
        Fact("need", job.need_gb_s, "GB/s", "derived", source, by, decimals=2),
        Fact("target", job.target_pct, "%", kind, source, by, decimals=0),
    )


def report_sweep(sweep: BandwidthSweep) -> tuple[Fact, ...]:
    """Return the utilisation at exactly the bandwidth that the job needs, alone and together.

    Parameters
    ----------
    sweep : BandwidthSweep
        From `sweep_bandwidth`.

    Returns
    -------
    tuple of Fact
        `alone`, `together`, `bound` (%), each at the point whose supply is what is needed.
    """
    by = function_name(sweep_bandwidth)
    exact = int(abs(sweep.gpu_gb_s - sweep.job.need_gb_s).argmin())
    return (
        mean_fact("alone", 100 * sweep.alone[:, exact], "%", MODEL, by),
        mean_fact("together", 100 * sweep.together[:, exact], "%", MODEL, by),
        _computed("bound", 100 * float(sweep.bound[exact]), "%", by),
    )


def report_grid(grid: LoaderGrid) -> tuple[Fact, ...]:
    """Return the utilisation at exactly the bandwidth needed, with most GPUs and least buffer.

    Parameters
    ----------
    grid : LoaderGrid
        From `fill_grid`.

    Returns
    -------
    tuple of Fact
        `harshest` (%), and `harshest_gpus` that step together there.
    """
    by = function_name(fill_grid)
    value = 100 * float(grid.found[grid.harshest][grid.exact])
    return (
        Fact("harshest", value, "%", "simulated", MODEL, by, decimals=0),
        Fact("harshest_gpus", grid.harshest[0], "GPU", "simulated", MODEL, by),
    )


def _computed(key: str, value: float, unit: str, by: str) -> Fact:
    return Fact(key, value, unit, "computed", MODEL, by, decimals=1 if unit == "%" else None)
