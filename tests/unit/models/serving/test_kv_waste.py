"""KV memory: closed forms against counting, the published case, and what cannot be asked."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.serving.kv_memory import fill_memory
from gpudeck.models.serving.kv_study import (
    compare_schemes,
    draw_lengths,
    published_case,
    report_grid,
    report_kv,
    waste_grid,
)
from gpudeck.models.serving.kv_waste import (
    SCHEMES,
    block_count,
    slot_tokens,
    split_held,
    split_run,
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
    study = compare_schemes(opt, [1, 2], count=200)
    assert (study.batch("max") == case["expect"]["max_reserved_seqs"]).all()


def test_the_published_case_is_met():
    study = compare_schemes(published_case(), range(4))
    facts = {fact.key: fact for fact in report_kv(study)}
    # Kwon et al.: 20.4 % for the maximum, and under 4 % of waste for pages
    assert facts["max"].value == pytest.approx(facts["earlier_low"].value, abs=1.5)
    assert facts["paged_internal"].value < 4
    order = [facts[scheme].value for scheme in SCHEMES]
    assert order == sorted(order)
    for scheme in SCHEMES:
        assert sum(study.percent(scheme).values()) == pytest.approx(100)


def test_lengths_keep_their_means_and_the_limit():
    case = published_case()
    prompt, output = draw_lengths(case, 3, count=20_000, spread=0.5)
    assert prompt.mean() == pytest.approx(case.prompt_mean, rel=0.02)
    assert output.mean() == pytest.approx(case.output_mean, rel=0.02)
    wide = np.add(*draw_lengths(case, 3, count=5000, spread=3.0)) - 1
    assert wide.max() <= case.max_length


def test_blocks_of_one_token_waste_nothing_in_the_grid():
    grid = waste_grid(published_case(), spread=(0.0, 1.0), block_size=(1, 16), output_mean=(50,))
    assert grid.used_pct["paged", 1, 50].tolist() == [100, 100]
    facts = {fact.key: fact.value for fact in report_grid(grid, 16)}
    assert 0 < facts["worst_paged"] < 10 < facts["best_max"] < 100


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
        (lambda: draw_lengths(published_case(), 0, spread=-1.0), "spread is -1"),
    ],
)
def test_what_cannot_be_asked(call, words):
    with pytest.raises(InputError, match=words):
        call()
