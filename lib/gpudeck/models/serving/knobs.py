"""The knobs of a serving engine, turned one at a time, and two of them over a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.goodput import ttft_percentile
from gpudeck.models.serving.memory_pool import LOAD as POOL_LOAD
from gpudeck.models.serving.memory_pool import PoolUse, make_stream, pools_of, settled
from gpudeck.models.serving.pooled import pooled_quantile
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.result import ServingResult
from gpudeck.models.serving.simulate import simulate
from gpudeck.rng import generator
from gpudeck.workload.request import RequestTable

MODEL = "model:serving"
# assumptions: half of the requests begin with one system prompt; load is below what is served at
# most, for beyond it latency says only how long the run is
SHARED_PCT, SHARED_TOKENS, LOAD_PCT = 50, 512, 80
POOL_REQUESTS = 64
# pools differ by far more than seeds do
POOL_SEEDS = 5
MEASURES = ("tokens_s", "ttft_s", "tbt_s")


@dataclass(frozen=True, slots=True, eq=False)
class KnobStudy:
    """What each setting serves: samples of shape (seeds,) by setting and measure.

    `samples[setting]` holds "tokens_s" (output tokens a second with all requests waiting),
    "ttft_s" and "tbt_s" (99th percentiles at `rate_s` requests a second).
    """

    samples: dict[str, dict[str, NDArray[np.float64]]]
    values: dict[str, int]
    rate_s: float


@dataclass(frozen=True, slots=True, eq=False)
class ChunkGrid:
    """Latency by length of prompts and chunk budget, chunk None being whole prompts.

    `tbt_s[length_pct, chunk]` has the quantiles `share` of the time between tokens, the last being
    the 99th percentile; `ttft_s` has the 99th percentile.
    """

    length_pct: tuple[int, ...]
    chunk_tokens: tuple[int, ...]
    share: NDArray[np.float64]
    tbt_s: dict[tuple[int, int | None], NDArray[np.float64]]
    ttft_s: dict[tuple[int, int | None], float]
    rate_s: float

    @property
    def start(self) -> tuple[int, int]:
        """Length and budget that are shown first: prompts as they are, or the first, the middle."""
        length = 100 if 100 in self.length_pct else self.length_pct[0]
        return length, self.chunk_tokens[len(self.chunk_tokens) // 2]


@dataclass(frozen=True, slots=True, eq=False)
class PoolStudy:
    """All pools on the same streams: one stream to draw, and means of each, shape (seeds,)."""

    step: NDArray[np.int64]
    drawn: dict[str, PoolUse]
    internal_pct: dict[str, NDArray[np.float64]]
    external_pct: dict[str, NDArray[np.float64]]
    refused_pct: dict[str, NDArray[np.float64]]


def gap_quantiles(run: ServingResult, share: ArrayLike = 0.99) -> NDArray[np.float64]:
    """Return quantiles of the time between tokens, all gaps of all requests pooled, in seconds.

    The smallest gap that at least this share of all gaps does not exceed; 0 without a gap.
    """
    return pooled_quantile(*run.gaps(), share)


def share_prefix(table: RequestTable, seed: int, block: int) -> RequestTable:
    """Let half of the requests begin with the same system prompt, told by the hash of each block.

    Lengths and arrivals stay as they are; a prompt shorter than the shared one begins like it.
    """
    drawn = generator(seed, "serving", "shared prefix").random(len(table)) < SHARED_PCT / 100
    own = len(table) * (SHARED_TOKENS // block + 1)
    hashes = []
    for row, (tokens, shared) in enumerate(zip(table.prompt_tokens.tolist(), drawn, strict=True)):
        pieces = np.arange(min(tokens, SHARED_TOKENS) // block)
        hashes.append(pieces if shared else own + row * (SHARED_TOKENS // block) + pieces)
    return RequestTable(
        table.arrival_s, table.prompt_tokens, table.output_tokens, tuple(hashes), block
    )


def turn_knobs(tables: Sequence[RequestTable], engine: Engine, replica: Replica) -> KnobStudy:
    """Serve the same requests with each knob turned alone.

    Throughput is that of all requests waiting at once. Latency is measured at one rate for all
    settings: 80 % of the requests a second that the base serves then.

    Parameters
    ----------
    tables
        One list of requests a seed, two or more.
    engine, replica
        The base; its policy is "chunked".
    """
    if len(tables) < 2:
        msg = f"there are {len(tables)} lists of requests; allowed are two or more"
        raise InputError(msg)
    base = replace(engine, policy="chunked", prefix_cache=False)
    block = base.block_size
    hashed = [share_prefix(table, seed, block) for seed, table in enumerate(tables)]
    settings, values = _settings(base, replica)
    rate_s = serving_rate(hashed[0], base, replica) * LOAD_PCT / 100
    samples = {}
    for name, (turned, where) in settings.items():
        rows = [_measure(table, turned, where, rate_s) for table in hashed]
        samples[name] = dict(zip(MEASURES, np.array(rows).T, strict=True))
    return KnobStudy(samples, values, rate_s)


def serving_rate(table: RequestTable, engine: Engine, replica: Replica) -> float:
    """Return the requests a second that an engine serves when all of them wait."""
    return len(table) / simulate(table.all_at_once(), engine, replica).makespan_s


def _settings(
    base: Engine, replica: Replica
) -> tuple[dict[str, tuple[Engine, Replica]], dict[str, int]]:
    values = {
        "chunk_small": max(base.chunk_tokens // 4, 1),
        "chunk_large": 4 * base.chunk_tokens,
        "batch": max(min(base.max_batch, base.chunk_tokens) // 8, 1),
        "block": 16 * base.block_size,
    }
    small, large = (replace(base, chunk_tokens=values[f"chunk_{s}"]) for s in ("small", "large"))
    eight_bits = Replica(
        replica.gpu,
        replica.model,
        replica.tensor_parallel,
        replica.precision,
        "fp8",
        replica.memory_share,
    )
    return {
        "base": (base, replica),
        "chunk_small": (small, replica),
        "chunk_large": (large, replica),
        "batch": (replace(base, max_batch=values["batch"]), replica),
        "block": (replace(base, block_size=values["block"]), replica),
        "kv_fp8": (base, eight_bits),
        "prefix": (replace(base, prefix_cache=True), replica),
    }, values


def _measure(
    table: RequestTable, engine: Engine, replica: Replica, rate_s: float
) -> tuple[float, float, float]:
    full = simulate(table.all_at_once(), engine, replica)
    run = simulate(table.with_rate(rate_s), engine, replica)
    return (
        float(table.output_tokens.sum() / full.makespan_s),
        ttft_percentile(run),
        float(gap_quantiles(run)),
    )


def chunk_grid(
    table: RequestTable,
    engine: Engine,
    replica: Replica,
    *,
    length_pct: Sequence[int] = (50, 75, 100, 150),
    chunk_tokens: Sequence[int] | None = None,
) -> ChunkGrid:
    """Serve requests with prompts of other lengths and other chunk budgets, one run each.

    All runs have one rate of arrival: 80 % of what whole prompts of the greatest length allow.

    Parameters
    ----------
    table, engine, replica
        Requests and base; prompts are cut where request and answer would exceed the cache.
    length_pct
        Length of each prompt in % of its own.
    chunk_tokens
        Token budgets of an iteration; from a quarter to four times the engine's if not told.
    """
    budgets = tuple(chunk_tokens or chunk_budgets(engine.chunk_tokens))
    share = np.arange(800, 991, 5) / 1000
    whole = replace(engine, policy="paged", prefix_cache=False)
    longer = {pct: _stretched(table, pct, replica) for pct in length_pct}
    rate_s = serving_rate(longer[max(length_pct)], whole, replica) * LOAD_PCT / 100
    tbt: dict[tuple[int, int | None], NDArray[np.float64]] = {}
    ttft: dict[tuple[int, int | None], float] = {}
    for pct, stretched in longer.items():
        requests = stretched.with_rate(rate_s)
        for chunk in (None, *budgets):
            tuned = replace(whole, policy="chunked", chunk_tokens=chunk) if chunk else whole
            run = simulate(requests, tuned, replica)
            tbt[pct, chunk] = gap_quantiles(run, share)
            ttft[pct, chunk] = ttft_percentile(run)
    return ChunkGrid(tuple(length_pct), budgets, share, tbt, ttft, rate_s)


def chunk_budgets(middle: int) -> tuple[int, ...]:
    """Return budgets around one, each twice the one before.

    >>> chunk_budgets(512)
    (128, 256, 512, 1024, 2048)
    """
    return tuple(sorted({max(int(middle * 2.0**power), 1) for power in range(-2, 3)}))


def _stretched(table: RequestTable, pct: int, replica: Replica) -> RequestTable:
    most = replica.kv_capacity_tokens // 2
    prompt = np.clip(table.prompt_tokens * pct // 100, 1, most)
    return RequestTable(table.arrival_s, prompt, np.minimum(table.output_tokens, most))


def study_pools(tables: Sequence[RequestTable], replica: Replica, block: int) -> PoolStudy:
    """Run the requests' stream through all pools, once a seed.

    Parameters
    ----------
    tables
        One list of requests a seed, two or more; the first five are used.
    replica, block
        A part of its cache is the pool, with room for 64 mean requests, so that some hundred
        requests fill it many times over; `block` tokens are a block.
    """
    drawn: list[dict[str, PoolUse]] = []
    means: dict[str, list[tuple[float, float, float]]] = {}
    for table in tables[:POOL_SEEDS]:
        capacity = _pool_tokens(table, replica)
        stream = make_stream(table.prompt_tokens, table.output_tokens, capacity)
        used, inner = pools_of(stream, block), settled(stream)
        drawn.append(used)
        for name, use in used.items():
            row = (use.internal_pct[inner].mean(), use.external_pct[inner].mean())
            means.setdefault(name, []).append((*row, 100 * use.refused / len(table)))
    columns = {name: np.array(rows).T for name, rows in means.items()}
    internal, external, refused = (
        {name: column[place] for name, column in columns.items()} for place in range(3)
    )
    return PoolStudy(drawn[0]["block"].step, drawn[0], internal, external, refused)


def _pool_tokens(table: RequestTable, replica: Replica) -> int:
    size = table.prompt_tokens + table.output_tokens
    largest = int(size.max() / POOL_LOAD) + 1
    return max(min(int(POOL_REQUESTS * size.mean()), replica.kv_capacity_tokens), largest)


def report_knobs(study: KnobStudy) -> tuple[Fact, ...]:
    """Return `tokens_<setting>`, `ttft_<setting>`, `tbt_<setting>` and the values turned to.

    A time to first token is in milliseconds below a second.
    """
    by = function_name(turn_knobs)
    facts = []
    for name, samples in study.samples.items():
        facts.append(
            mean_fact(f"tokens_{name}", samples["tokens_s"], "token/s", MODEL, by, decimals=0)
        )
        ttft_s, tbt_s = samples["ttft_s"], samples["tbt_s"]
        facts.append(mean_fact(f"tbt_{name}", 1e3 * tbt_s, "ms", MODEL, by, decimals=0))
        unit, scale = ("ms", 1e3) if ttft_s.mean() < 1 else ("s", 1.0)
        facts.append(mean_fact(f"ttft_{name}", scale * ttft_s, unit, MODEL, by, decimals=None))
    facts += [
        Fact(f"value_{key}", value, "count", "simulated", MODEL, by)
        for key, value in study.values.items()
    ]
    facts.append(Fact("rate", study.rate_s, "request/s", "simulated", MODEL, by))
    facts += [
        Fact(key, value, unit, "simulated", MODEL, by)
        for key, value, unit in (
            ("shared_share", SHARED_PCT, "%"),
            ("shared_tokens", SHARED_TOKENS, "token"),
            ("load", LOAD_PCT, "%"),
            ("seeds", len(next(iter(study.samples["base"].values()))), "count"),
        )
    ]
    return tuple(facts)


def report_pools(study: PoolStudy) -> tuple[Fact, ...]:
    """Return `internal_<pool>`, `external_<pool>`, `lost_<pool>` (both) and `refused_<pool>`, %.

    `lost_least` is the least loss among the pools that are not blocks.
    """
    by = function_name(study_pools)
    facts = []
    for name, internal in study.internal_pct.items():
        external = study.external_pct[name]
        rows = {
            "internal": internal,
            "external": external,
            "lost": internal + external,
            "refused": study.refused_pct[name],
        }
        facts += [mean_fact(f"{key}_{name}", v, "%", MODEL, by) for key, v in rows.items()]
    lost = {
        name: study.internal_pct[name] + study.external_pct[name]
        for name in study.internal_pct
        if name != "block"
    }
    least = min(lost.values(), key=lambda samples: float(samples.mean()))
    return (*facts, mean_fact("lost_least", least, "%", MODEL, by))


def report_grid(grid: ChunkGrid) -> tuple[Fact, ...]:
    """Return 99th percentiles of the time between tokens, where the sliders start and beyond.

    `start_whole`, `start_chunked` (ms), with the prompts' own length and the budget `start_budget`;
    `long_whole`, `long_chunked` (ms), with prompts of `length` (%); `grid_rate`.
    """
    by = function_name(chunk_grid)
    length, budget = grid.start
    longest = max(grid.length_pct)
    states = (
        ("start_whole", length, None),
        ("start_chunked", length, budget),
        ("long_whole", longest, None),
        ("long_chunked", longest, budget),
    )
    facts = []
    for key, pct, chunk in states:
        gap_ms = 1e3 * float(grid.tbt_s[pct, chunk][-1])
        facts.append(Fact(key, gap_ms, "ms", "simulated", MODEL, by, decimals=0))
    facts += [
        Fact("start_budget", budget, "token", "simulated", MODEL, by),
        Fact("length", longest, "%", "simulated", MODEL, by),
        Fact("grid_rate", grid.rate_s, "request/s", "simulated", MODEL, by),
    ]
    return tuple(facts)
