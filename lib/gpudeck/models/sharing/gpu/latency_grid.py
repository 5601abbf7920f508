"""What if more tenants shared the GPU, slices were longer, or the noisy one was capped?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.hardware.gpu import Gpu
from gpudeck.models.sharing.gpu.comparison import inference_latency_ms, memory_of, options_of
from gpudeck.models.sharing.gpu.mix import build_mix
from gpudeck.models.sharing.gpu.sharing import SWITCH_US, WAYS, share


@dataclass(frozen=True, slots=True, eq=False)
class LatencyGrid:
    """Inference requests answered within ``within_ms``, in %, for every cell of the grid.

    ``answered_pct[tenants, slice_ms, cap_pct, way]`` has shape (points,); ``p99_ms`` and ``work``
    (over GPU time held) have the same keys.
    """

    tenants: tuple[int, ...]
    slice_ms: tuple[float, ...]
    cap_pct: tuple[int, ...]
    within_ms: NDArray[np.float64]
    answered_pct: dict[tuple[int, float, int, str], NDArray[np.float64]]
    p99_ms: dict[tuple[int, float, int, str], float]
    work: dict[tuple[int, float, int, str], float]


def latency_grid(
    gpu: Gpu,
    seed: int = 0,
    *,
    tenants: Sequence[int] = (2, 3, 4, 5, 6),
    slice_ms: Sequence[float] = (1.0, 2.0, 5.0, 10.0),
    cap_pct: Sequence[int] = (25, 50, 100),
    switch_us: float = SWITCH_US,
    duration_s: float = 40.0,
    within_ms: Sequence[float] = tuple(range(0, 305, 5)),
) -> LatencyGrid:
    """Run the tenant mix once for each number of tenants, slice and cap of the training job.

    A setting that a way does not know changes nothing in it: such cells are one run. The cap is the
    training job's MPS thread percentage and HAMi core limit.

    Raises
    ------
    InputError
        As in `share` and `build_mix`.
    """
    answered, p99, work, known = {}, {}, {}, {}
    for count in tenants:
        options = options_of(gpu, build_mix(count, memory_of(gpu)), SWITCH_US, switch_us)
        for length in slice_ms:
            for cap in cap_pct:
                mix = build_mix(count, memory_of(gpu), noisy_pct=cap)
                for way in WAYS:
                    sliced = length if way in ("time_slicing", "hami") else 0.0
                    capped = cap if way in ("mps", "hami") else 0
                    case = count, sliced, capped, way
                    if case not in known:
                        timing = options | {"slice_ms": length, "duration_s": duration_s}
                        result = share(mix, way, seed=seed, **timing)
                        known[case] = np.sort(inference_latency_ms(result)), result.work_per_gpu
                    latency, done = known[case]
                    cell = count, length, cap, way
                    found = np.searchsorted(latency, within_ms, side="right")
                    answered[cell] = 100 * found / len(latency)
                    p99[cell] = float(np.percentile(latency, 99))
                    work[cell] = done
    return LatencyGrid(
        tuple(tenants),
        tuple(slice_ms),
        tuple(cap_pct),
        np.array(within_ms, float),
        answered,
        p99,
        work,
    )
