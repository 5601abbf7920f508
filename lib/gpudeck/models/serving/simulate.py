"""Serves requests: sorts them, checks that each fits, runs the engine, and collects the result."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.serving.engine import COUNT_MAX, Engine, require_count
from gpudeck.models.serving.kernel import (
    CHUNKED,
    CONTINUOUS,
    LEAST_OUTSTANDING,
    PAGED,
    PREFIX_AWARE,
    ROUND_ROBIN,
    ROW,
    Rules,
    Times,
    make_replicas,
    number_pieces,
    run_replicas,
)
from gpudeck.models.serving.log import RunLog
from gpudeck.models.serving.power import IDLE_SHARE, PREFILL_SHARE, decode_share
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.result import ServingResult, sum_spans
from gpudeck.models.serving.static.batches import run_batches
from gpudeck.workload.request import RequestTable

Router = Literal["round_robin", "least_outstanding", "prefix_aware"]
_ROUTERS = {
    "round_robin": ROUND_ROBIN,
    "least_outstanding": LEAST_OUTSTANDING,
    "prefix_aware": PREFIX_AWARE,
}
_POLICIES = {"paged": PAGED, "chunked": CHUNKED, "continuous": CONTINUOUS}


def simulate(
    requests: RequestTable,
    engine: Engine,
    replica: Replica,
    seed: int = 0,
    *,
    replicas: int = 1,
    router: Router = "round_robin",
    given_first_s: NDArray[np.float64] | None = None,
) -> ServingResult:
    """Serve requests on one replica, or on several behind a router.

    The run is deterministic: `seed` is taken for the interface that all models share. Requests are
    served in order of arrival, those that arrive together in the order of their rows.

    Parameters
    ----------
    requests
        n requests, in any order; results keep the order of the rows.
    engine, replica
        How requests are batched, and on what.
    replicas, router
        Number of replicas. Requests go round robin, to the replica with the fewest open requests,
        or to the one with the longest cached run of the prompt unless it is much busier.
    given_first_s
        Shape (n,): where a request's prompt has been computed elsewhere, when its first token came
        out; its cache then takes memory but no time here. NaN for all others.

    Raises
    ------
    InputError
        A request that is larger than the replica's memory (the message names its row, and the run
        is refused), static engines with several replicas, or a value out of range.

    Source: Yu et al., Orca, OSDI 2022 (continuous); Kwon et al., SOSP 2023 (paged); Agrawal et al.,
    Sarathi-Serve, OSDI 2024 (chunked).

    >>> table = RequestTable([0.0, 0.0], [100, 100], [5, 5])
    >>> result = simulate(table, Engine("chunked"), Replica("H100-SXM", "llama-2-7b"))
    >>> int(result.tokens.sum())
    208
    """
    _require_kinds(requests, engine, replica)
    if not isinstance(router, str) or router not in _ROUTERS:
        msg = f"router is {router!r}; allowed are {', '.join(_ROUTERS)}"
        raise InputError(msg)
    require_count("replicas", replicas)
    replicas = int(replicas)
    order = np.argsort(requests.arrival_s, kind="stable")
    # hashes may be many: not copied where nothing changes place
    ordered = requests if (np.diff(order) == 1).all() else requests.take(order)
    capacity = _capacity_tokens(engine, replica)
    reserve = _reserve_tokens(ordered, engine, replica)
    _require_fitting(ordered, order, reserve, engine, capacity)
    if engine.reforms:
        given = _given(requests, given_first_s)[order]
        columns = _run_iterations(
            ordered, engine, replica, capacity, reserve, replicas, router, given
        )
    else:
        if given_first_s is not None:
            msg = (
                f"given_first_s with policy {engine.policy!r}; allowed with continuous, paged and"
                " chunked"
            )
            raise InputError(msg)
        if replicas > 1:
            msg = f"replicas is {replicas} with policy {engine.policy!r}; allowed is 1"
            raise InputError(msg)
        columns = _run_static(ordered, engine, replica, capacity, reserve)
    segments = columns.pop("segments")
    back = np.empty_like(order)
    back[order] = np.arange(len(order))
    for name in ("first_token_s", "finish_s", "preemptions", "cached_tokens", "request_replica"):
        columns[name] = columns[name][back]
    return ServingResult(
        table=requests,
        engine=engine,
        replica=replica,
        replicas=replicas,
        segments=replace(segments, row=order[segments.row]),
        kv_capacity_tokens=capacity,
        energy_j=_energy_j(columns, replica, replicas, requests),
        **columns,
    )


def _require_kinds(requests: object, engine: object, replica: object) -> None:
    for name, value, kind in (
        ("requests", requests, RequestTable),
        ("engine", engine, Engine),
        ("replica", replica, Replica),
    ):
        if not isinstance(value, kind):
            msg = f"{name} is {value!r}; allowed is a {kind.__name__}"
            raise InputError(msg)


def _given(
    requests: RequestTable, given_first_s: NDArray[np.float64] | None
) -> NDArray[np.float64]:
    """First tokens that came out elsewhere; a request of one token has nothing left to serve."""
    n = len(requests.arrival_s)
    if given_first_s is None:
        return np.full(n, np.nan)
    try:
        given = np.asarray(given_first_s, float)
    except (TypeError, ValueError):
        msg = f"given_first_s is {given_first_s!r}; allowed are {n} numbers"
        raise InputError(msg) from None
    if given.shape != (n,):
        msg = f"given_first_s has shape {given.shape}; allowed is ({n},), a value for each request"
        raise InputError(msg)
    late = (given < 0) | (given > requests.arrival_s)
    for wrong, what in (
        (late, "allowed is from 0 to its arrival here"),
        (~np.isnan(given) & (requests.output_tokens == 1), "its only token; allowed are 2 or more"),
    ):
        if wrong.any():
            row = int(np.argmax(wrong))
            msg = f"row {row}: given_first_s is {given[row]}, {what}"
            raise InputError(msg)
    return given


def _capacity_tokens(engine: Engine, replica: Replica) -> int:
    """Tokens of cache on a replica: its blocks where they are given, its memory otherwise."""
    if engine.blocks is not None:
        return engine.blocks * engine.block_size
    if engine.contiguous:
        return int(replica.kv_capacity_tokens)
    return int(replica.blocks(engine.block_size)) * engine.block_size


def _reserve_tokens(requests: RequestTable, engine: Engine, replica: Replica) -> NDArray[np.int64]:
    """Tokens of memory that a contiguous engine reserves for each request."""
    total = requests.prompt_tokens + requests.output_tokens - 1
    if engine.reservation == "oracle" or not engine.contiguous or len(total) == 0:
        return total
    if engine.reservation == "pow2":
        return 2 ** np.ceil(np.log2(np.maximum(total, 1))).astype(np.int64)
    longest = engine.max_length or max(int(total.max()), 1)
    return np.full_like(total, longest)


def _require_fitting(
    requests: RequestTable,
    order: NDArray[np.int64],
    reserve: NDArray[np.int64],
    engine: Engine,
    capacity: int,
) -> None:
    total = requests.prompt_tokens + requests.output_tokens - 1
    holds = "the replica's cache holds"
    for values, most, verb, what in (
        (total, min(capacity, COUNT_MAX), "needs", holds),
        (total, engine.max_length if engine.contiguous else None, "needs", "max_length is"),
        (reserve, capacity, f"is given by reservation {engine.reservation!r}", holds),
    ):
        if most is not None and (values > most).any():
            at = int(np.argmax(values > most))
            msg = (
                f"row {order[at]}: a request of {requests.prompt_tokens[at]} prompt and"
                f" {requests.output_tokens[at]} output tokens {verb} {values[at]} tokens of cache,"
                f" {what} {most}; drop it, or give more memory, GPUs or blocks"
            )
            raise InputError(msg)


def _run_iterations(
    requests: RequestTable,
    engine: Engine,
    replica: Replica,
    capacity: int,
    reserve: NDArray[np.int64],
    replicas: int,
    router: Router,
    given: NDArray[np.float64],
) -> dict[str, Any]:
    """Run an engine that re-forms its batch; columns in order of arrival."""
    n = len(requests.arrival_s)
    hash_offsets, hashes, units, unit_blocks = _cache_units(requests, engine)
    block = 1 if engine.contiguous else engine.block_size
    prefilled = ~np.isnan(given)
    rows = np.zeros(n, ROW)
    rows["arrival"] = requests.arrival_s
    rows["context"] = requests.prompt_tokens
    rows["left"] = requests.output_tokens - prefilled
    rows["reserve"] = reserve
    rows["prefilled"] = prefilled
    rows["first"] = given
    rows["finish"] = np.nan
    rows["joined_s"] = -1.0
    blind = replicas == 1 or router == "round_robin"
    dealt = [np.arange(first, n, replicas) for first in range(replicas)] if blind else []
    chosen = np.arange(n) % replicas if blind else np.zeros(n, np.int64)
    rules = _rules(engine, capacity // block, unit_blocks, bool(prefilled.any()))
    longest = int(requests.output_tokens.max(initial=1))
    reps = make_replicas(rules, rows, hash_offsets, hashes, replicas, dealt, longest, units)
    wanted = int(requests.output_tokens.sum())
    done = np.empty(min(rules.max_batch, n) + 1, np.int64)
    log = RunLog(n, wanted, len(done), pushed=n if blind else 0)
    times = _times(replica)
    log.fill(
        lambda iterations, parts, reached: run_replicas(
            rules, times, rows, reps, _ROUTERS[router], chosen, iterations, parts, done, reached
        )
    )
    return {
        "first_token_s": rows["first"].copy(),
        "finish_s": rows["finish"].copy(),
        "preemptions": rows["preemptions"].copy(),
        "cached_tokens": rows["cached"].copy(),
        "request_replica": chosen,
        **log.columns(),
    }


def _cache_units(
    requests: RequestTable, engine: Engine
) -> tuple[NDArray[np.int64], NDArray[np.int32], int, int]:
    """Offsets and dense numbers of the hashed pieces, how many differ, and their blocks."""
    n = len(requests.arrival_s)
    tokens, offsets = requests.block_tokens, requests.hash_offsets
    if not engine.prefix_cache or requests.hashes is None or not tokens or offsets is None:
        return np.zeros(n + 1, np.int64), np.zeros(0, np.int32), 0, 1
    if tokens % engine.block_size:
        msg = (
            f"block_size is {engine.block_size}; allowed with these requests is a divisor of the"
            f" {tokens} tokens that each of their hashes covers"
        )
        raise InputError(msg)
    # what a prompt fills in part is not cached
    sizes = np.minimum(np.diff(offsets), requests.prompt_tokens // tokens)
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    count = int(ends[-1])
    numbers, firsts = np.empty(count, np.int32), np.empty(count, np.int32)
    table = np.full(2 ** (2 * count).bit_length(), -1, np.int32)
    distinct = number_pieces(offsets, requests.hashes, sizes, table, firsts, numbers)
    return ends, numbers, distinct, tokens // engine.block_size


def _rules(engine: Engine, blocks: int, unit_blocks: int, given: bool) -> Rules:
    adaptive = engine.adaptive
    max_batch = engine.max_batch
    if engine.policy == "chunked":
        max_batch = min(max_batch, engine.chunk_tokens)
    return Rules(
        policy=_POLICIES[engine.policy],
        max_batch=max_batch,
        max_batch_tokens=engine.max_batch_tokens,
        chunk_tokens=engine.chunk_tokens,
        block_size=1 if engine.contiguous else engine.block_size,
        blocks=blocks,
        watermark=0 if engine.contiguous else int(np.ceil(engine.watermark * blocks - 1e-9)),
        unit_blocks=unit_blocks,
        caching=engine.prefix_cache,
        given=given,
        overhead_s=float(engine.step_overhead_s),
        adaptive=adaptive is not None,
        objective_s=float(adaptive.objective_s) if adaptive else 1.0,
        increase=float(adaptive.increase) if adaptive else 1.0,
        decrease=float(adaptive.decrease) if adaptive else 0.5,
        window=adaptive.window if adaptive else 1,
        min_batch=min(adaptive.min_batch, max_batch) if adaptive else 1,
        start_batch=min(adaptive.start_batch, max_batch) if adaptive else 1,
    )


def _times(replica: Replica) -> Times:
    step = replica.step_time
    attention = (
        step.prefill_chunk_s,
        step.prefill_work_s,
        step.decode_step_s,
        step.decode_request_s,
        step.decode_token_s,
    )
    # copies, for what may not be written to would be compiled for once more
    return Times(
        np.array(step.linear_s, float), np.array(step.head_s, float), np.array(attention, float)
    )


def _run_static(
    requests: RequestTable,
    engine: Engine,
    replica: Replica,
    capacity: int,
    reserve: NDArray[np.int64],
) -> dict[str, Any]:
    """Run an engine that ends its batches; columns in order of arrival."""
    n = len(requests.arrival_s)
    first_s, finish_s, log = run_batches(requests, reserve, engine, capacity, _times(replica))
    return {
        "first_token_s": first_s,
        "finish_s": finish_s,
        "preemptions": np.zeros(n, np.int64),
        "cached_tokens": np.zeros(n, np.int64),
        "request_replica": np.zeros(n, np.int64),
        **log.columns(),
    }


def _energy_j(
    columns: dict[str, Any], replica: Replica, replicas: int, requests: RequestTable
) -> float:
    """Energy of the GPUs from the first arrival to the last token, in joules."""
    cap_w = (find_gpu(replica.gpu).tdp_w or 0.0) * replica.tensor_parallel
    if len(columns["end_s"]) == 0 or cap_w == 0:
        return 0.0
    busy = sum_spans(columns["start_s"], columns["end_s"])
    prompts = columns["prefill_s"].sum()
    span = columns["end_s"].max() - requests.arrival_s.min()
    idle = max(span * replicas - busy, 0.0)
    decode = busy - prompts
    shares = PREFILL_SHARE * prompts + decode_share(replica.tensor_parallel) * decode
    return float(cap_w * (shares + IDLE_SHARE * idle))
