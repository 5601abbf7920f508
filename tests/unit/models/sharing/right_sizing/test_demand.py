"""Memory of small language models: known sizes, where they fit, and what is refused."""

from dataclasses import replace

import pytest

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.sharing.right_sizing import (
    memory_demand,
    mig_sizes,
    place_demand,
    survey_models,
)
from gpudeck.workload.model import find_model

A100 = find_gpu("A100-80G-SXM")
LLAMA = find_model("llama-3-8b")


def test_the_parts_of_llama_3_8b() -> None:
    demand = memory_demand(LLAMA, precision="bf16", context=8192, sequences=4)
    assert demand.weights_gib == pytest.approx(8_030_261_248 * 2 / 2**30)
    assert demand.cache_gib == 4  # 128 KiB a token, 32,768 tokens
    assert demand.runtime_gib == 1
    chunk = 2048 * (4 * 4096 + 2 * 14336) * 2 + 4 * 128256 * 4
    assert demand.activations_gib == pytest.approx(chunk / 2**30)
    assert demand.total_gib == pytest.approx(demand.weights_gib + 4 + demand.activations_gib + 1)


def test_precision_halves_weights_and_cache_alike() -> None:
    wide, half, quarter = (
        memory_demand(LLAMA, precision=p, context=1024, sequences=1).weights_gib
        for p in ("fp16", "int8", "int4")
    )
    assert (wide / half, wide / quarter) == (2, 4)
    small = memory_demand(LLAMA, precision="fp16", context=1024, sequences=1, cache_precision="fp8")
    assert small.cache_gib * 2 == 1024 * 128 / 2**20


def test_cache_grows_with_context_and_sequences_together() -> None:
    one = memory_demand(LLAMA, precision="fp16", context=4096, sequences=2)
    two = memory_demand(LLAMA, precision="fp16", context=2048, sequences=4)
    assert one.cache_gib == two.cache_gib


@pytest.mark.parametrize(
    ("need_gib", "profile", "share"),
    [
        (9.62, "1g.10gb", 1 / 8),
        (9.63, "2g.20gb", 2 / 8),
        (30, "3g.40gb", 4 / 8),
        (60, "7g.80gb", 1),
        (79, None, None),
    ],
)
def test_the_smallest_profile_holds_it(need_gib: float, profile: str, share: float) -> None:
    placed = place_demand(need_gib, A100)
    assert (placed.profile, placed.gpu_share) == (profile, share)
    assert placed.fraction == pytest.approx(need_gib / 78.5)
    assert mig_sizes(A100)[-1][0] == "7g.80gb"


@pytest.mark.parametrize("gpu", ["A30", "A100-40G-SXM", "H100-SXM", "H200", "B200"])
def test_a_larger_demand_never_gets_a_smaller_slice(gpu: str) -> None:
    found = find_gpu(gpu)
    sizes = [size for _, size, _ in mig_sizes(found)]
    assert sizes == sorted(sizes)
    shares = [place_demand(size - 0.01, found).gpu_share or 2 for size in sizes]
    assert shares == sorted(shares)


def test_the_survey_has_every_model_at_every_precision() -> None:
    survey = survey_models(A100, context=4096, sequences=4)
    assert len(survey) == 15
    shares = {(row.model.id, row.precision): row.placement.gpu_share for row in survey}
    assert shares["qwen2.5-14b", "fp16"] == 0.5
    assert shares["qwen2.5-14b", "int4"] < shares["qwen2.5-14b", "fp16"]


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"context": 0}, "context is 0"),
        ({"context": 8193}, "allowed for llama-3-8b are 1 to 8192"),
        ({"sequences": 0}, "sequences is 0"),
        ({"precision": "fp5"}, "precision is 'fp5'; allowed are fp32"),
        ({"cache_precision": "q4"}, "precision is 'q4'"),
        ({"runtime_gib": -1.0}, "runtime_gib -1"),
    ],
)
def test_wrong_demands_are_refused(changed: dict, told: str) -> None:
    asked = {"precision": "fp16", "context": 1024, "sequences": 1} | changed
    with pytest.raises(InputError, match=told):
        memory_demand(LLAMA, **asked)


def test_wrong_placements_are_refused() -> None:
    for need in (0, -1, float("nan")):
        with pytest.raises(InputError, match="allowed is a finite number above 0"):
            place_demand(need, A100)
    with pytest.raises(InputError, match="T4 has no MIG"):
        place_demand(1, find_gpu("T4"))
    with pytest.raises(InputError, match="MIG geometry is 'none'"):
        place_demand(1, replace(A100, mig_geometry="none"))
