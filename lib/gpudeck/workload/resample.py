"""The same workload with another mix of pods that share a GPU and pods that take whole ones."""

from __future__ import annotations

import numpy as np

from gpudeck.errors import InputError
from gpudeck.rng import generator
from gpudeck.workload.pod import GPU_MILLI, Pods


def resample_sharing(pods: Pods, share_pct: float, seed: int = 0) -> Pods:
    """Draw the GPU pods anew so that a given share of them asks for part of one GPU.

    CPU-only pods stay. Within each kind, pods are drawn with replacement, so that the mix of
    specifications stays; names are new, times are dropped.

    Parameters
    ----------
    pods : Pods
        The workload to draw from.
    share_pct : float
        GPU pods that share a GPU, in % of all GPU pods.
    seed : int
        Seed of the draw.

    Raises
    ------
    InputError
        When the share is outside 0 to 100, or the workload has no pod of a kind that it asks for.

    Examples
    --------
    >>> pods = Pods.from_specs([1, 1], [0, 0], [1, 1], [500, 1000], ["", ""], [5, 5])
    >>> int((resample_sharing(pods, 80).gpu_milli == 500).sum())
    8
    """
    if not 0 <= share_pct <= 100:
        msg = f"share_pct is {share_pct}; allowed is 0 to 100"
        raise InputError(msg)
    shared = np.flatnonzero((pods.num_gpu == 1) & (pods.gpu_milli < GPU_MILLI))
    whole = np.flatnonzero((pods.num_gpu > 0) & (pods.gpu_milli == GPU_MILLI))
    many = len(shared) + len(whole)
    counts = (round(many * share_pct / 100), many - round(many * share_pct / 100))
    draw = generator(seed, "resample-sharing")
    rows = [np.flatnonzero(pods.num_gpu == 0)]
    for kind, available, count in zip(("shared", "whole"), (shared, whole), counts, strict=True):
        if count and not len(available):
            msg = f"share_pct is {share_pct}, but the workload has no pod that asks a {kind} GPU"
            raise InputError(msg)
        rows.append(draw.choice(available, count) if count else available[:0])
    picked = np.concatenate(rows)
    return Pods.from_specs(
        pods.cpu_milli[picked],
        pods.memory_mib[picked],
        pods.num_gpu[picked],
        pods.gpu_milli[picked],
        pods.gpu_spec[picked].tolist(),
        np.ones(len(picked), dtype=np.int64),
    )
