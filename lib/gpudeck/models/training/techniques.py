"""What each technique brings: the same job, one technique more at each step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from gpudeck.models.training.communication import Collectives
from gpudeck.models.training.job import Job, Software
from gpudeck.models.training.layout import ZERO_STAGES, Layout
from gpudeck.models.training.memory import estimate_memory, usable_bytes
from gpudeck.models.training.precision import peak_flop_s
from gpudeck.models.training.search import list_layouts, search_layouts, take_steps
from gpudeck.models.training.step import Steps
from gpudeck.models.training.utilisation import utilisation_pct

# before: 32-bit numbers multiplied as TF32, gradients reduced after each microbatch by a flat ring,
# nothing hidden, every state on every rank
NAIVE = Software(accumulate=False, hierarchical=False, overlap=0.0, overlap_tensor=0.0)
NAMES = ("before", "precision", "accumulation", "zero", "hierarchical", "overlap")


@dataclass(frozen=True, slots=True)
class Technique:
    """The job after one technique more: its step (one layout), and its software and job.

    `mfu_pct` is of the peak at the precision that the whole ladder ends with, so that all rows
    compare.
    """

    name: str
    job: Job
    software: Software
    steps: Steps
    mfu_pct: float

    @property
    def step_s(self) -> float:
        """Seconds of a step."""
        return float(self.steps.step_s[0])

    @property
    def layout(self) -> Layout:
        """The fastest layout that fits."""
        return self.steps.layouts.at(0)

    @property
    def memory_gb(self) -> float:
        """Memory of the fullest GPU, GB."""
        return float(self.steps.memory.total[0]) / 1e9


def climb_techniques(job: Job, net: Collectives) -> tuple[Technique, ...]:
    """Add the techniques one by one; at each step the fastest layout that fits is taken anew.

    Mixed precision, gradient accumulation, ZeRO (with which activations may stay in memory),
    hierarchical collectives, overlap. As each only adds to what may be chosen, no step is slower
    than the one before. The microbatch is one sequence until ZeRO. Where
    nothing fits with every state on every rank, the first row has as much of ZeRO as it takes.

    Parameters
    ----------
    job : Job
        At the precision of the end; a job in fp32 begins there too.
    net : Collectives
        The network.

    Raises
    ------
    InputError
        Nothing fits: by how much, and for what.
    """
    plain = job.precision == "fp32" or job.gpu.tf32_tflops is None
    first = replace(job, precision="fp32" if plain else "tf32")
    narrow: dict[str, Sequence[int]] = {"zero": _first_stages(first), "microbatches": (1,)}
    summed = replace(NAIVE, accumulate=True)
    near = replace(summed, hierarchical=True)
    every: dict[str, Sequence[int]] = {}
    plan = (
        (first, NAIVE, narrow), (job, NAIVE, narrow), (job, summed, narrow), (job, summed, every),
        (job, near, every), (job, Software(), every),
    )  # fmt: skip
    return tuple(
        _technique(name, job, net, *choice) for name, choice in zip(NAMES, plan, strict=True)
    )


def _first_stages(job: Job) -> Sequence[int]:
    """Return the stages of ZeRO to begin with: none, or the lowest with which something fits."""
    for stage in ZERO_STAGES[:-1]:
        layouts = list_layouts(job, zero=(stage,), microbatches=(1,))
        memory = estimate_memory(job, layouts, NAIVE)
        if (memory.total <= usable_bytes(job)).any():
            return ZERO_STAGES[: stage + 1]
    return ZERO_STAGES


def _technique(
    name: str,
    job: Job,
    net: Collectives,
    own: Job,
    software: Software,
    choices: dict[str, Sequence[int]],
) -> Technique:
    best = take_steps(search_layouts(own, net, software, **choices), np.array([0]))
    peak = peak_flop_s(job.gpu, job.precision)
    # the model's FLOP are those of the step's own MFU
    flop = best.mfu_pct[0] / 100 * best.step_s[0] * own.gpus * own.peak_flop_s
    mfu = float(utilisation_pct(flop, best.step_s[0], job.gpus, peak))
    return Technique(name, own, software, best, mfu)
