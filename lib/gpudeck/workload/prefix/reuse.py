"""What a cache of prompt blocks would have found, request by request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.tables import read_table
from gpudeck.workload.prefix.kernel import run_cache
from gpudeck.workload.request import BlockHashes, RequestTable

Rule = Literal["raw", "vllm"]


@dataclass(frozen=True, slots=True, eq=False)
class PrefixReuse:
    """Hits of each request, in the order of the rows.

    Parameters
    ----------
    hit_blocks, hit_tokens
        Blocks and tokens of the prompt that were in the cache, shape (n,).
    blocks, prompt_tokens
        Blocks that have a hash, and tokens of the prompt, shape (n,).
    resident
        Hashes that are left in the cache, from least to most recently used.
    """

    hit_blocks: NDArray[np.int64]
    hit_tokens: NDArray[np.int64]
    blocks: NDArray[np.int64]
    prompt_tokens: NDArray[np.int64]
    resident: NDArray[np.int64]

    @property
    def block_share(self) -> float:
        """Share of all blocks that were in the cache; 0 without a block."""
        total = int(self.blocks.sum())
        return int(self.hit_blocks.sum()) / total if total else 0.0

    @property
    def token_share(self) -> float:
        """Share of all prompt tokens that were in the cache; 0 without a request."""
        total = int(self.prompt_tokens.sum())
        return int(self.hit_tokens.sum()) / total if total else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class ReuseCurve:
    """Share of blocks and of tokens found, by the capacity of the cache, shape (k,) each."""

    capacity_tokens: NDArray[np.int64]
    block_share: NDArray[np.float64]
    token_share: NDArray[np.float64]


def prefix_reuse(
    requests: RequestTable,
    block_tokens: int | None = None,
    capacity_blocks: int | None = None,
    rule: Rule = "raw",
) -> PrefixReuse:
    """Pass the prompts through a prefix cache, one after the other in order of arrival.

    A hit is the longest leading run of blocks in the cache. Without capacity nothing is evicted;
    with it the least recently used block goes, of one request the tail before the head.

    Parameters
    ----------
    requests
        Prompts with block hashes.
    block_tokens
        Size of the cache's blocks; a divisor of the tokens that a hash stands for, which it is if
        not told. Blocks are counted in this size.
    capacity_blocks
        Blocks that the cache holds, 0 or above; no limit if not told. A cache of smaller blocks
        keeps or drops those of one hash together.
    rule
        ``raw`` counts every block found; ``vllm`` keeps full blocks only, and lets at least one
        token of a prompt be computed: at most ⌊(prompt - 1) / block⌋ blocks are found.

    Raises
    ------
    InputError
        The requests have no hashes, or a number is out of range.

    >>> chat = RequestTable([0, 1, 2], [40, 40, 20], [1, 1, 1], [[1, 2], [1, 3], [9]], 16)
    >>> prefix_reuse(chat).hit_tokens.tolist(), prefix_reuse(chat, 16, 0).hit_tokens.tolist()
    ([0, 16, 0], [0, 0, 0])
    """
    blocks, size = _hashes_of(requests)
    ratio = _check(size, block_tokens, capacity_blocks, rule)
    unit = size // ratio
    order = np.argsort(requests.arrival_s, kind="stable")
    ordered = BlockHashes.take(blocks.offsets, blocks.flat, order)
    names, ids = np.unique(ordered.flat, return_inverse=True)
    capacity = len(names) if capacity_blocks is None else min(capacity_blocks // ratio, len(names))
    stored = np.diff(ordered.offsets)
    if rule == "vllm":
        full = requests.prompt_tokens[order] // unit * unit
        stored = np.minimum(stored, -(-full // size))
    hits = np.empty(len(order), dtype=np.int64)
    hits[order], left = run_cache(
        ordered.offsets, ids.astype(np.int64), stored, len(names), capacity
    )
    tokens = np.minimum(hits * size, requests.prompt_tokens)
    if rule == "vllm":
        tokens = np.minimum(tokens, (requests.prompt_tokens - 1) // unit * unit)
    return PrefixReuse(
        -(-tokens * ratio // size),
        tokens,
        np.minimum(np.diff(blocks.offsets) * ratio, -(-requests.prompt_tokens * ratio // size)),
        requests.prompt_tokens,
        names[left],
    )


def reuse_curve(
    requests: RequestTable, capacities_tokens: Sequence[int], rule: Rule = "raw"
) -> ReuseCurve:
    """Share found by caches of several capacities, in tokens, rounded down to whole blocks.

    Raises
    ------
    InputError
        The requests have no hashes, or a capacity is below 0.

    >>> chat = RequestTable([0, 1, 2], [32, 32, 32], [1, 1, 1], [[1, 2], [3, 4], [1, 2]], 16)
    >>> reuse_curve(chat, [0, 32, 48, 64]).token_share.round(2).tolist()
    [0.0, 0.0, 0.17, 0.33]
    """
    _, size = _hashes_of(requests)
    found = [prefix_reuse(requests, None, int(each) // size, rule) for each in capacities_tokens]
    return ReuseCurve(
        np.array([int(each) for each in capacities_tokens], dtype=np.int64),
        np.array([one.block_share for one in found]),
        np.array([one.token_share for one in found]),
    )


@cache
def recorded_curve(workload: str) -> ReuseCurve:
    """Look up the curve of a trace in ``data/prefix_reuse.csv``, computed by `reuse_curve`.

    Raises
    ------
    InputError
        There is no such workload.

    >>> float(recorded_curve("mooncake-conversation").token_share[-1].round(3))
    0.374
    """
    rows = read_table("prefix_reuse").of(workload)
    found: dict[str, dict[int, float]] = {"token_share": {}, "block_share": {}}
    for attribute, row in rows.items():
        name, _, capacity = attribute.partition("@")
        found[name][int(capacity)] = row.number
    capacities = sorted(found["token_share"])
    return ReuseCurve(
        np.array(capacities, dtype=np.int64),
        np.array([found["block_share"][capacity] for capacity in capacities]),
        np.array([found["token_share"][capacity] for capacity in capacities]),
    )


def _hashes_of(requests: RequestTable) -> tuple[BlockHashes, int]:
    blocks, size = requests.block_hashes, requests.block_tokens
    if not isinstance(blocks, BlockHashes) or size is None:
        msg = "block_hashes is None; allowed are requests with hashes, as Mooncake's traces have"
        raise InputError(msg)
    return blocks, size


def _check(size: int, block_tokens: int | None, capacity_blocks: int | None, rule: str) -> int:
    """Return how many of the cache's blocks one hash stands for."""
    unit = size if block_tokens is None else block_tokens
    if unit < 1 or size % unit:
        msg = f"block_tokens is {unit}; allowed is a divisor of {size}, the tokens of a hash"
        raise InputError(msg)
    if capacity_blocks is not None and capacity_blocks < 0:
        msg = f"capacity_blocks is {capacity_blocks}; allowed is 0 or above, or None"
        raise InputError(msg)
    if rule not in {"raw", "vllm"}:
        msg = f"rule is {rule!r}; allowed is raw or vllm"
        raise InputError(msg)
    return size // unit
