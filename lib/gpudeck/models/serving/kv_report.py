"""The facts of page 19's memory: the scenario's own, the published case, and the grid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.serving.kv_study import (
    KvStudy,
    WasteGrid,
    compare_schemes,
    published_case,
    simulate_held,
    waste_grid,
)
from gpudeck.scenario.schema import Serving
from gpudeck.scenario.serving import report_requests
from gpudeck.tables import read_table

MODEL = "model:serving"


def report_kv(study: KvStudy) -> tuple[Fact, ...]:
    """Return the facts of a full memory.

    Returns
    -------
    tuple of Fact
        For each scheme `<scheme>` (memory that holds a token, % of the capacity) and
        `batch_<scheme>`; `gain` (batch of pages over batch of the maximum); parts of the maximum,
        `reservation`, `internal`, `external`, and `paged_internal`; `paged_held` (tokens in % of
        the blocks held); `block_size`, `capacity`, `max_length`, `runs`, `refused`, `kv_model`.
    """
    by = function_name(compare_schemes)
    facts = []
    for scheme in study.loads:
        facts.append(mean_fact(scheme, study.percent(scheme)["live"], "%", MODEL, by))
        facts.append(mean_fact(f"batch_{scheme}", study.batch(scheme), "count", MODEL, by))
    parts = study.percent("max")
    facts += [
        mean_fact(name, parts[name], "%", MODEL, by)
        for name in ("reservation", "internal", "external")
    ]
    paged = study.percent("paged")
    facts.append(mean_fact("paged_internal", paged["internal"], "%", MODEL, by, decimals=2))
    held = 100 * paged["live"] / (paged["live"] + paged["internal"])
    facts.append(mean_fact("paged_held", held, "%", MODEL, by, decimals=2))
    gain = study.batch("paged") / study.batch("max")
    facts.append(mean_fact("gain", gain, "1", MODEL, by))
    settings: tuple[tuple[str, float | str, str, int | None], ...] = (
        ("block_size", study.block_size, "token", None),
        ("capacity", study.case.capacity_tokens, "token", None),
        ("max_length", study.case.max_length, "token", None),
        ("runs", len(study.loads["paged"]), "count", None),
        ("refused", study.refused, "%", 1),
        ("kv_model", study.case.name, "text", None),
    )
    facts += [Fact(k, v, u, "computed", MODEL, by, decimals=d) for k, v, u, d in settings]
    return tuple(facts)


def report_service(
    serving: Serving, study: KvStudy, simulated: NDArray[np.float64]
) -> tuple[Fact, ...]:
    """Return the facts of the scenario's own memory.

    Parameters
    ----------
    serving
        The scenario's section.
    study
        From `compare_schemes`.
    simulated
        From `simulate_held`, two runs or more.

    Returns
    -------
    tuple of Fact
        Those of `report_kv`; `paged_run` (the same as `paged_held`, by the serving simulator);
        `kv_gpu`, and `gpus` of the replica; where the requests come from, see `report_requests`.
    """
    by = function_name(simulate_held)
    return (
        *report_kv(study),
        mean_fact("paged_run", simulated, "%", MODEL, by, decimals=2),
        Fact("kv_gpu", serving.gpu, "text", "scenario", MODEL, by),
        Fact("gpus", serving.tensor_parallel, "count", "scenario", MODEL, by, decimals=0),
        *report_requests(serving),
    )


def report_published(study: KvStudy) -> tuple[Fact, ...]:
    """Return the facts of the published case: those of `report_kv`, and what was measured.

    Returns
    -------
    tuple of Fact
        Also `earlier_low` and `earlier_high`: memory that earlier systems used for tokens, %.
    """
    by = function_name(published_case)
    row = read_table("kv_memory").row("earlier-systems", "kv_used")
    return (
        *report_kv(study),
        *(
            Fact(f"earlier_{name}", float(value), "%", row.kind, row.sources[0], by, decimals=1)
            for name, value in (("low", row.low), ("high", row.high))
            if value is not None
        ),
    )


def report_grid(grid: WasteGrid) -> tuple[Fact, ...]:
    """Return the worst of pages at the case's block size, and the best of the maximum, over a grid.

    Returns
    -------
    tuple of Fact
        `worst_paged`: largest waste of pages, in % of what requests hold, and `best_max`: largest
        used part where slots are of the longest length.
    """
    by = function_name(waste_grid)
    cells = [(grid.start[0], mean) for mean in grid.output_mean]
    worst = max(float(100 - grid.used_pct["paged", *cell].min()) for cell in cells)
    best = max(float(grid.used_pct["max", *cell].max()) for cell in cells)
    return (
        Fact("worst_paged", worst, "%", "simulated", MODEL, by, decimals=1),
        Fact("best_max", best, "%", "simulated", MODEL, by, decimals=1),
    )
