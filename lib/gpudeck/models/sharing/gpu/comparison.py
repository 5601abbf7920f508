"""The five ways on the same tenants, over several seeds, with and without a noisy neighbour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import Gpu
from gpudeck.models.sharing.gpu.hami import read_token_bucket
from gpudeck.models.sharing.gpu.mig import assign_instances
from gpudeck.models.sharing.gpu.mix import NOISY, VICTIM, build_mix
from gpudeck.models.sharing.gpu.result import SharingResult
from gpudeck.models.sharing.gpu.sharing import SLICE_MS, SWITCH_US, WAYS, Fault, share
from gpudeck.models.sharing.gpu.tenant import Tenant
from gpudeck.rng import spawn_seeds

# one inference tenant alone then has hundreds of requests a run
RUN_S = 40.0
_LOG_ENTRIES = 4000


@dataclass(frozen=True, slots=True, eq=False)
class WayComparison:
    """What each way gives the same tenants; samples by way, one a seed, paired over the ways.

    ``work`` is work done over GPU time held, ``p99_ms`` the 99th percentile of all inference
    requests, ``noise`` that percentile over the one without the noisy neighbour. ``victims`` is
    how many tenants a crash of the noisy one kills.
    """

    tenants: tuple[Tenant, ...]
    gpu_memory_gib: float
    slice_ms: float
    switch_us: float
    duration_s: float
    seeds: tuple[int, ...]
    work: dict[str, NDArray[np.float64]]
    p99_ms: dict[str, NDArray[np.float64]]
    noise: dict[str, NDArray[np.float64]]
    gpus: dict[str, int]
    served: dict[str, int]
    victims: dict[str, int]
    instances: dict[str, str]
    example: SharingResult


def memory_of(gpu: Gpu) -> float:
    """Memory of a GPU in GiB."""
    return gpu.memory_gb * 1e9 / 2**30


def options_of(
    gpu: Gpu, tenants: Sequence[Tenant], slice_ms: float, switch_us: float
) -> dict[str, Any]:
    """Return the options of `share` for tenants on a GPU, the MIG partition included."""
    return {
        "gpu_memory_gib": memory_of(gpu),
        "slice_ms": slice_ms,
        "switch_us": switch_us,
        "bucket": read_token_bucket(gpu.sm_count or 108),
        "instances": assign_instances(tenants, gpu),
    }


def inference_p99_ms(result: SharingResult) -> float:
    """99th percentile of the latency of all inference requests together.

    Raises
    ------
    InputError
        No inference request was finished.
    """
    return float(np.percentile(inference_latency_ms(result), 99))


def inference_latency_ms(result: SharingResult) -> NDArray[np.float64]:
    """Latency of all finished inference requests, any order.

    Raises
    ------
    InputError
        There is none.
    """
    found = [t.latency_ms for name, t in result.tenants.items() if name.startswith(VICTIM)]
    latency = np.concatenate([*found, np.empty(0)])
    if not len(latency):
        reasons = result.refused or "none arrived"
        msg = f"{result.way}: no inference request was finished ({reasons}); allowed is 1 or more"
        raise InputError(msg)
    return latency


def compare_ways(
    gpu: Gpu,
    tenants_per_gpu: int,
    *,
    runs: int,
    seed: int = 0,
    slice_ms: float = SLICE_MS,
    switch_us: float = SWITCH_US,
    duration_s: float = RUN_S,
) -> WayComparison:
    """Run the tenant mix in all five ways, over several seeds, with and without its training job.

    Parameters
    ----------
    gpu
        A GPU with MIG.
    tenants_per_gpu
        Tenants of the mix, see `build_mix`.
    runs, seed
        How many seeds, and the one that they come from.
    slice_ms, switch_us, duration_s
        As in `share`.

    Raises
    ------
    InputError
        As in `share` and `build_mix`.
    """
    tenants = build_mix(tenants_per_gpu, memory_of(gpu))
    quiet = [tenant for tenant in tenants if tenant.id != NOISY]
    options = options_of(gpu, tenants, slice_ms, switch_us) | {"duration_s": duration_s}
    seeds = tuple(spawn_seeds(seed, runs))
    full = {way: [share(tenants, way, seed=s, **options) for s in seeds] for way in WAYS}
    calm = {way: [share(quiet, way, seed=s, **options) for s in seeds] for way in WAYS}
    p99 = {way: np.array([inference_p99_ms(r) for r in full[way]]) for way in WAYS}
    before = {way: np.array([inference_p99_ms(r) for r in calm[way]]) for way in WAYS}
    crash = Fault(NOISY, 0.5)
    crashed = {
        way: share(tenants, way, seed=seed, fault=crash, **(options | {"duration_s": 1.0}))
        for way in WAYS
    }
    return WayComparison(
        tenants,
        memory_of(gpu),
        slice_ms,
        switch_us,
        duration_s,
        seeds,
        {way: np.array([r.work_per_gpu for r in full[way]]) for way in WAYS},
        p99,
        {way: p99[way] / before[way] for way in WAYS},
        {way: full[way][0].gpus for way in WAYS},
        {way: len(tenants) - len(full[way][0].refused) for way in WAYS},
        {way: len(crashed[way].victims) for way in WAYS},
        full["mig"][0].instances,
        share(tenants, "time_slicing", seed=seeds[0], log_entries=_LOG_ENTRIES, **options),
    )
