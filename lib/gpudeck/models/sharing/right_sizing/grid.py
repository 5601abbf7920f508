"""What if: the loop with another percentile, another margin, another half-life."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.sharing.right_sizing.recommender import default_policy, run_recommender
from gpudeck.models.sharing.right_sizing.usage import Usage

# a grid of three dozen loops in the time of one page
POD_LIMIT = 16


@dataclass(frozen=True, slots=True)
class LoopCell:
    """The loop at one setting: the shown pod's memory request over time, and what all pods see.

    `request` has shape (points,), over what the pod declared; `saved_pct` is memory freed, `kills`
    are for 1,000 pod-days, `resizes` a pod and week.
    """

    request: NDArray[np.float64]
    saved_pct: float
    kills: float
    resizes: float


@dataclass(frozen=True, slots=True, eq=False)
class LoopGrid:
    """Cells by percentile, margin and half-life; `day` and `use` of the shown pod, (points,)."""

    percentiles_pct: tuple[int, ...]
    margins_pct: tuple[int, ...]
    half_lives_h: tuple[int, ...]
    day: NDArray[np.float64]
    use: NDArray[np.float64]
    cells: dict[tuple[int, int, int], LoopCell]
    pods: int


def loop_grid(
    usage: Usage,
    shown: int,
    device_gib: float,
    begin: int,
    *,
    percentiles_pct: Sequence[int] = (80, 90, 95),
    margins_pct: Sequence[int] = (0, 15, 30, 50),
    half_lives_h: Sequence[int] = (12, 24, 72),
    every_h: int = 2,
) -> LoopGrid:
    """Run the loop with hysteresis at every setting, on the shown pod and on some others.

    Parameters
    ----------
    usage : Usage
        What the pods use; the first `POD_LIMIT` pods and the shown one are taken.
    shown : int
        The pod whose request is kept.
    device_gib : float
        Memory of one GPU, GiB.
    begin : int
        Step from which to count.
    percentiles_pct, margins_pct, half_lives_h : sequences of int
        The grid.
    every_h : int
        Hours between two points that are kept: the peak of use, the last request.

    Raises
    ------
    InputError
        There is no such pod, or as in `run_recommender`.
    """
    if not 0 <= shown < len(usage):
        msg = f"shown is {shown}; allowed is a pod from 0 to {len(usage) - 1}"
        raise InputError(msg)
    taken = [shown, *(pod for pod in range(min(POD_LIMIT, len(usage))) if pod != shown)]
    some = replace(
        usage,
        memory=usage.memory[taken],
        compute=usage.compute[taken],
        gpus=usage.gpus[taken],
        ceiling=usage.ceiling[taken],
    )
    steps = some.memory.shape[1]
    width = max(1, every_h * 60 // usage.sample_min)
    ends = np.arange(width - 1, steps, width)
    use = some.memory[0, : len(ends) * width].reshape(len(ends), width).max(axis=1)
    cells = {}
    pod_days = len(some) * (steps - begin) / usage.steps_per_day
    total = some.gpus.sum() * (steps - begin)
    for percentile in percentiles_pct:
        for margin in margins_pct:
            for half_life in half_lives_h:
                policy = replace(
                    default_policy(),
                    target_percentile=percentile / 100,
                    margin=margin / 100,
                    half_life_h=float(half_life),
                )
                result = run_recommender(some, policy, device_gib, begin=begin)
                held = float((some.gpus @ result.memory[:, begin:]).sum())
                cells[percentile, margin, half_life] = LoopCell(
                    result.memory[0, ends],
                    100 * (1 - held / total),
                    1000 * int(result.kills.sum()) / pod_days,
                    7 * int(result.resizes.sum()) / pod_days,
                )
    return LoopGrid(
        tuple(percentiles_pct),
        tuple(margins_pct),
        tuple(half_lives_h),
        (ends + 1) / usage.steps_per_day,
        use,
        cells,
        len(some),
    )
