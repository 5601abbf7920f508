"""Step time: its shape, how it scales with model, GPU and precision, and what it refuses."""

from itertools import pairwise

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.serving.attention import allreduce_s
from gpudeck.models.serving.calibration import find_calibration
from gpudeck.models.serving.layer import peak_flop_s
from gpudeck.models.serving.roofline import decode_floor_s, prefill_floor_s
from gpudeck.models.serving.step_time import (
    SEQUENCES_MAX,
    TOKENS_MAX,
    VIDUR_ACCOUNTING,
    Accounting,
    StepTime,
    build_step_time,
    parallel_degrees,
)
from gpudeck.workload.model import find_model, read_models

GPUS = ("A100-80G-SXM", "H100-SXM", "H200", "B200", "L40S", "RTX-4090", "RTX-PRO-6000")


@pytest.mark.parametrize("gpu", GPUS)
@pytest.mark.parametrize("model", ["llama-2-7b", "llama-3-8b", "opt-13b", "qwen3-30b-a3b"])
def test_no_step_is_faster_than_its_floor(gpu: str, model: str) -> None:
    chip, found, step = find_gpu(gpu), find_model(model), build_step_time(gpu, model)
    rates = {"flop_s": chip.half_tflops * 1e12, "byte_s": chip.memory_bandwidth_gb_s * 1e9}
    for batch in (1, 16, 256):
        floor = decode_floor_s(found, batch, 1024, **rates)
        assert floor < step.decode_s(batch, 1024) < 5 * floor
    floor = prefill_floor_s(found, 4096, flop_s=rates["flop_s"])
    assert floor < step.prefill_s(4096) < 5 * floor


@pytest.mark.parametrize("model", list(read_models()))
def test_every_model_has_a_step_time_that_rises(model: str) -> None:
    degree = max(n for n in parallel_degrees(find_model(model)) if n <= 8)
    for gpus in {1, degree}:
        step = build_step_time("H100-SXM", model, gpus)
        assert step.linear_s.shape == (TOKENS_MAX + 1,)
        assert step.head_s.shape == (SEQUENCES_MAX + 1,)
        assert step.linear_s.dtype == np.float64
        assert step.linear_s[0] == step.head_s[0] == 0
        assert (np.diff(step.linear_s) > 0).all()
        assert (np.diff(step.head_s) > 0).all()


def test_a_step_is_the_sum_that_its_docstring_states() -> None:
    step = build_step_time("A100-80G-SXM", "llama-3-8b")
    got = step.prefill_s(100, 50, prompts=2)
    attention = 2 * step.prefill_chunk_s + 2 * 100 * (50 + 50) * step.prefill_work_s
    assert got == pytest.approx(step.linear_s[200] + step.head_s[2] + attention)
    attention = step.decode_step_s + 3 * step.decode_request_s + 30 * step.decode_token_s
    assert step.decode_s(3, 10) == pytest.approx(step.linear_s[3] + step.head_s[3] + attention)
    assert step.decode_s(0, 10) == 0
    beyond = step.linear_s[-1] + 5 * (step.linear_s[-1] - step.linear_s[-2])
    assert step.tokens_s(TOKENS_MAX + 5) == pytest.approx(beyond)


def test_precision_changes_bytes_and_rate_where_the_gpu_has_it() -> None:
    half, eight, four = (
        build_step_time("H100-SXM", "llama-3-8b", precision=p) for p in ("bf16", "fp8", "int4")
    )
    assert half.linear_s[1] > 1.5 * eight.linear_s[1] > 1.5 * 1.2 * four.linear_s[1]
    assert half.linear_s[8192] > 1.5 * eight.linear_s[8192]
    # 4-bit weights are computed with at 16 bits
    assert four.linear_s[8192] == pytest.approx(half.linear_s[8192], rel=0.05)
    assert eight.decode_token_s == pytest.approx(half.decode_token_s / 2)
    assert four.decode_token_s == half.decode_token_s
    old = build_step_time("A100-80G-SXM", "llama-3-8b", precision="fp8")
    assert old.linear_s[8192] == pytest.approx(
        build_step_time("A100-80G-SXM", "llama-3-8b").linear_s[8192], rel=0.05
    )
    assert peak_flop_s(find_gpu("H100-SXM"), "int8") == 1979e12
    assert peak_flop_s(find_gpu("B300"), "int8") == find_gpu("B300").half_tflops * 1e12


def test_tensor_parallelism_pays_less_than_its_degree() -> None:
    times = [build_step_time("H100-SXM", "llama-2-70b", n).decode_s(16, 1024) for n in (1, 2, 4, 8)]
    for one, two in pairwise(times):
        assert one / 2 < two < one


def test_replicated_heads_are_read_by_each_gpu() -> None:
    # four key-value heads on four GPUs and on 28: the cache of one GPU is the same
    four, many = (build_step_time("H100-SXM", "qwen2.5-7b", n) for n in (4, 28))
    assert many.decode_token_s == pytest.approx(four.decode_token_s)


def test_an_all_reduce_has_a_latency_and_a_bandwidth() -> None:
    gpu, constants = find_gpu("H100-SXM"), find_calibration("H100-SXM")
    small, large = (allreduce_s(gpu, constants, 8, np.array([b]))[0] for b in (1.0, 1e9))
    assert small == pytest.approx(constants.allreduce_8_us * 1e-6, rel=1e-3)
    assert large - small == pytest.approx(
        2 * 7 / 8 * 1e9 / (450e9 * constants.allreduce_efficiency), rel=1e-6
    )
    assert constants.allreduce_latency_s(1) == 0
    assert constants.allreduce_latency_s(16) == constants.allreduce_latency_s(8)


def test_what_vidur_counts_differs_in_three_things() -> None:
    ours, theirs = (
        build_step_time("A100-80G-SXM", "llama-2-70b", 4, accounting=accounting)
        for accounting in (Accounting(), VIDUR_ACCOUNTING)
    )
    assert theirs.head_s.max() == 0
    assert theirs.decode_token_s == pytest.approx(1.1 * ours.decode_token_s)
    assert theirs.linear_s[9] - ours.linear_s[9] == pytest.approx(2 * 80 * 20e-6)
    one = build_step_time("A100-80G-SXM", "llama-2-7b", accounting=VIDUR_ACCOUNTING)
    assert one.decode_token_s == build_step_time("A100-80G-SXM", "llama-2-7b").decode_token_s


def test_a_batch_of_experts_reads_more_of_them() -> None:
    sparse = build_step_time("H100-SXM", "mixtral-8x7b")
    dense = build_step_time("H100-SXM", "mistral-7b")
    assert sparse.linear_s[64] > 3 * sparse.linear_s[1]
    assert dense.linear_s[64] < 1.2 * dense.linear_s[1]
    # two of eight experts compute: far from eight times as long
    assert 1.5 < sparse.linear_s[16384] / dense.linear_s[16384] < 2.2


def test_fitted_gpus_have_the_narrower_band() -> None:
    assert [build_step_time(g, "llama-2-7b").high for g in GPUS] == [1.1, 1.1] + [1.2] * 5
    assert "datasheet" in build_step_time("L40S", "llama-2-7b").provenance
    assert "fit" in build_step_time("H100-SXM", "llama-2-7b").provenance


def test_a_step_time_is_built_once_and_cannot_be_changed() -> None:
    step = build_step_time("H100-SXM", "llama-2-7b")
    assert build_step_time("H100-SXM", "llama-2-7b") is step
    with pytest.raises(ValueError, match="read-only"):
        step.linear_s[1] = 0


def test_heads_that_cannot_be_divided_are_refused() -> None:
    with pytest.raises(InputError, match=r"tensor_parallel is 3; allowed for llama-2-7b are 1, 2,"):
        build_step_time("H100-SXM", "llama-2-7b", 3)
    with pytest.raises(InputError, match="tensor_parallel is 0"):
        build_step_time("H100-SXM", "llama-2-7b", 0)


@pytest.mark.parametrize(
    ("linear", "head", "extra", "told"),
    [
        ([1.0, 2.0], [0, 0], {}, "linear_s begins with"),
        ([0.0], [0, 0], {}, "linear_s has shape"),
        ([0.0, np.nan], [0, 0], {}, "linear_s has shape"),
        ([0.0, 1.0], [0, -1], {}, "head_s begins with"),
        ([0.0, 2.0, 1.0], [0, 0], {}, "linear_s ends with"),
        ([0.0, 1.0], [0, 2, 1], {}, "head_s ends with"),
        ([0.0, 1.0], [0, 0], {"decode_step_s": -1.0}, "decode_step_s is -1"),
        ([0.0, 1.0], [0, 0], {"prefill_work_s": np.inf}, "prefill_work_s is inf"),
    ],
)
def test_a_wrong_step_time_is_refused(linear, head, extra, told) -> None:
    with pytest.raises(InputError, match=told):
        StepTime(np.array(linear), np.array(head, dtype=float), **extra)
