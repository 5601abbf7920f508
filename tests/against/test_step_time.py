"""Step time and memory against oracles, a rerun of the fit, and another simulator's batches."""

import csv
import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.serving.attention import allreduce_s, model_lines
from gpudeck.models.serving.calibration import CONSTANTS, find_calibration
from gpudeck.models.serving.roofline import decode_floor_s, prefill_floor_s, ridge_batch
from gpudeck.models.serving.step_time import VIDUR_ACCOUNTING, build_step_time
from gpudeck.tables import read_table
from gpudeck.workload.model import find_model


def oracle(shared: Path, key: str) -> dict:
    cases = json.loads((shared / "oracles" / "serving.json").read_text(encoding="utf-8"))
    return next(case for case in cases if case["id"] == key)


def test_cache_and_slots_of_opt(shared: Path) -> None:
    expect = oracle(shared, "O2")["expect"]
    told = {"opt-13b": (expect, 12), "opt-66b": (expect["OPT-66B"], 21)}
    told["opt-175b"] = (expect["OPT-175B"], 264)
    for name, (numbers, gib) in told.items():
        kept = find_model(name).kv_bytes_per_token("fp16")
        assert kept == numbers["kv_bytes_per_token"]
        assert int(gib * 2**30 // kept) == numbers["slots"]
    assert expect["slots"] // 2048 == expect["max_reserved_seqs"]


def test_decode_floor(shared: Path) -> None:
    case, model = oracle(shared, "O10"), find_model("llama-3-8b")
    byte_s = find_gpu("H100-SXM").memory_bandwidth_gb_s * 1e9
    for batch, numbers in case["expect"].items():
        got = decode_floor_s(model, int(batch), 1024, flop_s=989e12, byte_s=byte_s)
        assert 1e3 * got == pytest.approx(numbers["t_ms"], rel=1e-6)
        assert int(batch) / got == pytest.approx(numbers["tok_s"], rel=1e-6)


def test_prefill_floor(shared: Path) -> None:
    case, model = oracle(shared, "O11"), find_model("llama-3-8b")
    head = 2 * model.vocabulary * model.hidden
    for tokens, numbers in case["expect"].items():
        n = int(tokens)
        # the case runs the LM head on every token, an engine on the last one
        got = prefill_floor_s(model, n, flop_s=989e12) + head * (n - 1) / 989e12
        assert 1e3 * got == pytest.approx(numbers["t_ms"], rel=1e-6)


def test_ridge_batch(shared: Path) -> None:
    names = {"A100": "A100-80G-SXM", "H100": "H100-SXM", "H200": "H200", "B200": "B200"}
    for short, expected in oracle(shared, "O12")["expect"].items():
        gpu = find_gpu(names[short])
        # the case takes 989 TFLOP/s (table 989.5) and 7,700 GB/s for the B200 (table 8,000)
        flop_s = round(gpu.half_tflops - 0.01) * 1e12
        low = gpu.rows["memory_bandwidth_gb_s"].low
        byte_s = (low if short == "B200" and low else gpu.memory_bandwidth_gb_s) * 1e9
        assert ridge_batch(flop_s, byte_s) == pytest.approx(expected, rel=1e-6)


def test_cache_sent_between_prefill_and_decode(shared: Path) -> None:
    case = oracle(shared, "O15")
    expect, kept = case["expect"], find_model("llama-2-70b").kv_bytes_per_token("bf16")
    assert kept == expect["kv_bytes_per_token"]
    sent = case["spec"]["prompt"] * kept
    assert sent / 2**20 == expect["kv_MiB"]
    for link, ms in expect["transfer_ms"].items():
        assert 1e3 * sent / (float(link) * 1e9) == pytest.approx(ms, rel=1e-12)


@pytest.fixture(scope="module")
def fit(root: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("fit_serving", root / "data" / "fit_serving.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("gpu", ["A100-80G-SXM", "H100-SXM"])
def test_the_fit_gives_the_committed_constants(fit: ModuleType, shared: Path, gpu: str) -> None:
    constants, residuals = fit.fit_gpu(shared / "measured", gpu)
    committed = find_calibration(gpu)
    for name in CONSTANTS:
        assert getattr(constants, name) == pytest.approx(getattr(committed, name), rel=5e-3), name
    rows = read_table("serving_fit").of(gpu)
    for name, percent in residuals.items():
        assert percent == pytest.approx(rows[name].number, rel=0.02), name
    assert set(rows) == {*CONSTANTS, *residuals}
    # a product of a size of layer (A100) or number of GPUs (H100) that the fit never saw
    assert residuals["matmul_unseen_error_median"] < 6
    assert residuals["matmul_unseen_error_mean"] < 8


# the column of totals holds the products only
MEASURED = (
    "attn_pre_proj_ms", "attn_rope_ms", "attn_post_proj_ms", "mlp_up_proj_ms", "mlp_act_ms",
    "mlp_down_proj_ms", "input_layernorm_ms", "post_attention_layernorm_ms", "add_ms",
)  # fmt: skip
LAYER_SHAPES = {
    "meta-llama/Meta-Llama-3-8B": "llama-3-8b",
    "meta-llama/Llama-2-70b-hf": "llama-2-70b",
    "meta-llama/Meta-Llama-3-70B": "llama-3-70b",
}


@pytest.mark.parametrize(("device", "gpu"), [("a100", "A100-80G-SXM"), ("h100", "H100-SXM")])
def test_a_whole_layer_takes_what_was_measured(shared: Path, device: str, gpu: str) -> None:
    path = shared / "measured" / "llm_linear_ms_per_layer.csv"
    errors = []
    with path.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["device"] != device:
                continue
            model, gpus = find_model(LAYER_SHAPES[row["model"]]), int(row["tp"])
            step = build_step_time(gpu, model.id, gpus)
            tokens = int(row["num_tokens"])
            other = layer_extras_s(gpu, model.id, gpus, tokens)
            layer = 1e3 * (step.linear_s[tokens] / model.layers - other)
            measured = sum(float(row[name]) for name in MEASURED)
            errors.append(abs(layer / measured - 1))
    assert np.median(errors) < 0.06
    assert np.quantile(errors, 0.9) < 0.15


def layer_extras_s(gpu: str, model: str, gpus: int, tokens: int) -> float:
    """What a layer of the step has and the measured total has not: all-reduces, attention's I/O."""
    chip, found, constants = find_gpu(gpu), find_model(model), find_calibration(gpu)
    extra = model_lines(found, gpus, "bf16", chip, constants)[0].token_s * tokens
    if gpus > 1:
        sent = np.array([tokens * found.hidden * 2.0])
        extra += 2 * float(allreduce_s(chip, constants, gpus, sent)[0])
    return extra


def test_the_first_batch_of_another_simulator(shared: Path) -> None:
    step = build_step_time("A100-80G-SXM", "llama-2-7b", accounting=VIDUR_ACCOUNTING)
    path = shared / "oracles" / "vidur" / "v10_a100_7b_vllm_fixed1024x128_static.csv"
    with path.open(encoding="utf-8", newline="") as file:
        first = float(next(csv.DictReader(file))["first_token_at_s"])
    assert step.prefill_s(1024, prompts=4) == pytest.approx(first, rel=0.03)


def test_decoding_of_another_simulator(shared: Path) -> None:
    step = build_step_time("A100-80G-SXM", "llama-2-7b", accounting=VIDUR_ACCOUNTING)
    path = shared / "oracles" / "vidur" / "v01_a100_7b_vllm_conv_q2.json"
    run = json.loads(path.read_text(encoding="utf-8"))
    # a mean batch at the mean context, against the median gap between tokens
    context = (run["input_tokens"] + run["output_tokens"] / 2) / run["num_requests"]
    batch = run["mean_batch_requests"]
    low, high = (step.decode_s(n, context) for n in (int(batch), int(batch) + 1))
    got = low + (batch - int(batch)) * (high - low)
    assert got == pytest.approx(run["tbt_s"]["p50"], rel=0.1)
