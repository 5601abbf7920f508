"""What a prefix cache does to the time to first token, on synthetic conversations.

Traces with lengths alone do not tell which prompts begin alike, so conversations are built whose
requests have a service's mean lengths: each turn sends a system prompt and all that was said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.service import plan_engine, plan_replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.scenario.schema import Serving
from gpudeck.scenario.serving import report_requests
from gpudeck.workload.prefix import Sessions, draw_sessions
from gpudeck.workload.request import RequestTable

# assumptions: turns of a conversation, and the system prompt's part of what is not history
TURNS, SYSTEM_SHARE = 3.0, 0.5
# rates, as shares of what the replica serves without a cache with all requests at once
LOAD_SHARES = (0.2, 0.5, 0.85, 1.2)
# runs at most, each served twice a rate; seconds in which conversations begin, fewer where more
# than this many would
MOST_RUNS, DURATION_S, MOST_SESSIONS = 3, 120.0, 800
# the first part of a run, in which turns that follow are still missing, is not measured
WARM_UP = 1 / 3


@dataclass(frozen=True, slots=True, eq=False)
class PrefixEffect:
    """Median time to first token with and without a prefix cache, on the same requests.

    `without_s` and `with_s` have shape (seeds, rates), `hit_pct` too: prompt tokens found in the
    cache. `rate_per_s` counts conversations that begin each second, of those that `sessions`
    describes; `requests_per_s` all their turns, shape (seeds, rates).
    """

    sessions: Sessions
    rate_per_s: tuple[float, ...]
    without_s: NDArray[np.float64]
    with_s: NDArray[np.float64]
    hit_pct: NDArray[np.float64]
    requests_per_s: NDArray[np.float64]


def compare_prefix(
    sessions: Sessions,
    engine: Engine,
    replica: Replica,
    rate_per_s: Sequence[float],
    seeds: Sequence[int],
    *,
    duration_s: float = DURATION_S,
) -> PrefixEffect:
    """Serve the same synthetic conversations with and without a prefix cache.

    Parameters
    ----------
    sessions
        What the conversations look like.
    engine, replica
        Paged or chunked; its own `prefix_cache` does not matter.
    rate_per_s
        Conversations that begin each second, one or more, each above 0.
    seeds
        One run each; two or more for an interval.
    duration_s
        Time in which conversations begin; its last part, without `WARM_UP`, is measured.

    Raises
    ------
    InputError
        No rate or no seed, a run without a request, or as `simulate` and `draw_sessions`.
    """
    if not len(rate_per_s) or not len(seeds):
        msg = f"{len(rate_per_s)} rates and {len(seeds)} seeds; allowed is one or more of each"
        raise InputError(msg)
    shape = (len(seeds), len(rate_per_s))
    median = {cached: np.zeros(shape) for cached in (False, True)}
    hit_pct, arrived = np.zeros(shape), np.zeros(shape)
    for i, seed in enumerate(seeds):
        for j, rate in enumerate(rate_per_s):
            requests = draw_sessions(
                sessions, round(rate * duration_s), rate, block_tokens=engine.block_size, seed=seed
            )
            seen = _measured(requests, duration_s)
            for cached, ttft in median.items():
                result = simulate(requests, replace(engine, prefix_cache=cached), replica, seed)
                ttft[i, j] = float(np.median(result.ttft_s[seen]))
            found, asked = result.cached_tokens[seen], requests.prompt_tokens[seen]
            hit_pct[i, j] = 100 * found.sum() / asked.sum()
            arrived[i, j] = seen.sum() / ((1 - WARM_UP) * duration_s)
    return PrefixEffect(sessions, tuple(rate_per_s), median[False], median[True], hit_pct, arrived)


def _measured(requests: RequestTable, duration_s: float) -> NDArray[np.bool_]:
    """Tell which requests come after the warm-up and before the end."""
    seen = (requests.arrival_s >= WARM_UP * duration_s) & (requests.arrival_s <= duration_s)
    if not seen.any():
        msg = f"no request in the {duration_s:g} s of a run; allowed is a longer run or a rate"
        raise InputError(msg)
    return seen


def plan_sessions(prompt_mean: float, output_mean: float) -> Sessions:
    """Return conversations whose requests have the given mean lengths.

    With T mean turns, geometric, a request has T − 1 turns before it on average, so
    prompt = system + T·asked + (T − 1)·answered. Where answers are long turns are fewer, so that
    history is at most half of the prompt.

    Parameters
    ----------
    prompt_mean, output_mean
        Tokens, 1 or above.

    Raises
    ------
    InputError
        A mean is below 1.

    >>> sessions = plan_sessions(1200, 200)
    >>> sessions.turns, sessions.system_tokens, round(sessions.user_tokens)
    (3.0, 400, 133)
    """
    if not (prompt_mean >= 1 and output_mean >= 1):
        msg = f"mean lengths are {prompt_mean} and {output_mean}; allowed are 1 or above"
        raise InputError(msg)
    turns = min(TURNS, 1 + prompt_mean / (2 * output_mean))
    fresh = prompt_mean - output_mean * (turns - 1)
    return Sessions(
        system_tokens=round(SYSTEM_SHARE * fresh),
        turns=turns,
        user_tokens=max((1 - SYSTEM_SHARE) * fresh / turns, 1.0),
        output_tokens=output_mean,
    )


def study_prefix(
    serving: Serving, runs: Sequence[RequestTable], seeds: Sequence[int]
) -> PrefixEffect:
    """Serve conversations with a scenario's lengths on its replica, over its load.

    Parameters
    ----------
    serving
        The scenario's section.
    runs
        Its requests, whose mean lengths the conversations have.
    seeds
        One run each, the first `MOST_RUNS`.
    """
    prompt, output = (
        float(np.mean(np.concatenate([getattr(run, f"{name}_tokens") for run in runs])))
        for name in ("prompt", "output")
    )
    sessions, engine, replica = (
        plan_sessions(prompt, output),
        plan_engine(serving),
        plan_replica(serving),
    )
    sample = draw_sessions(sessions, 200, 1.0, block_tokens=engine.block_size)
    at_once = simulate(sample.all_at_once(), engine, replica)
    rates = [share * 200 / at_once.makespan_s for share in LOAD_SHARES]
    duration_s = min(DURATION_S, MOST_SESSIONS / rates[-1])
    return compare_prefix(
        sessions, engine, replica, rates, seeds[:MOST_RUNS], duration_s=duration_s
    )


def report_effect(effect: PrefixEffect, serving: Serving) -> tuple[Fact, ...]:
    """Return the facts at the highest rate.

    Parameters
    ----------
    effect
        From `study_prefix`, two seeds or more.
    serving
        The scenario's section: where the lengths come from.

    Returns
    -------
    tuple of Fact
        `ttft_without`, `ttft_with` (ms), `hit` (% of prompt tokens), `ttft_saved` (% of the median
        without a cache, paired over the seeds), `rate` and `requests_rate`; what the conversations
        are like, `turns`, `system`, `asked`, `answered`, `think`; and those of `report_requests`.
    """
    by, source = function_name(compare_prefix), "model:serving"
    without, cached = 1000 * effect.without_s[:, -1], 1000 * effect.with_s[:, -1]
    told = effect.sessions
    rate = effect.rate_per_s[-1]
    settings: tuple[tuple[str, float, str, int | None], ...] = (
        ("rate", rate, "count", 1),
        ("turns", told.turns, "count", 1),
        ("system", told.system_tokens, "token", 0),
        ("asked", told.user_tokens, "token", 0),
        ("answered", told.output_tokens, "token", 0),
        ("think", told.think_s, "s", 0),
        ("prompts", told.system_prompts, "count", 0),
        ("ttft_runs", len(effect.with_s), "count", 0),
    )
    return (
        mean_fact("requests_rate", effect.requests_per_s[:, -1], "request/s", source, by),
        mean_fact("ttft_without", without, "ms", source, by, decimals=0),
        mean_fact("ttft_with", cached, "ms", source, by, decimals=0),
        mean_fact("hit", effect.hit_pct[:, -1], "%", source, by),
        mean_fact("ttft_saved", 100 * (1 - cached / without), "%", source, by),
        *(Fact(k, v, u, "computed", source, by, decimals=d) for k, v, u, d in settings),
        *report_requests(serving),
    )
