"""The facts of page 7: what the five ways give, what MPS enforces, what HAMi's limits are worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.sharing.gpu.comparison import WayComparison, compare_ways, inference_p99_ms
from gpudeck.models.sharing.gpu.core_split import CoreSplit, split_cores
from gpudeck.models.sharing.gpu.hami import TokenBucket, read_token_bucket
from gpudeck.models.sharing.gpu.latency_grid import LatencyGrid, latency_grid
from gpudeck.models.sharing.gpu.mix import NOISY
from gpudeck.models.sharing.gpu.sharing import SLICE_MS, share
from gpudeck.tables import read_table

MODEL = "model:sharing"
# the cap that the slide of MPS puts on the training job
CAPPED_PCT = 50


def report_ways(compared: WayComparison, scenario_id: str) -> tuple[Fact, ...]:
    """Return what each way gives: `work_<way>` (%), `p99_<way>` (ms), `noise_<way>` (times).

    Also `gpus_exclusive`, `victims_<way>`, `served_mig`, and the settings `tenants`, `runs`,
    `run_s`, `slice`, `switch`.
    """
    by = function_name(compare_ways)
    facts = []
    for way in compared.work:
        facts += [
            mean_fact(f"work_{way}", 100 * compared.work[way], "%", MODEL, by, decimals=0),
            mean_fact(f"p99_{way}", compared.p99_ms[way], "ms", MODEL, by, decimals=0),
            mean_fact(f"noise_{way}", compared.noise[way], "x", MODEL, by, decimals=1),
            Fact(f"victims_{way}", compared.victims[way], "tenant", "simulated", MODEL, by),
        ]
    settings: tuple[tuple[str, float, str], ...] = (
        ("gpus_exclusive", compared.gpus["exclusive"], "GPU"),
        ("served_mig", compared.served["mig"], "tenant"),
        ("tenants", len(compared.tenants), "tenant"),
        ("runs", len(compared.seeds), "count"),
        ("run_s", compared.duration_s, "s"),
    )
    facts += [
        Fact(key, value, unit, "simulated", MODEL, by, decimals=0) for key, value, unit in settings
    ]
    facts += [
        Fact("slice", compared.slice_ms, "ms", "scenario", scenario_id, by),
        Fact("switch", compared.switch_us, "us", "scenario", scenario_id, by, decimals=0),
    ]
    return tuple(facts)


def report_mps(compared: WayComparison) -> tuple[Fact, ...]:
    """Return what MPS enforces on the tenants of a comparison, each by a run of the model.

    `clients`, `clients_new`; `p99_capped` and `training_kept` with the training job at a thread
    percentage of `cap`; `refused_limit` tenants with its memory limit below its need.
    """
    by, memory_gib = function_name(share), compared.gpu_memory_gib
    table = read_table("sharing")
    facts = [
        Fact(key, int(row.number), "count", row.kind, row.sources[0], by, decimals=0)
        for key, row in (
            ("clients", table.row("mps", "clients")),
            ("clients_new", table.row("mps", "clients_cuda_13_1")),
        )
    ]
    capped = [
        replace(t, thread_pct=float(CAPPED_PCT)) if t.id == NOISY else t for t in compared.tenants
    ]
    tight = [
        replace(t, memory_limit_gib=t.memory_gib / 2) if t.id == NOISY else t
        for t in compared.tenants
    ]
    p99_ms, kept = [], []
    for seed in compared.seeds:
        runs = [
            share(each, "mps", gpu_memory_gib=memory_gib, duration_s=compared.duration_s, seed=seed)
            for each in (compared.tenants, capped)
        ]
        p99_ms.append([inference_p99_ms(run) for run in runs])
        kept.append(runs[1].tenants[NOISY].work_done_ms / runs[0].tenants[NOISY].work_done_ms)
    refused = share(tight, "mps", gpu_memory_gib=memory_gib, duration_s=1).refused
    free_ms, capped_ms = np.array(p99_ms).T
    facts += [
        mean_fact("p99_free", free_ms, "ms", MODEL, by, decimals=0),
        mean_fact("p99_capped", capped_ms, "ms", MODEL, by, decimals=0),
        mean_fact("training_kept", 100 * np.array(kept), "%", MODEL, by, decimals=0),
        Fact("cap", CAPPED_PCT, "%", "simulated", MODEL, by, decimals=0),
        Fact("refused_limit", len(refused), "tenant", "simulated", MODEL, by, decimals=0),
    ]
    return tuple(facts)


def report_bucket(bucket: TokenBucket) -> tuple[Fact, ...]:
    """Return the two times of HAMi's loop: `watch` and `nap`, in ms."""
    by = function_name(read_token_bucket)
    times = (("watch", bucket.wait_ms), ("nap", bucket.nap_ms))
    return tuple(
        Fact(key, value, "ms", "vendor-spec", "hami-core", by, decimals=0) for key, value in times
    )


def report_split(split: CoreSplit, by_kernel: Sequence[CoreSplit]) -> tuple[Fact, ...]:
    """Return HAMi's split of launches: `ratio`, and the range that was published.

    Also the limits `limit_low`, `limit_high`, the quotient `ratio_asked`, `ratio_longest` at the
    longest kernel `longest_kernel`, `kernel`, `blocks`.
    """
    by = function_name(split_cores)
    row = read_table("published/sharing").row("hami@10:90", "launches_pct")
    assert row.low is not None
    assert row.high is not None
    last = by_kernel[-1]
    low, high = split.limits_pct
    values: tuple[tuple[str, float, str], ...] = (
        ("ratio_asked", high / low, "x"),
        ("limit_low", low, "%"),
        ("limit_high", high, "%"),
        ("kernel", split.kernel_ms, "ms"),
        ("longest_kernel", last.kernel_ms, "ms"),
        ("blocks", split.blocks, "count"),
    )
    # a share of the launches as a ratio, rounded as the source prints it
    published = (("published_low", 100 / row.high - 1), ("published_high", 100 / row.low - 1))
    return (
        mean_fact("ratio", split.ratio, "x", MODEL, by, decimals=1),
        mean_fact("ratio_longest", last.ratio, "x", MODEL, by, decimals=1),
        *(Fact(key, value, unit, "simulated", MODEL, by) for key, value, unit in values),
        *(Fact(k, round(v, 1), "x", row.kind, row.sources[0], by) for k, v in published),
    )


def report_grid(grid: LatencyGrid, tenants: int = 4) -> tuple[Fact, ...]:
    """Return the p99 of inference where training is capped most: `capped_mps`, `capped_hami` (ms).

    At a slice of `SLICE_MS` and a number of tenants of the grid; also `cap_least` (%),
    `grid_slice`, `grid_tenants`.
    """
    by = function_name(latency_grid)
    place, length, cap = grid.tenants.index(tenants), SLICE_MS, min(grid.cap_pct)
    values: list[tuple[str, float, str]] = [
        (f"capped_{way}", float(grid.p99_ms[length, cap, way][place]), "ms")
        for way in ("mps", "hami")
    ]
    values += [
        ("cap_least", cap, "%"),
        ("grid_slice", length, "ms"),
        ("grid_tenants", tenants, "tenant"),
    ]
    return tuple(
        Fact(key, value, unit, "simulated", MODEL, by, decimals=0) for key, value, unit in values
    )
