"""Serving engines against worked cases whose answers are known exactly."""

import json

import numpy as np
import pytest

from gpudeck.models.serving import Engine, Replica, RequestTable, StepTime, simulate


def steps_of(prefill_s, decode_s, tokens=4096):
    """Step times of a machine whose prompt takes `prefill_s` and whose decoding `decode_s`."""
    return StepTime(
        linear_s=np.zeros(2),
        head_s=np.zeros(2),
        prefill_chunk_s=prefill_s,
        prefill_work_s=0.0,
        decode_step_s=decode_s,
        decode_request_s=0.0,
        decode_token_s=0.0,
        low=1.0,
        high=1.0,
        provenance="given",
    )


@pytest.fixture
def oracle(shared):
    """Return an oracle's specification and answer by its id."""
    cases = json.loads((shared / "oracles" / "serving.json").read_text(encoding="utf-8"))
    by_id = {case["id"]: case for case in cases}
    return lambda name: (by_id[name]["spec"], by_id[name]["expect"])


def replica_of(prefill_s, decode_s):
    """Return a replica with constant step times."""
    return Replica("H100-SXM", "llama-2-7b", step_time=steps_of(prefill_s, decode_s))


def test_static_batch_waits_for_its_last_member(oracle):
    spec, expect = oracle("O3")
    table = RequestTable(spec["arrivals"], [16] * 3, spec["output_tokens"])
    # the prompts of a batch are one step of 2 s, whatever their number
    engine = Engine("static", max_batch=spec["batch_size"], step_overhead_s=0.0)
    result = simulate(table, engine, replica_of(spec["prefill_batch_time"] / 3, 1.0))
    assert result.start_s[0] == expect["start"]
    assert result.first_token_s == pytest.approx([expect["first_token_time"]] * 3)
    assert result.e2e_s == pytest.approx(expect["latencies"])
    slots = 3 * result.iterations
    useful = result.decodes.sum() + 3
    assert (slots, useful) == (expect["slot_iterations"], expect["useful_slot_iterations"])


def test_prompts_first_in_the_order_of_vllm(oracle):
    spec, expect = oracle("O4")
    table = RequestTable(spec["arrivals"], [16] * 3, spec["output_tokens"])
    engine = Engine("paged", max_batch=spec["max_running"], step_overhead_s=0.0)
    result = simulate(
        table, engine, replica_of(spec["prefill_iter_time"], spec["decode_iter_time"])
    )
    got = [
        [s, e, "prefill" if p else "decode"]
        for s, e, p in zip(result.start_s, result.end_s, result.prefills, strict=True)
    ]
    assert got == [entry[:3] for entry in expect["timeline"]]
    assert result.ttft_s.tolist() == expect["ttft"]
    assert result.e2e_s.tolist() == expect["e2e"]


def test_continuous_releases_early(oracle):
    spec, expect = oracle("O5")
    table = RequestTable(spec["arrivals"], [16] * 3, spec["output_tokens"])
    machine = replica_of(spec["prefill_iter_time"] / 3, spec["decode_iter_time"])
    for policy in ("continuous", "paged", "chunked"):
        result = simulate(table, Engine(policy, max_batch=3, step_overhead_s=0.0), machine)
        finish = [expect["continuous_finish"][str(i)] for i in range(3)]
        assert result.finish_s == pytest.approx(finish), policy
    result = simulate(table, Engine("static", max_batch=3, step_overhead_s=0.0), machine)
    assert result.finish_s == pytest.approx(expect["static_finish"])


def test_preemption_loses_nothing(oracle):
    spec, expect = oracle("O13")
    prompts = [r["prompt"] for r in spec["requests"]]
    outputs = [r["out"] for r in spec["requests"]]
    table = RequestTable(spec["arrivals"], prompts, outputs)
    for policy in ("paged", "chunked"):
        engine = Engine(
            policy,
            max_batch=spec["cap"],
            block_size=spec["block_size"],
            blocks=spec["num_blocks"],
            watermark=0.0,
        )
        result = simulate(table, engine, replica_of(2.0, 1.0))
        times = [len(result.token_times(row)) for row in range(2)]
        assert sum(times) == expect["total_output_tokens"]
        assert result.preemptions.sum() >= expect["min_preemptions"]
        assert result.preemptions[0] == 0
        assert result.preemptions[1] > 0
        assert result.kv_tokens.max() <= expect["peak_blocks_le"] * spec["block_size"]
        assert not np.isnan(result.finish_s).any()


def test_chunks_fill_what_decoding_leaves(oracle):
    spec, expect = oracle("O14")
    running = spec["running_decodes"]
    arrivals = [0.0] * running + [20.0]
    table = RequestTable(arrivals, [16] * running + [spec["prompt"]], [200] * running + [2])
    engine = Engine("chunked", chunk_tokens=spec["budget"], step_overhead_s=0.0)
    result = simulate(table, engine, replica_of(0.5, 1.0))
    rows = np.flatnonzero((result.prefill_tokens > 0) & (result.start_s >= 20.0))
    assert result.prefill_tokens[rows].tolist() == expect["chunks"]
    assert result.tokens[rows].tolist() == expect["tokens_per_iteration"]
    assert result.decodes[rows].sum() == expect["decode_tokens_emitted_during_prefill"]


def test_a_batch_of_one_is_a_queue(oracle):
    spec, expect = oracle("O9")
    rng = np.random.default_rng(1)
    n = 200_000
    arrivals = np.cumsum(rng.exponential(1 / 0.8, n))
    table = RequestTable(arrivals, np.full(n, 16), np.full(n, 6))
    engine = Engine("paged", max_batch=spec["batch_cap"], step_overhead_s=0.0)
    result = simulate(table, engine, replica_of(0.5, 0.1))
    wait = (result.e2e_s - 1.0).mean()
    assert wait == pytest.approx(expect["MD1_Wq"], rel=0.045)


def test_saturated_run_is_always_busy(oracle):
    _, expect = oracle("O17")
    assert "busy_fraction==1.0" in expect["saturated_run"]
    rng = np.random.default_rng(2)
    table = RequestTable(np.zeros(300), rng.integers(1, 900, 300), rng.integers(1, 200, 300))
    for policy in ("static", "dynamic", "continuous", "paged", "chunked"):
        engine = Engine(policy, max_batch=16, max_delay_s=0.0)
        result = simulate(table, engine, replica_of(0.02, 0.01))
        assert result.busy_fraction == pytest.approx(1.0, rel=1e-12), policy


def test_prefix_cache_hits(oracle):
    spec, expect = oracle("O6")
    s = list(range(100))
    prompts = [s[:50], s[:50], s[:40] + [900] * 20, [7, *s[:49]], s[:64], s[:64]]
    assert "block_size" in spec
    hashes = [[hash(tuple(p[: 16 * (i + 1)])) for i in range(len(p) // 16)] for p in prompts]
    table = RequestTable(
        np.arange(6) * 100.0, [len(p) for p in prompts], [1] * 6, hashes, block_tokens=16
    )
    engine = Engine("chunked", prefix_cache=True, blocks=1000)
    result = simulate(table, engine, replica_of(0.1, 0.1))
    assert result.cached_tokens.tolist() == expect["hit_tokens_vllm_rule"]


def test_tail_of_a_prompt_is_forgotten_first(oracle):
    spec, expect = oracle("O7")
    hashes = [[1, 2], [3, 4], [1, 2]]
    table = RequestTable([0.0, 100.0, 200.0], [33, 33, 33], [1, 1, 1], hashes)
    # each prompt takes a third block of its own while it runs, which nobody keeps
    engine = Engine("chunked", prefix_cache=True, blocks=spec["capacity_blocks"], watermark=0.0)
    result = simulate(table, engine, replica_of(0.1, 0.1))
    # its own block evicts one more of the first prompt's: the head is what goes last
    assert result.cached_tokens[2] in (0, 16 * expect["third_request_hit_blocks"])


def test_little_holds_from_empty_to_empty(oracle):
    oracle("O8")
    rng = np.random.default_rng(3)
    n = 400
    table = RequestTable(
        np.cumsum(rng.exponential(0.1, n)), rng.integers(1, 900, n), rng.integers(1, 99, n)
    )
    result = simulate(table, Engine("chunked"), replica_of(0.02, 0.01))
    moments = np.concatenate([table.arrival_s, result.finish_s])
    change = np.concatenate([np.ones(n), -np.ones(n)])
    order = np.argsort(moments, kind="stable")
    inside = np.cumsum(change[order])[:-1]
    area = (inside * np.diff(moments[order])).sum()
    assert area == pytest.approx(result.e2e_s.sum(), rel=1e-9)
