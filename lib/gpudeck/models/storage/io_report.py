"""The facts of page 17: the paths by bandwidth, latency and CPU time, and the guide's misprints."""

from __future__ import annotations

from collections.abc import Sequence

from gpudeck.fact import Fact, function_name
from gpudeck.hardware.storage_device import find_storage_device
from gpudeck.models.storage.gds_log import Misprint, audit_guide, find_run, read_remote_runs
from gpudeck.models.storage.io_study import LARGE_BYTES, SMALL_BYTES, IoStudy, study_paths
from gpudeck.models.storage.nvme_of import build_remote_path
from gpudeck.models.storage.published import compute_published
from gpudeck.models.storage.request_cost import read_request_cost
from gpudeck.tables import read_table
from gpudeck.units import convert

MODEL = "model:io_path"


def report_paths(study: IoStudy, scenario_id: str) -> tuple[Fact, ...]:
    """Return how the bounce path and the direct path compare.

    Parameters
    ----------
    study : IoStudy
        From `study_paths`.
    scenario_id : str
        Where the settings come from.

    Returns
    -------
    tuple of Fact
        `bounce`, `direct`: bandwidth, GB/s; `common`: what both reach; `cores_bounce`,
        `cores_direct`, `cores_saved`: cores at that bandwidth in requests of 1 MiB; `passes`:
        times that a byte crosses host memory on the bounce path; `memory_traffic`: GB/s of it at
        the common bandwidth; `latency_bounce`, `latency_direct` (1 MiB, µs); `latency_saved`, %;
        `large`, `small`: the sizes; `in_flight`; `cpu_large`.
    """
    bounce, direct = study.paths["bounce"], study.paths["direct"]
    by = at = function_name(study_paths)
    common = study.common_gb_s
    cores = {route: study.cores(route, common) for route in ("bounce", "direct", "pinned")}
    late = {name: 1e6 * path.latency_s(LARGE_BYTES) for name, path in study.paths.items()}

    def fact(key: str, value: float, unit: str, source: str = by, decimals: int = 0) -> Fact:
        return Fact(key, value, unit, "computed", MODEL, source, decimals=decimals)

    return (
        fact("bounce", bounce.gb_s, "GB/s"),
        fact("direct", direct.gb_s, "GB/s"),
        fact("common", common, "GB/s"),
        fact("cores_bounce", cores["bounce"], "count", decimals=1),
        fact("cores_pinned", cores["pinned"], "count", decimals=1),
        fact("cores_direct", cores["direct"], "count", decimals=1),
        fact("cores_saved", cores["bounce"] - cores["direct"], "count", decimals=1),
        fact("passes", bounce.memory_passes, "count"),
        fact("memory_traffic", common * bounce.memory_passes, "GB/s"),
        fact("latency_bounce", late["bounce"], "us", at),
        fact("latency_direct", late["direct"], "us", at),
        fact("latency_saved", 100 * (1 - late["direct"] / late["bounce"]), "%", at),
        fact("large", LARGE_BYTES / 2**20, "MiB"),
        fact("small", SMALL_BYTES / 2**10, "KiB"),
        Fact("in_flight", study.in_flight, "count", "scenario", scenario_id, by, decimals=0),
        _measured_cost("cpu_large", LARGE_BYTES),
    )


def _measured_cost(key: str, io_bytes: float) -> Fact:
    """Return the CPU time of requests of a measured size, s/GB."""
    value, by = read_request_cost().cpu_s_per_gb(io_bytes), function_name(read_request_cost)
    return Fact(key, value, "s/GB", "published-measurement", "gds-guide", by)


def report_cpu(study: IoStudy, scenario_id: str) -> tuple[Fact, ...]:
    """Return CPU time: what is measured, and what the model makes of it.

    Parameters
    ----------
    study : IoStudy
        From `study_paths`.
    scenario_id : str
        Where the settings come from.

    Returns
    -------
    tuple of Fact
        `cpu_small`, `cpu_large`: measured on a DGX-2 in requests of 4 KiB and of 1 MiB, s/GB;
        `forum_direct`, `forum_bounce`: measured elsewhere, through GDS and through a pinned
        buffer, s/GB; `request`: constant of the line, µs; `copy`: what a copy costs, s/GB;
        `copy_rate`.
    """
    cost, by = read_request_cost(), function_name(read_request_cost)
    bounce = study.paths["bounce"]
    number = find_storage_device("GDS-forum").number
    forum = {
        key: number(f"{name}_cpu") / 100 / convert(number(f"{name}_gib_s"), "GiB/s", "GB/s")
        for key, name in (("forum_direct", "gds"), ("forum_bounce", "bounce"))
    }
    kind = "published-measurement"
    return (
        _measured_cost("cpu_small", SMALL_BYTES),
        _measured_cost("cpu_large", LARGE_BYTES),
        *(
            Fact(key, value, "s/GB", kind, "gds-forum", function_name(find_storage_device))
            for key, value in forum.items()
        ),
        Fact("request", 1e6 * cost.request_s, "us", "computed", MODEL, by, decimals=0),
        Fact("copy", bounce.cpu_copies / bounce.copy_gb_s, "s/GB", "computed", MODEL, by),
        Fact("copy_rate", bounce.copy_gb_s, "GB/s", "scenario", scenario_id, by, decimals=0),
    )


def report_remote(study: IoStudy) -> tuple[Fact, ...]:
    """Return what a network adds, in µs: `rdma_low`, `rdma_high`, `tcp_low`, `tcp_high`.

    And the latency of a small read with it, `rdma_small_low` and so on, beside `local_small`.

    Parameters
    ----------
    study : IoStudy
        From `study_paths`.
    """
    by = function_name(build_remote_path)
    facts = []
    for name, device in (("rdma", "NVMe-oF-RDMA"), ("tcp", "NVMe-oF-TCP")):
        remote = study.remote_paths[name]
        row = find_storage_device(device).rows["added_latency_us"]
        added_us = (1e6 * remote.added_low_s, 1e6 * remote.added_high_s)
        # a range of two sources: each end cites its own
        ends = zip(("low", "high"), added_us, (row.sources[0], row.sources[-1]), strict=True)
        facts += [
            Fact(f"{name}_{end}", value, "us", row.kind, source, by, decimals=0)
            for end, value, source in ends
        ]
        facts += [
            Fact(f"{name}_small_{end}", 1e6 * value, "us", "computed", MODEL, by, decimals=0)
            for end, value in zip(("low", "high"), remote.latency_s(SMALL_BYTES), strict=True)
        ]
    local_us = 1e6 * study.paths["direct"].latency_s(SMALL_BYTES)
    facts.append(Fact("local_small", local_us, "us", "computed", MODEL, by, decimals=0))
    return tuple(facts)


def report_misprints(misprints: Sequence[Misprint]) -> tuple[Fact, ...]:
    """Return the guide's numbers: `printed`, `logged`, `follows`, `threads`, `iops`, `runs`.

    Parameters
    ----------
    misprints : sequence of Misprint
        From `audit_guide`; the first is of a latency.
    """
    first, run = misprints[0], find_run("read_near")
    by, kind = function_name(audit_guide), "published-measurement"
    law = function_name(read_remote_runs)
    return (
        Fact("printed", first.printed, first.unit, kind, "gds-guide", by, decimals=0),
        Fact("logged", first.logged, first.unit, kind, "gds-guide", by, decimals=1),
        Fact("follows", first.follows, first.unit, "computed", "model:little", law, decimals=1),
        Fact("threads", run.in_flight, "count", kind, "gds-guide", law, decimals=0),
        Fact("iops", run.per_s, "IOPS", kind, "gds-guide", law, decimals=0),
        Fact("misprints", len(misprints), "count", "computed", "model:little", by, decimals=0),
        Fact("runs", len(read_remote_runs()), "count", kind, "gds-guide", law, decimals=0),
    )


def report_machine() -> tuple[Fact, ...]:
    """Return a DGX-2: its two paths and two places of a GPU, published and computed.

    Returns
    -------
    tuple of Fact
        `sysmem`, `combined`, `near`, `far`, `wait`, `wait_far` as published, and each with
        `_computed`; `share_lost`: what a GPU far from the drives loses, %; `ratio`: direct over
        bounce.
    """
    rows = {row.id: row for row in read_table("published/storage").rows}
    names = {
        "sysmem": "path@dgx-2-bounce",
        "combined": "path@dgx-2-direct",
        "near": "throughput@near",
        "far": "throughput@far",
        "wait": "little@128-threads",
        "wait_far": "little@far-64-threads",
    }
    by, kind = function_name(compute_published), "published-measurement"
    facts = [
        Fact(key, rows[row].number, rows[row].unit, kind, rows[row].sources[0], by)
        for key, row in names.items()
    ]
    computed = compute_published([rows[row] for row in names.values()])
    facts += [
        Fact(f"{key}_computed", computed[row], rows[row].unit, "computed", MODEL, by)
        for key, row in names.items()
    ]
    lost = 100 * (1 - rows["throughput@far"].number / rows["throughput@near"].number)
    ratio = rows["path@dgx-2-direct"].number / rows["path@dgx-2-bounce"].number
    return (
        *facts,
        Fact("share_lost", lost, "%", "derived", "gds-guide", by, decimals=0),
        Fact("ratio", ratio, "x", "derived", "gds-blog", by, decimals=0),
    )
