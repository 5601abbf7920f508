"""Chunked prefill and batches by length against worked examples."""

import json

import pytest

from gpudeck.models.serving import Engine, Replica
from gpudeck.models.serving.bucketing import batch_lengths, padded_tokens
from gpudeck.models.serving.stall import trace_stall


@pytest.fixture(scope="module")
def case(shared):
    cases = json.loads((shared / "oracles" / "serving.json").read_text())
    return {one["id"]: one for one in cases}


def test_a_prompt_takes_what_decoding_leaves_of_the_budget(case):
    spec, expected = case["O14"]["spec"], case["O14"]["expect"]
    trace = trace_stall(
        Replica(),
        Engine(chunk_tokens=spec["budget"]),
        decodes=spec["running_decodes"],
        prompts=1,
        prompt_tokens=spec["prompt"],
    )
    run = trace.chunked
    during = (run.prefill_tokens > 0) & (run.start_s >= trace.arrival_s)
    assert trace.chunks(run).tolist() == expected["chunks"]
    assert during.sum() == expected["iterations"]
    assert run.tokens[during].tolist() == expected["tokens_per_iteration"]
    assert run.decodes[during].sum() == expected["decode_tokens_emitted_during_prefill"]
    whole = (trace.whole.prefill_tokens > 0) & (trace.whole.start_s >= trace.arrival_s)
    assert whole.sum() == 1
    assert trace.whole.decodes[whole].sum() == 0


def test_padding_of_batches_as_they_come_and_by_length(case):
    spec, expected = case["O16"]["spec"], case["O16"]["expect"]
    come = [length for batch in spec["policy_fifo"] for length in batch]
    fifo = padded_tokens(batch_lengths(come, spec["batch"]))
    bucketed = padded_tokens(batch_lengths(come, spec["batch"], (30, 512)))
    real = sum(spec["lengths"])
    assert (fifo, bucketed, real) == tuple(
        expected[key] for key in ("padded_fifo", "padded_bucket", "real")
    )
    assert real / fifo == pytest.approx(expected["eff_fifo"], abs=1e-12)
    assert real / bucketed == pytest.approx(expected["eff_bucket"], abs=1e-12)
