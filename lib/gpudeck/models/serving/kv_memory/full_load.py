"""One replica's KV memory under full load: who gets room, and what is left over.

Requests wait in one queue, first come first served; all that run take one token a step. A
contiguous request joins when one hole is large enough (first fit) and keeps its slot to its end. A
paged request joins when its prompt's blocks are free, takes a block when its last one is full, and
when none is left the newest request gives all of its blocks back and is computed again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from gpudeck.errors import InputError
from gpudeck.models.serving.kv_memory.kernel import fill_blocks, fill_slots
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
    steps, *sums = (
        fill_blocks(prompt, output, capacity_tokens // block_size, block_size)
        if paged
        else fill_slots(prompt, output, slots, capacity_tokens)
    )
    if steps == 0:
        msg = f"{len(prompt)} requests fit at once; allowed are enough to leave a queue"
        raise InputError(msg)
    live, later, never, batch = (total / steps for total in sums)
    external = 0.0 if paged else capacity_tokens - live - later - never
    split = KvSplit(live, later, never, external)
    return FullLoad(split, batch, capacity_tokens)
