"""Engines that run a batch to its end: static, dynamic, and either with length buckets."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.step_time import StepTime


@dataclass(slots=True)
class BatchLog:
    """Iterations of batches, piece by piece, and what became of each request."""

    first_s: NDArray[np.float64]
    finish_s: NDArray[np.float64]
    columns: dict[str, list[NDArray]] = field(default_factory=dict)
    segments: list[tuple[int, float, int, int]] = field(default_factory=list)
    decodes: int = 0

    def add(self, **columns: NDArray) -> None:
        """Append iterations."""
        for name, values in columns.items():
            self.columns.setdefault(name, []).append(values)

    def column(self, name: str) -> NDArray:
        """All iterations' values of one column."""
        pieces = self.columns.get(name, [])
        return np.concatenate(pieces) if pieces else np.zeros(0)


def run_batches(
    arrival_s: NDArray[np.float64],
    prompt: NDArray[np.int64],
    output: NDArray[np.int64],
    reserve: NDArray[np.int64],
    engine: Engine,
    capacity_tokens: int,
    step: StepTime,
) -> BatchLog:
    """Serve requests, in order of arrival, batch by batch.

    A batch is padded: every prompt to the longest, every slot kept until the last output. Its
    results are released together.
    """
    log = BatchLog(np.full(len(prompt), np.nan), np.full(len(prompt), np.nan))
    edges = np.array(engine.buckets or (np.iinfo(np.int64).max,))
    bucket = np.minimum(np.searchsorted(edges, prompt), len(edges) - 1)
    waiting: list[deque[int]] = [deque() for _ in edges]
    now, arrived, count = 0.0, 0, len(prompt)
    while arrived < count or any(waiting):
        while arrived < count and arrival_s[arrived] <= now:
            waiting[bucket[arrived]].append(arrived)
            arrived += 1
        closed = arrived == count
        ready = [
            q
            for q in waiting
            if q and _is_ready(q, now, closed, arrival_s, reserve, engine, capacity_tokens)
        ]
        if not ready:
            now = _next_moment(now, arrived, arrival_s, waiting, engine)
            continue
        queue = min(ready, key=lambda q: q[0])
        rows = np.array(
            [queue.popleft() for _ in range(_batch_size(queue, reserve, engine, capacity_tokens))]
        )
        now = _run_batch(log, now, rows, prompt[rows], output[rows], reserve[rows], engine, step)
    return log


def _batch_size(
    queue: deque[int], reserve: NDArray[np.int64], engine: Engine, capacity: int
) -> int:
    """Requests at the head of a queue that the cap and the memory let run together."""
    used = 0
    for size, row in enumerate(queue):
        used += int(reserve[row])
        if size == engine.max_batch or used > capacity:
            return size
    return len(queue)


def _is_ready(
    queue: deque[int],
    now: float,
    closed: bool,
    arrival_s: NDArray[np.float64],
    reserve: NDArray[np.int64],
    engine: Engine,
    capacity: int,
) -> bool:
    size = _batch_size(queue, reserve, engine, capacity)
    if size == engine.max_batch or size < len(queue):
        return True
    if engine.policy == "dynamic":
        return bool(now >= arrival_s[queue[0]] + engine.max_delay_s)
    return closed


def _next_moment(
    now: float,
    arrived: int,
    arrival_s: NDArray[np.float64],
    waiting: list[deque[int]],
    engine: Engine,
) -> float:
    """When the next request arrives or, dynamic, the next oldest has waited long enough."""
    moments = [float(arrival_s[arrived])] if arrived < len(arrival_s) else []
    if engine.policy == "dynamic":
        moments += [float(arrival_s[queue[0]]) + engine.max_delay_s for queue in waiting if queue]
    return max(now, min(moments))


def _run_batch(
    log: BatchLog,
    now: float,
    rows: NDArray[np.int64],
    prompt: NDArray[np.int64],
    output: NDArray[np.int64],
    reserve: NDArray[np.int64],
    engine: Engine,
    step: StepTime,
) -> float:
    """Run one batch; return when it ends."""
    slots, longest, steps = len(rows), int(prompt.max()), int(output.max()) - 1
    first = engine.step_overhead_s + step.at(
        tokens=slots * longest, sampling=slots, chunks=slots, work=slots * longest**2 / 2
    )
    context = slots * (longest + np.arange(1, steps + 1))
    later = engine.step_overhead_s + step.at(
        tokens=slots, sampling=slots, decodes=slots, context=context
    )
    ends = now + np.cumsum(np.concatenate([[first], np.broadcast_to(later, steps)]))
    # sequences that still make a token in each iteration, and the tokens that they keep
    alive = slots - np.searchsorted(np.sort(output), np.arange(steps + 1), side="right")
    made = np.cumsum(alive)
    size = steps + 1
    log.add(
        start_s=np.concatenate([[now], ends[:-1]]),
        end_s=ends,
        prefill_s=np.concatenate([[first], np.zeros(steps)]),
        decodes=np.concatenate([[0], alive[1:]]),
        prefills=np.concatenate([[slots], np.zeros(steps, np.int64)]),
        tokens=np.concatenate([[slots * longest], np.full(steps, slots)]),
        prefill_tokens=np.concatenate([[prompt.sum()], np.zeros(steps, np.int64)]),
        kv_tokens=np.full(size, reserve.sum()),
        kv_live_tokens=prompt.sum() + made - slots,
        cap=np.full(size, engine.max_batch),
    )
    log.first_s[rows] = ends[0]
    log.finish_s[rows] = ends[-1]
    log.segments += [
        (int(row), float(ends[0]), log.decodes, log.decodes + int(out) - 1)
        for row, out in zip(rows, output, strict=True)
    ]
    log.decodes += steps
    return float(ends[-1])
