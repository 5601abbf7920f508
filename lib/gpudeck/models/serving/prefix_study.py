"""How often a prompt begins with blocks that are still in the cache, by the size of the cache."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name
from gpudeck.tables import read_table
from gpudeck.workload.prefix import prefix_reuse
from gpudeck.workload.request import RequestTable

TRACE = "mooncake-conversation"


@dataclass(frozen=True, slots=True)
class PrefixHits:
    """Blocks of a trace found in its cache, in %, by the cache's capacity in blocks.

    `unbounded_pct` is the part found if nothing is ever evicted; a block holds `block_tokens`.
    """

    capacity_blocks: tuple[int, ...]
    hit_pct: tuple[float, ...]
    unbounded_pct: float
    block_tokens: int
    requests: int
    source: str

    def hit_within(self, tokens: int) -> float:
        """Return the hit rate at the largest capacity of the table within a memory, in %.

        Raises
        ------
        InputError
            The memory is smaller than the smallest capacity.
        """
        held = [
            hit
            for size, hit in zip(self.capacity_blocks, self.hit_pct, strict=True)
            if size * self.block_tokens <= tokens
        ]
        if not held:
            least = self.capacity_blocks[0] * self.block_tokens
            msg = f"a memory of {tokens} tokens; allowed is {least} or above"
            raise InputError(msg)
        return held[-1]


def count_hits(
    prompts: Sequence[Sequence[Hashable]], capacity_blocks: int | None = None
) -> list[int]:
    """Count the leading blocks of each prompt that are cached when it comes; all are then cached.

    The least recently used block goes first, and of one prompt's blocks the last before the first,
    for a block is of no use without those before it.

    Parameters
    ----------
    prompts
        Hashes of the blocks of each prompt in the order of arrival; equal hashes mean equal tokens
        up to the block's end.
    capacity_blocks
        Blocks of the cache, 1 or above; ``None``: unbounded.

    Raises
    ------
    InputError
        The capacity is below 1.

    Source: Kwon et al., SOSP 2023, section 4.4; eviction from the leaves as Zheng et al., SGLang,
    NeurIPS 2024.

    >>> count_hits([[1, 2], [3, 4], [1, 2]], 3)
    [0, 0, 1]
    """
    if capacity_blocks is not None and capacity_blocks < 1:
        msg = f"capacity_blocks is {capacity_blocks}; allowed is 1 or above, or None"
        raise InputError(msg)
    # any hashable name will do: the cache takes whole numbers
    names: dict[Hashable, int] = {}
    blocks = [
        np.array([names.setdefault(block, len(names)) for block in prompt], np.int64)
        for prompt in prompts
    ]
    table = RequestTable(
        np.arange(len(blocks), dtype=np.float64),
        np.array([max(len(row), 1) for row in blocks], np.int64),
        np.ones(len(blocks), np.int64),
        blocks,
        block_tokens=1,
    )
    hits: list[int] = prefix_reuse(table, capacity_blocks=capacity_blocks).hit_blocks.tolist()
    return hits


def published_hits() -> PrefixHits:
    """Return what the cache finds on the public Mooncake conversation trace.

    Source: Mooncake trace, Apache-2.0, counted by data/derive_prefix.py.

    >>> round(published_hits().unbounded_pct, 2)
    36.64
    """
    rows = read_table("prefix_hits").of(TRACE)
    by_size = sorted(
        (int(name.removeprefix("hit@")), row.number)
        for name, row in rows.items()
        if name.startswith("hit@")
    )
    return PrefixHits(
        tuple(size for size, _ in by_size),
        tuple(value for _, value in by_size),
        rows["hit_unbounded"].number,
        int(rows["block_tokens"].number),
        int(rows["requests"].number),
        rows["hit_unbounded"].sources[0],
    )


def report_prefix(hits: PrefixHits, capacity_tokens: int) -> tuple[Fact, ...]:
    """Return the facts of the prefix cache.

    Parameters
    ----------
    hits : PrefixHits
        From `published_hits`.
    capacity_tokens : int
        A memory to compare with, in tokens.

    Returns
    -------
    tuple of Fact
        `unbounded` and `memory_hit` (% of blocks, without a bound and in the memory to compare
        with), `half_tokens` (the smallest capacity of the table that finds half of what an
        unbounded cache finds), `requests`, `block_tokens`.
    """
    by = function_name(published_hits)
    half = next(
        size
        for size, hit in zip(hits.capacity_blocks, hits.hit_pct, strict=True)
        if hit >= hits.unbounded_pct / 2
    )
    rows: tuple[tuple[str, float, str, int | None], ...] = (
        ("unbounded", hits.unbounded_pct, "%", 1),
        ("memory_hit", hits.hit_within(capacity_tokens), "%", 1),
        ("half_tokens", half * hits.block_tokens, "token", None),
        ("requests", hits.requests, "count", None),
        ("block_tokens", hits.block_tokens, "token", 0),
    )
    facts = [Fact(k, v, u, "derived", hits.source, by, decimals=d) for k, v, u, d in rows]
    return tuple(facts)
