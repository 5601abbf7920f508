"""The studies of the tuning page: a stall traced, batches by length, knobs one at a time."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving import Engine, Replica, RequestTable, bucketing, knobs, stall
from gpudeck.models.serving.simulate import simulate
from gpudeck.scenario import read_scenario


@pytest.fixture(scope="module")
def replica():
    return Replica()


@pytest.fixture(scope="module")
def tables():
    made = []
    for seed in range(3):
        generator = np.random.default_rng(seed)
        prompt = generator.integers(20, 2000, 60)
        output = generator.integers(1, 120, 60)
        made.append(RequestTable(np.cumsum(generator.exponential(1, 60)), prompt, output))
    return made


def test_a_chunk_is_what_decoding_leaves_of_the_budget(replica):
    trace = stall.trace_stall(replica, Engine(chunk_tokens=512), prompts=1)
    assert trace.chunks(trace.chunked).tolist() == [500] * 4
    assert trace.chunks(trace.whole).tolist() == [2000]
    late = trace.chunked.start_s >= trace.arrival_s
    chunked = late & (trace.chunked.prefill_tokens > 0)
    assert trace.chunked.tokens[chunked].tolist() == [512] * 4
    assert trace.chunked.decodes[chunked].sum() == 48


def test_the_longest_gap_holds_the_whole_prompt_or_one_chunk(replica, tables):
    trace = stall.trace_stall(replica, Engine(chunk_tokens=512))
    scenario = read_scenario("default")
    reported = {fact.key: fact for fact in stall.report_stall(trace, scenario, tables)}
    facts = {key: fact.value for key, fact in reported.items()}
    assert reported["budget"].source == scenario.id
    assert reported["trace_requests"].source == "azure-llm-2023"
    prompts = np.concatenate([table.prompt_tokens for table in tables])
    assert facts["longer"] == pytest.approx(100 * (prompts < facts["prompt_tokens"]).mean())
    whole = trace.whole
    alone = (whole.decodes == 0) & (whole.start_s >= trace.arrival_s)
    prompts_s = (whole.end_s - whole.start_s)[alone].sum()
    next_s = (whole.end_s - whole.start_s)[np.flatnonzero(alone)[-1] + 1]
    assert facts["stall_whole"] == pytest.approx(1e3 * (prompts_s + next_s))
    chunked = trace.chunked
    inside = (chunked.start_s >= trace.start_s) & (chunked.end_s <= trace.end_s)
    longest = (chunked.end_s - chunked.start_s)[inside].max()
    assert facts["stall_chunked"] == pytest.approx(1e3 * longest)


def test_padding_of_the_simulated_batches_is_that_of_the_lengths(replica, tables):
    study = bucketing.study_buckets(tables, Engine(), replica, buckets=(1, 3), batch=4)
    for seed, table in enumerate(tables):
        lengths = table.prompt_tokens
        for count in (1, 3):
            edges = bucketing.equal_edges(lengths, count)
            padded = bucketing.padded_tokens(bucketing.batch_lengths(lengths, 4, edges))
            expected = 100 * (1 - lengths.sum() / padded)
            assert study.padding_pct[count][seed] == pytest.approx(expected)
    assert study.padding_pct[3].mean() < study.padding_pct[1].mean()


def test_batches_of_bad_lengths_are_refused():
    with pytest.raises(InputError, match="batch is 0"):
        bucketing.batch_lengths([1, 2], 0)
    with pytest.raises(InputError, match="1 or above"):
        bucketing.batch_lengths([0, 2], 1)


def test_quantiles_of_gaps_are_those_of_all_gaps(replica, tables):
    run = simulate(tables[0], Engine(), replica)
    gaps = np.concatenate([np.diff(run.token_times(row)) for row in range(60)])
    for share in (0.5, 0.9, 0.99):
        expected = np.quantile(gaps, share, method="inverted_cdf")
        assert float(knobs.gap_quantiles(run, share)) == pytest.approx(expected, rel=1e-9)


def test_no_gap_has_no_quantile(replica):
    run = simulate(RequestTable([0.0], [10], [1]), Engine(), replica)
    assert float(knobs.gap_quantiles(run)) == 0


def test_a_shared_prefix_is_found_by_half_of_the_requests(replica, tables):
    hashed = knobs.share_prefix(tables[0], 0, 16)
    assert (hashed.prompt_tokens == tables[0].prompt_tokens).all()
    run = simulate(hashed, Engine(prefix_cache=True), replica)
    assert run.cached_tokens.max() <= knobs.SHARED_TOKENS
    assert 0.2 < (run.cached_tokens > 0).mean() < 0.8


def test_knobs_move_what_they_should(replica, tables):
    study = knobs.turn_knobs(tables, Engine(), replica)
    mean = {
        name: {key: float(values.mean()) for key, values in samples.items()}
        for name, samples in study.samples.items()
    }
    assert mean["chunk_small"]["tbt_s"] < mean["base"]["tbt_s"] < mean["chunk_large"]["tbt_s"]
    assert mean["batch"]["tokens_s"] <= mean["base"]["tokens_s"]
    assert mean["prefix"]["tokens_s"] > mean["base"]["tokens_s"]
    assert study.values == {"chunk_small": 128, "chunk_large": 2048, "batch": 32, "block": 256}
    keys = {fact.key for fact in knobs.report_knobs(study)}
    assert {"tokens_base", "ttft_prefix", "tbt_kv_fp8", "rate", "seeds"} <= keys
    with pytest.raises(InputError, match="two or more"):
        knobs.turn_knobs(tables[:1], Engine(), replica)


def test_the_grid_compares_with_whole_prompts(replica, tables):
    grid = knobs.chunk_grid(
        tables[0], Engine(), replica, length_pct=(50, 100), chunk_tokens=(64, 512)
    )
    assert set(grid.tbt_s) == {(pct, c) for pct in (50, 100) for c in (None, 64, 512)}
    assert all((np.diff(curve) >= 0).all() for curve in grid.tbt_s.values())
    facts = {fact.key: fact.value for fact in knobs.report_grid(grid)}
    assert facts["long_chunked"] == pytest.approx(1e3 * grid.tbt_s[100, 512][-1])
    assert facts["start_whole"] == pytest.approx(1e3 * grid.tbt_s[100, None][-1])
    assert facts["start_budget"] == 512


def test_pools_are_reported_with_their_least(replica, tables):
    study = knobs.study_pools(tables, replica, 16)
    facts = {fact.key: fact.value for fact in knobs.report_pools(study)}
    others = [facts[f"lost_{name}"] for name in ("slab", "buddy", "arena")]
    assert facts["lost_least"] == min(others)
    assert facts["external_block"] == facts["internal_arena"] == 0
