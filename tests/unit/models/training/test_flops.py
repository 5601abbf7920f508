"""FLOPs: the general count against the published formulas."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.training.flops import (
    matrix_parameters,
    megatron_hardware_flop,
    megatron_model_flop,
    megatron_parameters,
    model_flop_per_token,
    training_days,
)
from gpudeck.models.training.runs import gpt_model
from gpudeck.workload.model import find_model


@settings(max_examples=30)
@given(st.integers(1, 64), st.integers(1, 32), st.sampled_from([512, 2048, 8192]))
def test_the_general_count_is_that_of_the_paper_for_gpt(layers, heads, tokens):
    model = gpt_model("gpt", layers, 128 * heads, heads, 51200, tokens)
    ours = 3 * tokens * model_flop_per_token(model, tokens, causal=False)
    paper = megatron_model_flop(3, tokens, layers, 128 * heads, 51200)
    assert ours == pytest.approx(paper, rel=1e-12)


def test_recomputing_all_costs_a_forward_pass_more_but_for_the_head():
    shape = (4, 2048, 24, 2304)
    head = 6.0 * 4 * 2048 * 2304 * 51200
    model = megatron_model_flop(*shape, 51200)
    assert megatron_hardware_flop(*shape, 51200) == pytest.approx(model + (model - head) / 3)


def test_the_formula_for_parameters_counts_the_model():
    model = gpt_model("gpt", 96, 12288, 96, 51200, 2048)
    assert megatron_parameters(96, 12288, 51200, 2048) == pytest.approx(model.parameters, rel=1e-5)


def test_a_token_passes_few_of_the_experts():
    model = find_model("mixtral-8x7b")
    assert matrix_parameters(model) < model.parameters / 3
    embedding = model.vocabulary * model.hidden
    norms = (2 * model.layers + 1) * model.hidden
    assert matrix_parameters(model) == model.active_parameters - embedding - norms


def test_causal_attention_is_half():
    model = find_model("llama-3-8b")
    half = model_flop_per_token(model, 8192)
    full = model_flop_per_token(model, 8192, causal=False)
    assert full - half == pytest.approx(half - 6 * matrix_parameters(model))


@pytest.mark.parametrize("place", range(4))
def test_days_ask_for_numbers_above_zero(place):
    values = [1e9, 1e9, 8, 1e14]
    values[place] = 0
    with pytest.raises(InputError, match="above 0"):
        training_days(*values)
