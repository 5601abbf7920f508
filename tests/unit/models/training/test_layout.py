"""Layouts: what divides what, and what is refused."""

import pytest

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.training import Job, Layout, Layouts
from gpudeck.models.training.layout import check_layout, divides_layers, stage_layers
from gpudeck.workload.model import find_model


@pytest.mark.parametrize(
    ("layout", "message"),
    [
        (Layout(tensor=8, data=4), r"is 32; allowed is the job's number of GPUs, 64"),
        (Layout(tensor=16, data=4), r"tensor is 16; allowed are up to the 8 GPUs of a node"),
        (Layout(pipeline=64), r"divisors of the 32 layers of llama-3-8b"),
        (Layout(data=64, microbatch=4), r"data 64 × microbatch 4 is 256; allowed are divisors"),
        (Layout(tensor=0, data=64), r"tensor is 0; allowed are whole numbers from 1"),
        (Layout(tensor=8.0, data=8), r"tensor is 8\.0; allowed are whole numbers"),
        (Layout(data=64, interleave=2), r"interleave is 2; allowed are 1 where"),
        (Layout(data=64, expert=2), r"expert is 2; allowed are 1 for llama-3-8b"),
        (Layout(data=64, zero=4), r"zero is 4"),
        (Layout(data=64, recompute="some"), r"recompute is 'some'; allowed are none"),
        (Layout(pipeline=4, data=16, interleave=2, microbatch=4), r"2 microbatches; allowed"),
    ],
)
def test_impossible_layouts_are_refused_by_name(job, layout, message):
    with pytest.raises(InputError, match=message):
        check_layout(job, layout)


def test_heads_that_tensor_does_not_divide(ring):
    job = Job(find_model("qwen2.5-7b"), find_gpu("H100-SXM"), 8, 8, 4096, 8)
    with pytest.raises(InputError, match=r"divisors of the 28 heads of qwen2\.5-7b"):
        check_layout(job, Layout(tensor=8))


def test_a_sequence_that_context_does_not_cut():
    job = Job(find_model("llama-3-8b"), find_gpu("H100-SXM"), 8, 8, 1000, 8)
    with pytest.raises(InputError, match="context is 8"):
        check_layout(job, Layout(context=8))


def test_a_possible_layout_passes(job):
    layout = Layout(tensor=2, pipeline=4, data=8, interleave=2, microbatch=1, zero=1)
    assert check_layout(job, layout) is layout


@pytest.mark.parametrize(
    ("field", "value"), [("gpus", 0), ("gpus", 12), ("batch_sequences", 0), ("gpus_per_node", -1)]
)
def test_a_job_asks_for_whole_numbers_that_fit(field, value):
    values = {"gpus": 16, "gpus_per_node": 8, "sequence_tokens": 8, "batch_sequences": 8}
    with pytest.raises(InputError, match=field):
        Job(find_model("llama-3-8b"), find_gpu("H100-SXM"), **values | {field: value})


def test_a_job_asks_for_a_precision_that_the_gpu_has():
    with pytest.raises(InputError, match="fp8"):
        Job(find_model("llama-3-8b"), find_gpu("A100-80G-SXM"), 8, 8, 8192, 8, "fp8")
    with pytest.raises(InputError, match="precision is 'int3'"):
        Job(find_model("llama-3-8b"), find_gpu("A100-80G-SXM"), 8, 8, 8192, 8, "int3")


def test_embedding_and_head_count_as_layers_where_they_have_to():
    assert divides_layers(126, 16, [1, 2, 4, 3]).tolist() == [True, True, True, False]
    outer, inner = stage_layers(
        find_model("llama-3-405b"), Layouts.of(Layout(pipeline=16), Layout(pipeline=14))
    )
    assert (outer.tolist(), inner.tolist()) == ([7, 9], [8, 9])
    assert 2 * outer[0] + 14 * inner[0] == 126


def test_layouts_keep_what_they_are_made_of():
    one = Layout(4, 2, 1, 8, microbatch=2, zero=3, recompute="full", sequence_parallel=False)
    assert Layouts.of(Layout(), one).take([1, 0]).at(0) == one
