"""The compiled loops of a full memory against a plain twin that goes from event to event."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from gpudeck.models.serving.kv_memory.kernel import fill_blocks, fill_slots
from gpudeck.models.serving.kv_waste import block_count, slot_tokens

ROWS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 25)), min_size=2, max_size=25)


@given(ROWS, st.sampled_from(["max", "pow2", "oracle"]), st.integers(64, 250))
@settings(max_examples=50, deadline=None)
def test_slots_are_filled_as_by_the_twin(
    rows: list[tuple[int, int]], scheme: str, capacity: int
) -> None:
    prompt, output = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    slots = slot_tokens(prompt + output - 1, scheme, 64)
    twin = _run_contiguous(prompt, output, slots, capacity)
    assert fill_slots(prompt, output, slots, capacity) == astuple_of(twin)


@given(ROWS, st.integers(1, 9), st.integers(66, 250))
@settings(max_examples=50, deadline=None)
def test_blocks_are_filled_as_by_the_twin(
    rows: list[tuple[int, int]], block_size: int, capacity: int
) -> None:
    prompt, output = (np.array(column, np.int64) for column in zip(*rows, strict=True))
    blocks = max(capacity // block_size, int(block_count(prompt + output, block_size).max()))
    twin = _run_paged(prompt, output, blocks, block_size)
    assert fill_blocks(prompt, output, blocks, block_size) == astuple_of(twin)


def astuple_of(sums: _Sums) -> tuple[float, ...]:
    return (sums.steps, sums.live, sums.reservation, sums.internal, sums.batch)


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
