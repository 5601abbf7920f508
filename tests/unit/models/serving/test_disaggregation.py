"""Prefill and decode pools with a link between them."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.serving.disaggregation import DisaggregatedResult, simulate_disaggregated
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.models.serving.step_time import StepTime
from gpudeck.workload.model import find_model
from gpudeck.workload.request import RequestTable

# 5 ms a step and 20 µs a token
_TOKENS = np.arange(4097)
STEP = StepTime(np.where(_TOKENS > 0, 0.005 + 2e-5 * _TOKENS, 0.0), np.zeros(2), 1e-5, 1e-9)
REPLICA = Replica("H100-SXM", "llama-2-7b", step_time=STEP)
PAGED = Engine("paged", step_overhead_s=0.0)


def make_requests(seed: int, count: int = 60, rate_per_s: float = 20.0) -> RequestTable:
    """Poisson arrivals with spread lengths, some answers of a single token."""
    rng = np.random.default_rng(seed)
    return RequestTable(
        np.cumsum(rng.exponential(1 / rate_per_s, count)),
        rng.integers(1, 3000, count),
        rng.integers(1, 80, count),
    )


def run_pools(
    requests: RequestTable, engine: Engine = PAGED, **options: object
) -> DisaggregatedResult:
    """Two and two replicas at 10 GB/s unless told otherwise."""
    told = {"prefill_replicas": 2, "decode_replicas": 2, "link_gb_s": 10.0, **options}
    return simulate_disaggregated(requests, engine, REPLICA, **told)  # type: ignore[arg-type]


def test_transfer_of_the_oracle(shared: Path) -> None:
    """640 MiB of a 70-billion-parameter model, over three links."""
    cases = json.loads((shared / "oracles" / "serving.json").read_text())
    case = next(case for case in cases if case["id"] == "O15")
    replica = Replica("H100-SXM", "llama-2-70b", 8, step_time=STEP)
    assert replica.kv_bytes_per_token == case["expect"]["kv_bytes_per_token"]
    table = RequestTable([0.0], [case["spec"]["prompt"]], [2])
    for rate, expected_ms in case["expect"]["transfer_ms"].items():
        for layerwise, share in ((False, 1), (True, 1 / case["spec"]["layers"])):
            run = simulate_disaggregated(
                table,
                PAGED,
                replica,
                prefill_replicas=1,
                decode_replicas=1,
                link_gb_s=float(rate),
                link_latency_s=0.0,
                layerwise=layerwise,
            )
            assert run.kv_bytes[0] == case["expect"]["kv_MiB"] * 2**20
            assert run.transfer_s[0] * 1e3 == pytest.approx(expected_ms * share, rel=1e-9)
            assert run.gpus == 16


def test_one_request_step_by_step() -> None:
    """First token, transfer, then a step for each further token."""
    run = run_pools(RequestTable([1.0], [1000], [3]), link_latency_s=0.001)
    first = 1.0 + 0.025 + 1e-5 + 0.5e-9 * 1000**2
    sent = 1000 * REPLICA.kv_bytes_per_token / 10e9 + 0.001
    assert run.first_token_s[0] == pytest.approx(first)
    assert run.transfer_s[0] == pytest.approx(sent)
    times = run.token_times(0)
    assert times == pytest.approx([first, first + sent + 0.00502, first + sent + 0.01004])
    assert run.finish_s[0] == times[-1]
    values, counts = run.gaps()
    assert sorted(np.repeat(values, counts)) == pytest.approx([0.00502, sent + 0.00502])


def test_transfers_queue_on_a_link() -> None:
    """Two caches at once take their turns; with a replica each they do not."""
    table = RequestTable([0.0, 0.0], [1000, 500], [2, 2])
    spent = np.array([1000, 500]) * REPLICA.kv_bytes_per_token / 10e9
    both = run_pools(table, prefill_replicas=1, link_latency_s=0.0)
    assert both.transfer_s == pytest.approx(np.cumsum(spent))
    each = run_pools(table, prefill_replicas=2, link_latency_s=0.0)
    assert each.transfer_s == pytest.approx(spent)
    assert both.link_busy_s == pytest.approx([spent.sum()])


def test_layer_by_layer_waits_for_a_slow_link() -> None:
    """The link may work from the start of the prompt on, but not faster than it can."""
    table = RequestTable([0.0], [1000], [2])
    slow = run_pools(table, layerwise=True, link_gb_s=1.0, link_latency_s=0.0)
    spent = 1000 * REPLICA.kv_bytes_per_token / 1e9
    assert slow.transfer_s[0] == pytest.approx(spent - slow.first_token_s[0])


def test_a_chunked_prompt_is_sent_from_its_first_chunk_on() -> None:
    """The start of a prompt is told by the tokens before it."""
    engine = Engine("chunked", chunk_tokens=100, step_overhead_s=0.0)
    table = RequestTable([0.0, 0.0], [250, 300], [2, 2])
    run = run_pools(
        table, engine, prefill_replicas=1, layerwise=True, link_gb_s=2.0, link_latency_s=0
    )
    spent = np.array([250, 300]) * REPLICA.kv_bytes_per_token / 2e9
    begins = [0.0, run.prefill.start_s[2]]
    first_end = max(begins[0] + spent[0], run.first_token_s[0] + spent[0] / 32)
    second_end = max(first_end, begins[1]) + spent[1]
    assert run.first_token_s + run.transfer_s == pytest.approx([first_end, second_end])


@settings(max_examples=30, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    policy=st.sampled_from(["paged", "chunked", "continuous"]),
    layerwise=st.booleans(),
    pools=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    link_gb_s=st.sampled_from([0.5, 10.0, 400.0, np.inf]),
    router=st.sampled_from(["round_robin", "least_outstanding", "prefix_aware"]),
)
def test_bytes_and_order(
    seed: int,
    policy: str,
    layerwise: bool,
    pools: tuple[int, int],
    link_gb_s: float,
    router: str,
) -> None:
    """Every cache is sent once, nothing decodes before it has come, no token is lost."""
    table = make_requests(seed)
    run = run_pools(
        table,
        Engine(policy),
        prefill_replicas=pools[0],
        decode_replicas=pools[1],
        layerwise=layerwise,
        link_gb_s=link_gb_s,
        router=router,
    )
    several = table.output_tokens > 1
    assert run.kv_bytes.sum() == table.prompt_tokens[several].sum() * REPLICA.kv_bytes_per_token
    assert run.link_busy_s.sum() == pytest.approx(run.kv_bytes.sum() / (link_gb_s * 1e9))
    assert (run.transfer_s[several] > 0).all()
    assert (run.transfer_s[~several] == 0).all()
    assert (run.finish_s[~several] == run.first_token_s[~several]).all()
    ready = run.first_token_s + run.transfer_s
    values, counts = run.gaps()
    assert counts.sum() == (table.output_tokens - 1).sum()
    assert values @ counts == pytest.approx((run.finish_s - run.first_token_s).sum())
    for row in range(len(table)):
        times = run.token_times(row)
        assert len(times) == table.output_tokens[row]
        if several[row]:
            assert times[1] > ready[row]
    if not layerwise:
        alone = run.kv_bytes / (link_gb_s * 1e9)
        assert (run.transfer_s >= alone - 1e-12).all()
    assert 0 < run.busy_fraction <= 1
    assert run.energy_j >= run.prefill.energy_j + run.decode.energy_j


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_layer_by_layer_never_takes_longer(seed: int) -> None:
    """Overlap only takes away; the last layer's share stays."""
    table = make_requests(seed)
    whole, layered = run_pools(table), run_pools(table, layerwise=True)
    assert (layered.first_token_s == whole.first_token_s).all()
    assert (layered.transfer_s <= whole.transfer_s + 1e-12).all()
    last = layered.kv_bytes / 10e9 / find_model("llama-2-7b").layers
    assert (layered.transfer_s >= last - 1e-12).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), replicas=st.integers(1, 3))
def test_first_tokens_are_those_of_prefill_alone(seed: int, replicas: int) -> None:
    """An infinite link and a decode replica for each request change no first token."""
    table = make_requests(seed, 30)
    run = run_pools(
        table,
        prefill_replicas=replicas,
        decode_replicas=len(table),
        link_gb_s=np.inf,
        link_latency_s=0.0,
    )
    alone = RequestTable(table.arrival_s, table.prompt_tokens, np.ones(len(table), int))
    prefill = simulate(alone, PAGED, REPLICA, replicas=replicas)
    assert (run.ttft_s == prefill.ttft_s).all()
    assert (run.transfer_s == 0).all()
    # each decodes alone, a step after the other
    assert run.finish_s == pytest.approx(
        prefill.first_token_s + 0.00502 * (table.output_tokens - 1)
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), layerwise=st.booleans())
def test_order_of_rows_changes_nothing(seed: int, layerwise: bool) -> None:
    """A request's times are its own, wherever its row stands."""
    table = make_requests(seed)
    order = np.random.default_rng(seed).permutation(len(table))
    run = run_pools(table, layerwise=layerwise)
    shuffled = run_pools(table.take(order), layerwise=layerwise)
    for name in ("first_token_s", "transfer_s", "finish_s", "kv_bytes", "preemptions"):
        assert (getattr(shuffled, name) == getattr(run, name)[order]).all()
    assert shuffled.energy_j == pytest.approx(run.energy_j)


def test_a_preempted_request_is_recomputed_where_it_decodes() -> None:
    """A decode pool with little memory sends nothing back."""
    table = RequestTable([0.0, 0.01], [40, 40], [50, 50])
    run = run_pools(
        table,
        decode_replicas=1,
        decode_engine=Engine("paged", blocks=7, watermark=0.0, step_overhead_s=0.0),
    )
    assert run.preemptions.sum() == 1
    assert run.decode.prefill_tokens.sum() > 40
    assert [len(run.token_times(row)) for row in range(2)] == [50, 50]


def test_single_tokens_need_no_decode_pool() -> None:
    """All that want one token end where they began."""
    run = run_pools(RequestTable([0.0, 1.0], [10, 20], [1, 1]))
    assert (run.finish_s == run.first_token_s).all()
    assert run.decode.iterations == 0
    assert run.gaps()[1].sum() == 0
    assert np.isnan(run.tpot_s).all()


def test_nothing_to_serve() -> None:
    """No request, no time, no energy."""
    run = run_pools(RequestTable([], [], []))
    assert (run.makespan_s, run.energy_j, run.busy_fraction) == (0.0, 0.0, 0.0)


def test_pools_may_differ() -> None:
    """GPUs are counted with each pool's own degree of tensor parallelism."""
    other = Replica("H100-SXM", "llama-2-7b", 2, step_time=STEP)
    run = run_pools(RequestTable([0.0], [10], [2]), decode_replica=other)
    assert run.gpus == 2 + 2 * 2


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"link_gb_s": 0.0}, "link_gb_s is 0.0"),
        ({"link_gb_s": np.nan}, "link_gb_s is nan"),
        ({"link_latency_s": -1.0}, "link_latency_s is -1.0"),
        ({"link_latency_s": np.inf}, "link_latency_s is inf"),
        ({"engine": Engine("static")}, "engine has policy 'static'"),
        ({"decode_engine": Engine("dynamic")}, "decode_engine has policy 'dynamic'"),
        ({"prefill_replicas": 0}, "replicas is 0"),
        ({"decode_replica": Replica("H100-SXM", "llama-3-8b", step_time=STEP)}, "llama-3-8b"),
    ],
)
def test_values_out_of_range_are_refused(options: dict, told: str) -> None:
    """The message names the field, the value and what is allowed."""
    with pytest.raises(InputError, match=told):
        run_pools(RequestTable([0.0], [10], [2]), **options)
