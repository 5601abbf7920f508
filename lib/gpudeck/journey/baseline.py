"""Stage 0: bare metal. Each pod gets whole GPUs for itself, Kubernetes' default spreads them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.interval import Interval
from gpudeck.journey.day import Day
from gpudeck.journey.run import Runs, run_days
from gpudeck.journey.use import PPM
from gpudeck.journey.waterfall import PARTS
from gpudeck.scenario import Cluster, Scenario
from gpudeck.tables import Row, read_sources, read_table
from gpudeck.workload.pod import GPU_MILLI

MODEL = "model:day"
STATISTICS = "published/cluster_statistics"
# published GPU utilisation: key of the fact, and its row
PUBLISHED = {
    "philly_mean": ("Philly", "utilisation_mean"),
    "gentd_peak": ("GenTD26", "gpu_duty_peak_hour"),
    "pai_mean": ("PAI", "utilisation_mean"),
    "gentd_mean": ("GenTD26", "gpu_duty_mean"),
    "pai_median": ("PAI", "utilisation_median"),
    "gentd_night": ("GenTD26", "gpu_duty_night"),
}


def run_baseline(scenario: Scenario, cluster: Cluster, seed: int) -> Runs:
    """Simulate the days of stage 0: whole GPUs, spread over the nodes.

    Parameters
    ----------
    scenario, cluster, seed
        As in `run_days`.
    """
    return run_days(scenario, cluster, seed, "whole")


def report_baseline(runs: Runs, scenario: Scenario, lang: str) -> tuple[Fact, ...]:
    """Return what the days of stage 0 come to.

    Parameters
    ----------
    runs : Runs
        From `run_baseline`.
    scenario : Scenario
        Its prices and its use.
    lang : str
        Language of what the price is of, "zh" or "en".

    Returns
    -------
    tuple of Fact
        `held`, `asked`, `memory`, `sm` (% of the fleet's GPU time); a part of the waterfall by its
        name (%), `lost`, all but the useful, and `idle`, asked for and not used; what
        `report_cost` returns;
        `waiting_pods`, `waiting_gpus`, `waiting_hours`, `gpu_hours`, `gpus`, `runs`.
    """
    by = function_name(run_baseline)
    facts = [
        mean_fact(field, runs.gpu_pct(field), "%", MODEL, by)
        for field in ("held", "asked", "memory", "sm")
    ]
    facts += [mean_fact(part, runs.percent(part), "%", MODEL, by) for part in PARTS]
    facts.append(mean_fact("lost", 100 - runs.percent("useful"), "%", MODEL, by))
    idle = runs.percent("oversized", "off_peak")
    facts.append(mean_fact("idle", idle, "%", MODEL, by))
    facts += report_cost(runs, scenario, lang)
    waiting = np.array([run.waterfall.waiting_gpu_hours for run in runs.runs])
    capacity = runs.runs[0].waterfall.gpu_hours
    facts += [
        mean_fact("waiting_pods", runs.values("waiting_pods"), "pod", MODEL, by, decimals=0),
        mean_fact("waiting_gpus", waiting / 24, "GPU", MODEL, by, decimals=0),
        mean_fact("waiting_hours", waiting, "GPU-hour", MODEL, by, decimals=0),
        Fact("gpu_hours", capacity, "GPU-hour", "simulated", MODEL, by, decimals=0),
        Fact("gpus", round(capacity / 24), "GPU", "simulated", MODEL, by, decimals=0),
        Fact("runs", len(runs.runs), "count", "simulated", MODEL, by, decimals=0),
    ]
    return tuple(facts)


def report_better_policy(runs: Runs, policy: str) -> tuple[Fact, ...]:
    """Return `stranded_<policy>`: what would be stranded on the same days by another policy (%)."""
    by = function_name(run_days)
    return (mean_fact(f"stranded_{policy}", runs.percent("stranded"), "%", MODEL, by),)


def report_cost(runs: Runs, scenario: Scenario, lang: str) -> tuple[Fact, ...]:
    """Return what a useful GPU-hour costs.

    `paid_per_useful` carries the 95 % interval over the runs, `cost_useful` and `price` the range
    of the price, which is far wider; `lost_usd` is what a day's hours cost that are not useful,
    `grain_usd`, `stranded_usd` and `idle_usd` what these of them cost.
    """
    by = function_name(report_cost)
    cost = scenario.cost
    known = cost.source in read_sources()
    kind, source = ("published-measurement", cost.source) if known else ("scenario", scenario.id)
    ratio = runs.paid_per_useful
    mean = float(ratio.mean())
    central, low, high = (
        cost.central_usd_per_gpu_h,
        cost.low_usd_per_gpu_h,
        cost.high_usd_per_gpu_h,
    )
    day_usd = central * runs.runs[0].waterfall.gpu_hours
    losses = {
        "lost": 100 - runs.percent("useful"),
        "grain": runs.percent("grain"),
        "stranded": runs.percent("stranded"),
        "idle": runs.percent("oversized", "off_peak"),
    }
    wasted = [
        mean_fact(f"{name}_usd", day_usd * part / 100, "USD/day", MODEL, by, decimals=None)
        for name, part in losses.items()
    ]
    return (
        mean_fact("paid_per_useful", ratio, "x", MODEL, by),
        Fact(
            "cost_useful",
            mean * central,
            "USD/GPU-hour",
            "simulated",
            MODEL,
            by,
            Interval(mean * central, mean * low, mean * high),
            decimals=1,
        ),
        Fact(
            "price",
            central,
            "USD/GPU-hour",
            kind,
            source,
            by,
            Interval(central, low, high),
            decimals=1,
        ),
        *wasted,
        Fact("month", cost.month, "text", kind, source, by),
        Fact("basis", cost.basis.in_language(lang), "text", kind, source, by),
    )


def published_utilisation() -> dict[str, Row]:
    """Return the published GPU utilisation of real clusters, by the key of its fact.

    >>> published_utilisation()["pai_mean"].value
    10.5
    """
    table = read_table(STATISTICS)
    return {key: table.row(*place) for key, place in PUBLISHED.items()}


def report_utilisation() -> tuple[Fact, ...]:
    """Return the published utilisation as facts; a range has its middle and both its ends."""
    by = function_name(published_utilisation)
    facts = []
    for key, row in published_utilisation().items():
        span = None
        if row.low is not None and row.high is not None:
            span = Interval(row.number, row.low, row.high)
        source = row.sources[0]
        facts.append(Fact(key, row.number, "%", row.kind, source, by, span, decimals=1))
    return tuple(facts)


@dataclass(frozen=True, slots=True, eq=False)
class GpuState:
    """One GPU in one hour: parts of it, 0 to 1, that are used, asked for, and held."""

    used: float
    asked: float
    held: float


@dataclass(frozen=True, slots=True, eq=False)
class NodeState:
    """One node in one hour."""

    name: str
    model: str
    gpus: tuple[GpuState, ...]


def snapshot_hour(day: Day, hour: int, count: int = 4) -> tuple[NodeState, ...]:
    """Return nodes of different models in one hour, of each model the one with most to show.

    That is the node where most GPU is held and not asked for, of those nodes with most GPUs whose
    model has most GPUs; a fleet of fewer models gives further nodes.

    Parameters
    ----------
    day : Day
        A simulated day.
    hour : int
        Hour of the day, 0 to 23.
    count : int
        Nodes to return.
    """
    there = day.placed & (day.sessions.start_h <= hour) & (hour < day.sessions.end_h)
    jobs = np.flatnonzero(there & (day.held_milli > 0))
    surplus = np.bincount(
        day.node[jobs], day.held_milli[jobs] - day.asked_milli[jobs], minlength=len(day.nodes)
    )
    with_gpu = np.flatnonzero(day.nodes.gpus)
    models, place = np.unique(day.nodes.model[with_gpu], return_inverse=True)
    size = np.bincount(place, day.nodes.gpus[with_gpu])
    ranked = sorted(with_gpu.tolist(), key=lambda n: (-surplus[n], n))
    groups: dict[str, list[int]] = {str(models[m]): [] for m in np.argsort(-size, kind="stable")}
    for node in ranked:
        groups[str(day.nodes.model[node])].append(node)
    deepest = max(map(len, groups.values()))
    picked = [
        group[turn] for turn in range(deepest) for group in groups.values() if turn < len(group)
    ]
    return tuple(_state_of(day, jobs, node, hour) for node in picked[:count])


def _state_of(day: Day, jobs: NDArray[np.int64], node: int, hour: int) -> NodeState:
    count = int(day.nodes.gpus[node])
    parts = np.zeros((3, count))
    for job in jobs[day.node[jobs] == node].tolist():
        pod = int(day.sessions.pod[job])
        asked = day.pods.gpu_milli[pod] / GPU_MILLI
        course = day.pod_use.course_ppm[day.pod_use.kind[pod], hour] / PPM
        used = asked * day.pod_use.peak_ppm[pod] / PPM * course
        mine = ((int(day.device[job]) >> np.arange(count)) & 1).astype(bool)
        held = 1.0 if day.grain == "whole" else asked
        parts[:, mine] += np.array([[used], [asked], [held]])
    gpus = tuple(GpuState(*map(float, column)) for column in parts.T)
    return NodeState(str(day.nodes.name[node]), str(day.nodes.model[node]), gpus)
