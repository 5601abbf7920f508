"""Prefix cache and block tables: oracles, growth with capacity, sharing."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.serving.block_table import allocate_blocks, example_tables
from gpudeck.models.serving.prefix_study import published_hits, report_prefix


def test_the_trace_finds_what_is_published():
    hits = published_hits()
    assert hits.unbounded_pct == pytest.approx(36.64, abs=0.01)
    assert list(hits.hit_pct) == sorted(hits.hit_pct)
    assert hits.hit_pct[-1] <= hits.unbounded_pct + 0.001
    facts = {fact.key: fact.value for fact in report_prefix(hits, 120_000)}
    assert facts["memory_hit"] == hits.hit_pct[hits.capacity_tokens.index(100_000)]
    assert facts["half_tokens"] in hits.capacity_tokens
    assert hits.hit_within(100) == 0


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
