"""How often a prompt begins with blocks that are still in the cache, by the size of the cache."""

from __future__ import annotations

from dataclasses import dataclass

from gpudeck.fact import Fact, function_name
from gpudeck.tables import read_table
from gpudeck.workload.prefix import recorded_curve
from gpudeck.workload.request_log.json_lines import MOONCAKE_BLOCK_TOKENS

TRACE = "mooncake-conversation"


@dataclass(frozen=True, slots=True)
class PrefixHits:
    """Blocks of a trace found in its cache, in %, by the cache's capacity in tokens.

    `unbounded_pct` is the part found if nothing is ever evicted; a block holds `block_tokens`.
    """

    capacity_tokens: tuple[int, ...]
    hit_pct: tuple[float, ...]
    unbounded_pct: float
    block_tokens: int
    requests: int
    source: str

    def hit_within(self, tokens: int) -> float:
        """Return the hit rate at the largest capacity of the table within a memory, in %.

        A memory smaller than the smallest of them is taken to find nothing.
        """
        held = [
            hit
            for size, hit in zip(self.capacity_tokens, self.hit_pct, strict=True)
            if size <= tokens
        ]
        return held[-1] if held else 0.0


def published_hits() -> PrefixHits:
    """Return what the cache finds on the public Mooncake conversation trace.

    Source: Mooncake traces, Apache-2.0, counted by data/derive_requests.py: the longest leading run
    of blocks in the cache, the least recently used evicted, of one prompt the last before the
    first (Zheng et al., SGLang, NeurIPS 2024).

    >>> round(published_hits().unbounded_pct, 2)
    36.64
    """
    curve, rows = recorded_curve(TRACE), read_table("request_lengths").of(TRACE)
    unbounded = rows["reused_block_share"]
    return PrefixHits(
        tuple(curve.capacity_tokens.tolist()),
        tuple((100 * curve.block_share).tolist()),
        100 * unbounded.number,
        MOONCAKE_BLOCK_TOKENS,
        round(rows["rows"].number),
        unbounded.sources[0],
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
        for size, hit in zip(hits.capacity_tokens, hits.hit_pct, strict=True)
        if hit >= hits.unbounded_pct / 2
    )
    rows: tuple[tuple[str, float, str, int | None], ...] = (
        ("unbounded", hits.unbounded_pct, "%", 1),
        ("memory_hit", hits.hit_within(capacity_tokens), "%", 1),
        ("half_tokens", half, "token", None),
        ("requests", hits.requests, "count", None),
        ("block_tokens", hits.block_tokens, "token", 0),
    )
    facts = [Fact(k, v, u, "derived", hits.source, by, decimals=d) for k, v, u, d in rows]
    return tuple(facts)
