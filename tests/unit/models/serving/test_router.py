"""Replicas behind a router."""

import numpy as np
import pytest

from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.kernel import PREFIX_IMBALANCE
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.result import ServingResult
from gpudeck.models.serving.simulate import simulate
from gpudeck.models.serving.step_time import StepTime
from gpudeck.workload.request import RequestTable

# 5 ms a step and 20 µs a token
_TOKENS = np.arange(4097)
STEP = StepTime(np.where(_TOKENS > 0, 0.005 + 2e-5 * _TOKENS, 0.0), np.zeros(2), 1e-5, 1e-9)
REPLICA = Replica("H100-SXM", "llama-2-7b", step_time=STEP)
ROUTERS = ("round_robin", "least_outstanding", "prefix_aware")
CACHING = Engine("chunked", prefix_cache=True)
# batches so small that requests wait for each other
SMALL = Engine("paged", max_batch=2)


def make_bursts(seed: int) -> RequestTable:
    """Bursts of 20 requests in a second, one in five of them long."""
    rng = np.random.default_rng(seed)
    start = np.repeat(np.arange(15) * 1.5, 20)
    long = rng.random(300) < 0.2
    return RequestTable(
        start + rng.uniform(0, 1.0, 300),
        np.where(long, 3500, 60),
        np.where(long, 250, 10),
    )


def make_sessions(seed: int, sessions: int = 30, turns: int = 6) -> RequestTable:
    """Conversations: each turn's prompt begins with the whole prompt of the turn before."""
    rng = np.random.default_rng(seed)
    arrival_s, prompt, hashes = [], [], []
    for session in range(sessions):
        at = rng.uniform(0, 5)
        for turn in range(turns):
            blocks = 10 * (turn + 1)
            arrival_s.append(at)
            prompt.append(16 * blocks + 5)
            hashes.append(session * 1000 + np.arange(blocks))
            at += rng.uniform(1, 3)
    count = len(prompt)
    return RequestTable(arrival_s, prompt, rng.integers(5, 40, count), hashes, 16)


def serve(
    table: RequestTable, router: str, engine: Engine = CACHING, replicas: int = 4
) -> ServingResult:
    """Run four replicas behind a router."""
    return simulate(table, engine, REPLICA, replicas=replicas, router=router)


@pytest.mark.parametrize("router", ROUTERS)
@pytest.mark.parametrize("policy", ["continuous", "paged", "chunked"])
def test_no_request_is_lost(router: str, policy: str) -> None:
    """Each is served once, on the replica that it was given to, with all of its tokens."""
    table = make_bursts(0)
    run = serve(table, router, Engine(policy))
    assert np.isfinite(run.finish_s).all()
    assert np.bincount(run.request_replica, minlength=4).sum() == len(table)
    assert run.prefill_tokens.sum() >= table.prompt_tokens.sum()
    for row in range(0, len(table), 7):
        assert len(run.token_times(row)) == table.output_tokens[row]
    assert (run.segments.replica == run.request_replica[run.segments.row]).all()


def test_round_robin_deals_in_order_of_arrival() -> None:
    """The i-th to arrive goes to replica i modulo their number."""
    table = make_bursts(1)
    run = serve(table, "round_robin")
    rank = np.argsort(np.argsort(table.arrival_s, kind="stable"))
    assert (run.request_replica == rank % 4).all()
    assert np.bincount(run.request_replica).tolist() == [75] * 4


def test_round_robin_replicas_are_independent() -> None:
    """Each serves its share as if it were alone."""
    table = make_bursts(2)
    run = serve(table, "round_robin")
    for replica in range(4):
        rows = np.flatnonzero(run.request_replica == replica)
        alone = simulate(table.take(rows), CACHING, REPLICA)
        assert (alone.finish_s == run.finish_s[rows]).all()


@pytest.mark.parametrize("seed", range(5))
def test_least_outstanding_begins_sooner_than_round_robin(seed: int) -> None:
    """Where requests wait for long ones, they do not gather behind them."""
    table = make_bursts(seed)
    blind, looking = (serve(table, router, SMALL).ttft_s.mean() for router in ROUTERS[:2])
    assert looking < blind


def test_least_outstanding_takes_the_replica_with_the_fewest_open_requests() -> None:
    """At each arrival, counted from the finished run; of equal ones the first.

    An iteration that has begun counts as done.
    """
    table = make_bursts(3)
    run = serve(table, "least_outstanding", SMALL)
    last_start_s = np.empty(len(table))
    for row, (end, replica) in enumerate(zip(run.finish_s, run.request_replica, strict=True)):
        mine = (run.end_s == end) & (run.iteration_replica == replica)
        last_start_s[row] = run.start_s[mine].min()
    order = np.argsort(table.arrival_s, kind="stable")
    for place, row in enumerate(order):
        before = order[:place]
        still = before[last_start_s[before] >= table.arrival_s[row]]
        counts = np.bincount(run.request_replica[still], minlength=4)
        assert run.request_replica[row] == np.argmin(counts)


@pytest.mark.parametrize("seed", range(3))
def test_prefix_aware_hits_more_than_round_robin(seed: int) -> None:
    """A conversation stays where its prompt is cached."""
    table = make_sessions(seed)
    hits = {router: int(serve(table, router).cached_tokens.sum()) for router in ROUTERS}
    assert hits["prefix_aware"] > 1.5 * hits["round_robin"]
    assert hits["prefix_aware"] > hits["least_outstanding"]
    # one replica finds all that any number can
    alone = int(serve(table, "round_robin", replicas=1).cached_tokens.sum())
    assert hits["prefix_aware"] <= alone


def test_prefix_aware_does_not_crowd_one_replica() -> None:
    """All begin alike, but a replica much busier than the idlest gets no more."""
    count = 80
    hashes = [np.append(np.arange(20), 100 + row) for row in range(count)]
    arrival_s = np.r_[0.0, 1.0 + np.arange(count - 1) * 1e-6]
    table = RequestTable(arrival_s, [16 * 21] * count, [100] * count, hashes, 16)
    run = serve(table, "prefix_aware")
    shares = np.bincount(run.request_replica[1:], minlength=4)
    assert shares.min() > 0
    assert shares.max() <= shares.min() + PREFIX_IMBALANCE + 1


def test_without_hashes_prefix_aware_looks_at_load_alone() -> None:
    """Nothing is cached, so the fewest open requests decide."""
    table = make_bursts(4)
    runs = [serve(table, router, Engine()) for router in ROUTERS[1:]]
    assert (runs[0].request_replica == runs[1].request_replica).all()
    assert (runs[0].finish_s == runs[1].finish_s).all()


@pytest.mark.parametrize("router", ROUTERS)
def test_order_of_rows_changes_nothing(router: str) -> None:
    """A request's times are its own, wherever its row stands."""
    table = make_sessions(1)
    order = np.random.default_rng(0).permutation(len(table))
    run, shuffled = serve(table, router), serve(table.take(order), router)
    for name in ("first_token_s", "finish_s", "cached_tokens", "request_replica"):
        assert (getattr(shuffled, name) == getattr(run, name)[order]).all()
