"""What if pods asked for less? GPUs by the largest request allowed, for a grid of what-ifs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name
from gpudeck.hardware.mig import classic_profiles, find_mig_profiles
from gpudeck.models.sharing.mig.demand import cover_milli, geometry_of, smallest_profiles
from gpudeck.models.sharing.mig.optimum import cover_demand, fullest_states
from gpudeck.models.sharing.mig.states import build_states
from gpudeck.workload.pod import GPU_MILLI

# besides the scenario's own: one of seven slices, or one of four
SEVEN_SLICES, FOUR_SLICES = "A100-80G-SXM", "A30"
SCALES_PCT = (60, 70, 80, 90, 100)
# on both sides of what 1g, 2g, 3g and 4g cover
CAPS_MILLI = (100, 125, 126, 250, 251, 428, 429, 500, 501, 600, 700, 800, 1000)


@dataclass(frozen=True, slots=True, eq=False)
class CapGrid:
    """GPUs that the shared pods need, by the GPU, the scale of the requests and their cap.

    ``mig_gpus[gpu, scale_pct]`` has shape (caps,); ``divisible_gpus[scale_pct]``, shape (caps,), is
    what the requests sum to: a GPU that could be cut anywhere. ``pods`` counts them.
    """

    gpus: tuple[str, ...]
    scales_pct: tuple[int, ...]
    caps_milli: NDArray[np.int64]
    pods: int
    mig_gpus: dict[tuple[str, int], NDArray[np.int64]]
    divisible_gpus: dict[int, NDArray[np.float64]]


def count_gpus(gpu_milli: NDArray[np.int64], geometry: str) -> int:
    """Return the fewest GPUs that hold requests for parts of a GPU.

    Raises
    ------
    InputError
        There is no request, or one is out of range.

    >>> count_gpus(np.array([400, 400, 800]), "A100-80G")
    2
    """
    if not len(gpu_milli):
        msg = "gpu_milli has 0 requests; allowed are 1 or more"
        raise InputError(msg)
    kinds = len(classic_profiles(find_mig_profiles(geometry)))
    found = np.bincount(smallest_profiles(gpu_milli, geometry), minlength=kinds)
    return _fewest_gpus(geometry, tuple(found.tolist()))


@cache
def _fewest_gpus(geometry: str, demand: tuple[int, ...]) -> int:
    # many cells of a grid ask for the same profiles
    states = build_states(geometry)
    columns = states.counts[fullest_states(states)]
    return int(cover_demand(columns, np.array(demand)).gpus.sum())


def cap_requests(gpu_milli: NDArray[np.int64], scale_pct: int, cap_milli: int) -> NDArray[np.int64]:
    """Scale requests, rounded up, and cut those above the cap down to it.

    Raises
    ------
    InputError
        The scale or the cap is out of range.

    >>> cap_requests(np.array([100, 801]), 50, 400).tolist()
    [50, 400]
    """
    if not 1 <= scale_pct <= 100 or not 1 <= cap_milli <= GPU_MILLI:
        msg = f"scale_pct is {scale_pct} and cap_milli {cap_milli}; allowed are 1 to 100, 1 to 1000"
        raise InputError(msg)
    return np.minimum(-(-gpu_milli * scale_pct // 100), cap_milli)


def cap_grid(
    gpu_milli: NDArray[np.int64],
    gpu_id: str,
    scales_pct: Sequence[int] = SCALES_PCT,
    caps_milli: Sequence[int] = CAPS_MILLI,
) -> CapGrid:
    """Partition the shared pods once for each GPU, scale and cap.

    Parameters
    ----------
    gpu_milli : array
        What each pod asks of a GPU, in thousandths, shape (pods,).
    gpu_id : str
        A GPU that has MIG; the grid has one of another number of slices too.
    scales_pct : sequence of int
        All requests in % of what they are.
    caps_milli : sequence of int
        The largest request allowed.

    Raises
    ------
    InputError
        As of `count_gpus` and `cap_requests`, or a GPU has no MIG.
    """
    geometry_of(gpu_id)  # refuses a GPU without MIG before anything is computed
    gpus = (gpu_id, SEVEN_SLICES if gpu_id == FOUR_SLICES else FOUR_SLICES)
    asked = {
        (scale, cap): cap_requests(gpu_milli, scale, cap)
        for scale in scales_pct
        for cap in caps_milli
    }
    counted: dict[tuple[str, int], NDArray[np.int64]] = {}
    for gpu in gpus:
        geometry = geometry_of(gpu)
        for scale in scales_pct:
            needed = [count_gpus(asked[scale, cap], geometry) for cap in caps_milli]
            counted[gpu, scale] = np.array(needed)
    sums = {
        s: np.array([asked[s, cap].sum() / GPU_MILLI for cap in caps_milli]) for s in scales_pct
    }
    return CapGrid(
        gpus,
        tuple(scales_pct),
        np.array(caps_milli),
        len(gpu_milli),
        counted,
        sums,
    )


def report_caps(gpu_milli: NDArray[np.int64], gpu_id: str) -> tuple[Fact, ...]:
    """Return GPUs needed if no pod asks for more than the two largest profiles that share.

    Returns
    -------
    tuple of Fact
        `cap_large`, `cap_small` (% of a GPU that the profiles cover), `gpus_large`, `gpus_small`.
    """
    geometry = geometry_of(gpu_id)
    *_, small, large, _ = classic_profiles(find_mig_profiles(geometry))
    by, model = function_name(count_gpus), "model:MIG"
    facts = []
    for key, profile in (("large", large), ("small", small)):
        cap = cover_milli(profile, geometry)
        gpus = count_gpus(cap_requests(gpu_milli, 100, cap), geometry)
        facts.append(Fact(f"cap_{key}", cap / 10, "%", "computed", model, by, decimals=1))
        facts.append(Fact(f"gpus_{key}", gpus, "GPU", "computed", model, by, decimals=0))
    return tuple(facts)
