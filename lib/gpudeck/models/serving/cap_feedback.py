"""The feedback on the batch cap: its decisions one by one, and fixed caps to compare it with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.serving.engine import Adaptive, Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.result import ServingResult
from gpudeck.models.serving.simulate import simulate
from gpudeck.workload.request import RequestTable

SOURCE = "model:serving"
# targets of the feedback, as multiples of the gap of one request alone: the middle one is the case
TARGETS = (1.25, 1.5, 2.0, 3.0)
CASE = 1
# offered load of the run whose decisions are shown, as a share of the saturated rate: too much
OVERLOAD = 1.3
# requests that are served one after the other to see how long a gap is at least
ALONE = 40
CUT, KEEP, ADD = -1, 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class Windows:
    """Decisions of the feedback, in order, shape (windows,).

    Mean gap between tokens, requests that ran at the end, cap before and after, and what was done:
    `CUT`, `KEEP` or `ADD`.
    """

    gap_s: NDArray[np.float64]
    running: NDArray[np.int64]
    before: NDArray[np.int64]
    after: NDArray[np.int64]
    action: NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Overload:
    """Requests that all wait from the start: fixed caps, and the feedback at several targets.

    Mean gap in seconds and output tokens a second; arrays (seeds, caps) and (seeds, targets).
    """

    caps: tuple[int, ...]
    fixed_gap_s: NDArray[np.float64]
    fixed_tokens_s: NDArray[np.float64]
    targets_s: NDArray[np.float64]
    loop_gap_s: NDArray[np.float64]
    loop_tokens_s: NDArray[np.float64]
    trace: ServingResult

    @property
    def share_pct(self) -> NDArray[np.float64]:
        """Tokens of the feedback in % of a fixed cap with the same mean gap, (seeds, targets)."""
        pairs = zip(
            self.loop_gap_s, self.loop_tokens_s, self.fixed_gap_s, self.fixed_tokens_s, strict=True
        )
        return np.array([100 * tokens / np.interp(gap, *fixed) for gap, tokens, *fixed in pairs])


def find_windows(run: ServingResult) -> Windows:
    """Return the windows at whose ends the cap was judged, of one replica's continuous batching.

    Raises
    ------
    InputError
        The engine is another, or has no feedback.
    """
    loop = run.engine.adaptive
    if loop is None or run.engine.policy != "continuous" or run.replicas != 1:
        msg = f"engine is {run.engine.policy!r}, adaptive {loop}; allowed is continuous with one"
        raise InputError(msg)
    # an iteration without decoding follows idle time, and there is no gap across it
    follows = (run.decodes > 0) & (np.roll(run.decodes, 1) > 0)
    follows[0] = False
    rows = np.flatnonzero(follows)
    ends = rows[loop.window - 1 :: loop.window]
    ends = ends[ends + 1 < run.iterations]
    gaps = (run.end_s[rows] - run.end_s[rows - 1])[: len(ends) * loop.window]
    mean = gaps.reshape(len(ends), loop.window).mean(axis=1)
    before, after = (run.cap[at].astype(np.int64) for at in (ends, ends + 1))
    action = np.where(mean > loop.objective_s, CUT, np.where(after > before, ADD, KEEP))
    return Windows(mean, run.requests[ends].astype(np.int64), before, after, action)


def study_overload(
    tables: Sequence[RequestTable], continuous: Engine, replica: Replica
) -> Overload:
    """Let all requests wait, and serve them with fixed caps and with the feedback.

    Parameters
    ----------
    tables
        Requests, one table a seed, two or more for an interval.
    continuous
        Continuous batching with a fixed cap, up to which others are tried.
    replica
        What serves.
    """
    waiting = [table.all_at_once() for table in tables]
    caps = tuple(2**power for power in range(continuous.max_batch.bit_length()))
    caps = (*(cap for cap in caps if 2 < cap < continuous.max_batch), continuous.max_batch)
    few = waiting[0].take(slice(0, ALONE))
    single_s = _measure([few], replace(continuous, max_batch=1), replica)[0, 0]
    targets = single_s * np.array(TARGETS)
    fixed = [_measure(waiting, replace(continuous, max_batch=cap), replica) for cap in caps]
    loops = [_measure(waiting, _with_loop(continuous, t), replica) for t in targets]
    rate = OVERLOAD * len(tables[0]) / simulate(waiting[0], continuous, replica).makespan_s
    shown = _with_loop(continuous, float(targets[CASE]))
    trace = simulate(tables[0].with_rate(rate), shown, replica)
    fixed_gap, fixed_tokens = np.array(fixed).transpose(2, 1, 0)
    loop_gap, loop_tokens = np.array(loops).transpose(2, 1, 0)
    return Overload(caps, fixed_gap, fixed_tokens, targets, loop_gap, loop_tokens, trace)


def _with_loop(continuous: Engine, target_s: float) -> Engine:
    return replace(continuous, adaptive=Adaptive(float(target_s)))


def _measure(
    tables: Sequence[RequestTable], engine: Engine, replica: Replica
) -> NDArray[np.float64]:
    """Return mean gap and output tokens a second, shape (seeds, 2)."""
    rows = []
    for table in tables:
        run = simulate(table, engine, replica)
        values, counts = run.gaps()
        mean = float(values @ counts / counts.sum()) if counts.sum() else 0.0
        rows.append((mean, table.output_tokens.sum() / run.makespan_s))
    return np.array(rows)


def report_overload(overload: Overload, case: int = CASE) -> tuple[Fact, ...]:
    """Return what the largest fixed cap and the feedback do to the mean gap and to throughput.

    `gap_fixed`, `gap_loop`, `target` (ms); `tokens_fixed`, `tokens_loop` (tokens/s); `share` (of a
    fixed cap with the same gap, %); `widest` (the largest cap); of the run whose decisions are
    shown, `peak` (requests/s), `cap_low`, `cap_high`, `cuts`, `adds`, `windows`.
    """
    by = function_name(study_overload)
    windows = find_windows(overload.trace)
    facts = [
        mean_fact(key, 1000 * samples, "ms", SOURCE, by, decimals=None)
        for key, samples in (
            ("gap_fixed", overload.fixed_gap_s[:, -1]),
            ("gap_loop", overload.loop_gap_s[:, case]),
        )
    ]
    facts += [
        mean_fact(key, samples, unit, SOURCE, by, decimals=0)
        for key, samples, unit in (
            ("tokens_fixed", overload.fixed_tokens_s[:, -1], "token/s"),
            ("tokens_loop", overload.loop_tokens_s[:, case], "token/s"),
            ("share", overload.share_pct[:, case], "%"),
        )
    ]
    settings: tuple[tuple[str, float | int, str, str, int | None], ...] = (
        ("target", 1000 * float(overload.targets_s[case]), "ms", "simulated", None),
        ("target_times", TARGETS[case], "x", "computed", 1),
        ("widest", overload.caps[-1], "count", "simulated", 0),
        ("peak", overload.trace.table.rate_per_s, "request/s", "simulated", 1),
        ("overload", 100 * OVERLOAD, "%", "computed", 0),
        ("cap_low", int(overload.trace.cap.min()), "count", "simulated", 0),
        ("cap_high", int(overload.trace.cap.max()), "count", "simulated", 0),
        ("cuts", int((windows.action == CUT).sum()), "count", "simulated", 0),
        ("adds", int((windows.action == ADD).sum()), "count", "simulated", 0),
        ("windows", len(windows.action), "count", "simulated", 0),
    )
    facts += [
        Fact(key, value, unit, kind, SOURCE, by, decimals=decimals)
        for key, value, unit, kind, decimals in settings
    ]
    return tuple(facts)
