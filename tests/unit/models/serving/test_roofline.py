"""Rooflines: closed forms, and how floors and the smooth curve hang together."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.serving.roofline import (
    decode_floor_s,
    prefill_floor_s,
    ridge_batch,
    smooth_roofline_s,
    streamed_parameters,
    touched_experts,
)
from gpudeck.workload.model import find_model, read_models


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-3, 1e15), st.floats(1e-3, 1e12), st.floats(1, 20), st.floats(0, 1e-3))
def test_the_smooth_roofline_lies_between_the_longer_time_and_the_sum(
    flops: float, moved: float, exponent: float, overhead: float
) -> None:
    rates = {"flop_s": 1e12, "byte_s": 1e9}
    got = float(smooth_roofline_s(flops, moved, **rates, exponent=exponent, overhead_s=overhead))
    compute, memory = flops / 1e12, moved / 1e9
    assert max(compute, memory) <= (got - overhead) * (1 + 1e-9) + 1e-15
    assert got - overhead <= (compute + memory) * (1 + 1e-9) + 1e-15


def test_a_sharp_corner_and_no_work() -> None:
    rates = {"flop_s": 1.0, "byte_s": 1.0, "overhead_s": 0.25}
    assert float(smooth_roofline_s(5, 2, exponent=500, **rates)) == pytest.approx(5.25)
    assert float(smooth_roofline_s(0, 0, exponent=2, **rates)) == 0.25
    assert float(smooth_roofline_s(1, 1, exponent=1, **rates)) == 2.25


def test_decoding_turns_from_memory_to_compute_at_the_ridge() -> None:
    model, flop_s, byte_s = find_model("llama-2-7b"), 312e12, 2039e9
    batch = ridge_batch(flop_s, byte_s)
    below = [decode_floor_s(model, b, 0, flop_s=flop_s, byte_s=byte_s) for b in (1, int(batch))]
    assert below[0] == below[1]
    above = decode_floor_s(model, int(2 * batch), 0, flop_s=flop_s, byte_s=byte_s)
    assert above == pytest.approx(below[0] * int(2 * batch) / batch, rel=1e-9)
    assert ridge_batch(flop_s, byte_s, "fp8") == batch / 2


def test_more_gpus_and_fewer_bytes_are_faster() -> None:
    model = find_model("llama-3-8b")
    rates = {"flop_s": 989e12, "byte_s": 3.35e12}
    one = decode_floor_s(model, 8, 1024, **rates)
    assert decode_floor_s(model, 8, 1024, tensor_parallel=4, **rates) == pytest.approx(one / 4)
    assert decode_floor_s(model, 8, 1024, precision="fp8", **rates) == pytest.approx(one / 2)
    assert one > decode_floor_s(model, 8, 1024, kv_precision="fp8", **rates) > one / 2


def test_a_prompt_in_chunks_costs_the_prompt_and_one_head_a_chunk() -> None:
    model = find_model("llama-3-8b")
    head_s = 2 * model.vocabulary * model.hidden / 1e15
    chunks = sum(prefill_floor_s(model, 512, k, flop_s=1e15) for k in (0, 512, 1024, 1536))
    assert chunks == pytest.approx(prefill_floor_s(model, 2048, flop_s=1e15) + 3 * head_s)


def test_experts_touched_rise_from_those_of_one_token_to_all() -> None:
    model = find_model("mixtral-8x7b")
    assert touched_experts(model, np.array([0, 1])) == pytest.approx([0, 2])
    assert float(touched_experts(model, 2)) == pytest.approx(8 * (1 - 0.75**2))
    assert float(touched_experts(model, 200)) == pytest.approx(8)
    assert float(touched_experts(find_model("llama-2-7b"), 5)) == 0
    streamed = [streamed_parameters(model, tokens) for tokens in (1, 4, 400)]
    assert streamed == sorted(streamed)
    assert streamed[0] == pytest.approx(streamed_parameters(model, None))


def test_what_a_step_streams_is_all_but_the_input_embedding_and_small_vectors() -> None:
    for model in read_models().values():
        embedding = (1 - model.tied_embeddings) * model.vocabulary * model.hidden
        rest = model.parameters - embedding - streamed_parameters(model, 1e9)
        assert 0 < rest < 0.004 * model.parameters


@pytest.mark.parametrize("wrong", [0, -1, float("inf"), float("nan")])
def test_rates_that_are_none_are_refused(wrong: float) -> None:
    with pytest.raises(InputError, match=f"byte_s is {wrong}; allowed is a finite number above 0"):
        ridge_batch(1.0, wrong)
