"""The facts of page 6: what MIG saves, what it loses, and from where each figure is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.hardware.gpu import find_gpu
from gpudeck.hardware.mig import MigProfile
from gpudeck.models.sharing.mig.demand import MigDemand, map_pods
from gpudeck.models.sharing.mig.partition import PartitionResult, partition
from gpudeck.models.sharing.mig.placement import place_in_order
from gpudeck.models.sharing.mig.split import PhysicalSplit, split_gpu
from gpudeck.models.sharing.mig.states import build_states
from gpudeck.models.sharing.mig.stream import POLICIES
from gpudeck.models.sharing.mig.study import StreamStudy, study_gap, study_streams
from gpudeck.tables import read_table

MODEL = "model:MIG"
# one GPU of each geometry that a page compares
COMPARED_GPUS = ("A30", "A100-40G-SXM", "A100-80G-SXM", "H100-SXM", "H200", "B200")


def report_device(gpu_id: str) -> tuple[Fact, ...]:
    """Return on which GPU sharing is studied: `gpu`."""
    gpu = find_gpu(gpu_id)
    return (Fact("gpu", gpu.id, "text", "vendor-spec", "mig-guide", function_name(find_gpu)),)


def report_gpu(gpu_id: str) -> tuple[Fact, ...]:
    """Return how MIG splits a GPU: the figures that a source prints, and what follows from them.

    Returns
    -------
    tuple of Fact
        `compute_slices`, `memory_slices`, `configurations` to which nothing can be added,
        `slice_memory`; where known `sms`, `slice_sms`,
        `sliced_sms`, `lost_sms`, `lost_sms_pct` and `slice_l2`.

    >>> {fact.key: fact.value for fact in report_gpu("A100-80G-SXM")}["lost_sms"]
    10
    """
    split = split_gpu(gpu_id)
    by, source = function_name(split_gpu), "mig-guide"
    full = int((build_states(split.profiles[0].geometry).room == 0).sum())
    facts = [
        Fact("compute_slices", split.compute_slices, "slice", "vendor-spec", source, by),
        Fact("memory_slices", split.memory_slices, "slice", "vendor-spec", source, by),
        Fact("configurations", full, "count", "computed", MODEL, function_name(build_states)),
        Fact("slice_memory", split.slice_memory_gb, "GB", "computed", MODEL, by, decimals=0),
    ]
    if split.slice_l2_mib is not None:
        facts.append(Fact("slice_l2", split.slice_l2_mib, "MiB", "computed", MODEL, by))
    return (*facts, *_report_sms(split, by))


def _report_sms(split: PhysicalSplit, by: str) -> tuple[Fact, ...]:
    sms, lost, each = split.gpu.sm_count, split.lost_sms, split.slice_sms
    if sms is None or lost is None or each is None:
        return ()
    source = split.gpu.rows["sm_count"].sources[0]
    return (
        Fact("sms", sms, "SM", "vendor-spec", source, function_name(find_gpu)),
        Fact("slice_sms", each, "SM", "computed", MODEL, by),
        Fact("sliced_sms", sms - lost, "SM", "computed", MODEL, by),
        Fact("lost_sms", lost, "SM", "computed", MODEL, by),
        Fact("lost_sms_pct", 100 * lost / sms, "%", "computed", MODEL, by, decimals=0),
    )


def report_partition(
    demand: MigDemand, best: PartitionResult, fast: PartitionResult
) -> tuple[Fact, ...]:
    """Return what MIG saves on a demand, by the optimum and by the heuristic.

    Parameters
    ----------
    demand : MigDemand
        The pods that share, with their profiles.
    best, fast : PartitionResult
        All of the demand served, by "optimal" and by "heuristic".

    Returns
    -------
    tuple of Fact
        `shared_pods`; `whole_gpus` with one GPU for each; `mig_gpus`, `saved_gpus`, `saved_pct`;
        `unsplit_pods` that take a GPU alone and their `unsplit_pct`; `split_pods` on `split_gpus`;
        `heuristic_gpus`, `gap`, and `bound_gpus` of the relaxed program; `free_compute_pct` and
        `free_memory_pct` of the GPUs used.
    """
    pods, gpus = len(demand.pod), best.gpus_used
    alone = demand.counts[demand.whole]
    by, mapped = function_name(partition), function_name(map_pods)
    counts: tuple[tuple[str, float, str, str], ...] = (
        ("shared_pods", pods, "pod", mapped),
        ("whole_gpus", pods, "GPU", mapped),
        ("mig_gpus", gpus, "GPU", by),
        ("saved_gpus", pods - gpus, "GPU", by),
        ("saved_pct", 100 * (pods - gpus) / pods, "%", by),
        ("unsplit_pods", alone, "pod", mapped),
        ("unsplit_pct", 100 * alone / pods, "%", mapped),
        ("split_pods", pods - alone, "pod", mapped),
        ("split_gpus", gpus - alone, "GPU", by),
        ("heuristic_gpus", fast.gpus_used, "GPU", by),
        ("bound_gpus", fast.lower_bound, "GPU", by),
        (
            "free_compute_pct",
            _free_pct(best.wasted_compute_slices, best.gpu_compute_slices, gpus),
            "%",
            by,
        ),
        (
            "free_memory_pct",
            _free_pct(best.wasted_memory_slices, best.gpu_memory_slices, gpus),
            "%",
            by,
        ),
    )
    gap = Fact("gap", 100 * (fast.gpus_used / gpus - 1), "%", "computed", MODEL, by, decimals=1)
    return (
        *(Fact(key, n, unit, "computed", MODEL, made, decimals=0) for key, n, unit, made in counts),
        gap,
    )


def _free_pct(slices: int, of_each: int, gpus: int) -> float:
    return 100 * slices / (of_each * gpus)


def report_gap(gaps: NDArray[np.float64]) -> tuple[Fact, ...]:
    """Return the heuristic's surplus over random demands: `gap_mean`, `gap_worst`, `gap_mixes`."""
    by = function_name(study_gap)
    return (
        mean_fact("gap_mean", gaps, "%", MODEL, by),
        Fact("gap_worst", float(gaps.max()), "%", "simulated", MODEL, by, decimals=1),
        Fact("gap_exact", int((gaps < 1e-9).sum()), "count", "simulated", MODEL, by),
        Fact("gap_mixes", len(gaps), "count", "simulated", MODEL, by),
    )


def report_streams(study: StreamStudy) -> tuple[Fact, ...]:
    """Return the fragmentation of each policy, what moving saves, and what it costs.

    Returns
    -------
    tuple of Fact
        `fragmented_<policy>` and `useful_<policy>` (% of the pool's slice-seconds); paired over the
        seeds, in points: `dynamic_saves` (static less dynamic) and `moving_saves` (dynamic less
        repartition); `restarts` of a run and `overhead_repartition` (%); the plan: `pool_gpus`,
        `pool_load`, `pool_hours`, `stay_hours`, `stall`, `runs`.
    """
    by = function_name(study_streams)
    lost = {p: np.array([r.fragmented_pct for r in study.results[p]]) for p in POLICIES}
    work = {p: np.array([r.useful_pct for r in study.results[p]]) for p in POLICIES}
    moved = study.results["repartition"]
    plan = study.plan
    settings = (
        ("pool_gpus", plan.gpus, "GPU"),
        ("pool_load", 100 * plan.load, "%"),
        ("pool_hours", plan.horizon_s / 3600, "h"),
        ("stay_hours", plan.mean_duration_s / 3600, "h"),
        ("stall", plan.costs.stall_s, "s"),
        ("runs", len(moved), "count"),
    )
    return (
        *(mean_fact(f"fragmented_{p}", lost[p], "%", MODEL, by) for p in POLICIES),
        *(mean_fact(f"useful_{p}", work[p], "%", MODEL, by) for p in POLICIES),
        mean_fact("dynamic_saves", lost["static"] - lost["dynamic"], "point", MODEL, by),
        mean_fact("moving_saves", lost["dynamic"] - lost["repartition"], "point", MODEL, by),
        mean_fact("restarts", [r.restarts.sum() for r in moved], "count", MODEL, by),
        mean_fact(
            "overhead_repartition", [r.overhead_pct for r in moved], "%", MODEL, by, decimals=2
        ),
        *(Fact(key, n, unit, "simulated", MODEL, by, decimals=0) for key, n, unit in settings),
    )


def trapped_pairs(geometry: str, profiles: tuple[MigProfile, ...]) -> tuple[tuple[str, str], ...]:
    """List the ordered pairs that fit if the first starts where most room is left, and not lowest.

    >>> split = split_gpu("A100-80G-SXM")
    >>> trapped_pairs("A100-80G", split.profiles)[0]
    ('1g.10gb', '4g.40gb')
    """
    pairs = [(one.name, two.name) for one in profiles for two in profiles]
    return tuple(
        pair
        for pair in pairs
        if None in place_in_order(pair, geometry, rule="lowest")
        and None not in place_in_order(pair, geometry)
    )


def report_trap(gpu_id: str) -> tuple[Fact, ...]:
    """Return how many ordered pairs of instances the lowest start blocks: `trapped_pairs`."""
    split = split_gpu(gpu_id)
    pairs = trapped_pairs(split.profiles[0].geometry, split.profiles)
    by = function_name(trapped_pairs)
    return (Fact("trapped_pairs", len(pairs), "count", "computed", MODEL, by),)


def report_isolation() -> tuple[Fact, ...]:
    """Return what MIG, MPS and time slicing keep apart: one fact for each row of the table.

    Keys are `<mechanism>_<attribute>`.

    Source: NVIDIA, Multi-Instance GPU User Guide, table 3; GPU Operator, time-slicing.
    """
    table, by = read_table("isolation"), function_name(report_isolation)
    return tuple(
        Fact(f"{mechanism}_{name}", row.value or "", row.unit, row.kind, row.sources[0], by)
        for mechanism in table.ids
        for name, row in table.of(mechanism).items()
    )


def report_profiles() -> tuple[Fact, ...]:
    """Return the number of GPUs compared, and of figures among theirs that no source confirms."""
    by = function_name(split_gpu)
    splits = [split_gpu(gpu_id) for gpu_id in COMPARED_GPUS]
    loose = sum(len(profile.unverified) > 0 for split in splits for profile in split.profiles)
    return (
        Fact("compared_gpus", len(splits), "count", "vendor-spec", "mig-guide", by),
        Fact("loose_profiles", loose, "count", "unverified", "mig-h100-list", by),
    )
