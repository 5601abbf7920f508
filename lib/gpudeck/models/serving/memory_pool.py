"""Memory pools for a cache of keys and values: what each wastes on one stream of requests."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.node import whole_numbers

BLOCK_TOKENS = 16
# an assumption: the stream asks for as much of the pool as a busy engine does
LOAD = 0.9
# sizes of the "next request", for which free memory is usable or not: deciles of the stream
_NEXT = tuple(step / 10 for step in range(1, 10))


class Pool(Protocol):
    """Memory that requests take and give back, in tokens."""

    def allocate(self, size: int) -> tuple[int, int] | None:
        """Return where a request of this size lies and how much it holds; None: no room."""

    def release(self, held: tuple[int, int]) -> None:
        """Take back what `allocate` returned."""

    def free(self) -> int:
        """Return the tokens that nobody holds."""

    def usable(self, size: int) -> int:
        """Return those of them that requests of this size could hold."""


class BlockPool:
    """Blocks of one size; a request holds any of them, wherever they lie.

    >>> pool = BlockPool(64)
    >>> pool.allocate(17), pool.free()
    ((0, 32), 32)
    """

    def __init__(self, capacity: int, block: int = BLOCK_TOKENS) -> None:
        self._block = block
        self._left = capacity // block

    def allocate(self, size: int) -> tuple[int, int] | None:
        """Take as many blocks as the size fills."""
        blocks = -(-size // self._block)
        if blocks > self._left:
            return None
        self._left -= blocks
        return 0, blocks * self._block

    def release(self, held: tuple[int, int]) -> None:
        """Give the blocks back."""
        self._left += held[1] // self._block

    def free(self) -> int:
        """Return the tokens of free blocks."""
        return self._left * self._block

    def usable(self, size: int) -> int:
        """Return the same: any block serves any request."""
        return self.free()


class ArenaPool:
    """One stretch of memory; a request takes the first hole that is long enough, exactly.

    >>> pool = ArenaPool(64)
    >>> first, second = pool.allocate(30), pool.allocate(20)
    >>> pool.release(first)
    >>> pool.free(), pool.usable(31), pool.allocate(31)
    (44, 0, None)
    """

    def __init__(self, capacity: int) -> None:
        self._holes = [(0, capacity)]

    def allocate(self, size: int) -> tuple[int, int] | None:
        """Take the first hole that is long enough."""
        for index, (start, length) in enumerate(self._holes):
            if length > size:
                self._holes[index] = (start + size, length - size)
                return start, size
            if length == size:
                del self._holes[index]
                return start, size
        return None

    def release(self, held: tuple[int, int]) -> None:
        """Give a stretch back and join it with the holes beside it."""
        joined: list[tuple[int, int]] = []
        for start, length in sorted([*self._holes, held]):
            if joined and sum(joined[-1]) == start:
                joined[-1] = (joined[-1][0], joined[-1][1] + length)
            else:
                joined.append((start, length))
        self._holes = joined

    def free(self) -> int:
        """Return the length of all holes."""
        return sum(length for _, length in self._holes)

    def usable(self, size: int) -> int:
        """Return the length of the holes that are long enough."""
        return sum(length for _, length in self._holes if length >= size)


class BuddyPool:
    """Halves of halves: a request takes a power of two; two free halves become one again.

    A capacity that is no power of two begins as several powers, the largest first.

    >>> pool = BuddyPool(48)
    >>> pool.allocate(17), pool.usable(17), pool.usable(16)
    ((0, 32), 0, 16)
    """

    def __init__(self, capacity: int, smallest: int = BLOCK_TOKENS) -> None:
        self._smallest = smallest
        self._holes: set[tuple[int, int]] = set()
        start, size = 0, 1 << capacity.bit_length()
        while size >= smallest:
            if start + size <= capacity:
                self._holes.add((start, size))
                start += size
            size //= 2

    def allocate(self, size: int) -> tuple[int, int] | None:
        """Take the smallest hole that is large enough, cut in half while that still holds it."""
        want = max(self._smallest, 1 << (size - 1).bit_length())
        found = min(((s, a) for a, s in self._holes if s >= want), default=None)
        if found is None:
            return None
        half, start = found
        self._holes.remove((start, half))
        while half > want:
            half //= 2
            self._holes.add((start + half, half))
        return start, want

    def release(self, held: tuple[int, int]) -> None:
        """Give a piece back and join it with its other half while that is free."""
        start, size = held
        while (start ^ size, size) in self._holes:
            self._holes.remove((start ^ size, size))
            start, size = min(start, start ^ size), 2 * size
        self._holes.add((start, size))

    def free(self) -> int:
        """Return the tokens of all holes."""
        return sum(size for _, size in self._holes)

    def usable(self, size: int) -> int:
        """Return the tokens of the holes that are large enough."""
        return sum(length for _, length in self._holes if length >= size)


class SlabPool:
    """Slabs, each cut into slots of one power of two; an empty slab may change its slots.

    >>> pool = SlabPool(64, slab=32)
    >>> pool.allocate(9), pool.usable(16), pool.usable(32)
    ((0, 16), 48, 32)
    """

    def __init__(self, capacity: int, slab: int, smallest: int = BLOCK_TOKENS) -> None:
        self._slab, self._smallest = slab, smallest
        self._empty = list(range(capacity // slab))
        self._slots: dict[int, tuple[int, int]] = {}  # slab: size of a slot, slots that are free

    def allocate(self, size: int) -> tuple[int, int] | None:
        """Take a slot of its class, else cut an empty slab."""
        want = self._class_of(size)
        if want > self._slab:
            return None
        for slab, (slot, left) in self._slots.items():
            if slot == want and left:
                self._slots[slab] = (slot, left - 1)
                return slab, want
        if not self._empty:
            return None
        slab = self._empty.pop(0)
        self._slots[slab] = (want, self._slab // want - 1)
        return slab, want

    def release(self, held: tuple[int, int]) -> None:
        """Give a slot back; a slab without used slots is empty again."""
        slab, slot = held
        left = self._slots[slab][1] + 1
        if left * slot == self._slab:
            del self._slots[slab]
            heapq.heappush(self._empty, slab)
        else:
            self._slots[slab] = (slot, left)

    def free(self) -> int:
        """Return the tokens of free slots and empty slabs."""
        return len(self._empty) * self._slab + sum(s * n for s, n in self._slots.values())

    def usable(self, size: int) -> int:
        """Return the tokens of free slots of the class, and of empty slabs."""
        want = self._class_of(size)
        slots = sum(s * n for s, n in self._slots.values() if s == want)
        return slots + len(self._empty) * self._slab if want <= self._slab else 0

    def _class_of(self, size: int) -> int:
        return max(self._smallest, 1 << (size - 1).bit_length())


@dataclass(frozen=True, slots=True, eq=False)
class MemoryStream:
    """Requests that take memory and give it back, in order; shape (events,).

    `step` counts decoding iterations, `row` names the request and `takes` says what it does.
    `size` holds each request's tokens, shape (n,).
    """

    step: NDArray[np.int64]
    row: NDArray[np.int64]
    takes: NDArray[np.bool_]
    size: NDArray[np.int64]
    capacity: int


@dataclass(frozen=True, slots=True, eq=False)
class PoolUse:
    """What a pool's memory was used for after each event, in % of it; shape (events,).

    Parameters
    ----------
    asked_pct
        Tokens of requests that found room.
    internal_pct
        Held beyond what was asked.
    external_pct
        Free, but in pieces that the next request cannot use; the mean over the deciles of sizes.
    refused
        Requests that found no room; they leave the stream.
    """

    step: NDArray[np.int64]
    asked_pct: NDArray[np.float64]
    internal_pct: NDArray[np.float64]
    external_pct: NDArray[np.float64]
    refused: int


def make_stream(
    prompt_tokens: ArrayLike, output_tokens: ArrayLike, capacity: int, load: float = LOAD
) -> MemoryStream:
    """Let requests come as soon as the sum of what is asked stays under a share of the capacity.

    A request asks for its prompt and its answer at once and stays one iteration for each token of
    its answer. All pools then see the same events.

    Parameters
    ----------
    prompt_tokens, output_tokens
        Of each request, in order, shape (n,).
    capacity
        Tokens of the pool.
    load
        Share of them that requests ask for, above 0 and up to 1.

    Raises
    ------
    InputError
        A value is out of range, or one request is larger than the share; it names the row.

    >>> make_stream([4, 4, 4], [1, 2, 1], 12, load=1).row.tolist()
    [0, 1, 0, 2, 1, 2]
    """
    prompt = whole_numbers("prompt_tokens", prompt_tokens)
    output = whole_numbers("output_tokens", output_tokens)
    size = prompt + output
    _require_stream(size, capacity, load)
    live: list[tuple[int, int]] = []
    events: list[tuple[int, int, bool]] = []
    step, used = 0, 0
    for row, tokens in enumerate(size.tolist()):
        while used + tokens > load * capacity:
            step, gone = heapq.heappop(live)
            used -= int(size[gone])
            events.append((step, gone, False))
        heapq.heappush(live, (step + int(output[row]), row))
        used += tokens
        events.append((step, row, True))
    events += [(end, row, False) for end, row in sorted(live)]
    steps, rows, takes = (np.array(column) for column in zip(*events, strict=True))
    return MemoryStream(steps, rows, takes, size, capacity)


def use_pool(stream: MemoryStream, pool: Pool) -> PoolUse:
    """Run a stream through a pool and record what its memory is used for.

    Parameters
    ----------
    stream
        From `make_stream`.
    pool
        Empty, and as large as the stream's capacity.
    """
    sizes = np.quantile(stream.size, _NEXT, method="higher").tolist()
    held: dict[int, tuple[int, int]] = {}
    asked, kept, refused = 0, 0, 0
    rows = []
    for row, takes in zip(stream.row.tolist(), stream.takes.tolist(), strict=True):
        size = int(stream.size[row])
        if takes:
            found = pool.allocate(size)
            refused += found is None
            if found is not None:
                held[row] = found
                asked, kept = asked + size, kept + found[1]
        elif row in held:
            asked, kept = asked - size, kept - held[row][1]
            pool.release(held.pop(row))
        left = pool.free()
        lost = left - sum(pool.usable(next_size) for next_size in sizes) / len(sizes)
        rows.append((asked, kept - asked, lost))
    shares = 100 * np.array(rows, dtype=float) / stream.capacity
    return PoolUse(stream.step, shares[:, 0], shares[:, 1], shares[:, 2], refused)


def pools_of(stream: MemoryStream, block: int = BLOCK_TOKENS) -> dict[str, PoolUse]:
    """Run a stream through all four pools: "block", "slab", "buddy" and "arena".

    Slabs are as large as the largest request's power of two.
    """
    largest = max(block, 1 << (int(stream.size.max()) - 1).bit_length())
    makers: dict[str, Callable[[], Pool]] = {
        "block": lambda: BlockPool(stream.capacity, block),
        "slab": lambda: SlabPool(stream.capacity, largest),
        "buddy": lambda: BuddyPool(stream.capacity),
        "arena": lambda: ArenaPool(stream.capacity),
    }
    return {name: use_pool(stream, make()) for name, make in makers.items()}


def settled(stream: MemoryStream) -> slice:
    """Return the events between the first filling and the last emptying of a stream."""
    gone = np.flatnonzero(~stream.takes)
    come = np.flatnonzero(stream.takes)
    return slice(int(gone[0]), max(int(come[-1]), int(gone[0]) + 1))


def _require_stream(size: NDArray[np.int64], capacity: int, load: float) -> None:
    if len(size) == 0 or not 0 < load <= 1:
        msg = f"{len(size)} requests at load {load}; allowed are 1 or more, and 0 < load ≤ 1"
        raise InputError(msg)
    large = np.flatnonzero((size > load * capacity) | (size < 1))
    if len(large):
        row = int(large[0])
        most = int(load * capacity)
        msg = f"row {row}: a request of {size[row]} tokens; allowed with this pool is 1 to {most}"
        raise InputError(msg)
