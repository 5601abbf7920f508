"""Published training runs of ``data/training_runs.csv``, as jobs and layouts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

import numpy as np

from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.training.communication import Collectives
from gpudeck.models.training.job import Job, Software
from gpudeck.models.training.layout import Layouts
from gpudeck.models.training.search import list_layouts, take_steps
from gpudeck.models.training.step import Steps, estimate_steps
from gpudeck.tables import Row, read_table
from gpudeck.workload.model import LanguageModel, find_model

GPUS_PER_NODE = 8
BuildNetwork = Callable[..., Collectives]

# Megatron-LM of 2021 waits for its collectives; that of 2022 hides the backward tensor-parallel
# ones behind weight gradients (section 6.2), and no others; that of Llama 3 hides all three kinds.
SOFTWARE = {
    "megatron": Software(overlap=0.0, overlap_tensor=0.0, fused_attention=False),
    "selective": Software(overlap=0.0, fused_attention=False),
    "llama3": Software(),
}


class Choice(NamedTuple):
    """What a paper says of ZeRO, recompute and sequence parallelism."""

    zero: int
    recompute: str
    sequence_parallel: bool


# Llama 3 shards optimiser states and gradients, but not weights (section 3.3.2), and needs no
# recompute at 8K tokens
CHOICES = {
    "megatron": Choice(0, "full", sequence_parallel=False),
    "full": Choice(0, "full", sequence_parallel=False),
    "selective": Choice(0, "selective", sequence_parallel=True),
    "llama3": Choice(2, "none", sequence_parallel=True),
}


@cache
def find_run(run_id: str) -> tuple[Job, dict[str, Row]]:
    """Return a published run's job, and its rows.

    Raises
    ------
    InputError
        There is no such run.

    >>> find_run("megatron-1.7b")[0].gpus
    32
    """
    rows = read_table("training_runs").of(run_id)
    number = {name: int(row.number) for name, row in rows.items() if row.unit != "text"}
    model = (
        find_model(str(rows["model"].value))
        if "model" in rows
        else gpt_model(
            run_id, number["layers"], number["hidden"], number["heads"], number["vocabulary"],
            number["sequence_tokens"],
        )
    )  # fmt: skip
    job = Job(
        model, find_gpu(str(rows["gpu"].value)), number["gpus"], GPUS_PER_NODE,
        number["sequence_tokens"], number["batch_sequences"],
    )  # fmt: skip
    return job, rows


def gpt_model(
    model_id: str, layers: int, hidden: int, heads: int, vocabulary: int, context: int
) -> LanguageModel:
    """Return a model of GPT's form: feed-forward 4·h, biases, dropout, tied embeddings."""
    return LanguageModel(
        id=model_id, layers=layers, hidden=hidden, intermediate=4 * hidden, heads=heads,
        kv_heads=heads, head_dim=hidden // heads, vocabulary=vocabulary, context_max=context,
        tied_embeddings=1, qkv_bias=1, qk_norm=0, gated=0, linear_bias=1,
        learned_positions=context,
    )  # fmt: skip


def run_steps(run_id: str, build: BuildNetwork, *, full: bool = False) -> Steps:
    """Return the time of a published run's step.

    Where the paper does not print the microbatch or the interleave, the fastest that fits is taken,
    by one rule for all rows.

    Parameters
    ----------
    run_id : str
        Id of ``data/training_runs.csv``.
    build : function
        Builds the network from `gpu`, `link` and `gpus_per_node`.
    full : bool
        Take the variant of Korthikanti et al. that recomputes all activations.
    """
    job, rows = find_run(run_id)
    system = run_id.partition("-")[0]
    choice = CHOICES["full" if full else system]
    net = build(gpu=job.gpu.id, link=str(rows["link"].value), gpus_per_node=GPUS_PER_NODE)
    layouts = list_layouts(job, zero=[choice.zero], recompute=[choice.recompute])
    kept = np.ones(len(layouts), bool)
    for name in ("tensor", "context", "pipeline", "microbatch", "interleave"):
        if name in rows:
            kept &= getattr(layouts, name) == int(rows[name].number)
    layouts = layouts.take(kept)
    fields = {name: getattr(layouts, name) for name in Layouts.__slots__}
    fields["sequence_parallel"] = (layouts.tensor > 1) & choice.sequence_parallel
    steps = estimate_steps(job, Layouts(**fields), net, SOFTWARE[system])
    fits = steps.memory.total <= job.gpu.memory_gb * 1e9
    # where the model's memory says that no variant fits, although it ran, the leanest is taken
    least = steps.memory.total == steps.memory.total.min()
    candidates = np.flatnonzero(fits if fits.any() else least)
    best = candidates[int(steps.step_s[candidates].argmin())]
    return take_steps(steps, np.array([best]))
