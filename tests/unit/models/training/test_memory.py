"""Memory: the general count against the published formulas, and its bounds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.training import Job, Layout, Layouts, Software
from gpudeck.models.training.layout import RECOMPUTE
from gpudeck.models.training.memory import (
    activation_bytes,
    check_memory,
    estimate_memory,
    megatron_activation_bytes,
    stage_parameters,
    zero_bytes,
)
from gpudeck.models.training.runs import gpt_model
from gpudeck.workload.model import find_model

PLAIN = Software(fused_attention=False)


@settings(max_examples=40)
@given(
    st.sampled_from([1, 2, 4, 8]),
    st.integers(1, 4),
    st.booleans(),
    st.sampled_from(RECOMPUTE),
)
def test_activations_are_those_of_the_paper_for_gpt(tensor, micro, parallel, recompute):
    model = gpt_model("gpt", 4, 4096, 32, 51200, 2048)
    job = Job(model, find_gpu("A100-80G-SXM"), tensor, 8, 2048, micro)
    layout = Layout(tensor, microbatch=micro, recompute=recompute, sequence_parallel=parallel)
    ours = activation_bytes(job, Layouts.of(layout), PLAIN)[0]
    paper = megatron_activation_bytes(
        2048, micro, 4096, 32, tensor, sequence_parallel=parallel, recompute=recompute
    )
    if recompute == "full" and parallel:
        paper /= tensor  # the kept input is cut as well
    assert ours == pytest.approx(paper)


def test_fused_attention_keeps_no_scores():
    model = gpt_model("gpt", 4, 4096, 32, 51200, 2048)
    job = Job(model, find_gpu("A100-80G-SXM"), 1, 8, 2048, 1)
    fused = activation_bytes(job, Layouts.of(Layout()), Software())
    selective = activation_bytes(job, Layouts.of(Layout(recompute="selective")), PLAIN)
    assert fused == pytest.approx(selective)


@pytest.mark.parametrize("name", ["llama-3-8b", "qwen2.5-7b", "qwen3-30b-a3b", "deepseek-v3"])
def test_one_gpu_holds_all_parameters(name):
    model = find_model(name)
    held = stage_parameters(model, Layouts.of(Layout()))
    assert held.dense[0] + held.experts[0] == pytest.approx(model.parameters, rel=1e-9)


def test_states_of_all_ranks_sum_to_the_model_at_stage_three(job):
    layout = Layout(tensor=2, data=32, zero=3)
    memory = estimate_memory(job, Layouts.of(layout), Software())
    # what is gathered for two layers comes on top of the share of the weights
    layers = 2 * 2 * job.model.parameters / 2 / job.model.layers
    states = memory.gradients + memory.optimiser + memory.weights - layers
    assert 64 * states[0] == pytest.approx(16 * job.model.parameters)


def test_each_stage_of_zero_needs_less(job):
    layouts = Layouts.of(*(Layout(tensor=2, data=32, zero=stage) for stage in range(4)))
    assert (np.diff(estimate_memory(job, layouts, Software()).total) < 0).all()


def test_memory_that_does_not_suffice_says_by_how_much_and_for_what(job):
    with pytest.raises(InputError, match=r"GB more than the usable 73\.6") as caught:
        check_memory(job, Layout(data=64), Software())
    text = str(caught.value)
    assert "H100-SXM" in text
    for part in ("weights 16.1", "gradients 16.1", "optimiser 96.4", "activations"):
        assert part in text


def test_precisions_share_sixteen_bytes_a_parameter(job):
    totals = []
    for precision in ("fp32", "tf32", "bf16", "fp8"):
        memory = estimate_memory(
            replace(job, precision=precision), Layouts.of(Layout(data=64)), Software()
        )
        totals.append(float((memory.total - memory.activations)[0]))
    assert totals == pytest.approx([16 * job.model.parameters] * 4)


@pytest.mark.parametrize(("ranks", "stage"), [(0, 1), (8, 4), (8, -1)])
def test_zero_asks_for_ranks_and_a_stage(ranks, stage):
    with pytest.raises(InputError, match="ranks"):
        zero_bytes(1e9, ranks, stage)
