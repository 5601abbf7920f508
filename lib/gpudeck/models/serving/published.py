"""Published results of LLM serving, and what the model gives for each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np

from gpudeck.models.serving.capacity import highest_rate
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.pooled import pooled_quantile
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.tables import Row, compute_rows
from gpudeck.workload.model import find_model
from gpudeck.workload.request import RequestTable
from gpudeck.workload.request_lognormal import (
    Lengths,
    draw_requests,
    lengths_of_means,
    lengths_of_quantiles,
)

GIB = 2**30
COUNT = 400  # requests of a run
SEEDS = (0, 1, 2)  # a row that draws requests is the mean over these
# GiB for the cache, Table 1 of the PagedAttention paper
CACHE_GIB = {"opt-13b": 12, "opt-66b": 21, "opt-175b": 264}
# means of the ShareGPT lengths in that paper; log-normal with a spread of 1 is an assumption
SHAREGPT = lengths_of_means(161.31, 337.99, 2048)
# median and 90th percentile of openchat_sharegpt4 in the Sarathi-Serve paper
OPENCHAT = lengths_of_quantiles((1730, 5696), (415, 834), 8192)
# median and 90th percentile of the Azure conversation trace of 2023
AZURE = lengths_of_quantiles((1020, 2734), (129, 424), 8192)
# about uniform 32 to 512 and 1 to 128 tokens: the Orca paper's requests
ORCA = Lengths(230, 0.7, 50, 0.8, 640)
# HTTP server 33 % and scheduling 29 % of the time, 38 % for the GPU
VLLM_BUSY_SHARE = 0.38
MOVE_S = 0.02  # an assumption: a prompt's cache over NVLink or InfiniBand


def slots(model: str) -> float:
    """Tokens whose cache fits in the memory of the paper's Table 1."""
    return CACHE_GIB[model] * GIB // find_model(model).kv_bytes_per_token("fp16")


@cache
def opt_run(policy: str, reservation: str, seed: int) -> tuple[float, float, float]:
    """OPT-13B under load in 12 GiB of cache: mean batch, memory really used in %, tokens/s.

    The paper's Orca (Oracle) knows the lengths but has a buddy allocator, which hands out powers of
    two: that is the reservation ``"pow2"`` here.
    """
    replica = Replica("A100-40G-SXM", "opt-13b")
    engine = Engine(
        policy,  # type: ignore[arg-type]
        block_size=16,
        blocks=int(slots("opt-13b") // 16),
        reservation=reservation,  # type: ignore[arg-type]
        max_length=2048,
        max_batch_tokens=2560,
    )
    requests = draw_requests(SHAREGPT, COUNT, seed).all_at_once()
    result = simulate(requests, engine, replica)
    # without the tail, in which nothing waits any more
    full = result.end_s < 0.7 * result.makespan_s
    seconds = (result.end_s - result.start_s)[full]
    batch = (result.requests[full] * seconds).sum() / seconds.sum()
    used = (result.kv_live_tokens[full] * seconds).sum() / (result.kv_tokens[full] * seconds).sum()
    tokens_s = float((result.tokens - result.prefill_tokens)[full].sum() / seconds.sum())
    return float(batch), 100 * float(used), tokens_s


def saturated_tokens_s(requests: RequestTable, engine: Engine, replica: Replica) -> float:
    """Output tokens a second when all requests wait from the start."""
    result = simulate(requests.all_at_once(), engine, replica)
    return float(requests.output_tokens.sum() / result.makespan_s)


def splitwise_ratio(gpu: str, phase: str) -> float:
    """Llama-2-70B on eight GPUs: time of 8192 over 128 prompt tokens, or of batch 64 over 1."""
    replica = Replica(gpu, "llama-2-70b", 8)
    step = replica.step_time
    overhead = Engine().step_overhead_s
    if phase == "prompt":
        return (overhead + step.prefill_s(8192)) / (overhead + step.prefill_s(128))
    return (overhead + step.decode_s(64, 576)) / (overhead + step.decode_s(1, 576))


@cache
def sarathi_gain(model: str, gpus: int, seed: int) -> float:
    """Capacity of chunked over paged: highest rate at which p99 of the gaps meets the objective.

    The objective is the paper's strict one, five times a decode step of 32 requests of 4096 tokens;
    median queueing may be two seconds.
    """
    replica = Replica("A100-80G-SXM", model, gpus)
    requests = draw_requests(OPENCHAT, COUNT, seed)
    objective_s = 5 * (Engine().step_overhead_s + replica.step_time.decode_s(32, 4096))

    def capacity(engine: Engine) -> float:
        def meets(load: RequestTable) -> bool:
            result = simulate(load, engine, replica)
            gap = float(pooled_quantile(*result.gaps(), 0.99))
            return gap <= objective_s and float(np.median(result.ttft_s)) <= 2 + objective_s

        return highest_rate(requests, meets, 20.0)

    paged = capacity(Engine("paged", max_batch=128))
    chunked = capacity(Engine("chunked", max_batch=128, chunk_tokens=512))
    return chunked / paged if paged else np.inf


@cache
def splitting_gain(
    model: str, gpus: int, prompt_gpu: str, decode_gpu: str, base_gpu: str, ttft_s: float,
    tpot_s: float, lengths: Lengths, seed: int,
) -> float:  # fmt: skip
    """Rate a replica that meets both objectives for 90 %: phases split, over mixed.

    Replicas for prompts and for decoding stand in the ratio in which both are full, which needs
    many of them; each meets its objective for 95 %. Moving the cache takes `MOVE_S`.
    """
    requests, engine = draw_requests(lengths, COUNT, seed), Engine("paged")
    ones = np.ones(COUNT, np.int64)

    def on_time(load: RequestTable, first: np.ndarray) -> np.ndarray:
        return np.asarray(first - load.arrival_s <= ttft_s)

    def steady(load: RequestTable, first: np.ndarray, finish: np.ndarray) -> np.ndarray:
        return np.asarray(finish - first <= tpot_s * np.maximum(load.output_tokens - 1, 1))

    def mixed(load: RequestTable) -> bool:
        result = simulate(load, engine, Replica(base_gpu, model, gpus))
        first, finish = result.first_token_s, result.finish_s
        return bool((on_time(load, first) & steady(load, first, finish)).mean() >= 0.9)

    def prompts(load: RequestTable) -> bool:
        alone = RequestTable(load.arrival_s, load.prompt_tokens, ones)
        result = simulate(alone, engine, Replica(prompt_gpu, model, gpus))
        return bool(on_time(alone, result.first_token_s).mean() >= 0.95)

    def decoding(load: RequestTable) -> bool:
        # an answer of one token is over before its cache would move
        load = load.take(load.output_tokens > 1)
        moved = RequestTable(load.arrival_s + MOVE_S, load.prompt_tokens, load.output_tokens)
        replica, first = Replica(decode_gpu, model, gpus), load.arrival_s
        result = simulate(moved, engine, replica, given_first_s=first)
        return bool(steady(load, first, result.finish_s).mean() >= 0.95)

    base, first, later = (
        highest_rate(requests, goal, 200.0) for goal in (mixed, prompts, decoding)
    )
    return first * later / (first + later) / base if base and first + later else 0.0


def orca_gain(seed: int) -> float:
    """GPT-3's size on eight GPUs: iterations over whole batches, median of 190 ms a token."""
    replica = Replica("A100-80G-SXM", "opt-175b", 8)
    requests = draw_requests(ORCA, 240, seed)

    def capacity(engine: Engine) -> float:
        def meets(load: RequestTable) -> bool:
            result = simulate(load, engine, replica)
            return float(np.median(result.e2e_s / load.output_tokens)) <= 0.19

        return highest_rate(requests, meets, 60.0)

    whole = capacity(Engine("dynamic", max_batch=8, max_delay_s=0.0, max_length=640))
    return capacity(Engine("continuous", max_batch=32, max_length=640)) / whole if whole else np.inf


@cache
def prefix_run() -> tuple[float, float]:
    """Five examples before each question, answers of one token: hit rate in %, speed-up."""
    shared, own, count = 40, 8, 300  # blocks of 16 tokens
    hashes = [
        np.concatenate([np.arange(shared), 1000 + own * i + np.arange(own)]) for i in range(count)
    ]
    length = np.full(count, 16 * (shared + own))
    requests = RequestTable(np.zeros(count), length, np.ones(count, np.int64), hashes)
    replica = Replica("A100-80G-SXM", "llama-2-7b")
    cached = simulate(requests, Engine("paged", prefix_cache=True), replica)
    plain = simulate(requests, Engine("paged"), replica)
    hits = 100 * cached.cached_tokens.sum() / length.sum()
    return float(hits), plain.makespan_s / cached.makespan_s


@cache
def cpu_run(seed: int) -> tuple[float, float]:
    """Llama-3-8B on one H100 with the CPU time of vLLM 0.5.3 and of 0.6.0: throughput, TPOT.

    Before, the GPU worked 38 % of a step's time as profiled; afterwards `STEP_OVERHEAD_S`.
    """
    replica = Replica("H100-SXM", "llama-3-8b")
    requests = draw_requests(SHAREGPT, 500, seed)
    new = Engine("paged")
    busy = simulate(requests.all_at_once(), Engine("paged", step_overhead_s=0.0), replica)
    step_s = busy.busy_s / busy.iterations
    old = Engine("paged", step_overhead_s=step_s * (1 / VLLM_BUSY_SHARE - 1))
    faster = saturated_tokens_s(requests, new, replica) / saturated_tokens_s(requests, old, replica)
    load = requests.with_rate(32.0)
    tpot = [np.nanmean(simulate(load, engine, replica).tpot_s) for engine in (old, new)]
    return faster, float(tpot[0] / tpot[1])


def _disaggregated(prompt_gpu: str, decode_gpu: str, base_gpu: str, seed: int) -> float:
    return splitting_gain(
        "llama-2-70b", 8, prompt_gpu, decode_gpu, base_gpu, 0.5, 0.04, AZURE, seed
    )


def _mean(compute: Callable[[int], float]) -> float:
    """Mean over the seeds."""
    return float(np.mean([compute(seed) for seed in SEEDS]))


_A100, _H100 = "A100-80G-SXM", "H100-SXM"
_COMPUTED: dict[str, Callable[[], float]] = {
    "slots@opt-13b": lambda: slots("opt-13b"),
    "slots@opt-66b": lambda: slots("opt-66b"),
    "slots@opt-175b": lambda: slots("opt-175b"),
    "batch@orca-max": lambda: _mean(lambda s: opt_run("continuous", "max", s)[0]),
    "used@orca-max": lambda: _mean(lambda s: opt_run("continuous", "max", s)[1]),
    "used@orca-oracle": lambda: _mean(lambda s: opt_run("continuous", "pow2", s)[1]),
    "paged@orca-oracle": lambda: _mean(
        lambda s: opt_run("paged", "max", s)[2] / opt_run("continuous", "pow2", s)[2]
    ),
    "paged@orca-max": lambda: _mean(
        lambda s: opt_run("paged", "max", s)[2] / opt_run("continuous", "max", s)[2]
    ),
    "prompt@a100": lambda: splitwise_ratio(_A100, "prompt"),
    "prompt@h100": lambda: splitwise_ratio(_H100, "prompt"),
    "token@a100": lambda: splitwise_ratio(_A100, "token"),
    "token@h100": lambda: splitwise_ratio(_H100, "token"),
    "chunked@mistral-7b": lambda: _mean(lambda s: sarathi_gain("mistral-7b", 1, s)),
    "chunked@yi-34b": lambda: _mean(lambda s: sarathi_gain("yi-34b", 2, s)),
    "split@opt-13b": lambda: _mean(
        lambda s: splitting_gain("opt-13b", 1, _A100, _A100, _A100, 0.2, 0.1, SHAREGPT, s)
    ),
    "split@lower-cost": lambda: _mean(lambda s: _disaggregated(_H100, _A100, _H100, s)),
    "split@same-cost": lambda: _mean(lambda s: _disaggregated(_H100, _H100, _H100, s)),
    "iteration-level@gpt-3": lambda: _mean(orca_gain),
    "hits@few-shot": lambda: prefix_run()[0],
    "prefix@few-shot": lambda: prefix_run()[1],
    "cpu-throughput@llama-3-8b": lambda: _mean(lambda s: cpu_run(s)[0]),
    "cpu-tpot@llama-3-8b": lambda: _mean(lambda s: cpu_run(s)[1]),
}

_FRAMEWORK = (
    "the measured framework of 2023 has far slower kernels and more CPU time a step than this"
    " model, which times current kernels"
)
_LATENCY = (
    "mean time per token is ill-conditioned near saturation; the source prints neither the CPU time"
    " of the new version nor its waiting batch"
)
_WASTE = (
    "a buddy allocator also leaves holes between its pieces; the model's memory has no external"
    " fragmentation, and its lengths are log-normal, not ShareGPT's own"
)
_SPREAD = (
    "a mean of three seeds, which differ by up to a tenth: a narrow miss says nothing; lengths"
    " are log-normal with the source's median and 90th percentile"
)
# why a row may not be met
NOTES = {
    "prompt@a100": _FRAMEWORK,
    "prompt@h100": _FRAMEWORK,
    "token@a100": _FRAMEWORK,
    "token@h100": _FRAMEWORK,
    "cpu-throughput@llama-3-8b": _LATENCY,
    "cpu-tpot@llama-3-8b": _LATENCY,
    "used@orca-max": _WASTE,
    "used@orca-oracle": _WASTE,
    "paged@orca-oracle": _WASTE,
    "paged@orca-max": _WASTE,
    "chunked@mistral-7b": _SPREAD,
    "chunked@yi-34b": _SPREAD,
    "split@lower-cost": _SPREAD,
    "split@same-cost": _SPREAD,
    "split@opt-13b": (
        "answers are twice as long as prompts, so a mixed replica seldom stalls, while replicas for"
        " prompts leave their cache unused; the source's best case is another application"
    ),
}


def compute_published(rows: Sequence[Row]) -> dict[str, float]:
    """Compute each published row with the model's own constants; nothing is fitted to a row.

    What a source does not print is assumed and stands beside the function of the row.

    Raises
    ------
    InputError
        An id is unknown.
    """
    return compute_rows(rows, _COMPUTED)
