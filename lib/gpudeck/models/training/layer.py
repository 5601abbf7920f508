"""One layer on one GPU: seconds of its matrix products, its attention and its element-wise work."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.training.job import Job, Software
from gpudeck.models.training.layout import Layouts
from gpudeck.models.training.memory import attention_widths, has_dropout, mean_feed_forward
from gpudeck.models.training.precision import achieved_share, state_bytes
from gpudeck.workload.model import LanguageModel

# One set of constants for every job and every published row: assumptions, set before any result
# was seen. With them the ten layer times of Korthikanti et al., table 4, come out within 8 %, 5 %
# in the root mean square; SUSTAINED_SHARE fitted to those times alone would be 0.96.
SUSTAINED_SHARE = 0.9  # of the best measured matrix product, in a run that heats the GPU
BANDWIDTH_SHARE = 0.8  # of the memory bandwidth, in element-wise kernels
FUSED_SHARE = 0.55  # of the matrix rate, in fused attention
BACKWARD_FUSED = 2.5  # FLOP of fused attention backward over forward: the scores are made again
KERNELS = 14  # of a layer, forward
KERNEL_S = 4e-6  # a kernel's start and tail


@dataclass(frozen=True, slots=True, eq=False)
class LayerTime:
    """Seconds of one layer (or the head), one microbatch, forward, shape (n,)."""

    matrix_s: NDArray[np.float64]
    attention_s: NDArray[np.float64]
    attention_backward_s: NDArray[np.float64]
    element_s: NDArray[np.float64]

    @property
    def forward_s(self) -> NDArray[np.float64]:
        """Forward."""
        return np.asarray(self.matrix_s + self.attention_s + self.element_s)

    @property
    def backward_s(self) -> NDArray[np.float64]:
        """Backward: each product twice, for the input and for the weight; other work twice too."""
        return np.asarray(2 * self.matrix_s + self.attention_backward_s + 2 * self.element_s)


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """A matrix product on one GPU: `passes` times a token's row, by one of `copies` matrices."""

    inner: NDArray[np.float64]
    outer: NDArray[np.float64]
    share: float = 1.0
    passes: float = 1.0
    copies: NDArray[np.float64] | float = 1.0


def layer_products(model: LanguageModel, layouts: Layouts) -> Iterator[Product]:
    """Yield the matrix products of a mean layer; `share` is the part of the layers that have it."""
    t, h = layouts.tensor, np.full(len(layouts), float(model.hidden))
    query, kv = attention_widths(model)
    if model.kv_lora_rank:
        weights = model.attention_parameters / h
        yield Product(h, weights / t)
    else:
        yield Product(h, (query + kv) / t)
        yield Product(query / t, h)
    sparse, gates = model.expert_layers / model.layers, 1 + model.gated
    if sparse < 1:
        width = model.intermediate / t
        yield Product(h, gates * width, 1 - sparse)
        yield Product(width, h, 1 - sparse)
    if sparse:
        width = model.expert_intermediate / t
        passes = model.experts_per_token + model.shared_experts
        held = model.experts / layouts.expert + model.shared_experts
        yield Product(h, np.full_like(h, float(model.experts)), sparse)
        yield Product(h, gates * width, sparse, passes, held)
        yield Product(width, h, sparse, passes, held)


def matrix_rate(job: Job) -> float:
    """Return the FLOP/s of a large matrix product in a long run."""
    return job.peak_flop_s * achieved_share(job.gpu, job.precision) * SUSTAINED_SHARE


def wide_job(job: Job) -> Job:
    """Return the job as attention and the output head compute it: in 16 bits where it is in 8.

    Source: DeepSeek-V3 Technical Report, 2024, section 3.3.1.
    """
    return replace(job, precision="bf16") if job.precision == "fp8" else job


def product_s(product: Product, tokens: NDArray[np.float64], job: Job) -> NDArray[np.float64]:
    """Return the seconds of a product by tokens, shape (n,): FLOP over rate, plus bytes over it.

    Small products are slower because reading their factors does not overlap wholly with computing:
    the two times are added.
    """
    rows = tokens * product.passes
    flop = 2 * rows * product.inner * product.outer
    size = state_bytes(job.precision).activation
    moved = rows * (product.inner + product.outer) + product.copies * product.inner * product.outer
    seconds = flop / matrix_rate(job) + size * moved / byte_rate(job)
    return np.asarray(product.share * seconds)


def byte_rate(job: Job) -> float:
    """Return the bytes/s of GPU memory that a kernel attains."""
    return job.gpu.memory_bandwidth_gb_s * 1e9 * BANDWIDTH_SHARE


def layer_time(job: Job, layouts: Layouts, software: Software) -> LayerTime:
    """Return the seconds of a mean layer for one microbatch, shape (n,)."""
    tokens = layouts.microbatch * job.sequence_tokens / layouts.context
    products = layer_products(job.model, layouts)
    matrix = np.asarray(sum(product_s(product, tokens, job) for product in products))
    core, back = _attention(job, layouts, software, tokens)
    element = element_bytes(job, layouts) * tokens / byte_rate(job) + KERNELS * KERNEL_S
    return LayerTime(matrix, core, back, np.asarray(element))


def element_bytes(job: Job, layouts: Layouts) -> NDArray[np.float64]:
    """Return the bytes a token moves in element-wise kernels of a layer, forward, shape (n,).

    Two norms read and write the hidden vector, two additions read two and write one (with dropout
    also a mask), which sequence parallelism cuts; the activation function, the rotary embedding and
    the copies to experts are cut by tensor parallelism.
    """
    model, t = job.model, layouts.tensor
    half = state_bytes(job.precision).activation / 2
    width, copies = mean_feed_forward(model)
    query, kv = attention_widths(model)
    whole = half * (8 + 12) * model.hidden + 2 * model.hidden * has_dropout(model)
    rotary = 0.0 if model.learned_positions else 4 * (query + kv / 2)
    cut = half * ((4 + 2 * model.gated) * width + rotary + 8 * copies * model.hidden)
    return np.asarray(np.where(layouts.sequence_parallel, whole / t, whole) + cut / t)


def head_time(job: Job, layouts: Layouts) -> LayerTime:
    """Return the seconds of the output head with its loss, for one microbatch, shape (n,)."""
    tokens = layouts.microbatch * job.sequence_tokens / layouts.context
    width = job.model.vocabulary / layouts.tensor
    hidden = np.full(len(layouts), float(job.model.hidden))
    # the loss reads the logits in 4 bytes about four times
    element = 16.0 * tokens * width / byte_rate(job)
    none = np.zeros(len(layouts))
    matrix = product_s(Product(hidden, width), tokens, wide_job(job))
    return LayerTime(matrix, none, none, element)


def _attention(
    job: Job, layouts: Layouts, software: Software, tokens: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the seconds of scores, softmax and weighted sum, forward and backward."""
    model, s = job.model, job.sequence_tokens
    query, _ = attention_widths(model)
    values = model.heads * model.head_dim
    flop = 2.0 * tokens * s * (query + values) / layouts.tensor
    rate = matrix_rate(wide_job(job))
    if software.fused_attention:
        forward = flop / 2 / (rate * FUSED_SHARE)
        return np.asarray(forward), np.asarray(BACKWARD_FUSED * forward)
    half = state_bytes(job.precision).activation / 2
    # scores written, read and written by softmax, and by dropout with its mask, and read
    moved = (8 + 5 * has_dropout(model)) * half * tokens * s * model.heads / layouts.tensor
    forward = flop / rate + moved / byte_rate(job)
    return np.asarray(forward), np.asarray(2 * forward)
