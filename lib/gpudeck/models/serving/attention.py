"""The lines that attention and all-reduces of one layer follow on one GPU."""

from typing import NamedTuple

import numpy as np

from gpudeck.hardware.gpu import Gpu
from gpudeck.models.serving.calibration import Calibration
from gpudeck.workload.model import LanguageModel, bytes_per_value

VALUE_BYTES = 2.0  # queries and outputs stay in 16 bits
PCIE_GB_S = 64.0  # both directions of PCIe 4.0 x16: an all-reduce without NVLink


class PrefillLine(NamedTuple):
    """Seconds of a layer's attention over prompts: chunks, tokens, pairs of query and key."""

    chunk_s: float
    token_s: float
    work_s: float


class DecodeLine(NamedTuple):
    """Seconds of a layer's attention when decoding: a step, its requests, tokens in the cache."""

    step_s: float
    request_s: float
    token_s: float


def prefill_line(
    heads: float, key: float, value: float, gpu: Gpu, constants: Calibration
) -> PrefillLine:
    """Return the line of attention over prompts in one layer.

    FLOP 2·H·(key + value) a pair, bytes of queries and outputs a token; 16-bit arithmetic.

    Parameters
    ----------
    heads : float
        Query heads on one GPU.
    key, value : float
        Elements of a key and of a value of one head.
    gpu : Gpu
    constants : Calibration
        What the GPU's kernels attain.
    """
    byte_s = gpu.memory_bandwidth_gb_s * 1e9 * constants.prefill_bandwidth_efficiency
    flop_s = gpu.half_tflops * 1e12 * constants.prefill_compute_efficiency
    elements = heads * (key + value)
    return PrefillLine(
        constants.prefill_overhead_us * 1e-6,
        elements * VALUE_BYTES / byte_s,
        2.0 * elements / flop_s,
    )


def decode_line(
    heads: float, key: float, value: float, cache_bytes: float, gpu: Gpu, constants: Calibration
) -> DecodeLine:
    """Return the line of attention when decoding in one layer.

    A token of the cache costs its bytes, or its FLOP 2·H·(key + value) where those take longer
    (latent attention); a request the bytes of its queries and outputs.

    Parameters
    ----------
    heads : float
        Query heads on one GPU.
    key, value : float
        Elements that a query head multiplies with, for each token of the cache.
    cache_bytes : float
        Bytes of one token in the cache of one GPU and layer.
    gpu : Gpu
    constants : Calibration
        What the GPU's kernels attain.
    """
    byte_s = gpu.memory_bandwidth_gb_s * 1e9
    flop_s = gpu.half_tflops * 1e12 * constants.prefill_compute_efficiency
    elements = heads * (key + value)
    return DecodeLine(
        constants.decode_overhead_us * 1e-6,
        elements * VALUE_BYTES / (byte_s * constants.decode_query_efficiency),
        max(
            cache_bytes / (byte_s * constants.decode_cache_efficiency),
            2.0 * elements / flop_s,
        ),
    )


def model_lines(
    model: LanguageModel, gpus: int, kv_precision: str, gpu: Gpu, constants: Calibration
) -> tuple[PrefillLine, DecodeLine]:
    """Return both lines of one layer of a model, on one of `gpus` GPUs.

    Latent attention decodes in the latent space: every head reads the one vector of the cache,
    which each GPU keeps whole.
    """
    heads = model.heads / gpus
    width = bytes_per_value(kv_precision)
    if model.kv_lora_rank:
        latent, rotated = model.kv_lora_rank, model.rope_head_dim
        key = model.nope_head_dim + rotated
        prefill = prefill_line(heads, key, model.head_dim, gpu, constants)
        stored = (latent + rotated) * width
        return prefill, decode_line(heads, latent + rotated, latent, stored, gpu, constants)
    size = model.head_dim
    stored = 2 * max(model.kv_heads / gpus, 1.0) * size * width
    prefill = prefill_line(heads, size, size, gpu, constants)
    return prefill, decode_line(heads, size, size, stored, gpu, constants)


def allreduce_s(gpu: Gpu, constants: Calibration, gpus: int, sent_bytes: np.ndarray) -> np.ndarray:
    """Return the seconds of an all-reduce: latency + 2·(t − 1)/t · bytes over one direction.

    Parameters
    ----------
    gpu : Gpu
        Its link: NVLink, else PCIe 4.0 x16.
    constants : Calibration
        Latency by number of GPUs, and the share of the link that is attained.
    gpus : int
        GPUs that take part, t; one sends nothing.
    sent_bytes : ndarray
        Size of the reduced array.
    """
    link = (gpu.nvlink_gb_s or PCIE_GB_S) / 2 * 1e9 * constants.allreduce_efficiency
    sent = 2 * (gpus - 1) / gpus * sent_bytes / link
    seconds: np.ndarray = constants.allreduce_latency_s(gpus) + sent
    return seconds
