"""Prefix cache and block tables: oracles, growth with capacity, sharing."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.serving.block_table import allocate_blocks, example_tables
from gpudeck.models.serving.prefix_study import count_hits, published_hits, report_prefix

PROMPTS = st.lists(st.integers(0, 3).flatmap(lambda n: st.just([n, 10 + n, 20 + n])), max_size=12)


def hashes(tokens, size):
    """Name each full block by all tokens up to its end."""
    return [hash(tuple(tokens[:end])) for end in range(size, len(tokens) + 1, size)]


def test_oracle_o6_hit_tokens(shared):
    case = {row["id"]: row for row in json.loads((shared / "oracles/serving.json").read_text())}[
        "O6"
    ]
    s = list(range(100))
    prompts = [s[:50], s[:50], s[:40] + [900] * 20, [7, *s[:49]], s[:64], s[:64]]
    hits = count_hits([hashes(prompt, 16) for prompt in prompts])
    assert [16 * hit for hit in hits] == case["expect"]["hit_tokens_raw"]


def test_oracle_o7_the_tail_leaves_first():
    assert count_hits([["a", "b"], ["c", "d"], ["a", "b"]], 3) == [0, 0, 1]


@given(PROMPTS, st.integers(3, 12))
@settings(max_examples=50, deadline=None)
def test_a_larger_cache_finds_no_less(prompts, capacity):
    small, large, whole = (sum(count_hits(prompts, c)) for c in (capacity, capacity + 3, None))
    assert small <= large <= whole


def test_the_trace_finds_what_is_published():
    hits = published_hits()
    assert hits.unbounded_pct == pytest.approx(36.64, abs=0.01)
    assert list(hits.hit_pct) == sorted(hits.hit_pct)
    assert hits.hit_pct[-1] <= hits.unbounded_pct
    facts = {fact.key: fact.value for fact in report_prefix(hits, 20_000)}
    assert facts["memory_hit"] == hits.hit_pct[1]
    with pytest.raises(InputError, match="8192 or above"):
        hits.hit_within(100)


def test_a_cache_needs_room():
    with pytest.raises(InputError, match="capacity_blocks is 0"):
        count_hits([[1]], 0)


@given(
    st.lists(st.lists(st.integers(0, 1), min_size=1, max_size=9), min_size=1, max_size=4),
    st.integers(0, 6),
    st.integers(1, 4),
    st.booleans(),
)
@settings(max_examples=50, deadline=None)
def test_block_tables_hold_every_token(prompts, output, size, caching):
    tables = allocate_blocks(prompts, output, size, 80, prefix_cache=caching)
    for prompt, table, length in zip(prompts, tables.tables, tables.lengths, strict=True):
        assert length == len(prompt) + output
        assert len(table) == -(-length // size)
    uses = [sum(t.count(b) for t in tables.tables) for b in range(80)]
    assert uses == list(tables.references)
    assert tables.waste_tokens <= (size - 1) * len(prompts)
    if not caching:
        assert tables.shared_blocks == 0
        assert sum(tables.filled) == sum(tables.lengths)


def test_sequences_that_begin_alike_share():
    tables = example_tables()
    assert tables.tables[0][:2] == tables.tables[1][:2]
    assert tables.tables[0][2] != tables.tables[1][2]


@pytest.mark.parametrize(
    ("args", "words"),
    [(([[1], [2]], 0, 1, 1), "all 1 blocks"), (([[]], 0, 1, 4), "prompts of a token")],
)
def test_what_cannot_be_allocated(args, words):
    with pytest.raises(InputError, match=words):
        allocate_blocks(*args)
