"""Right-sizing on top of sharing: requests cut to what each pod uses at its peak, with headroom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.journey.baseline import MODEL
from gpudeck.journey.run import busiest_pods, count_gpus_needed
from gpudeck.journey.stage1 import StageEffect
from gpudeck.journey.use import PPM, PodUse
from gpudeck.scenario import Scenario
from gpudeck.workload.pod import GPU_MILLI, Pods


def size_pods(pods: Pods, pod_use: PodUse, headroom: float) -> Pods:
    """Cut the request of each pod on one GPU to the larger of its two peaks, with headroom.

    New request = ⌈asked · min(1, max(SM peak, memory) · (1 + headroom))⌉ in milli; a request never
    grows, and pods on several GPUs keep theirs.

    Parameters
    ----------
    pods : Pods
        What was asked.
    pod_use : PodUse
        What is used of it.
    headroom : float
        Added to the peak, 0 or above: 0.2 for a fifth.

    Raises
    ------
    InputError
        The headroom is below 0.
    """
    if not 0 <= headroom < np.inf:
        msg = f"headroom is {headroom}; allowed is 0 or above"
        raise InputError(msg)
    peak = np.maximum(pod_use.peak_ppm, pod_use.memory_ppm) / PPM * (1 + headroom)
    sized = np.ceil(pods.gpu_milli * np.minimum(peak, 1.0))
    one = pods.num_gpu == 1
    return replace(pods, gpu_milli=np.where(one, np.clip(sized, 1, GPU_MILLI), pods.gpu_milli))


def count_sized_gpus(effect: StageEffect, headroom: float) -> NDArray[np.float64]:
    """Count the GPUs that the busiest hour needs with shared and sized requests, shape (runs,).

    Parameters
    ----------
    effect : StageEffect
        From `run_stage1`.
    headroom : float
        As in `size_pods`.
    """
    counts = []
    for run in effect.after.runs:
        sized = size_pods(run.day.pods, run.day.pod_use, headroom)
        counts.append(count_gpus_needed(sized, busiest_pods(run.day), "share"))
    return np.array(counts, dtype=float)


def report_sized(effect: StageEffect, scenario: Scenario) -> tuple[Fact, ...]:
    """Return `gpus_sized`, its `sized_cut` (%, paired) of the exclusive GPUs, and `headroom` (%).

    Parameters
    ----------
    effect : StageEffect
        From `run_stage1`.
    scenario : Scenario
        Its headroom of right-sizing.
    """
    by = function_name(count_sized_gpus)
    headroom_pct = scenario.right_sizing.headroom_pct
    gpus = count_sized_gpus(effect, headroom_pct / 100)
    exclusive, _ = effect.samples("gpus_needed")
    return (
        mean_fact("gpus_sized", gpus, "GPU", MODEL, by, decimals=0),
        mean_fact("sized_cut", 100 * (1 - gpus / exclusive), "%", MODEL, by),
        Fact("headroom", headroom_pct, "%", "scenario", scenario.id, by, decimals=0),
    )
