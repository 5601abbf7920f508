"""The step: its parts sum to it, and each obeys its bounds."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.training import Layout, Layouts, Software, estimate_steps, search_layouts
from gpudeck.models.training.communication import data_messages, hidden_s, local_ranks
from gpudeck.models.training.job import model_flop
from gpudeck.models.training.layer import head_time, layer_time
from gpudeck.models.training.layout import check_layout
from gpudeck.models.training.memory import usable_bytes
from gpudeck.models.training.pipeline import bubble_ratio
from gpudeck.models.training.precision import achieved_share
from gpudeck.models.training.search import list_layouts
from gpudeck.models.training.step import PARTS, estimate_step
from gpudeck.models.training.utilisation import utilisation_pct


def test_the_parts_sum_to_the_step_and_none_is_negative(job, ring):
    layouts = list_layouts(job)
    steps = estimate_steps(job, layouts, ring)
    assert tuple(steps.parts) == PARTS
    assert all((seconds >= 0).all() for seconds in steps.parts.values())
    assert sum(steps.parts[name] for name in PARTS) == pytest.approx(steps.step_s)
    flop = steps.mfu_pct / 100 * steps.step_s * job.gpus * job.peak_flop_s
    assert flop == pytest.approx(np.full(len(layouts), model_flop(job, Software())))


def test_no_layout_beats_the_best_measured_product(job, ring):
    steps = estimate_steps(job, list_layouts(job), ring)
    assert (steps.mfu_pct < 100 * achieved_share(job.gpu, "bf16")).all()
    assert (steps.hfu_pct >= steps.mfu_pct).all()


def test_the_bubble_is_that_of_the_pipeline(job, ring):
    layout = Layout(tensor=2, pipeline=4, data=8, interleave=2)
    steps = estimate_steps(job, Layouts.of(layout), ring, Software(overlap=0, overlap_tensor=0))
    busy = sum(
        steps.parts[name][0]
        for name in ("compute", "element", "recompute", "tensor", "context", "expert", "pipeline")
    )
    assert steps.parts["bubble"][0] / busy == pytest.approx(float(bubble_ratio(4, 16, 2)))


def test_accumulation_divides_the_reductions(job, ring):
    layouts = Layouts.of(Layout(tensor=4, data=16))
    each, once = (
        data_messages(job, layouts, Software(accumulate=accumulate), ring)
        for accumulate in (False, True)
    )
    assert (each.reductions[0], once.reductions[0]) == (8, 1)
    assert each.gradient_s == pytest.approx(once.gradient_s)


def test_zero_two_and_three_send_with_each_microbatch(job, ring):
    layouts = Layouts.of(*(Layout(tensor=4, data=16, zero=stage) for stage in range(4)))
    messages = data_messages(job, layouts, Software(), ring)
    assert messages.reductions.tolist() == [1, 1, 8, 8]
    assert messages.gatherings.tolist() == [0, 1, 1, 16]
    # an all-reduce is a reduce-scatter and an all-gather
    assert messages.gradient_s[0] == pytest.approx(messages.gradient_s[1] + messages.weight_s[1])


def test_a_hierarchical_reduction_is_faster_where_ranks_share_nodes(job, ring):
    layouts = Layouts.of(Layout(tensor=2, data=32), Layout(tensor=8, data=8))
    flat, near = (
        data_messages(job, layouts, Software(hierarchical=on), ring).gradient_s
        for on in (False, True)
    )
    assert near[0] < 0.5 * flat[0]
    assert near[1] == pytest.approx(flat[1])


@settings(max_examples=40)
@given(st.floats(0, 10), st.floats(0, 1), st.floats(0, 10))
def test_what_is_hidden_is_bounded(message, overlap, cover):
    hidden = float(hidden_s(message, overlap, cover))
    assert 0 <= hidden <= min(message, cover) + 1e-12
    assert hidden <= overlap * message + 1e-12


@pytest.mark.parametrize("overlap", [-0.1, 1.1, float("nan")])
def test_overlap_is_a_part(overlap):
    with pytest.raises(InputError, match="parts from 0 to 1"):
        Software(overlap=overlap)


def test_more_overlap_is_never_slower(job, ring):
    layouts = list_layouts(job)
    steps = [
        estimate_steps(job, layouts, ring, Software(overlap=part, overlap_tensor=part)).step_s
        for part in (0, 0.5, 1)
    ]
    assert (steps[0] >= steps[1]).all()
    assert (steps[1] >= steps[2]).all()


def test_full_recompute_makes_a_forward_pass_more(job):
    layouts = Layouts.of(Layout(tensor=2, data=32))
    layer = layer_time(job, layouts, Software())
    assert layer.backward_s > 2 * layer.forward_s * 0.99
    small = layer_time(replace(job, sequence_tokens=1024), layouts, Software())
    assert small.matrix_s / 1024 > layer.matrix_s / 8192, "small products are less efficient"


def test_groups_are_cut_evenly_over_nodes(job):
    assert local_ranks(job, [1, 2, 8, 1], [8, 32, 8, 12]).tolist() == [8, 4, 1, 4]


def test_the_search_lists_only_what_passes_the_checks(job, moe_job):
    for own in (job, moe_job):
        layouts = list_layouts(own)
        assert len(layouts) > 100
        for number in range(0, len(layouts), 37):
            check_layout(own, layouts.at(number))


def test_the_search_lists_everything_that_passes(job):
    listed = list_layouts(job, zero=[1], recompute=["none"])
    names = ("tensor", "pipeline", "data", "interleave", "microbatch")
    whole = listed.take(listed.context == 1)
    found = set(zip(*(getattr(whole, name).tolist() for name in names), strict=True))
    possible = set()
    for t in (1, 2, 4, 8):
        for p in (1, 2, 4, 8, 16, 32):
            for v in (1, 2, 3, 4, 6, 8):
                for b in (1, 2, 4, 8):
                    if 64 % (t * p):
                        continue
                    layout = Layout(t, p, data=64 // (t * p), interleave=v, microbatch=b)
                    try:
                        check_layout(job, layout)
                    except InputError:
                        continue
                    possible.add((t, p, layout.data, v, b))
    assert found == possible


def test_the_fastest_that_fits_comes_first(job, ring):
    steps = search_layouts(job, ring)
    assert (np.diff(steps.step_s) >= 0).all()
    assert (steps.memory.total <= usable_bytes(job)).all()
    alone = estimate_step(job, steps.layouts.at(0), ring)
    assert alone.step_s[0] == pytest.approx(steps.step_s[0])


def test_a_model_that_fits_nowhere_says_how_much_is_lacking(job, ring):
    with pytest.raises(InputError, match=r"no layout of llama-3-8b fits 1 H100-SXM.*more than"):
        search_layouts(replace(job, gpus=1), ring)


def test_a_batch_that_nothing_divides(job, ring):
    with pytest.raises(InputError, match="no layout divides"):
        search_layouts(replace(job, gpus=24, batch_sequences=5, gpus_per_node=8), ring)


def test_experts_spread_over_ranks(moe_job, ring):
    layouts = Layouts.of(*(Layout(data=64, zero=1, expert=e) for e in (1, 8)))
    steps = estimate_steps(moe_job, layouts, ring)
    assert steps.parts["expert"][0] == 0 < steps.parts["expert"][1]
    assert steps.memory.weights[1] < steps.memory.weights[0]


@pytest.mark.parametrize("values", [(1, 0, 8, 1e15), (1, 1, 0, 1e15), (1, 1, 8, 0)])
def test_utilisation_asks_for_numbers_above_zero(values):
    with pytest.raises(InputError, match="above 0"):
        utilisation_pct(*values)


def test_a_sequence_is_listed_only_where_its_context_degree_divides_it(job):
    odd = list_layouts(replace(job, sequence_tokens=131_071))
    assert set(odd.context.tolist()) == {1}
    assert max(list_layouts(replace(job, sequence_tokens=131_072)).context) == 16


def test_fp8_leaves_attention_and_head_in_16_bits(job):
    layouts, software = Layouts.of(Layout(data=64)), Software()
    wide, narrow = (replace(job, precision=name) for name in ("bf16", "fp8"))
    one, two = layer_time(wide, layouts, software), layer_time(narrow, layouts, software)
    assert two.attention_s == pytest.approx(one.attention_s)
    assert two.matrix_s < one.matrix_s
    assert head_time(narrow, layouts).matrix_s == pytest.approx(head_time(wide, layouts).matrix_s)


def test_tokens_travel_to_experts_beside_another_microbatch(moe_job, ring):
    layout = Layout(data=64, expert=64, zero=1)
    layouts, waiting = Layouts.of(layout), Software(overlap=0.0)
    alone = replace(moe_job, batch_sequences=64)
    seconds = {
        (job.batch_sequences, software.overlap): estimate_steps(job, layouts, ring, software)
        .parts["expert"]
        .item()
        for job in (moe_job, alone)
        for software in (waiting, Software())
    }
    assert seconds[256, 0.9] < seconds[256, 0.0]
    assert seconds[64, 0.9] == seconds[64, 0.0] > 0
