"""What if the degrees, the precision or the accumulation were others? A grid of steps."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.training.communication import Collectives
from gpudeck.models.training.job import Job, Software
from gpudeck.models.training.layout import Layout, Layouts, divides_layers
from gpudeck.models.training.memory import usable_bytes
from gpudeck.models.training.step import estimate_steps

STAGES = (1, 2, 3)
ROUNDS = (1, 2, 4, 8, 16, 32)
PRECISIONS = ("fp32", "tf32", "bf16", "fp8")
PIPELINES_MAX = 4


@dataclass(frozen=True, slots=True, eq=False)
class StepGrid:
    """MFU by accumulated microbatches, for each tensor and pipeline degree and precision.

    `mfu_pct[tensor, pipeline, precision]` has shape (stages of ZeRO, rounds), in % of the peak at
    that precision, NaN where memory does not suffice; `memory_gb[…]` and `tokens_s[…]` likewise
    without gaps. The batch grows with the accumulation.
    """

    tensor: tuple[int, ...]
    pipeline: tuple[int, ...]
    precision: tuple[str, ...]
    rounds: tuple[int, ...]
    mfu_pct: dict[tuple[int, int, str], NDArray[np.float64]]
    memory_gb: dict[tuple[int, int, str], NDArray[np.float64]]
    tokens_s: dict[tuple[int, int, str], NDArray[np.float64]]
    usable_gb: float
    gpus: int


def step_grid(job: Job, net: Collectives) -> StepGrid:
    """Compute the grid: one sequence a microbatch, no recompute, no interleave.

    Parameters
    ----------
    job : Job
        Its batch is replaced: accumulation times data-parallel ranks.
    net : Collectives
        The network.
    """
    tensor, pipeline = grid_degrees(job)
    precision = tuple(p for p in PRECISIONS if _has(job, p) or p == job.precision)
    pairs = tuple(product(tensor, pipeline))
    mfu, memory, tokens = {}, {}, {}
    for name in precision:
        tables = _tables(replace(job, precision=name), net, pairs)
        for number, pair in enumerate(pairs):
            mfu[*pair, name], memory[*pair, name], tokens[*pair, name] = (
                table[number] for table in tables
            )
    return StepGrid(
        tensor, pipeline, precision, ROUNDS, mfu, memory, tokens, usable_bytes(job) / 1e9, job.gpus
    )


def start_degrees(grid: StepGrid, precision: str) -> tuple[int, int]:
    """Return the degrees to begin with: half of the most stages, and a tensor degree that fits.

    The last pair where none fits.
    """
    stages = grid.pipeline[len(grid.pipeline) // 2]
    fitting = [
        (tensor, stages)
        for tensor in grid.tensor
        if np.isfinite(grid.mfu_pct[tensor, stages, precision][0]).all()
    ]
    return fitting[0] if fitting else (grid.tensor[-1], grid.pipeline[-1])


def grid_degrees(job: Job) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return tensor and pipeline degrees of which every pair divides the job's model and GPUs."""
    shared = int(np.gcd(np.gcd(job.model.heads, job.gpus_per_node), job.gpus))
    tensor = tuple(k for k in range(1, shared + 1) if shared % k == 0)
    stages = [
        p for p in range(1, job.gpus // shared + 1)
        if job.gpus % (shared * p) == 0 and divides_layers(job.model.layers, p, 1)
    ]  # fmt: skip
    return tensor, tuple(stages[:PIPELINES_MAX])


def _tables(
    job: Job, net: Collectives, pairs: tuple[tuple[int, int], ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return MFU, memory and tokens/s, each of shape (pairs, stages, rounds).

    Pairs of one data-parallel degree share a batch, and are estimated together.
    """
    shape = (len(pairs), len(STAGES), len(ROUNDS))
    mfu, memory_gb, tokens = np.empty(shape), np.empty(shape), np.empty(shape)
    data = np.array([job.gpus // (t * p) for t, p in pairs])
    for degree, (column, rounds) in product(np.unique(data).tolist(), enumerate(ROUNDS)):
        members = np.flatnonzero(data == degree)
        own = replace(job, batch_sequences=degree * rounds)
        plain = [
            Layout(*pairs[k], data=degree, zero=stage, sequence_parallel=pairs[k][0] > 1)
            for k, stage in product(members.tolist(), STAGES)
        ]
        steps = estimate_steps(own, Layouts.of(*plain), net, Software())
        block = (len(members), len(STAGES))
        mfu[members, :, column] = steps.mfu_pct.reshape(block)
        memory_gb[members, :, column] = steps.memory.total.reshape(block) / 1e9
        tokens[members, :, column] = steps.tokens_s(own).reshape(block)
    fits = memory_gb <= usable_bytes(job) / 1e9
    return np.where(fits, mfu, np.nan), memory_gb, tokens


def _has(job: Job, precision: str) -> bool:
    # fp32 without tensor cores only where the job asks for it
    rate = getattr(job.gpu, f"{precision}_tflops")
    return precision == "bf16" or (precision != "fp32" and rate is not None)
