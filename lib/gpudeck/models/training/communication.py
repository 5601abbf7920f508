"""Communication of a step: what each kind of parallelism sends, and what computation hides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.models.training.job import Job, Software
from gpudeck.models.training.layout import RECOMPUTE, Layouts
from gpudeck.models.training.memory import attention_widths, stage_parameters
from gpudeck.models.training.precision import state_bytes


class Collectives(Protocol):
    """What a network needs for each collective, in seconds; all arguments broadcast as arrays.

    `size_bytes` is the whole buffer of a rank (all-reduce), the gathered buffer (reduce-scatter and
    all-gather), or what a rank sends (all-to-all, send). `ranks_per_node` is the number of the
    group's ranks on one node.
    """

    def all_reduce_s(
        self, size_bytes: ArrayLike, ranks: ArrayLike, ranks_per_node: ArrayLike
    ) -> NDArray[np.float64]:
        """Seconds of an all-reduce."""

    def reduce_scatter_s(
        self, size_bytes: ArrayLike, ranks: ArrayLike, ranks_per_node: ArrayLike
    ) -> NDArray[np.float64]:
        """Seconds of a reduce-scatter."""

    def all_gather_s(
        self, size_bytes: ArrayLike, ranks: ArrayLike, ranks_per_node: ArrayLike
    ) -> NDArray[np.float64]:
        """Seconds of an all-gather."""

    def all_to_all_s(
        self, size_bytes: ArrayLike, ranks: ArrayLike, ranks_per_node: ArrayLike
    ) -> NDArray[np.float64]:
        """Seconds of an all-to-all."""

    def send_s(self, size_bytes: ArrayLike, same_node: ArrayLike) -> NDArray[np.float64]:
        """Seconds of a message from one GPU to another."""


@dataclass(frozen=True, slots=True, eq=False)
class LayerMessages:
    """Seconds of a layer's collectives for one microbatch, forward and backward, shape (n,)."""

    tensor_s: NDArray[np.float64]
    context_s: NDArray[np.float64]
    expert_s: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class DataMessages:
    """Seconds of the data-parallel collectives of a step, shape (n,).

    `gradient_s` of one reduction and how many there are (`reductions`), `weight_s` of one gathering
    of weights and how many (`gatherings`).
    """

    gradient_s: NDArray[np.float64]
    reductions: NDArray[np.int64]
    weight_s: NDArray[np.float64]
    gatherings: NDArray[np.int64]


def hidden_s(message_s: ArrayLike, overlap: float, cover_s: ArrayLike) -> NDArray[np.float64]:
    """Return what computation hides of a message: a part of it, at most the computation's time.

    >>> hidden_s([2.0, 2.0], 0.9, [5.0, 1.0]).tolist()
    [1.8, 1.0]
    """
    return np.asarray(np.minimum(overlap * np.asarray(message_s, float), cover_s))


def local_ranks(job: Job, inside: ArrayLike, ranks: ArrayLike) -> NDArray[np.int64]:
    """Return how many ranks of a group share a node, when `inside` GPUs lie between two of them.

    Ranks are numbered tensor first, then context, data, pipeline.
    """
    places = np.maximum(job.gpus_per_node // np.asarray(inside), 1)
    # a group is cut into equal parts over nodes
    return np.asarray(np.gcd(np.minimum(places, ranks), ranks))


def layer_messages(job: Job, layouts: Layouts, net: Collectives) -> LayerMessages:
    """Return the seconds of one layer's collectives for one microbatch, one direction each.

    Tensor: two all-reduces of the hidden vectors forward and two backward, or as many pairs of
    reduce-scatter and all-gather; context: gathering keys and values; expert: tokens sent to their
    experts and back. What is given is forward; backward takes as long.
    """
    t, size = layouts.tensor, state_bytes(job.precision).activation
    tokens = layouts.microbatch * job.sequence_tokens / layouts.context
    vectors = size * tokens * job.model.hidden
    inside = local_ranks(job, 1, t)
    tensor = np.zeros(len(layouts))
    # a network takes time to ask: only what some layout sends
    if (layouts.sequence_parallel & (t > 1)).any():
        pair = net.reduce_scatter_s(vectors, t, inside) + net.all_gather_s(vectors, t, inside)
        tensor = np.where(layouts.sequence_parallel, 2 * pair, tensor)
    if (~layouts.sequence_parallel & (t > 1)).any():
        whole = 2 * net.all_reduce_s(vectors, t, inside)
        tensor = np.where(layouts.sequence_parallel, tensor, whole)
    return LayerMessages(
        np.where(t > 1, tensor, 0.0),
        _context_s(job, layouts, net),
        _expert_s(job, layouts, net, vectors),
    )


def _context_s(job: Job, layouts: Layouts, net: Collectives) -> NDArray[np.float64]:
    c, t = layouts.context, layouts.tensor
    if c.max() == 1:
        return np.zeros(len(layouts))
    _, kv = attention_widths(job.model)
    size = state_bytes(job.precision).activation * kv / t
    gathered = size * layouts.microbatch * job.sequence_tokens
    seconds = net.all_gather_s(gathered, c, local_ranks(job, t, c))
    return np.where(c > 1, seconds, 0.0)


def _expert_s(
    job: Job, layouts: Layouts, net: Collectives, vectors: NDArray[np.float64]
) -> NDArray[np.float64]:
    e, t = layouts.expert, layouts.tensor
    if e.max() == 1:
        return np.zeros(len(layouts))
    sparse = job.model.expert_layers / job.model.layers
    sent = vectors * job.model.experts_per_token / t
    near = local_ranks(job, t * layouts.context, e)
    return np.where(e > 1, 2 * sparse * net.all_to_all_s(sent, e, near), 0.0)


def stage_message_s(job: Job, layouts: Layouts, net: Collectives) -> NDArray[np.float64]:
    """Return the seconds of handing one microbatch to the next stage, shape (n,).

    Each tensor rank sends its part of the hidden vectors.
    """
    tokens = layouts.microbatch * job.sequence_tokens / layouts.context
    vectors = state_bytes(job.precision).activation * tokens * job.model.hidden
    apart = layouts.tensor * layouts.context * layouts.data
    seconds = net.send_s(vectors / layouts.tensor, 2 * apart <= job.gpus_per_node)
    return np.asarray(np.where(layouts.pipeline > 1, seconds, 0.0))


def data_messages(job: Job, layouts: Layouts, software: Software, net: Collectives) -> DataMessages:
    """Return the data-parallel collectives of a step.

    Stage 0 of ZeRO all-reduces gradients; 1 reduce-scatters them and gathers the weights once;
    2 keeps only a part of the gradients, so that each microbatch reduces them; 3 also gathers the
    weights forward and backward of each microbatch. Without accumulation each microbatch reduces.
    """
    states, held = state_bytes(job.precision), stage_parameters(job.model, layouts)
    ranks = layouts.data * layouts.context
    rounds = layouts.microbatches(job)
    gradient, weight = np.zeros(len(layouts)), np.zeros(len(layouts))
    for parameters, group, step in (
        (held.dense, ranks, layouts.tensor),
        (held.experts, ranks // layouts.expert, layouts.tensor * layouts.expert),
    ):
        several = (group > 1) & (parameters > 0)
        if not several.any():
            continue
        sizes = states.gradient * parameters, states.weight * parameters
        reduced, gathered = _data_s(net, layouts, sizes, group, np.ones_like(group))
        near = local_ranks(job, step, group)
        if software.hierarchical and (near > 1).any():
            inside = _data_s(net, layouts, sizes, group, near)
            # where the links inside a node are no faster than its ports, the flat one is taken
            reduced, gathered = np.minimum(reduced, inside[0]), np.minimum(gathered, inside[1])
        gradient = gradient + np.where(several, reduced, 0.0)
        weight = weight + np.where(several, gathered, 0.0)
    each = (layouts.zero >= 2) | (not software.accumulate)
    reductions = np.where(each, rounds, 1)
    gatherings = np.select([layouts.zero == 0, layouts.zero == 3], [0, 2 * rounds], 1)
    return DataMessages(gradient, reductions, weight, gatherings)


def _data_s(
    net: Collectives,
    layouts: Layouts,
    sizes: tuple[NDArray[np.float64], NDArray[np.float64]],
    group: NDArray[np.int64],
    near: NDArray[np.int64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the seconds of reducing the gradients and of gathering the weights once."""
    whole = layouts.zero == 0
    reduced, gathered = np.zeros(len(layouts)), np.zeros(len(layouts))
    if whole.any():
        reduced = np.where(whole, net.all_reduce_s(sizes[0], group, near), reduced)
    if not whole.all():
        reduced = np.where(whole, reduced, net.reduce_scatter_s(sizes[0], group, near))
        gathered = net.all_gather_s(sizes[1], group, near)
    return reduced, gathered


def tensor_runs(layouts: Layouts) -> NDArray[np.float64]:
    """Return how often a layer's forward collectives run: twice with full recompute."""
    return np.where(layouts.recompute == RECOMPUTE.index("full"), 2.0, 1.0)
