"""Memory of one GPU in training: weights, gradients, optimiser states and activations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.training.job import Job, Software
from gpudeck.models.training.layout import RECOMPUTE, Layout, Layouts, stage_layers
from gpudeck.models.training.pipeline import in_flight
from gpudeck.models.training.precision import state_bytes
from gpudeck.workload.model import LanguageModel

# an assumption: CUDA context, NCCL's buffers and what the allocator cannot use take the rest
USABLE_SHARE = 0.92
PARTS = ("weights", "gradients", "optimiser", "activations")


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """Bytes on the fullest GPU by what they hold, each of shape (n,) for n layouts."""

    weights: NDArray[np.float64]
    gradients: NDArray[np.float64]
    optimiser: NDArray[np.float64]
    activations: NDArray[np.float64]

    @property
    def total(self) -> NDArray[np.float64]:
        """All parts together."""
        return np.asarray(self.weights + self.gradients + self.optimiser + self.activations)


@dataclass(frozen=True, slots=True, eq=False)
class StageParameters:
    """Parameters of the fullest stage on one GPU, shape (n,): those of experts apart."""

    dense: NDArray[np.float64]
    experts: NDArray[np.float64]


def zero_bytes(
    parameters: float, ranks: ArrayLike, stage: ArrayLike, precision: str = "bf16"
) -> NDArray[np.float64]:
    """Return the bytes of weights, gradients and optimiser states on one of N data-parallel ranks.

    16Ψ, 4Ψ + 12Ψ/N, 2Ψ + 14Ψ/N and 16Ψ/N for the stages 0 to 3 of ZeRO with 16-bit weights.

    Raises
    ------
    InputError
        There is no rank or no such stage, or the precision is unknown.

    Source: Rajbhandari et al., SC 2020, figure 1.

    >>> (zero_bytes(7.5e9, 64, [0, 1, 2, 3]) / 1e9).round(1).tolist()
    [120.0, 31.4, 16.6, 1.9]
    """
    n, z = np.asarray(ranks, float), np.asarray(stage)
    if not (n >= 1).all() or not np.isin(z, (0, 1, 2, 3)).all():
        msg = f"ranks is {n} and stage {z}; allowed are ranks from 1, stages 0 to 3"
        raise InputError(msg)
    states = state_bytes(precision)
    held = (states.weight, 3), (states.gradient, 2), (states.optimiser, 1)
    return np.asarray(sum(parameters * size / np.where(z >= cut, n, 1) for size, cut in held))


def megatron_activation_bytes(
    sequence_tokens: int,
    microbatch: int,
    hidden: int,
    heads: int,
    tensor: int,
    *,
    sequence_parallel: bool = False,
    recompute: str = "none",
) -> float:
    """Return the activations of one layer of a GPT model on one GPU, in bytes.

    sbh(10 + 24/t + 5as/(ht)); with sequence parallelism sbh(34 + 5as/h)/t; the term 5as/h goes with
    selective recompute; with full recompute 2sbh is left.

    Source: Korthikanti et al., 2022, table 2.

    >>> whole = megatron_activation_bytes(2048, 1, 12288, 96, 8)
    >>> cut = megatron_activation_bytes(
    ...     2048, 1, 12288, 96, 8, sequence_parallel=True, recompute="selective")
    >>> round(100 * cut / whole, 2)
    18.48
    """
    size, t = sequence_tokens * microbatch * hidden, tensor
    if recompute == "full":
        return 2.0 * size
    scores = 5 * heads * sequence_tokens / hidden if recompute == "none" else 0.0
    return size * ((34 + scores) / t if sequence_parallel else 10 + (24 + scores) / t)


def has_dropout(model: LanguageModel) -> bool:
    """Say whether the model is trained with dropout: GPT and OPT are, later models are not."""
    return model.learned_positions > 0


def attention_widths(model: LanguageModel) -> tuple[float, float]:
    """Return the elements of a token's query, and of its key and value together, all heads."""
    if model.kv_lora_rank:
        query = model.heads * (model.nope_head_dim + model.rope_head_dim)
        return query, query + model.heads * model.head_dim
    return model.heads * model.head_dim, 2 * model.kv_heads * model.head_dim


def mean_feed_forward(model: LanguageModel) -> tuple[float, float]:
    """Return the feed-forward width that a token passes, and its copies to routed experts.

    Both are means over the layers.
    """
    sparse = model.expert_layers / model.layers
    passes = model.experts_per_token + model.shared_experts
    width = (1 - sparse) * model.intermediate + sparse * passes * model.expert_intermediate
    return width, sparse * model.experts_per_token


def activation_bytes(job: Job, layouts: Layouts, software: Software) -> NDArray[np.float64]:
    """Return the activations of one layer and one microbatch on one GPU, in bytes, shape (n,).

    The general count of which `megatron_activation_bytes` is the case of GPT: inputs of norms and
    matrices, queries, keys and values, what the activation function reads and writes, masks of
    dropout and, without fused attention, the scores.
    """
    model, t = job.model, layouts.tensor
    half = state_bytes(job.precision).activation / 2
    tokens = layouts.microbatch * job.sequence_tokens / layouts.context
    width, copies = mean_feed_forward(model)
    query, kv = attention_widths(model)
    whole = 8 * half * model.hidden + 2 * model.hidden * has_dropout(model)
    cut = half * (4 * query + 2 * kv + (4 + 2 * model.gated) * width + 2 * copies * model.hidden)
    kept = np.where(layouts.sequence_parallel, whole / t, whole) + cut / t
    if not software.fused_attention:
        score = 2 * half + (2 * half + 1) * has_dropout(model)
        scores = score * model.heads * job.sequence_tokens / t
        kept = kept + np.where(layouts.recompute == 0, scores, 0.0)
    # an input that is recomputed from is cut as the rest is
    inputs = 2 * half * model.hidden / np.where(layouts.sequence_parallel, t, 1)
    return np.asarray(tokens * np.where(layouts.recompute == RECOMPUTE.index("full"), inputs, kept))


def stage_parameters(model: LanguageModel, layouts: Layouts) -> StageParameters:
    """Return the parameters on a GPU of the fullest pipeline stage.

    A first or last stage also holds an embedding or the head.
    """
    matrices = 2 + model.gated
    expert = matrices * model.hidden * model.expert_intermediate
    routed = model.expert_layers * model.experts * expert
    embedding = float(model.vocabulary * model.hidden)
    ends = (2 - model.tied_embeddings) * embedding
    layer = (model.parameters - ends - routed) / model.layers
    outer, inner = stage_layers(model, layouts)
    single = layouts.pipeline == 1
    edge = outer * layer + np.where(single, ends, embedding)
    dense = np.maximum(edge, np.where(single, 0.0, inner * layer))
    held = inner * routed / model.layers
    return StageParameters(dense / layouts.tensor, held / (layouts.tensor * layouts.expert))


def estimate_memory(job: Job, layouts: Layouts, software: Software) -> Memory:
    """Return the memory of the fullest GPU for each layout.

    Activations are those of as many microbatches as the first stage holds, and with full recompute
    one layer's more, which is what is being recomputed; logits where one stage is all.
    """
    states, held = state_bytes(job.precision), stage_parameters(job.model, layouts)
    ranks, expert_ranks = (
        np.asarray(layouts.data * layouts.context / cut) for cut in (1, layouts.expert)
    )

    def spread(size: float, stage: int) -> NDArray[np.float64]:
        cut = layouts.zero >= stage
        dense = held.dense / np.where(cut, ranks, 1)
        return np.asarray(size * (dense + held.experts / np.where(cut, expert_ranks, 1)))

    outer, _ = stage_layers(job.model, layouts)
    layer = activation_bytes(job, layouts, software)
    rounds = in_flight(layouts.pipeline, layouts.microbatches(job), layouts.interleave)
    again = np.where(
        layouts.recompute == RECOMPUTE.index("full"),
        activation_bytes(job, _without_recompute(layouts), software),
        0.0,
    )
    tokens = layouts.microbatch * job.sequence_tokens / layouts.context
    logits = 4.0 * tokens * job.model.vocabulary / layouts.tensor
    activations = layer * outer * rounds + again + np.where(layouts.pipeline == 1, logits, 0.0)
    # ZeRO-3 gathers one layer's weights while the layer before computes
    whole = 2 * states.weight * (held.dense + held.experts) / outer
    gathered = np.where((layouts.zero == 3) & (ranks > 1), whole, 0.0)
    return Memory(
        np.asarray(spread(states.weight, 3) + gathered),
        spread(states.gradient, 2),
        spread(states.optimiser, 1),
        np.asarray(activations),
    )


def usable_bytes(job: Job) -> float:
    """Return the GPU memory that training may fill."""
    return job.gpu.memory_gb * 1e9 * USABLE_SHARE


def check_memory(job: Job, layout: Layout, software: Software) -> Memory:
    """Return the memory of a layout if it fits.

    Raises
    ------
    InputError
        It does not: the message says by how much, and what takes how much.
    """
    memory = estimate_memory(job, Layouts.of(layout), software)
    total_gb, limit_gb = float(memory.total[0]) / 1e9, usable_bytes(job) / 1e9
    if total_gb > limit_gb:
        parts = ", ".join(f"{name} {float(getattr(memory, name)[0]) / 1e9:.1f}" for name in PARTS)
        msg = (
            f"memory of layout {layout} is {total_gb:.1f} GB on {job.gpu.id} ({parts}), which is"
            f" {total_gb - limit_gb:.1f} GB more than the usable {limit_gb:.1f}; allowed are"
            " layouts that fit"
        )
        raise InputError(msg)
    return memory


def _without_recompute(layouts: Layouts) -> Layouts:
    fields = {name: getattr(layouts, name) for name in Layouts.__slots__}
    return Layouts(**fields | {"recompute": np.zeros_like(layouts.recompute)})
