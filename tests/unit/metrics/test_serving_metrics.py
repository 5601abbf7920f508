"""The nine metrics against closed forms, and the checks between them on every engine."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.metrics import (
    DEFINITIONS,
    FURTHER,
    Check,
    Objectives,
    check_run,
    measure_serving,
)
from gpudeck.metrics.economy import energy_j, tokens_per_joule, tokens_per_usd
from gpudeck.metrics.efficiency import effective_prefill_efficiency, prefill_efficiency
from gpudeck.metrics.latency import summarise_latency
from gpudeck.metrics.throughput import measure_goodput, measure_throughput
from gpudeck.models.serving import (
    Engine,
    Replica,
    RequestTable,
    ServingResult,
    StepTime,
    simulate,
)
from gpudeck.units import UNITS
from gpudeck.workload.model import find_model

POLICIES = ("static", "dynamic", "continuous", "paged", "chunked")
# 1 ms for a step and 20 µs for each of its tokens
STEP = StepTime(np.r_[0.0, 0.001 + 2e-5 * np.arange(1, 5001)], np.zeros(2))
REPLICA = Replica("H100-SXM", "llama-2-7b", step_time=STEP)


def serve(
    arrival: list[float], prompt: list[int], output: list[int], policy: str = "chunked"
) -> ServingResult:
    engine = Engine(policy, step_overhead_s=0.0, max_delay_s=0.05)  # type: ignore[arg-type]
    return simulate(RequestTable(arrival, prompt, output), engine, REPLICA)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(st.floats(-1e3, 1e3), st.integers(0, 6)), min_size=1, max_size=20).filter(
        lambda pairs: any(count for _, count in pairs)
    )
)
def test_quantiles_are_those_of_the_values_written_out(pairs: list[tuple[float, int]]) -> None:
    values, counts = (np.array(column) for column in zip(*pairs, strict=True))
    summary = summarise_latency(np.append(values, np.nan), np.append(counts, 3))
    written = np.repeat(values, counts)
    wanted = np.quantile(written, (0.5, 0.9, 0.99), method="inverted_cdf")
    assert [summary.p50_s, summary.p90_s, summary.p99_s] == wanted.tolist()
    assert summary.mean_s == pytest.approx(written.mean(), abs=1e-9)


def test_a_quantile_is_a_latency_that_was_measured() -> None:
    assert summarise_latency(np.array([1.0, 2.0])).p50_s == 1.0


def test_nothing_measured_has_no_latency() -> None:
    assert np.isnan(summarise_latency(np.array([np.nan])).p99_s)


def test_one_request_by_hand() -> None:
    run = serve([0.0], [100], [5])
    metrics = measure_serving(run, Objectives(1.0, 1.0), 3.6)
    # a step of 100 tokens, then four of one
    first, later = 0.001 + 100 * 2e-5, 0.001 + 2e-5
    span = first + 4 * later
    flop = 2 * find_model("llama-2-7b").active_parameters
    assert metrics.ttft.p50_s == pytest.approx(first)
    assert metrics.tbt.p99_s == pytest.approx(later)
    assert metrics.tpot.mean_s == pytest.approx(later)
    assert metrics.throughput == pytest.approx(5 / span)
    assert metrics.goodput == pytest.approx(1 / span)
    assert metrics.busy == pytest.approx(1.0)
    assert metrics.mfu == pytest.approx(flop * 104 / (span * REPLICA.peak_flops))
    assert metrics.prefill_efficiency == pytest.approx(flop * 100 / (first * REPLICA.peak_flops))
    assert metrics.decoding_parallelism == pytest.approx(4 * later / span)
    # 3.6 dollars an hour are a thousandth of a dollar a second
    assert metrics.tokens_per_usd == pytest.approx(5 / span * 1000)
    assert metrics.tokens_per_joule == pytest.approx(5 / run.energy_j)


def test_a_reservation_is_overhead_and_a_block_hardly() -> None:
    sizes = [200] * 20 + [3000], [50] * 20 + [500]
    arrival = [0.0] * 21
    objectives = Objectives(1.0, 1.0)
    reserved = measure_serving(serve(arrival, *sizes, policy="continuous"), objectives, 1.0)
    paged = measure_serving(serve(arrival, *sizes, policy="paged"), objectives, 1.0)
    assert paged.cache_overhead < 0.1
    assert reserved.cache_overhead > 0.5
    assert 0 < paged.memory_overhead < reserved.memory_overhead < reserved.cache_overhead


requests = st.lists(
    st.tuples(st.floats(0, 2), st.integers(1, 600), st.integers(1, 60)), min_size=1, max_size=25
)


@settings(max_examples=30, deadline=None)
@given(requests, st.sampled_from(POLICIES))
def test_the_checks_hold_and_shares_are_shares(
    rows: list[tuple[float, int, int]], policy: str
) -> None:
    arrival, prompt, output = (list(column) for column in zip(*rows, strict=True))
    run = serve(arrival, prompt, output, policy)
    assert [check.name for check in check_run(run) if not check.ok] == []
    metrics = measure_serving(run, Objectives(1.0, 1.0), 2.0)
    for name in ("busy", "mfu", "memory_overhead", "cache_overhead", "prefill_efficiency"):
        assert -1e-9 <= getattr(metrics, name) <= 1 + 1e-9
    assert metrics.decoding_parallelism <= len(rows)
    assert metrics.goodput <= len(rows) / run.makespan_s * (1 + 1e-12)


def test_a_wrong_run_breaks_its_checks() -> None:
    run = serve([0.0, 0.1], [50, 60], [5, 6])
    fewer = replace(run, decodes=run.decodes * 0)
    hotter = replace(run, energy_j=run.energy_j * 100)
    assert {c.name for c in check_run(fewer) if not c.ok} == {"tokens", "parallelism"}
    assert {c.name for c in check_run(hotter) if not c.ok} == {"energy"}
    assert not Check("little", 1.0, 1.1).ok


def test_goodput_counts_those_in_time_alone() -> None:
    run = serve([0.0] * 4, [400] * 4, [1, 5, 5, 5], policy="paged")
    everyone = measure_goodput(run, 10.0, 10.0)
    assert everyone == pytest.approx(4 / run.makespan_s)
    # a single token has no time between tokens to be judged by
    assert measure_goodput(run, 10.0, 1e-9) == pytest.approx(1 / run.makespan_s)
    with pytest.raises(InputError, match="ttft_objective_s"):
        measure_goodput(run, 0.0, 1.0)


def test_cached_tokens_are_not_computed_but_effective() -> None:
    run = serve([0.0], [100], [5])
    half = replace(run, cached_tokens=np.array([50]))
    assert prefill_efficiency(half) == pytest.approx(prefill_efficiency(run) / 2)
    assert effective_prefill_efficiency(half) == pytest.approx(prefill_efficiency(run))


def test_boundaries_of_energy_nest() -> None:
    run = serve([0.0, 0.5], [100, 100], [20, 20])
    node = energy_j(run, host_w_per_gpu=300.0)
    assert node == pytest.approx(run.energy_j + 300.0 * run.makespan_s)
    assert energy_j(run, 300.0, 1.5) == pytest.approx(1.5 * node)
    assert tokens_per_joule(run, 300.0, 1.5) < tokens_per_joule(run)
    watts = run.energy_j / run.makespan_s
    assert tokens_per_joule(run) == pytest.approx(measure_throughput(run) / watts)


@pytest.mark.parametrize(("host", "pue", "named"), [(-1.0, 1.0, "host"), (0.0, 0.9, "pue")])
def test_bad_boundaries_are_refused(host: float, pue: float, named: str) -> None:
    with pytest.raises(InputError, match=named):
        energy_j(serve([0.0], [10], [2]), host, pue)


@pytest.mark.parametrize("price", [0.0, -1.0, float("nan"), float("inf")])
def test_bad_prices_are_refused(price: float) -> None:
    with pytest.raises(InputError, match="usd_per_gpu_h"):
        tokens_per_usd(serve([0.0], [10], [2]), price)


def test_there_are_nine_definitions_with_known_units() -> None:
    names = [one.metric for one in (*DEFINITIONS, *FURTHER)]
    assert len(DEFINITIONS) == 9
    assert len(set(names)) == len(names)
    assert {one.unit for one in (*DEFINITIONS, *FURTHER)} <= set(UNITS)
