"""KV cache reserved and KV cache used: contiguous reservation against paging.

A request of p prompt and o output tokens holds its cache for o steps; at step k = 0 … o − 1 it has
p + k tokens. Memory that it holds without a token is waste. Of the R tokens of a contiguous slot,
those that the request will fill later are *reservation*, those that it never fills are *internal*
fragmentation; memory that is free but not in one piece large enough for the request at the head of
the queue is *external* fragmentation. Pages waste only the rest of each sequence's last block.

Source: Kwon et al., Efficient Memory Management for Large Language Model Serving with
PagedAttention, SOSP 2023, sections 3.1 and 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError

Scheme = Literal["max", "pow2", "oracle", "paged"]
SCHEMES: tuple[str, ...] = get_args(Scheme)


@dataclass(frozen=True, slots=True)
class KvSplit:
    """Time-mean split of KV memory into four parts, in any one unit; they add up to the whole."""

    live: float
    reservation: float
    internal: float
    external: float = 0.0

    @property
    def total(self) -> float:
        """All memory that was counted."""
        return self.live + self.reservation + self.internal + self.external

    @property
    def used_pct(self) -> float:
        """Memory that holds a token, in percent of the whole."""
        return 100 * self.live / self.total

    def percent(self) -> dict[str, float]:
        """Return each part in percent of the whole."""
        names = ("live", "reservation", "internal", "external")
        return {name: 100 * getattr(self, name) / self.total for name in names}


def block_count(tokens: ArrayLike, block_size: int) -> NDArray[np.int64]:
    """Return the blocks of each sequence, ⌈tokens/B⌉.

    Parameters
    ----------
    tokens
        Length of each sequence, shape (n,), 0 or above.
    block_size
        Tokens of a block, B.

    Raises
    ------
    InputError
        A block has no token, or a length is negative.

    >>> block_count([1, 16, 17], 16).tolist()
    [1, 1, 2]
    """
    if block_size < 1:
        msg = f"block_size is {block_size}; allowed is a whole number from 1"
        raise InputError(msg)
    lengths = np.asarray(tokens, np.int64)
    if (lengths < 0).any():
        at = int(np.argmax(lengths < 0))
        msg = f"row {at}: a sequence of {lengths[at]} tokens; allowed is 0 or above"
        raise InputError(msg)
    return -(-lengths // block_size)


def slot_tokens(total: ArrayLike, scheme: str, max_length: int) -> NDArray[np.int64]:
    """Return the contiguous memory of each request, in tokens.

    Parameters
    ----------
    total
        Final length of each request's cache, shape (n,), tokens.
    scheme
        ``"max"``: the longest length allowed; ``"pow2"``: the next power of two, at most the
        longest length; ``"oracle"``: the final length, as if it were known.
    max_length
        Longest length allowed, tokens.

    Raises
    ------
    InputError
        The scheme is not contiguous, or a request is longer than `max_length`.

    >>> slot_tokens([5, 100], "pow2", 2048).tolist()
    [8, 128]
    """
    lengths = np.asarray(total, np.int64)
    if (lengths > max_length).any():
        at = int(np.argmax(lengths > max_length))
        msg = f"row {at}: {lengths[at]} tokens; allowed is up to max_length, {max_length}"
        raise InputError(msg)
    if scheme == "max":
        return np.full_like(lengths, max_length)
    if scheme == "pow2":
        powers = 2 ** np.ceil(np.log2(np.maximum(lengths, 1))).astype(np.int64)
        return np.minimum(powers, max_length)
    if scheme == "oracle":
        return lengths.copy()
    msg = f"scheme is {scheme!r}; allowed are max, pow2 and oracle"
    raise InputError(msg)


def split_held(
    prompt_tokens: ArrayLike,
    output_tokens: ArrayLike,
    scheme: str,
    *,
    block_size: int = 16,
    max_length: int = 2048,
) -> KvSplit:
    """Split the memory that requests hold, summed over their steps; free memory is not in it.

    live = Σ o·p + o(o − 1)/2, reservation = Σ o(o − 1)/2, internal = Σ o·(R − p − o + 1);
    with pages reservation is 0 and internal = Σ_k (B·⌈(p + k)/B⌉ − p − k).

    Parameters
    ----------
    prompt_tokens, output_tokens
        Shape (n,), whole numbers from 1.
    scheme
        One of `SCHEMES`.
    block_size
        Tokens of a block, for ``"paged"``.
    max_length
        Longest length allowed, tokens, for ``"max"``.

    Returns
    -------
    KvSplit
        In token-steps.

    Raises
    ------
    InputError
        As `slot_tokens` and `block_count`, or a length below 1.

    Source: closed form of Kwon et al., SOSP 2023, section 3.1.

    >>> split_held([4], [3], "max", max_length=10)
    KvSplit(live=15.0, reservation=3.0, internal=12.0, external=0.0)
    >>> split_held([4], [3], "paged", block_size=4)
    KvSplit(live=15.0, reservation=0.0, internal=5.0, external=0.0)
    """
    prompt, output = _lengths(prompt_tokens, output_tokens)
    grown = output * (output - 1) / 2
    live = float((output * prompt + grown).sum())
    if scheme == "paged":
        blocks = _block_steps(prompt + output - 1, block_size) - _block_steps(
            prompt - 1, block_size
        )
        return KvSplit(live, 0.0, float(blocks.sum()) * block_size - live)
    slots = slot_tokens(prompt + output - 1, scheme, max_length)
    never = float((output * (slots - prompt - output + 1)).sum())
    return KvSplit(live, float(grown.sum()), never)


def split_run(kv_tokens: ArrayLike, kv_live_tokens: ArrayLike, seconds: ArrayLike) -> KvSplit:
    """Split what a simulated run held: time-mean of live and of held without a token.

    A run does not know which part of a slot will be filled, so all that is held without a token
    counts as internal.

    Parameters
    ----------
    kv_tokens, kv_live_tokens
        Held, and holding a token, in each iteration, shape (i,), as in `ServingResult`.
    seconds
        How long each iteration took, shape (i,).

    Raises
    ------
    InputError
        No time passes, or nothing is held.

    >>> split_run([100, 100], [20, 60], [1.0, 3.0]).used_pct
    50.0
    """
    held, live = np.asarray(kv_tokens, float), np.asarray(kv_live_tokens, float)
    weight = np.asarray(seconds, float)
    if weight.sum() <= 0 or (held * weight).sum() <= 0:
        msg = "the run holds no cache; allowed is a run of at least one request"
        raise InputError(msg)
    mean_live, mean_held = (float((v * weight).sum() / weight.sum()) for v in (live, held))
    return KvSplit(mean_live, 0.0, mean_held - mean_live)


def _block_steps(length: NDArray[np.int64], block_size: int) -> NDArray[np.int64]:
    """Sum of ⌈j/B⌉ for j from 1 to the length."""
    block_count(length, block_size)
    full, rest = np.divmod(length, block_size)
    return block_size * full * (full + 1) // 2 + rest * (full + 1)


def _lengths(
    prompt_tokens: ArrayLike, output_tokens: ArrayLike
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    prompt = np.atleast_1d(np.asarray(prompt_tokens, np.int64))
    output = np.atleast_1d(np.asarray(output_tokens, np.int64))
    if prompt.shape != output.shape or not prompt.size:
        msg = f"prompts have shape {prompt.shape}, outputs {output.shape}; allowed is one of each"
        raise InputError(msg)
    short = (prompt < 1) | (output < 1)
    if short.any():
        at = int(np.argmax(short))
        msg = f"row {at}: {prompt[at]} prompt and {output[at]} output tokens; allowed is 1 or above"
        raise InputError(msg)
    return prompt, output
