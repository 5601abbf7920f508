"""The mix with more tenants, longer slices, a cap on the noisy one: a grid of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.hardware.gpu import Gpu
from gpudeck.models.sharing.gpu.comparison import inference_p99_ms, memory_of, options_of
from gpudeck.models.sharing.gpu.mix import build_mix
from gpudeck.models.sharing.gpu.sharing import SLICE_MS, SWITCH_US, WAYS, share
from gpudeck.rng import spawn_seeds


@dataclass(frozen=True, slots=True, eq=False)
class LatencyGrid:
    """99th percentile of the latency of inference by the number of tenants, for every cell.

    ``p99_ms[slice_ms, cap_pct, way]`` has shape (tenants,): the mean of the runs.
    """

    tenants: tuple[int, ...]
    slice_ms: tuple[float, ...]
    cap_pct: tuple[int, ...]
    p99_ms: dict[tuple[float, int, str], NDArray[np.float64]]


def latency_grid(
    gpu: Gpu,
    seed: int = 0,
    *,
    tenants: Sequence[int] = (2, 3, 4, 5, 6),
    slice_ms: Sequence[float] = (1.0, 2.0, 5.0, 10.0),
    cap_pct: Sequence[int] = (25, 50, 100),
    switch_us: float = SWITCH_US,
    duration_s: float = 20.0,
    runs: int = 2,
) -> LatencyGrid:
    """Run the tenant mix for each number of tenants, slice and cap of the training job.

    A setting that a way does not know changes nothing in it: such cells are one run. The cap is the
    training job's MPS thread percentage and HAMi core limit; nobody else is limited.

    Raises
    ------
    InputError
        As in `share` and `build_mix`.
    """
    seeds = spawn_seeds(seed, runs)
    known: dict[tuple[int, float, int, str], float] = {}
    for count in tenants:
        options = options_of(gpu, build_mix(count, memory_of(gpu)), SLICE_MS, switch_us)
        options["duration_s"] = duration_s
        for cap in cap_pct:
            mix = build_mix(count, memory_of(gpu), noisy_pct=cap)
            for length in slice_ms:
                for way in WAYS:
                    case = (count, *_what_matters(length, cap, way), way)
                    if case not in known:
                        timed = options | {"slice_ms": length}
                        results = [share(mix, way, seed=s, **timed) for s in seeds]
                        known[case] = float(np.mean([inference_p99_ms(r) for r in results]))
    p99_ms = {
        (length, cap, way): np.array(
            [known[(count, *_what_matters(length, cap, way), way)] for count in tenants]
        )
        for length in slice_ms
        for cap in cap_pct
        for way in WAYS
    }
    return LatencyGrid(tuple(tenants), tuple(slice_ms), tuple(cap_pct), p99_ms)


def _what_matters(slice_ms: float, cap_pct: int, way: str) -> tuple[float, int]:
    """Return slice and cap as far as a way knows them, 0 where it does not."""
    sliced = slice_ms if way in ("time_slicing", "hami") else 0.0
    return sliced, cap_pct if way in ("mps", "hami") else 0
