"""KV memory: closed forms against counting, the published case, and what cannot be asked."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.serving import Engine, Replica, RequestTable, StepTime, simulate
from gpudeck.models.serving.kv_memory import fill_memory
from gpudeck.models.serving.kv_report import (
    report_grid,
    report_published,
    report_service,
)
from gpudeck.models.serving.kv_study import (
    KvCase,
    compare_schemes,
    draw_runs,
    published_case,
    service_case,
    simulate_held,
    waste_grid,
)
from gpudeck.models.serving.kv_waste import (
    SCHEMES,
    block_count,
    slot_tokens,
    split_held,
    split_run,
)
from gpudeck.models.serving.service import plan_replica
from gpudeck.scenario import read_scenario
from gpudeck.scenario.serving import read_serving_runs
from gpudeck.tables import read_table
from gpudeck.workload.model import find_model

# a step takes what the engine's CPU takes
STEADY = Replica(
    "H100-SXM",
    "llama-2-7b",
    step_time=StepTime(
        linear_s=np.zeros(2),
        head_s=np.zeros(2),
        prefill_chunk_s=0.0,
        prefill_work_s=0.0,
        decode_step_s=0.0,
        decode_request_s=0.0,
        decode_token_s=0.0,
        low=0.9,
        high=1.1,
        provenance="by hand",
    ),
)
LENGTHS = st.lists(st.tuples(st.integers(1, 40), st.integers(1, 40)), min_size=1, max_size=6)


def count_held(rows, scheme, block_size, max_length):
    """Count token by token what `split_held` sums."""
    live = reservation = internal = 0
    for prompt, output in rows:
        final = prompt + output - 1
        for step in range(output):
            now = prompt + step
            live += now
            if scheme == "paged":
                internal += -now % block_size
            else:
                reservation += final - now
                internal += int(slot_tokens([final], scheme, max_length)[0]) - final
    return live, reservation, internal


@given(LENGTHS, st.sampled_from(SCHEMES), st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_closed_form_is_the_count(rows, scheme, block_size):
    prompt, output = zip(*rows, strict=True)
    split = split_held(prompt, output, scheme, block_size=block_size, max_length=100)
    assert (split.live, split.reservation, split.internal) == count_held(
        rows, scheme, block_size, 100
    )


@given(LENGTHS, st.integers(1, 20))
@settings(max_examples=50, deadline=None)
def test_pages_waste_less_than_a_block_a_sequence(rows, block_size):
    prompt, output = (np.array(column) for column in zip(*rows, strict=True))
    split = split_held(prompt, output, "paged", block_size=block_size)
    assert split.internal <= (block_size - 1) * output.sum()
    if block_size == 1:
        assert split.internal == 0


@given(LENGTHS, st.sampled_from(SCHEMES), st.integers(1, 20), st.integers(100, 300))
@settings(max_examples=50, deadline=None)
def test_a_full_memory_adds_up(rows, scheme, block_size, capacity):
    # twice what the memory holds even if each took its least: there is a queue
    rows = rows * (1 + 2 * capacity // sum(prompt for prompt, _ in rows))
    prompt, output = zip(*rows, strict=True)
    load = fill_memory(prompt, output, scheme, capacity, block_size=block_size, max_length=100)
    split = load.split
    assert min(split.live, split.reservation, split.internal, split.external) >= -1e-9
    assert split.live > 0
    if scheme == "paged":
        assert split.reservation == split.external == 0
        assert split.total <= capacity + 1e-9
    else:
        assert split.total == pytest.approx(capacity)


def test_equal_requests_in_a_full_memory_by_hand():
    load = fill_memory([4] * 20, [1] * 20, "max", 25, max_length=10)
    assert load.mean_batch == 2
    assert load.split.percent() == {
        "live": 32.0,
        "reservation": 0.0,
        "internal": 48.0,
        "external": 20.0,
    }


def test_a_missing_block_sends_the_newest_back():
    # two sequences of 4 grow to 8 in a memory of three blocks: they cannot both end there
    load = fill_memory([4, 4, 4], [5, 5, 5], "paged", 12, block_size=4)
    assert load.mean_batch < 2
    assert load.split.total <= 12


def test_oracle_o1_blocks_and_waste(shared):
    case = {row["id"]: row for row in json.loads((shared / "oracles/serving.json").read_text())}[
        "O1"
    ]
    lengths = np.array(case["spec"]["seq_lens"])
    size = case["spec"]["block_size"]
    blocks = block_count(lengths, size)
    expect = case["expect"]
    assert blocks.tolist() == expect["blocks"]
    assert (blocks * size - lengths).tolist() == expect["waste_tokens"]
    # one step of each sequence is the same count
    split = split_held(lengths, np.ones_like(lengths), "paged", block_size=size)
    assert split.internal == expect["total_waste"]
    assert split.used_pct / 100 == pytest.approx(expect["utilization"])
    assert split.external == 0


def test_oracle_o2_slots_and_batch(shared):
    case = {row["id"]: row for row in json.loads((shared / "oracles/serving.json").read_text())}[
        "O2"
    ]
    opt = published_case()
    assert opt.capacity_tokens == case["expect"]["slots"]
    assert opt.prompt_mean + opt.output_mean == pytest.approx(
        case["expect"]["shareGPT_mean_tokens_at_end"]
    )
    study = compare_schemes(opt, draw_runs(opt, [1, 2], count=200))
    assert (study.batch("max") == case["expect"]["max_reserved_seqs"]).all()


def test_the_published_case_is_met():
    case = published_case()
    study = compare_schemes(case, draw_runs(case, range(4)))
    facts = {fact.key: fact for fact in report_published(study)}
    # the tolerance is that of the row in data/published/serving.csv; waste of pages is below 4 %
    row = read_table("published/serving").row("used@orca-max", "target")
    assert row.low <= facts["max"].value <= row.high
    assert facts["earlier_low"].value == row.number
    assert facts["paged_internal"].value < 4
    order = [facts[scheme].value for scheme in SCHEMES]
    assert order == sorted(order)
    for scheme in SCHEMES:
        assert sum(study.percent(scheme).values()) == pytest.approx(100)


def test_drawn_runs_have_the_means_of_the_case_and_its_limit():
    case = published_case()
    (run,) = draw_runs(case, [3], count=20_000, spread=0.5)
    assert run.prompt_tokens.mean() == pytest.approx(case.prompt_mean, rel=0.02)
    assert run.output_tokens.mean() == pytest.approx(case.output_mean, rel=0.02)
    (wide,) = draw_runs(case, [3], count=5000, spread=3.0)
    assert (wide.prompt_tokens + wide.output_tokens).max() <= case.max_length


def test_blocks_of_one_token_waste_nothing_in_the_grid():
    grid = waste_grid(published_case(), spread=(0.0, 1.0), block_size=(1,), output_mean=(50,))
    assert grid.block_size == (1, 16)
    assert grid.output_mean == (50, 338)
    assert grid.used_pct["paged", 1, 50].tolist() == [100, 100]
    facts = {fact.key: fact.value for fact in report_grid(grid)}
    assert 0 < facts["worst_paged"] < 10 < facts["best_max"] < 100


def test_a_service_has_its_model_context_or_what_its_requests_ask():
    serving = read_scenario("default").serving
    short = RequestTable([0.0], [100], [10])
    case = service_case(serving, [short])
    assert case.capacity_tokens == int(plan_replica(serving).kv_capacity_tokens)
    assert case.max_length == find_model(serving.model).context_max
    longer = RequestTable([0.0], [case.max_length + 1], [10])
    assert service_case(serving, [short, longer]).max_length == 2 * case.max_length
    huge = RequestTable([0.0], [case.capacity_tokens], [10])
    assert service_case(serving, [huge]).max_length == case.capacity_tokens


def test_the_simulator_and_the_full_memory_agree_on_the_scenario():
    scenario = read_scenario("default")
    runs = read_serving_runs(scenario, 1500, runs=2)
    case = service_case(scenario.serving, runs)
    study = compare_schemes(case, runs, block_size=scenario.serving.block_size)
    held = simulate_held(scenario.serving, runs)
    facts = {fact.key: fact for fact in report_service(scenario.serving, study, held)}
    assert facts["paged_run"].value == pytest.approx(facts["paged_held"].value, abs=0.2)
    assert facts["trace_requests"].source == "azure-llm-2023"


@given(LENGTHS, st.integers(2, 20))
@settings(max_examples=25, deadline=None)
def test_a_simulated_run_holds_what_the_closed_form_says(rows, block_size):
    prompt, output = (np.array(column) for column in zip(*rows, strict=True))
    # every step takes as long, and each request runs alone: time is a count of steps
    table = RequestTable(1000.0 * np.arange(len(rows)), prompt, output)
    for scheme in ("max", "oracle", "pow2", "paged"):
        if scheme == "paged":
            engine = Engine("paged", block_size=block_size, step_overhead_s=0.5)
        else:
            engine = Engine("continuous", reservation=scheme, max_length=128, step_overhead_s=0.5)
        run = simulate(table, engine, STEADY)
        found = split_run(run.kv_tokens, run.kv_live_tokens, run.end_s - run.start_s)
        told = split_held(prompt, output, scheme, block_size=block_size, max_length=128)
        assert found.used_pct == pytest.approx(told.used_pct)


def test_too_few_requests_are_repeated_and_too_long_ones_refused():
    case = KvCase(1000, 100, 10, 10, "by hand")
    run = RequestTable([0.0, 1.0], [10, 200], [10, 10])
    study = compare_schemes(case, [run, run])
    assert study.refused == 50
    assert (study.batch("max") == 10).all()
    with pytest.raises(InputError, match="shortest request has 209 tokens"):
        compare_schemes(replace(case, max_length=5), [run.take(slice(1, 2))])


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: block_count([3], 0), "block_size is 0"),
        (lambda: block_count([3, -1], 4), "row 1"),
        (lambda: slot_tokens([5, 9], "max", 8), "row 1: 9 tokens"),
        (lambda: slot_tokens([5], "paged", 8), "scheme is 'paged'"),
        (lambda: split_held([1, 0], [1, 1], "max"), "row 1"),
        (lambda: split_held([1], [1, 1], "max"), "shape"),
        (lambda: split_run([0.0], [0.0], [1.0]), "holds no cache"),
        (lambda: fill_memory([50], [50], "paged", 64), "row 0: needs"),
        (lambda: fill_memory([5], [5], "paged", 64), "fit at once"),
        (lambda: draw_runs(published_case(), [0], spread=-1.0), "spread is -1"),
    ],
)
def test_what_cannot_be_asked(call, words):
    with pytest.raises(InputError, match=words):
        call()
