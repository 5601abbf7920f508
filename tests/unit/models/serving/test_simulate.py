"""What holds for every engine: nothing is lost, nothing is over-committed, units do not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.serving.engine import Adaptive, Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.result import ServingResult
from gpudeck.models.serving.simulate import simulate
from gpudeck.models.serving.step_time import StepTime
from gpudeck.workload.request import RequestTable

_TOKENS = np.arange(4097)
STEP = StepTime(
    np.where(_TOKENS > 0, 0.005 + 2e-5 * _TOKENS, 0.0),
    1e-5 * np.arange(300),
    1e-5, 1e-9, 1e-4, 1e-5, 1e-8,
)  # fmt: skip
REPLICA = Replica("H100-SXM", "llama-2-7b", step_time=STEP)
# memory for a few requests of up to 640 tokens
BLOCKS = 150
ADAPTIVE = Adaptive(0.01, increase=1, window=4, start_batch=4)
ENGINES = {
    "static": Engine("static", max_batch=8, blocks=BLOCKS, reservation="max"),
    "dynamic": Engine("dynamic", max_batch=8, blocks=BLOCKS, reservation="pow2"),
    "buckets": Engine("dynamic", blocks=BLOCKS, buckets=(50, 200), reservation="oracle"),
    "max": Engine("continuous", blocks=BLOCKS, reservation="max"),
    "pow2": Engine("continuous", blocks=BLOCKS, reservation="pow2"),
    "oracle": Engine("continuous", blocks=BLOCKS, reservation="oracle"),
    "paged": Engine("paged", blocks=BLOCKS),
    "chunked": Engine("chunked", blocks=BLOCKS, chunk_tokens=128),
    "adaptive": Engine("chunked", blocks=BLOCKS, adaptive=ADAPTIVE),
    "cache": Engine("chunked", blocks=BLOCKS, prefix_cache=True),
    "paged cache": Engine("paged", blocks=BLOCKS, prefix_cache=True),
}
every_engine = pytest.mark.parametrize("engine", ENGINES.values(), ids=ENGINES)


def make_requests(seed: int, count: int = 40, rate_per_s: float = 20.0) -> RequestTable:
    """Poisson arrivals; half of the prompts begin alike."""
    rng = np.random.default_rng(seed)
    prompt = rng.integers(1, 320, count)
    hashes = [
        np.arange(tokens // 16) + (0 if row % 2 else 1000 * (row + 1))
        for row, tokens in enumerate(prompt)
    ]
    return RequestTable(
        np.cumsum(rng.exponential(1 / rate_per_s, count)),
        prompt,
        np.where(rng.random(count) < 0.1, 1, rng.integers(1, 320, count)),
        hashes,
    )


def replicas_of(engine: Engine) -> int:
    """Two where an engine may have them."""
    return 2 if engine.reforms else 1


def serve(table: RequestTable, engine: Engine, replica: Replica = REPLICA) -> ServingResult:
    """Run an engine behind the router that looks at everything."""
    return simulate(table, engine, replica, replicas=replicas_of(engine), router="prefix_aware")


@every_engine
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_order_of_rows_changes_nothing(engine: Engine, seed: int) -> None:
    """A request's times are its own, wherever its row stands."""
    table = make_requests(seed)
    order = np.random.default_rng(seed).permutation(len(table))
    run, shuffled = serve(table, engine), serve(table.take(order), engine)
    for name in ("first_token_s", "finish_s", "preemptions", "cached_tokens", "request_replica"):
        assert (getattr(shuffled, name) == getattr(run, name)[order]).all(), name
    for name in ("start_s", "end_s", "tokens", "kv_tokens", "kv_live_tokens", "prefill_s"):
        assert (getattr(shuffled, name) == getattr(run, name)).all(), name
    assert (shuffled.token_times(0) == run.token_times(int(order[0]))).all()


def slow_down(engine: Engine, factor: float) -> Engine:
    """Stretch all times of an engine."""
    adaptive = engine.adaptive
    if adaptive:
        adaptive = replace(adaptive, objective_s=adaptive.objective_s * factor)
    return replace(
        engine,
        step_overhead_s=engine.step_overhead_s * factor,
        max_delay_s=engine.max_delay_s * factor,
        adaptive=adaptive,
    )


@every_engine
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000), factor=st.sampled_from([0.25, 2.0, 1024.0]))
def test_a_longer_second_changes_nothing_else(engine: Engine, seed: int, factor: float) -> None:
    """All times in, all times out; exact, for a power of two loses no digit."""
    table = make_requests(seed)
    step = StepTime(
        STEP.linear_s * factor,
        STEP.head_s * factor,
        STEP.prefill_chunk_s * factor,
        STEP.prefill_work_s * factor,
        STEP.decode_step_s * factor,
        STEP.decode_request_s * factor,
        STEP.decode_token_s * factor,
    )
    run = serve(table, engine)
    slow = serve(
        table.at_times(table.arrival_s * factor),
        slow_down(engine, factor),
        Replica("H100-SXM", "llama-2-7b", step_time=step),
    )
    for name in ("ttft_s", "e2e_s", "start_s", "end_s", "prefill_s"):
        assert (getattr(slow, name) == getattr(run, name) * factor).all(), name
    assert np.array_equal(slow.tpot_s, run.tpot_s * factor, equal_nan=True)
    assert (slow.gaps()[0] == run.gaps()[0] * factor).all()
    assert (slow.tokens == run.tokens).all()
    assert slow.energy_j == pytest.approx(run.energy_j * factor)


@every_engine
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), rate_per_s=st.sampled_from([2.0, 20.0, 1000.0]))
def test_every_token_comes_out_once(engine: Engine, seed: int, rate_per_s: float) -> None:
    """Whatever is preempted; and all gaps are those between tokens."""
    table = make_requests(seed, rate_per_s=rate_per_s)
    run = serve(table, engine)
    assert np.isfinite(run.finish_s).all()
    times = [run.token_times(row) for row in range(len(table))]
    assert [len(each) for each in times] == table.output_tokens.tolist()
    assert all((np.diff(each) > 0).all() for each in times)
    assert (run.first_token_s == [each[0] for each in times]).all()
    assert (run.first_token_s > table.arrival_s).all()
    values, counts = run.gaps()
    assert counts.sum() == (table.output_tokens - 1).sum()
    lasts = np.array([each[-1] for each in times])
    assert values @ counts == pytest.approx((lasts - run.first_token_s).sum())
    if engine.reforms:
        np.testing.assert_allclose(run.finish_s, lasts)
    # what was computed: each prompt, but what was cached, and once more after a preemption
    computed = run.prefill_tokens.sum() + run.cached_tokens.sum()
    assert computed >= table.prompt_tokens.sum()
    if run.preemptions.sum() == 0:
        assert computed == table.prompt_tokens.sum()
        assert run.decodes.sum() == table.output_tokens.sum() - len(table)


@every_engine
@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_memory_is_never_over_committed(engine: Engine, seed: int) -> None:
    """Live tokens within the allocated, allocated within the blocks, on each replica."""
    run = serve(make_requests(seed, rate_per_s=500.0), engine)
    assert run.kv_capacity_tokens == BLOCKS * 16
    assert (run.kv_tokens <= run.kv_capacity_tokens).all()
    assert (run.kv_live_tokens <= run.kv_tokens).all()
    assert (run.kv_live_tokens > 0).all()
    assert (run.requests <= run.cap + (engine.adaptive is not None) * 256).all()
    if not engine.contiguous:
        assert (run.kv_tokens % 16 == 0).all()


@every_engine
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_little_from_empty_to_empty(engine: Engine, seed: int) -> None:
    """Requests in the system, over time, are the sum of their latencies."""
    table = make_requests(seed)
    run = serve(table, engine)
    count = len(table)
    moments = np.concatenate([table.arrival_s, run.finish_s])
    order = np.argsort(moments, kind="stable")
    inside = np.cumsum(np.repeat([1, -1], count)[order])
    assert inside[-1] == 0
    area = (inside[:-1] * np.diff(moments[order])).sum()
    assert area == pytest.approx(run.e2e_s.sum())


@every_engine
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_with_everything_queued_a_replica_is_always_busy(engine: Engine, seed: int) -> None:
    """One iteration follows the other without a gap, once the delay of a dynamic one is over."""
    table = make_requests(seed).all_at_once()
    run = simulate(table, replace(engine, max_delay_s=0.0), REPLICA)
    assert (run.start_s[1:] == run.end_s[:-1]).all()
    assert run.busy_fraction == pytest.approx(1.0, rel=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_blocks_let_more_run_than_contiguous_memory(seed: int) -> None:
    """The same memory, everything queued, room reserved for the longest that may come."""
    table = make_requests(seed).all_at_once()
    whole = replace(ENGINES["max"], max_length=640)
    runs = [simulate(table, each, REPLICA) for each in (ENGINES["paged"], whole)]
    paged, contiguous = runs
    assert contiguous.requests.max() <= BLOCKS * 16 // 640
    assert paged.requests.max() >= contiguous.requests.max()
    assert paged.mean_decodes() > contiguous.mean_decodes()
    assert paged.makespan_s < contiguous.makespan_s


@pytest.mark.parametrize("policy", ["paged", "chunked"])
def test_preemption_happens_and_loses_nothing(policy: str) -> None:
    """Answers outgrow the memory that their prompts were admitted to."""
    table = RequestTable(np.arange(30) / 100, np.full(30, 20), np.full(30, 300))
    run = simulate(table, replace(ENGINES[policy], watermark=0.0), REPLICA)
    assert run.preemptions.sum() > 0
    assert run.preemptions[0] == 0
    assert [len(run.token_times(row)) for row in range(30)] == [300] * 30


@every_engine
def test_no_requests_no_iterations(engine: Engine) -> None:
    """Nothing comes, nothing is divided by it."""
    run = serve(RequestTable([], [], []), engine)
    assert (run.iterations, run.makespan_s, run.busy_fraction, run.mean_decodes()) == (0, 0, 0, 0)
    assert run.energy_j == 0
    assert len(run.gaps()[0]) == 0


def test_steps_of_no_time_end() -> None:
    """Tokens come out at once; nothing is divided by the time."""
    idle = StepTime(np.zeros(2), np.zeros(2))
    replica = Replica("H100-SXM", "llama-2-7b", step_time=idle)
    for engine in ENGINES.values():
        free = replace(engine, step_overhead_s=0.0, max_delay_s=0.0)
        run = simulate(RequestTable([0.0], [5], [7]), free, replica)
        assert (run.finish_s[0], run.busy_fraction, run.mean_decodes()) == (0, 0, 0)


@every_engine
def test_a_request_larger_than_the_memory_is_named(engine: Engine) -> None:
    """By its row in the table, not by its place in the order of arrival."""
    table = RequestTable([2.0, 1.0, 3.0], [10, 10, BLOCKS * 16], [1, 1, 2])
    with pytest.raises(InputError, match=r"row 2: .* needs 2401 tokens of cache, .* holds 2400"):
        serve(table, engine)


@every_engine
def test_a_request_as_large_as_the_memory_is_served(engine: Engine) -> None:
    """Alone, whatever the watermark."""
    table = RequestTable([0.0, 0.0, 0.1], [10, BLOCKS * 16 - 48, 10], [3, 49, 3])
    if engine.reservation == "pow2" and engine.contiguous:
        with pytest.raises(InputError, match="reservation 'pow2' 4096 tokens"):
            serve(table, engine)
        return
    run = serve(table, engine)
    assert np.isfinite(run.finish_s).all()


def test_a_request_longer_than_the_reservation_is_named() -> None:
    """Contiguous engines hold `max_length` tokens for each."""
    table = RequestTable([0.0], [100], [30])
    with pytest.raises(InputError, match=r"row 0: .* needs 129 tokens of cache, max_length is 128"):
        simulate(table, Engine("continuous", max_length=128), REPLICA)


TABLE = RequestTable([0.0, 1.0], [10, 20], [5, 6])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"replicas": 0}, "replicas is 0; allowed is a whole number from 1"),
        ({"replicas": 1.5}, "replicas is 1.5"),
        ({"replicas": True}, "replicas is True"),
        ({"router": "random"}, "router is 'random'; allowed are round_robin"),
        ({"router": None}, "router is None"),
        ({"given_first_s": np.zeros(3)}, r"given_first_s has shape \(3,\); allowed is \(2,\)"),
        ({"given_first_s": "soon"}, "given_first_s is 'soon'; allowed are 2 numbers"),
        ({"given_first_s": np.array([0.0, 1.5])}, "row 1: given_first_s is 1.5"),
        ({"given_first_s": np.array([-1.0, 0.0])}, "row 0: given_first_s is -1"),
    ],
)
def test_bad_options_are_named(options: dict, told: str) -> None:
    """Name, value, and what is allowed."""
    with pytest.raises(InputError, match=told):
        simulate(TABLE, Engine(), REPLICA, **options)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (([1, 2], Engine(), REPLICA), r"requests is \[1, 2\]; allowed is a RequestTable"),
        ((TABLE, "paged", REPLICA), "engine is 'paged'; allowed is a Engine"),
        ((TABLE, Engine(), "H100-SXM"), "replica is 'H100-SXM'; allowed is a Replica"),
    ],
)
def test_wrong_kinds_are_named(arguments: tuple, told: str) -> None:
    """No traceback from inside."""
    with pytest.raises(InputError, match=told):
        simulate(*arguments)


def test_there_is_no_row_beyond_the_last() -> None:
    """Not an empty answer."""
    run = simulate(TABLE, Engine(), REPLICA)
    for row in (-1, 2):
        with pytest.raises(InputError, match=f"row is {row}; allowed are 0 to 1"):
            run.token_times(row)


def test_a_result_has_the_columns_that_the_interface_tells() -> None:
    table = RequestTable([0.0, 0.0], [100, 50], [3, 2])
    run = simulate(table, Engine("chunked", chunk_tokens=512), Replica("H100-SXM", "llama-2-7b"))
    assert run.table is table
    assert run.requests.tolist() == [2, 2, 1]
    assert run.tokens.tolist() == [150, 2, 1]
    assert run.prefill_tokens.tolist() == [150, 0, 0]
    for name in ("start_s", "end_s", "requests", "tokens", "prefill_tokens", "kv_tokens"):
        assert getattr(run, name).shape == (3,)
    for name in ("first_token_s", "finish_s", "preemptions"):
        assert getattr(run, name).shape == (2,)
