"""Synthetic conversations of several turns that begin with one of a few system prompts."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.rng import generator
from gpudeck.workload.request import BlockHashes, RequestTable

MAX_REQUESTS = 5_000_000


@dataclass(frozen=True, slots=True)
class Sessions:
    """What conversations look like; all of it is synthetic, chosen by whoever calls.

    Reuse rises with the length of the system prompts, and with fewer of them. It rises with the
    turns too, as a turn sends all that was said before it, unless system prompts are most of what
    is sent. Lengths are geometric, so of the mean that is told, and 1 or above.

    Parameters
    ----------
    system_prompts, system_tokens
        How many distinct ones there are, 1 or above, and how long each is, 0 or above.
    turns
        Mean turns of a session, 1 or above.
    user_tokens, output_tokens
        Mean length of what is asked and of what is answered in a turn, 1 or above.
    think_s
        Mean time between two turns of a session, exponential, above 0.

    Raises
    ------
    InputError
        A number out of range.

    >>> Sessions(turns=1.0).turns
    1.0
    """

    system_prompts: int = 4
    system_tokens: int = 512
    turns: float = 3.0
    user_tokens: float = 100.0
    output_tokens: float = 200.0
    think_s: float = 30.0

    def __post_init__(self) -> None:
        ranges = (
            ("system_prompts", self.system_prompts >= 1, "1 or above"),
            ("system_tokens", self.system_tokens >= 0, "0 or above"),
            ("turns", self.turns >= 1, "1 or above"),
            ("user_tokens", self.user_tokens >= 1, "1 or above"),
            ("output_tokens", self.output_tokens >= 1, "1 or above"),
            ("think_s", self.think_s > 0, "above 0"),
        )
        for name, right, allowed in ranges:
            value = getattr(self, name)
            if not (right and isfinite(value)):
                msg = f"{name} is {value}; allowed is {allowed}, and finite"
                raise InputError(msg)


def draw_sessions(
    sessions: Sessions, count: int, rate_per_s: float, *, block_tokens: int = 16, seed: int = 0
) -> RequestTable:
    """Draw conversations: synthetic requests with block hashes, by order of arrival.

    Parameters
    ----------
    sessions
        What they look like.
    count
        How many conversations, 0 or above.
    rate_per_s
        Conversations that begin each second, a Poisson process, above 0.
    block_tokens
        Tokens that a hash stands for; only full blocks of a prompt have one.
    seed
        Seed of all draws.

    Raises
    ------
    InputError
        A number out of range, or more than 5,000,000 requests.

    >>> requests = draw_sessions(Sessions(turns=2.0), 100, 1.0, seed=1)
    >>> requests.block_tokens, len(requests) > 100
    (16, True)
    """
    _check(sessions, count, rate_per_s, block_tokens)
    rng = generator(seed, "sessions")
    begin = np.cumsum(rng.exponential(1 / rate_per_s, count))
    system = rng.integers(0, sessions.system_prompts, count)
    turns = rng.geometric(1 / sessions.turns, count)
    whose = np.repeat(np.arange(count), turns)
    first = np.cumsum(turns) - turns
    asked = rng.geometric(1 / sessions.user_tokens, len(whose))
    answered = rng.geometric(1 / sessions.output_tokens, len(whose))
    pause = rng.exponential(sessions.think_s, len(whose))
    pause[first] = begin
    arrival = _sum_within(pause, first, turns)
    said = _sum_within(asked + answered, first, turns)
    prompt = sessions.system_tokens + said - answered
    hashes = _hash_blocks(prompt, whose, system[whose], sessions, block_tokens)
    return RequestTable(arrival, prompt, answered, hashes, block_tokens).sorted_by_arrival()


def _sum_within(values: NDArray, first: NDArray[np.int64], turns: NDArray[np.int64]) -> NDArray:
    """Sum up the turns of each session, that turn included."""
    total = np.cumsum(values)
    before = np.repeat(total[first] - values[first], turns)
    return total - before


def _hash_blocks(
    prompt: NDArray[np.int64],
    whose: NDArray[np.int64],
    system: NDArray[np.int64],
    sessions: Sessions,
    block_tokens: int,
) -> BlockHashes:
    """Number the blocks: a system prompt's are its own, what follows belongs to the session."""
    blocks = prompt // block_tokens
    offsets = np.concatenate([[0], np.cumsum(blocks)])
    place = np.arange(offsets[-1]) - np.repeat(offsets[:-1], blocks)
    shared = sessions.system_tokens // block_tokens
    longest = int(blocks.max(initial=0)) + 1
    owner = np.repeat(whose, blocks) + sessions.system_prompts
    owner = np.where(place < shared, np.repeat(system, blocks), owner)
    return BlockHashes(offsets, owner * longest + place)


def _check(sessions: Sessions, count: int, rate_per_s: float, block_tokens: int) -> None:
    if not 0 <= count * sessions.turns <= MAX_REQUESTS:
        most = int(MAX_REQUESTS / sessions.turns)
        msg = f"count is {count}; allowed is 0 to {most} with {sessions.turns:g} turns each"
        raise InputError(msg)
    if not 0 < rate_per_s < float("inf"):
        msg = f"rate_per_s is {rate_per_s}; allowed is above 0, and finite"
        raise InputError(msg)
    if block_tokens < 1:
        msg = f"block_tokens is {block_tokens}; allowed is 1 or above"
        raise InputError(msg)
