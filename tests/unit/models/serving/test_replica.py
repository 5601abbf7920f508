"""A replica's memory, and what it refuses."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving.replica import Replica, activation_bytes_per_gpu, fewest_gpus
from gpudeck.models.serving.step_time import VIDUR_ACCOUNTING, StepTime, build_step_time
from gpudeck.workload.model import find_model


def test_memory_is_share_less_weights_and_activations_over_bytes_a_token() -> None:
    replica = Replica("A100-80G-SXM", "llama-2-7b")
    activations = 8192 * (4 * 4096 + 2 * 11008) * 2 + 256 * 32000 * 4
    assert replica.activation_bytes == activations
    room = 0.9 * 80e9 - 2 * 6_738_415_616 - activations
    assert replica.kv_capacity_tokens == int(room // 524_288)
    assert replica.blocks(16) == replica.kv_capacity_tokens // 16
    assert replica.peak_flops == 312e12


def test_precision_of_weights_and_cache() -> None:
    half, eight, four = (
        Replica("H100-SXM", "llama-3-8b", precision=p) for p in ("bf16", "fp8", "int4")
    )
    assert half.weights_bytes == 2 * eight.weights_bytes == 4 * four.weights_bytes
    assert [r.kv_precision for r in (half, eight, four)] == ["bf16", "fp8", "fp16"]
    assert half.kv_bytes_per_token == 2 * eight.kv_bytes_per_token == four.kv_bytes_per_token
    small = Replica("H100-SXM", "llama-3-8b", kv_precision="int4")
    assert small.kv_capacity_tokens == pytest.approx(4 * half.kv_capacity_tokens, abs=4)


def test_key_value_heads_are_replicated_beyond_their_number() -> None:
    model = find_model("qwen2.5-7b")
    four, many = (Replica("H100-SXM", model.id, n) for n in (4, 28))
    assert four.kv_bytes_per_token == model.kv_bytes_per_token("bf16")
    assert many.kv_bytes_per_token == 7 * four.kv_bytes_per_token
    assert four.weights_bytes == model.weights_bytes("bf16")
    copies = 6 * 2 * model.layers * model.hidden * model.kv_heads * model.head_dim * 2
    assert many.weights_bytes == four.weights_bytes + copies


def test_latent_attention_keeps_the_whole_vector_on_each_gpu() -> None:
    replica = Replica("H200", "deepseek-v3", 8, precision="fp8")
    assert replica.kv_bytes_per_token == 8 * (512 + 64) * 61
    assert replica.kv_capacity_tokens > 100_000


def test_a_model_that_does_not_fit_is_told_how_many_gpus_hold_it() -> None:
    with pytest.raises(InputError, match=r"llama-2-70b at bf16 needs .* tensor_parallel 2 or"):
        Replica("H100-SXM", "llama-2-70b")
    assert fewest_gpus("H100-SXM", find_model("llama-2-70b")) == 2
    assert Replica("H100-SXM", "llama-2-70b", 2).kv_capacity_tokens > 0
    with pytest.raises(InputError, match="no allowed tensor_parallel is enough"):
        Replica("H100-SXM", "llama-3-8b", memory_share=0.005)
    assert fewest_gpus("H100-SXM", find_model("llama-3-8b"), memory_share=0.005) is None


def test_the_fewest_gpus_are_the_fewest() -> None:
    for name in ("llama-2-13b", "opt-66b", "opt-175b", "mixtral-8x7b"):
        enough = fewest_gpus("A100-80G-SXM", find_model(name))
        assert enough is not None
        assert Replica("A100-80G-SXM", name, enough).kv_capacity_tokens > 0
        for fewer in range(1, enough):
            with pytest.raises(InputError):
                Replica("A100-80G-SXM", name, fewer)


def test_its_step_time_is_built_or_its_own() -> None:
    assert Replica().step_time is build_step_time("H100-SXM", "llama-2-7b", 1, "bf16", "bf16")
    assert Replica(accounting=VIDUR_ACCOUNTING).step_time.head_s.max() == 0
    own = StepTime(np.array([0.0, 1.0]), np.zeros(2))
    assert Replica(step_time=own).step_time is own
    assert Replica() == Replica()
    assert hash(Replica()) == hash(Replica())
    assert Replica() != Replica(step_time=own)


def test_activations_shrink_with_more_gpus() -> None:
    model = find_model("llama-3-70b")
    sizes = [activation_bytes_per_gpu(model, n) for n in (1, 2, 4, 8)]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"gpu": "H101"}, "gpu is 'H101'"),
        ({"model": "llama"}, "model is 'llama'"),
        ({"precision": "fp7"}, "precision is 'fp7'"),
        ({"kv_precision": "fp7"}, "precision is 'fp7'"),
        ({"memory_share": 0.0}, "memory_share is 0.0"),
        ({"memory_share": 1.1}, "memory_share is 1.1"),
        ({"memory_share": "0.9"}, "memory_share is '0.9'"),
        ({"tensor_parallel": 5}, "tensor_parallel is 5"),
        ({"tensor_parallel": 2.0}, "tensor_parallel is 2.0; allowed is a whole number"),
        ({"tensor_parallel": True}, "tensor_parallel is True; allowed is a whole number"),
        ({"step_time": 0.01}, "step_time is 0.01; allowed is a StepTime"),
        ({"accounting": None}, "accounting is None; allowed is an Accounting"),
    ],
)
def test_a_wrong_field_is_refused(wrong: dict, told: str) -> None:
    with pytest.raises(InputError, match=told):
        Replica(**wrong)


def test_a_block_of_nothing_is_refused() -> None:
    with pytest.raises(InputError, match="block_size is 0"):
        Replica().blocks(0)
