"""The best layout: all that divide the job are listed, those that fit are timed."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.training.communication import Collectives
from gpudeck.models.training.job import Job, Software
from gpudeck.models.training.layout import RECOMPUTE, ZERO_STAGES, Layouts, divides_layers
from gpudeck.models.training.memory import PARTS, estimate_memory, usable_bytes
from gpudeck.models.training.step import Steps, estimate_steps

MICROBATCHES = (1, 2, 4, 8)
CONTEXTS = (1, 2, 4, 8, 16)
INTERLEAVES = (1, 2, 3, 4, 6, 8)
# a sequence is cut over GPUs only where each still gets as many tokens
CONTEXT_TOKENS = 4096


def list_layouts(
    job: Job,
    *,
    zero: Sequence[int] = ZERO_STAGES,
    recompute: Sequence[str] = RECOMPUTE,
    microbatches: Sequence[int] = MICROBATCHES,
    interleaves: Sequence[int] = INTERLEAVES,
) -> Layouts:
    """List every layout that divides the job, whether it fits in memory or not.

    Tensor degrees stay within a node; sequence parallelism is on where there are tensor ranks.

    Parameters
    ----------
    job : Job
    zero, recompute, microbatches, interleaves
        What may be chosen.
    """
    degrees = _degrees(job)
    grid = np.array(list(product(degrees, microbatches, interleaves)), dtype=object)
    if not len(grid):
        return _empty()
    cut = np.array([row[0] for row in grid], dtype=np.int64)
    micro, pieces = grid[:, 1].astype(np.int64), grid[:, 2].astype(np.int64)
    rows = np.column_stack([cut, pieces, micro])
    rows = rows[_possible(job, *rows.T)]
    modes = np.array(list(product(zero, [RECOMPUTE.index(mode) for mode in recompute])))
    # without data parallelism the stages of ZeRO are all the same
    every = np.repeat(rows, len(modes), axis=0)
    chosen = np.tile(modes, (len(rows), 1))
    alone = (every[:, 2] * every[:, 3] == 1) & (chosen[:, 0] != min(zero))
    every, chosen = every[~alone], chosen[~alone]
    t, p, c, d, e, v, b = every.T
    return Layouts(t, p, c, d, e, v, b, chosen[:, 0], chosen[:, 1], t > 1)


def search_layouts(
    job: Job, net: Collectives, software: Software | None = None, **choices: Sequence
) -> Steps:
    """Time every layout that fits, and return them, fastest first.

    Parameters
    ----------
    job : Job
    net : Collectives
        The network.
    software : Software, optional
        What the software does.
    choices
        As of `list_layouts`.

    Raises
    ------
    InputError
        Nothing divides the job, or nothing fits: the message says how much is lacking, and for
        what, in the layout that needs least.
    """
    software = software or Software()
    if software.fused_attention and "recompute" not in choices:
        # selective recompute leaves out what fused attention never keeps
        choices = {**choices, "recompute": ("none", "full")}
    layouts = list_layouts(job, **choices)
    if not len(layouts):
        msg = (
            f"gpus is {job.gpus} with a batch of {job.batch_sequences}: no layout divides the"
            f" {job.model.heads} heads and {job.model.layers} layers of {job.model.id}; allowed are"
            " numbers that share divisors with them"
        )
        raise InputError(msg)
    memory = estimate_memory(job, layouts, software)
    fits = memory.total <= usable_bytes(job)
    if not fits.any():
        least = int(memory.total.argmin())
        total_gb, limit_gb = float(memory.total[least]) / 1e9, usable_bytes(job) / 1e9
        parts = ", ".join(f"{name} {getattr(memory, name)[least] / 1e9:.1f}" for name in PARTS)
        msg = (
            f"memory: no layout of {job.model.id} fits {job.gpus} {job.gpu.id}; the smallest,"
            f" {layouts.at(least)}, needs {total_gb:.1f} GB ({parts}), {total_gb - limit_gb:.1f} GB"
            f" more than the usable {limit_gb:.1f}; allowed are more GPUs or a smaller model"
        )
        raise InputError(msg)
    steps = estimate_steps(job, layouts.take(fits), net, software)
    return take_steps(steps, np.argsort(steps.step_s, kind="stable"))


def take_steps(steps: Steps, index: NDArray) -> Steps:
    """Return the steps at an index or under a mask."""
    memory = type(steps.memory)(*(getattr(steps.memory, name)[index] for name in PARTS))
    return Steps(
        steps.layouts.take(index),
        {name: seconds[index] for name, seconds in steps.parts.items()},
        steps.mfu_pct[index],
        steps.hfu_pct[index],
        memory,
    )


def _degrees(job: Job) -> list[tuple[int, int, int, int, int]]:
    """List tensor, pipeline, context, data and expert degrees whose product is the GPUs."""
    tensors = _divisors(np.gcd(job.model.heads, job.gpus_per_node))
    stages = [p for p in range(1, job.model.layers + 1) if job.gpus % p == 0]
    stages = [p for p in stages if divides_layers(job.model.layers, p, 1)]
    s = job.sequence_tokens
    contexts = [
        c for c in CONTEXTS if c == 1 or (s // c >= CONTEXT_TOKENS and s % (2 * c) == 0)
    ]  # fmt: skip
    experts = _divisors(job.model.experts) if job.model.experts else [1]
    found = []
    for t, p, c in product(tensors, stages, contexts):
        d, rest = divmod(job.gpus, t * p * c)
        if rest == 0 and job.batch_sequences % d == 0:
            found += [(t, p, c, d, e) for e in experts if d % e == 0]
    return found


def _possible(
    job: Job, t: NDArray, p: NDArray, c: NDArray, d: NDArray, e: NDArray, v: NDArray, b: NDArray
) -> NDArray[np.bool_]:
    rounds, rest = np.divmod(job.batch_sequences, d * b)
    plain = (v == 1) | ((p > 1) & (rounds % p == 0))
    return np.asarray((rest == 0) & plain & divides_layers(job.model.layers, p, v))


def _divisors(number: int) -> list[int]:
    return [k for k in range(1, int(number) + 1) if number % k == 0]


def _empty() -> Layouts:
    none = np.zeros(0, np.int64)
    return Layouts(none, none, none, none, none, none, none, none, none, none.astype(bool))
