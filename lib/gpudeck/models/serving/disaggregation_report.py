"""The facts of prefill and decode apart: what moves between them, and what it gains or costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.hardware.link import find_link
from gpudeck.interval import interval_of
from gpudeck.models.serving.disaggregation import LINK_LATENCY_S
from gpudeck.models.serving.disaggregation_study import LINK, SplitStudy, compare_splits
from gpudeck.models.serving.service import plan_engine, plan_replica
from gpudeck.scenario.schema import Serving
from gpudeck.scenario.serving import report_requests
from gpudeck.tables import read_table
from gpudeck.workload.request import RequestTable

SOURCE = "model:serving"
# the second objective that a page speaks of, as a multiple of the tightest
TIGHT = 2.0
TOKEN_ID_BYTES = 4  # a prompt travels to its replica as whole numbers of 32 bits
LONG_PERCENTILE = 99


@dataclass(frozen=True, slots=True)
class CacheMove:
    """Bytes of a prompt and of its cache, for a mean and for a long prompt, and times on a link.

    Prompts in tokens; caches in bytes; `moved_s` with the link's latency, `computed_s` the prompt's
    computation, which comes before.
    """

    prompt_tokens: tuple[float, float]
    prompt_bytes: tuple[float, float]
    cache_bytes: tuple[float, float]
    moved_s: tuple[float, float]
    computed_s: tuple[float, float]
    bytes_per_token: float
    link_gb_s: float


def measure_move(
    serving: Serving, runs: Sequence[RequestTable], link_gb_s: float | None = None
) -> CacheMove:
    """Return what the scenario's prompts move from a prefill to a decode replica.

    Bytes are κ a token and prompt; time is bytes over the link's rate, and its latency.

    Parameters
    ----------
    serving
        The scenario's section.
    runs
        Its requests: their mean prompt, and the 99th percentile.
    link_gb_s
        Rate of one prefill replica's link, 10⁹ bytes a second; `LINK`'s if not told.

    Raises
    ------
    InputError
        The rate is not above 0.

    >>> from gpudeck.scenario import read_scenario
    >>> from gpudeck.workload.request import RequestTable
    >>> runs = [RequestTable([0.0, 1.0], [1000, 1000], [5, 5])]
    >>> move = measure_move(read_scenario("default").serving, runs, link_gb_s=100.0)
    >>> move.cache_bytes[0], round(move.moved_s[0], 6)
    (131072000.0, 0.001331)
    """
    rate = find_link(LINK).direction_gb_s if link_gb_s is None else link_gb_s
    if not 0 < rate < float("inf"):
        msg = f"link_gb_s is {rate}; allowed is above 0, and finite"
        raise InputError(msg)
    replica, engine = plan_replica(serving), plan_engine(serving, "paged")
    prompts = np.concatenate([run.prompt_tokens for run in runs])
    tokens = (float(prompts.mean()), float(np.percentile(prompts, LONG_PERCENTILE)))
    per_token = float(replica.kv_bytes_per_token)

    def each(value: float) -> tuple[float, float]:
        return value * tokens[0], value * tokens[1]

    cache = each(per_token)
    moved = tuple(size / (rate * 1e9) + LINK_LATENCY_S for size in cache)
    computed = tuple(
        engine.step_overhead_s + float(replica.step_time.prefill_s(round(count)))
        for count in tokens
    )
    return CacheMove(
        tokens,
        each(TOKEN_ID_BYTES),
        cache,
        (moved[0], moved[1]),
        (computed[0], computed[1]),
        per_token,
        rate,
    )


def report_move(move: CacheMove, serving: Serving) -> tuple[Fact, ...]:
    """Return the facts of the architecture.

    Returns
    -------
    tuple of Fact
        For a mean and a long prompt, `prompt_<which>` (tokens), `kv_<which>` (MB), `moved_<which>`
        and `computed_<which>` (ms); `kv_per_token` (kB), `link_rate` (GB/s), `link_name`,
        `latency` (µs); those of `report_requests`.
    """
    by = function_name(measure_move)
    facts = []
    for at, which in enumerate(("mean", "long")):
        numbers = (
            ("prompt", move.prompt_tokens[at], "token", 0),
            ("kv", move.cache_bytes[at] / 1e6, "MB", 0),
            ("moved", 1000 * move.moved_s[at], "ms", 1),
            ("computed", 1000 * move.computed_s[at], "ms", 0),
        )
        facts += [
            Fact(f"{key}_{which}", value, unit, "computed", SOURCE, by, decimals=decimals)
            for key, value, unit, decimals in numbers
        ]
    row = read_table("network").row(LINK, "port_gbit_s")
    return (
        *facts,
        Fact("kv_per_token", move.bytes_per_token / 1e3, "kB", "computed", SOURCE, by, decimals=0),
        Fact("link_rate", move.link_gb_s, "GB/s", row.kind, row.sources[0], by, decimals=0),
        Fact("link_name", LINK, "text", row.kind, row.sources[0], by),
        Fact("latency", 1e6 * LINK_LATENCY_S, "us", "computed", SOURCE, by, decimals=0),
        *report_requests(serving),
    )


def report_splits(study: SplitStudy, serving: Serving) -> tuple[Fact, ...]:
    """Return the facts of a study of two runs or more.

    Returns
    -------
    tuple of Fact
        At the scenario's own objective between tokens `tbt_objective` (ms): `together` and `apart`
        (requests/s and GPU; the best split), `prefill_replicas` and `decode_replicas`. The same
        with `tight_` at about twice the tightest objective, `tight_tbt`. Of the `points` objectives
        tried, how many are won beyond the paired 95 % interval by pools apart, `apart_wins`, by
        all together, `together_wins`, and by neither, `ties`. `tbt_first` and `tbt_last`, the range
        tried; `ttft_objective`, `percentile`, `split_gpus`, `split_requests`, `split_runs`.
    """
    by = function_name(compare_splits)
    tight = int(np.argmin(np.abs(study.tbt_s - TIGHT * study.tbt_s[0])))
    facts = [*_report_point(study, study.own, ""), *_report_point(study, tight, "tight_")]
    apart, together = count_wins(study)
    points = len(study.tbt_s)
    latencies = study.latencies
    runs, _, requests = latencies.ttft_s[0].shape
    settings: tuple[tuple[str, float, str, str, int], ...] = (
        ("tbt_objective", 1000 * study.goal.tbt_s, "ms", "scenario", 0),
        ("ttft_objective", study.goal.ttft_s, "s", "scenario", 1),
        ("percentile", study.goal.percentile, "%", "scenario", 0),
        ("tight_tbt", 1000 * float(study.tbt_s[tight]), "ms", "computed", 0),
        ("tbt_first", 1000 * float(study.tbt_s[0]), "ms", "computed", 1),
        ("tbt_last", 1000 * float(study.tbt_s[-1]), "ms", "computed", 0),
        ("points", points, "count", "computed", 0),
        ("apart_wins", apart, "count", "simulated", 0),
        ("together_wins", together, "count", "simulated", 0),
        ("ties", points - apart - together, "count", "simulated", 0),
        ("split_replicas", latencies.replicas, "count", "computed", 0),
        ("split_gpus", latencies.gpus, "count", "computed", 0),
        ("split_requests", requests, "count", "computed", 0),
        ("split_runs", runs, "count", "computed", 0),
    )
    return (
        *facts,
        *(Fact(k, v, u, kind, SOURCE, by, decimals=d) for k, v, u, kind, d in settings),
        *report_requests(serving),
    )


def count_wins(study: SplitStudy) -> tuple[int, int]:
    """Count the objectives at which one side is better beyond the paired 95 % interval.

    Returns
    -------
    tuple of int
        Those that pools apart win, and those that all together win.
    """
    gaps: NDArray[np.float64] = study.apart() - study.goodput[0]
    intervals = [interval_of(gap) for gap in gaps.T]
    return sum(one.low > 0 for one in intervals), sum(one.high < 0 for one in intervals)


def _report_point(study: SplitStudy, point: int, prefix: str) -> list[Fact]:
    by = function_name(compare_splits)
    best = study.best_split(point)
    return [
        mean_fact(f"{prefix}together", study.goodput[0][:, point], "request/s", SOURCE, by),
        mean_fact(f"{prefix}apart", study.goodput[best][:, point], "request/s", SOURCE, by),
        *(
            Fact(f"{prefix}{pool}_replicas", count, "count", "simulated", SOURCE, by, decimals=0)
            for pool, count in (("prefill", best), ("decode", study.latencies.replicas - best))
        ),
    ]
