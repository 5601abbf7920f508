"""One replica's KV memory under full load: who gets room, and what is left over.

Requests wait in one queue, first come first served; all that run take one token a step. A
contiguous request joins when one hole is large enough (first fit) and keeps its slot to its end. A
paged request joins when its prompt's blocks are free, takes a block when its last one is full, and
when none is left the newest request gives all of its blocks back and is computed again.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.serving.kv_waste import KvSplit, _lengths, block_count, slot_tokens


@dataclass(frozen=True, slots=True)
class FullLoad:
    """A full memory: its mean split, in tokens, and how many requests it held.

    `split` adds up to the capacity, for pages less the blocks that stay free because the next
    prompt needs more of them. `mean_batch` is the time-mean number of requests in memory.
    """

    split: KvSplit
    mean_batch: float
    capacity_tokens: int


def fill_memory(
    prompt_tokens: ArrayLike,
    output_tokens: ArrayLike,
    scheme: str,
    capacity_tokens: int,
    *,
    block_size: int = 16,
    max_length: int = 2048,
) -> FullLoad:
    """Run requests that all wait at once through a memory, while there is a queue.

    Parameters
    ----------
    prompt_tokens, output_tokens
        Shape (n,), whole numbers from 1, in the order of the queue.
    scheme
        One of `SCHEMES`.
    capacity_tokens
        Memory of the replica, tokens.
    block_size, max_length
        As in `split_held`.

    Raises
    ------
    InputError
        A request does not fit into the memory even alone, or all of them fit at once: then there
        is no queue, and nothing to measure.

    Source: Kwon et al., SOSP 2023, sections 3.1 and 4.5.

    >>> fill_memory([4] * 9, [3] * 9, "max", 25, max_length=10).split
    KvSplit(live=10.0, reservation=2.0, internal=8.0, external=5.0)
    """
    prompt, output = _lengths(prompt_tokens, output_tokens)
    total = prompt + output - 1
    paged = scheme == "paged"
    slots = (
        block_count(total, block_size) * block_size
        if paged
        else slot_tokens(total, scheme, max_length)
    )
    if (slots > capacity_tokens).any():
        at = int(np.argmax(slots > capacity_tokens))
        msg = f"row {at}: needs {slots[at]} tokens; the memory holds {capacity_tokens}"
        raise InputError(msg)
    sums = (
        _run_paged(prompt, output, capacity_tokens // block_size, block_size)
        if paged
        else _run_contiguous(prompt, output, slots, capacity_tokens)
    )
    if sums.steps == 0:
        msg = f"{len(prompt)} requests fit at once; allowed are enough to leave a queue"
        raise InputError(msg)
    live, later, never = (v / sums.steps for v in (sums.live, sums.reservation, sums.internal))
    external = 0.0 if paged else capacity_tokens - live - later - never
    split = KvSplit(live, later, never, external)
    return FullLoad(split, sums.batch / sums.steps, capacity_tokens)


@dataclass(slots=True)
class _Sums:
    """Token-steps while there is a queue."""

    steps: int = 0
    live: float = 0.0
    reservation: float = 0.0
    internal: float = 0.0
    batch: float = 0.0


@dataclass(slots=True)
class _Contiguous:
    """Slots by their address; holes lie between them."""

    capacity: int
    start: list[int] = field(default_factory=list)
    end: list[int] = field(default_factory=list)
    row: list[int] = field(default_factory=list)

    def place(self, row: int, size: int) -> bool:
        """Put a request into the first hole that is large enough."""
        before = 0
        for at, begin in enumerate([*self.start, self.capacity]):
            if begin - before >= size:
                self.start.insert(at, before)
                self.end.insert(at, before + size)
                self.row.insert(at, row)
                return True
            before = self.end[at] if at < len(self.end) else begin
        return False

    def keep(self, rows: set[int]) -> None:
        """Free all slots but those of these requests."""
        kept = [at for at, row in enumerate(self.row) if row in rows]
        self.start = [self.start[at] for at in kept]
        self.end = [self.end[at] for at in kept]
        self.row = [self.row[at] for at in kept]


def _run_contiguous(
    prompt: NDArray[np.int64], output: NDArray[np.int64], slots: NDArray[np.int64], capacity: int
) -> _Sums:
    memory, sums = _Contiguous(capacity), _Sums()
    queue, now = deque(range(len(prompt))), 0
    joined = np.zeros(len(prompt), np.int64)
    while queue:
        while queue and memory.place(queue[0], int(slots[queue[0]])):
            joined[queue.popleft()] = now
        if not queue:
            break
        rows = np.array(memory.row)
        after = int((joined[rows] + output[rows]).min())
        steps = after - now
        # tokens of the rows at the first of these steps; each grows by one a step
        length = prompt[rows] + now - joined[rows]
        live = float((steps * length).sum() + len(rows) * steps * (steps - 1) / 2)
        final = float(steps * (prompt + output - 1)[rows].sum())
        sums.steps += steps
        sums.live += live
        sums.reservation += final - live
        sums.internal += float(steps * slots[rows].sum()) - final
        sums.batch += steps * len(rows)
        now = after
        memory.keep(set(rows[joined[rows] + output[rows] > now].tolist()))
    return sums


def _run_paged(
    prompt: NDArray[np.int64], output: NDArray[np.int64], blocks: int, block_size: int
) -> _Sums:
    sums = _Sums()
    queue = deque(range(len(prompt)))
    running: list[int] = []
    length, left = prompt.copy(), output.copy()
    while queue:
        rows = np.array(running, np.int64)
        held = int(block_count(length[rows], block_size).sum())
        while held > blocks:
            newest = running.pop()
            queue.appendleft(newest)
            held -= int(-(-length[newest] // block_size))
        full = False
        while queue and not full:
            need = int(-(-length[queue[0]] // block_size))
            # one block stays free for each that runs, or the newcomer would be thrown out at once
            full = held + need + len(running) + 1 > blocks and bool(running)
            if not full:
                running.append(queue.popleft())
                held += need
        if not queue:
            break
        held_tokens, live, steps = _decode(running, length, left, blocks, block_size)
        sums.steps += steps
        sums.live += live
        sums.internal += held_tokens - live
        sums.batch += steps * len(running)
        running = [row for row in running if left[row] > 0]
    return sums


def _decode(
    running: list[int],
    length: NDArray[np.int64],
    left: NDArray[np.int64],
    blocks: int,
    block_size: int,
) -> tuple[float, float, int]:
    """Take steps until a request ends or a block is missing: token-steps held, live, and steps."""
    rows = np.array(running, np.int64)
    most = int(left[rows].min())
    ahead = length[rows][:, None] + np.arange(most)
    held = (-(-ahead // block_size)).sum(axis=0)
    # the first step is paid for at admission
    fits = np.flatnonzero(held[1:] > blocks)
    steps = int(fits[0]) + 1 if len(fits) else most
    length[rows] += steps
    left[rows] -= steps
    live = float(ahead[:, :steps].sum())
    return float(held[:steps].sum()) * block_size, live, steps
