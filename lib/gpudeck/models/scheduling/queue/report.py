"""What page 12 says of the queue, as facts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.scheduling.queue.example import MINUTE_S, Example, run_example
from gpudeck.models.scheduling.queue.framework import extension_points
from gpudeck.models.scheduling.queue.grid import QueueGrid, queue_grid
from gpudeck.models.scheduling.queue.ladder import STEPS, Ladder, climb
from gpudeck.tables import Row, read_table

if TYPE_CHECKING:
    from gpudeck.scenario import Scenario

MODEL = "model:queue"
CLUSTERS = ("Philly", "Helios", "Seren", "PAI", "Kalos")
_UNITS = (("h", 3600.0), ("min", 60.0), ("s", 1.0))


def delay_unit(seconds: float) -> tuple[str, float]:
    """Return the unit in which a delay reads well, and its seconds: from one and a half of it on.

    >>> delay_unit(5400.0), delay_unit(150.0), delay_unit(0.0)
    (('h', 3600.0), ('min', 60.0), ('s', 1.0))
    """
    return next(((unit, size) for unit, size in _UNITS if seconds >= 1.5 * size), _UNITS[-1])


def report_ladder(ladder: Ladder, scenario: Scenario) -> tuple[Fact, ...]:
    """Return the facts of the ladder.

    Returns
    -------
    tuple of Fact
        For each step `<step>` (mean queueing delay, in the unit that reads well), `p99_<step>`,
        `urgent_<step>` (delay of the highest priority), `used_<step>` (useful utilisation),
        `rate_<step>` (jobs started per hour); `lost`, `preempted`, `duration` (published mean of
        a job), `runs`, `load`, `gpus`, `jobs`, `days`, `gangs`, `checkpoint`, `restart`,
        `over_estimate`, `durations_of` (whose durations).
    """
    by = function_name(climb)
    facts = []
    for step in STEPS:
        for prefix, field in (
            ("", "delay_mean_s"), ("p99_", "delay_p99_s"), ("urgent_", "urgent_delay_mean_s"),
        ):  # fmt: skip
            facts.append(_delay_fact(f"{prefix}{step}", ladder.samples(step, field), by))
        used, rate = (ladder.samples(step, name) for name in ("utilisation_pct", "started_per_h"))
        facts.append(mean_fact(f"used_{step}", used, "%", MODEL, by))
        facts.append(mean_fact(f"rate_{step}", rate, "job/h", MODEL, by))
    facts.append(mean_fact("lost", ladder.samples("preemption", "lost_pct"), "%", MODEL, by))
    count = ladder.samples("preemption", "preemptions")
    facts.append(mean_fact("preempted", count, "preemption", MODEL, by, decimals=0))
    settings = (
        ("runs", len(ladder.seeds), "count"),
        ("gpus", ladder.gpus, "GPU"),
        ("jobs", ladder.jobs, "job"),
    )
    facts += [
        Fact(key, value, unit, "simulated", MODEL, by, decimals=0) for key, value, unit in settings
    ]
    queue = scenario.queue
    chosen: tuple[tuple[str, float, str], ...] = (
        ("load", queue.load_pct, "%"),
        ("days", queue.days, "day"),
        ("gangs", queue.gang_share_pct, "%"),
        ("checkpoint", queue.checkpoint_min, "min"),
        ("restart", queue.restart_min, "min"),
        ("over_estimate", queue.over_estimate, "x"),
    )
    facts += [
        Fact(key, value, unit, "simulated", MODEL, by, decimals=0) for key, value, unit in chosen
    ]
    row = read_table("published/cluster_statistics").row(queue.durations_of, "run_time_mean_s")
    facts.append(Fact("duration", row.number, row.unit, row.kind, row.sources[0], by, decimals=0))
    facts.append(Fact("durations_of", row.id, "text", row.kind, row.sources[0], by))
    return tuple(facts)


def _delay_fact(key: str, samples_s: NDArray[np.float64], by: str) -> Fact:
    unit, size = delay_unit(float(samples_s.mean()))
    return mean_fact(key, samples_s / size, unit, MODEL, by, decimals=None)


def report_framework() -> tuple[Fact, ...]:
    """Return the number of extension points (`points`)."""
    points = extension_points()
    by = function_name(extension_points)
    source = points[0].source
    return (Fact("points", len(points), "count", "vendor-spec", source, by, decimals=0),)


def report_example(example: Example) -> tuple[Fact, ...]:
    """Return the moments of the example in minutes: `shadow`, `preempted_at`, `begin`, `end`."""
    by = function_name(run_example)
    names = example.result.jobs.id.tolist()
    urgent_s = float(example.result.start_s[names.index(example.preemptor)])
    lost_gpu_s = float(example.result.lost_gpu_s.sum())
    moments = (
        ("shadow", example.shadow_s / MINUTE_S, "min"),
        ("preempted_at", urgent_s / MINUTE_S, "min"),
        ("begin", example.window.begin_s / MINUTE_S, "min"),
        ("end", example.window.end_s / MINUTE_S, "min"),
        ("redone", lost_gpu_s / MINUTE_S, "count"),
    )
    return tuple(
        Fact(key, value, unit, "simulated", MODEL, by, decimals=0) for key, value, unit in moments
    )


def report_grid(grid: QueueGrid, gang_pct: int = 20) -> tuple[Fact, ...]:
    """Return the mean delay at the highest load of the grid: `without`, `with`, `most`."""
    by = function_name(queue_grid)
    most = max(grid.load_pct)
    facts = [Fact("most", most, "%", "simulated", MODEL, by, decimals=0)]
    for key, name in (("without", "none"), ("with", "easy")):
        seconds = grid.summary[most, gang_pct, name].delay_mean_s
        unit, size = delay_unit(seconds)
        facts.append(Fact(key, seconds / size, unit, "simulated", MODEL, by))
    return tuple(facts)


def published_delays() -> dict[str, dict[str, Row]]:
    """Read the queueing delays of five clusters: rows `queue_mean_s`, `queue_median_s` of each.

    Source: Hu et al., NSDI 2024, AcmeTrace, cluster summary.
    """
    table = read_table("published/cluster_statistics")
    return {name: table.of(name) for name in CLUSTERS}


def report_published() -> tuple[Fact, ...]:
    """Return `shape`: Philly's mean delay over its median, and both of every cluster."""
    by = function_name(published_delays)
    rows = published_delays()
    facts = []
    for name, of in rows.items():
        for word in ("mean", "median"):
            row = of[f"queue_{word}_s"]
            key = f"{name.lower()}_{word}"
            facts.append(Fact(key, row.number, "s", row.kind, row.sources[0], by, decimals=0))
    philly = rows["Philly"]
    ratio = philly["queue_mean_s"].number / philly["queue_median_s"].number
    facts.append(
        Fact("shape", ratio, "x", "derived", philly["queue_mean_s"].sources[0], by, decimals=0)
    )
    return tuple(facts)
