"""Two studies of the job at its best: memory by ZeRO stage, and all layouts that fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from gpudeck.models.training.communication import Collectives
from gpudeck.models.training.job import Job, Software
from gpudeck.models.training.layout import ZERO_STAGES, Layout, Layouts
from gpudeck.models.training.memory import Memory, estimate_memory, usable_bytes
from gpudeck.models.training.search import list_layouts, search_layouts, take_steps
from gpudeck.models.training.step import Steps

MODES = ("none", "full")


@dataclass(frozen=True, slots=True, eq=False)
class MemoryStudy:
    """Memory of one layout at every stage of ZeRO, with and without full recompute.

    `memory` has one entry a case of `cases`, which are (stage, recompute).
    """

    layout: Layout
    cases: tuple[tuple[int, str], ...]
    memory: Memory
    usable_gb: float
    installed_gb: float

    def total_gb(self, stage: int, recompute: str) -> float:
        """Return the memory of one case, GB."""
        return float(self.memory.total[self.cases.index((stage, recompute))]) / 1e9


@dataclass(frozen=True, slots=True, eq=False)
class LayoutStudy:
    """All layouts that fit, fastest first, and a usual one among them.

    `usual` is the place of the layout that a rule of thumb gives: tensor parallelism over the whole
    node, the fewest pipeline stages that fit, one sequence a microbatch, ZeRO-1; None where no such
    layout fits. `listed` counts all that divide the job.
    """

    steps: Steps
    usual: int | None
    listed: int


def study_memory(job: Job, layout: Layout, software: Software | None = None) -> MemoryStudy:
    """Vary ZeRO and recompute of one layout.

    Parameters
    ----------
    job : Job
    layout : Layout
        Its degrees and its microbatch are kept.
    software : Software, optional
        What the software does.
    """
    cases = tuple(product(ZERO_STAGES, MODES))
    layouts = [replace(layout, zero=stage, recompute=mode) for stage, mode in cases]
    memory = estimate_memory(job, Layouts.of(*layouts), software or Software())
    return MemoryStudy(layout, cases, memory, usable_bytes(job) / 1e9, job.gpu.memory_gb)


def study_layouts(job: Job, net: Collectives, software: Software | None = None) -> LayoutStudy:
    """Time all layouts that fit.

    Raises
    ------
    InputError
        As `search_layouts`.
    """
    steps = search_layouts(job, net, software)
    layouts = steps.layouts
    thumb = (
        (layouts.tensor == layouts.tensor.max()) & (layouts.context == 1)
        & (layouts.microbatch == 1) & (layouts.interleave == 1) & (layouts.zero == 1)
        & (layouts.recompute == 0)
    )  # fmt: skip
    places = np.flatnonzero(thumb)
    usual = int(places[layouts.pipeline[places].argmin()]) if len(places) else None
    listed = len(list_layouts(job, recompute=MODES))
    return LayoutStudy(steps, usual, listed)


def usual_steps(study: LayoutStudy) -> Steps:
    """Return the usual layout's step, or the median one where the rule of thumb does not fit."""
    place = len(study.steps.step_s) // 2 if study.usual is None else study.usual
    return take_steps(study.steps, np.array([place]))
