"""What a prefix cache does to the time to first token, on synthetic conversations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.workload.prefix import Sessions, draw_sessions


@dataclass(frozen=True, slots=True, eq=False)
class PrefixEffect:
    """Median time to first token with and without a prefix cache, on the same requests.

    `without_s` and `with_s` have shape (seeds, rates), `hit_pct` too: prompt tokens found in the
    cache. `rate_per_s` counts conversations that begin each second.
    """

    rate_per_s: tuple[float, ...]
    without_s: NDArray[np.float64]
    with_s: NDArray[np.float64]
    hit_pct: NDArray[np.float64]


def compare_prefix(
    sessions: Sessions,
    engine: Engine,
    replica: Replica,
    rate_per_s: Sequence[float],
    seeds: Sequence[int],
    *,
    count: int = 200,
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
    count
        Conversations of a run.

    Raises
    ------
    InputError
        No rate or no seed, or as `simulate` and `draw_sessions`.
    """
    if not len(rate_per_s) or not len(seeds):
        msg = f"{len(rate_per_s)} rates and {len(seeds)} seeds; allowed is one or more of each"
        raise InputError(msg)
    shape = (len(seeds), len(rate_per_s))
    median = {cached: np.zeros(shape) for cached in (False, True)}
    hit_pct = np.zeros(shape)
    for i, seed in enumerate(seeds):
        for j, rate in enumerate(rate_per_s):
            requests = draw_sessions(
                sessions, count, rate, block_tokens=engine.block_size, seed=seed
            )
            for cached, ttft in median.items():
                result = simulate(requests, replace(engine, prefix_cache=cached), replica, seed)
                ttft[i, j] = float(np.median(result.ttft_s))
            hit_pct[i, j] = 100 * result.cached_tokens.sum() / requests.prompt_tokens.sum()
    return PrefixEffect(tuple(rate_per_s), median[False], median[True], hit_pct)


def report_effect(effect: PrefixEffect) -> tuple[Fact, ...]:
    """Return the facts at the highest rate.

    Returns
    -------
    tuple of Fact
        `ttft_without`, `ttft_with` (ms), `hit` (% of prompt tokens), `ttft_saved` (% of the median
        without a cache, paired over the seeds), `rate`.
    """
    by, source = function_name(compare_prefix), "model:serving"
    without, cached = 1000 * effect.without_s[:, -1], 1000 * effect.with_s[:, -1]
    return (
        mean_fact("ttft_without", without, "ms", source, by, decimals=None),
        mean_fact("ttft_with", cached, "ms", source, by, decimals=None),
        mean_fact("hit", effect.hit_pct[:, -1], "%", source, by),
        mean_fact("ttft_saved", 100 * (1 - cached / without), "%", source, by),
        Fact("rate", effect.rate_per_s[-1], "1", "computed", source, by),
    )
