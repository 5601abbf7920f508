"""The time of a training step, taken apart: computing, waiting, and each kind of communication."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.training.communication import (
    Collectives,
    data_messages,
    hidden_s,
    layer_messages,
    stage_message_s,
    tensor_runs,
)
from gpudeck.models.training.flops import attention_flop
from gpudeck.models.training.job import Job, Software, model_flop
from gpudeck.models.training.layer import LayerTime, byte_rate, head_time, layer_time
from gpudeck.models.training.layout import Layout, Layouts, check_layout, stage_layers
from gpudeck.models.training.memory import Memory, check_memory, estimate_memory, stage_parameters
from gpudeck.models.training.utilisation import utilisation_pct

# in the order in which a bar is stacked
PARTS = (
    "compute", "element", "recompute", "tensor", "context", "expert", "pipeline", "data",
    "optimiser", "bubble",
)  # fmt: skip
# bytes that Adam reads and writes for a parameter: gradient, two moments and a weight in 4 bytes
ADAM_BYTES = 30.0


@dataclass(frozen=True, slots=True, eq=False)
class Steps:
    """Seconds of a step for n layouts; `parts[name]` of shape (n,), for `PARTS`, sum to the step.

    `compute` is matrix products and attention, `element` the element-wise work, `recompute` what is
    computed twice; `tensor`, `context`, `expert`, `pipeline` and `data` are communication that no
    computation hides; `optimiser` is the update, `bubble` the pipeline's idle time. `mfu_pct` is of
    the peak at the job's precision, `memory` that of the fullest GPU.
    """

    layouts: Layouts
    parts: dict[str, NDArray[np.float64]]
    mfu_pct: NDArray[np.float64]
    hfu_pct: NDArray[np.float64]
    memory: Memory

    @property
    def step_s(self) -> NDArray[np.float64]:
        """Seconds of the whole step."""
        return np.asarray(sum(self.parts.values()))

    def tokens_s(self, job: Job) -> NDArray[np.float64]:
        """Return the tokens a second over all GPUs."""
        return np.asarray(job.tokens / self.step_s)


def estimate_steps(
    job: Job, layouts: Layouts, net: Collectives, software: Software | None = None
) -> Steps:
    """Return the time of a step for each layout, without checking that it is possible or fits.

    A stage works through m microbatches; the slowest stage sets the pace; the pipeline fills and
    drains in (p − 1)/v microbatches more, which is the bubble.

    Parameters
    ----------
    job : Job
    layouts : Layouts
        n layouts, as `search_layouts` lists them or `check_layout` lets pass.
    net : Collectives
        The network.
    software : Software, optional
        What the software does; all of it if not told.
    """
    software = software or Software()
    once = _microbatch_parts(job, layouts, net, software)
    rounds = layouts.microbatches(job)
    parts = {name: rounds * seconds for name, seconds in once.items()}
    busy = sum(once.values())
    parts["bubble"] = np.asarray((layouts.pipeline - 1) / layouts.interleave * busy)
    computed = {name: once[name] for name in ("compute", "element", "recompute")}
    parts["data"] = _exposed_data_s(job, layouts, net, software, computed)
    parts["optimiser"] = _optimiser_s(job, layouts)
    step = sum(parts.values())
    needed = model_flop(job, software)
    again = needed * _recomputed_share(job, layouts, software)
    return Steps(
        layouts,
        {name: np.asarray(parts[name], float) for name in PARTS},
        utilisation_pct(needed, step, job.gpus, job.peak_flop_s),
        utilisation_pct(needed + again, step, job.gpus, job.peak_flop_s),
        estimate_memory(job, layouts, software),
    )


def estimate_step(
    job: Job, layout: Layout, net: Collectives, software: Software | None = None
) -> Steps:
    """Return the time of a step for one layout that is possible and fits.

    Raises
    ------
    InputError
        The job cannot be cut so, or a GPU's memory does not hold it: by how much, and for what.
    """
    check_layout(job, layout)
    check_memory(job, layout, software or Software())
    return estimate_steps(job, Layouts.of(layout), net, software)


def _microbatch_parts(
    job: Job, layouts: Layouts, net: Collectives, software: Software
) -> dict[str, NDArray[np.float64]]:
    """Return what one microbatch takes on the slowest stage, forward and backward."""
    layer, head = layer_time(job, layouts, software), head_time(job, layouts)
    messages = layer_messages(job, layouts, net)
    outer, inner = stage_layers(job.model, layouts)
    # the last stage has the head: where it holds a layer less, an inner stage may be slower
    full_s = layer.forward_s + layer.backward_s
    with_head = outer * full_s + head.forward_s + head.backward_s
    last = (with_head >= inner * full_s) | (layouts.pipeline == 1)
    count = np.where(last, outer, inner)
    ends = np.where(last, 1.0, 0.0)
    attention = layer.attention_s + layer.attention_backward_s
    # backward, a collective hides behind the weight's gradient, which takes as long as forward
    backward = messages.tensor_s - hidden_s(
        messages.tensor_s, software.overlap_tensor, layer.matrix_s
    )
    handed = 2 * layouts.interleave * stage_message_s(job, layouts, net)
    covered = count * layer.forward_s
    # a microbatch's tokens travel to their experts while another one computes, as long as that does
    # not already hide tensor-parallel messages
    free_s = full_s - (messages.tensor_s - backward)
    others = np.where(layouts.microbatches(job) > 1, free_s, 0.0)
    sent = (tensor_runs(layouts) + 1) * messages.expert_s
    sent = sent - hidden_s(sent, software.overlap, others)
    return {
        "compute": count * (3 * layer.matrix_s + attention) + ends * 3 * head.matrix_s,
        "element": 3 * (count * layer.element_s + ends * head.element_s),
        "recompute": count * _recompute_s(layer, layouts, software),
        "tensor": count * (tensor_runs(layouts) * messages.tensor_s + backward),
        "context": count * 2 * messages.context_s,
        "expert": count * sent,
        "pipeline": handed - hidden_s(handed, software.overlap, covered),
    }


def _recompute_s(layer: LayerTime, layouts: Layouts, software: Software) -> NDArray[np.float64]:
    """Return what a layer computes again; fused attention makes its scores again anyway."""
    core = np.zeros_like(layer.attention_s) if software.fused_attention else layer.attention_s
    return np.choose(layouts.recompute, [np.zeros_like(core), core, layer.forward_s])


def _recomputed_share(job: Job, layouts: Layouts, software: Software) -> NDArray[np.float64]:
    """Return the FLOP computed again over those that the model needs."""
    model, s = job.model, job.sequence_tokens
    if software.fused_attention:
        core = 0.0
    else:
        core = attention_flop(model, s, causal=False) * job.tokens / model_flop(job, software)
    head = 6.0 * model.vocabulary * model.hidden * job.tokens / model_flop(job, software)
    return np.choose(layouts.recompute, [0.0, core, (1 - head) / 3])


def _exposed_data_s(
    job: Job,
    layouts: Layouts,
    net: Collectives,
    software: Software,
    once: dict[str, NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return the data-parallel communication that is not hidden.

    Each reduction hides behind the backward pass of its microbatch, each gathering behind a forward
    pass; forward is a third of the computing.
    """
    messages = data_messages(job, layouts, software, net)
    work = once["compute"] + once["element"]
    back, ahead = work * 2 / 3 + once["recompute"], work / 3
    reduced = messages.gradient_s - hidden_s(messages.gradient_s, software.overlap, back)
    gathered = messages.weight_s - hidden_s(messages.weight_s, software.overlap, ahead)
    return np.asarray(messages.reductions * reduced + messages.gatherings * gathered)


def _optimiser_s(job: Job, layouts: Layouts) -> NDArray[np.float64]:
    held = stage_parameters(job.model, layouts)
    ranks = layouts.data * layouts.context
    dense = held.dense / np.where(layouts.zero >= 1, ranks, 1)
    experts = held.experts / np.where(layouts.zero >= 1, ranks // layouts.expert, 1)
    return np.asarray(ADAM_BYTES * (dense + experts) / byte_rate(job))
