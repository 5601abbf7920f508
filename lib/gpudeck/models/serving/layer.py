"""The kernels of one transformer layer on one GPU: matrix products and element-wise work."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gpudeck.hardware.gpu import Gpu
from gpudeck.models.serving.calibration import Calibration
from gpudeck.models.serving.roofline import smooth_roofline_s, touched_experts
from gpudeck.workload.model import LanguageModel, bytes_per_value

ACTIVATION_BYTES = 2.0  # activations stay in 16 bits whatever the weights are in


@dataclass(frozen=True, slots=True)
class Product:
    """A matrix product of rows × inner by inner × outer on one GPU.

    `copies` matrices are read (1, or the experts touched), shape () or (n,); every token passes
    `passes` of them.
    """

    inner: float
    outer: float
    copies: np.ndarray | float = 1.0
    passes: float = 1.0


def attention_products(model: LanguageModel, gpus: int) -> Iterator[Product]:
    """Yield the matrix products around the attention of one layer on one of `gpus` GPUs.

    Key-value heads fewer than the GPUs are replicated.
    """
    heads = model.heads / gpus
    if model.kv_lora_rank:
        query = model.nope_head_dim + model.rope_head_dim
        down = model.q_lora_rank + model.kv_lora_rank + model.rope_head_dim
        yield Product(model.hidden, down)  # each GPU makes the shared latent vectors itself
        yield Product(model.q_lora_rank or model.hidden, heads * query)
        yield Product(model.kv_lora_rank, heads * (model.nope_head_dim + model.head_dim))
    else:
        kept = max(model.kv_heads / gpus, 1.0)
        yield Product(model.hidden, (heads + 2.0 * kept) * model.head_dim)
    yield Product(heads * model.head_dim, model.hidden)


def dense_products(model: LanguageModel, gpus: int) -> Iterator[Product]:
    """Yield the matrix products of a dense feed-forward part; the gate is joined with up."""
    width = model.intermediate / gpus
    yield Product(model.hidden, (1 + model.gated) * width)
    yield Product(width, model.hidden)


def expert_products(model: LanguageModel, gpus: int, tokens: np.ndarray) -> Iterator[Product]:
    """Yield the matrix products of a mixture of experts, each expert cut over all GPUs."""
    touched = touched_experts(model, tokens)
    width = model.expert_intermediate / gpus
    copies, passes = touched + model.shared_experts, model.experts_per_token + model.shared_experts
    yield Product(model.hidden, model.experts)
    yield Product(model.hidden, (1 + model.gated) * width, copies, passes)
    yield Product(width, model.hidden, copies, passes)


def product_s(
    product: Product,
    tokens: np.ndarray,
    gpu: Gpu,
    calibration: Calibration,
    precision: str = "bf16",
) -> np.ndarray:
    """Return the seconds of a matrix product by number of tokens, shape of `tokens`.

    FLOP 2·n·K·N; bytes K·N·w of weights and 2·n·(K + N) of activations.

    Parameters
    ----------
    product : Product
    tokens : ndarray, (n,)
        Rows of the product.
    gpu : Gpu
    calibration : Calibration
        What the GPU's kernels attain.
    precision : str
        Of the weights.
    """
    rows = tokens * product.passes
    area = product.inner * product.outer
    moved = area * bytes_per_value(precision) * product.copies
    moved = moved + ACTIVATION_BYTES * rows * (product.inner + product.outer)
    return smooth_roofline_s(
        2.0 * rows * area,
        moved,
        flop_s=peak_flop_s(gpu, precision) * calibration.matmul_compute_efficiency,
        byte_s=gpu.memory_bandwidth_gb_s * 1e9 * calibration.matmul_bandwidth_efficiency,
        exponent=calibration.matmul_exponent,
        overhead_s=calibration.matmul_overhead_us * 1e-6,
    )


def element_bytes(model: LanguageModel, gpus: int, width: float) -> dict[str, float]:
    """Return the bytes a token moves in each element-wise kernel of one layer on one GPU.

    A norm reads and writes the hidden vector, the rotary embedding queries and keys, the
    activation reads gate and up and writes one, the residual add reads two and writes one.
    """
    hidden = ACTIVATION_BYTES * model.hidden
    rotated = (model.heads + max(model.kv_heads, gpus)) * model.head_dim / gpus
    if model.kv_lora_rank:
        rotated = (model.heads / gpus + 1) * model.rope_head_dim
    return {
        "norm": 2 * hidden,
        "rope": 0.0 if model.learned_positions else 2 * ACTIVATION_BYTES * rotated,
        "activation": (2 + model.gated) * ACTIVATION_BYTES * width,
        "add": 3 * hidden,
    }


def element_s(
    kernel: str, moved_bytes: np.ndarray, gpu: Gpu, calibration: Calibration
) -> np.ndarray:
    """Return the seconds of an element-wise kernel (norm, rope, activation or add) by its bytes."""
    share = getattr(calibration, f"{kernel}_bandwidth_efficiency")
    overhead = getattr(calibration, f"{kernel}_overhead_us") * 1e-6
    seconds: np.ndarray = overhead + moved_bytes / (gpu.memory_bandwidth_gb_s * 1e9 * share)
    return seconds


def peak_flop_s(gpu: Gpu, precision: str) -> float:
    """Return the dense peak of a GPU for weights of a precision, in FLOP/s.

    fp8 computes at 8 bits where the GPU has it, else at 16. int8 takes the printed rate, or that of
    fp8 where none is printed, but never less than 16 bits. int4 weights are unpacked to 16 bits;
    fp32 uses TF32.

    >>> from gpudeck.hardware.gpu import find_gpu
    >>> peak_flop_s(find_gpu("A100-80G-SXM"), "fp8") / 1e12
    312.0
    """
    half = gpu.half_tflops
    rates = {
        "fp8": gpu.fp8_tflops or half,
        "int8": max(gpu.int8_tops or gpu.fp8_tflops or half, half),
        "fp32": gpu.tf32_tflops or gpu.fp32_tflops or half,
    }
    return rates.get(precision, half) * 1e12
