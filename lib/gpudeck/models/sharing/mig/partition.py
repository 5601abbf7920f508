"""Partitioning GPUs for a demand: the fewest GPUs, or the most of the demand on a given number.

A request is served by an instance of exactly its profile. Serving it by a larger one would save no
GPU: every classic profile may start wherever a larger one may, and needs no more of its slices, so
that the smaller instance can stand in the larger one's place.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.mig import Placement, find_mig_profiles
from gpudeck.models.sharing.mig import kernel, optimum
from gpudeck.models.sharing.mig.states import States, build_states, profile_index
from gpudeck.models.sharing.mig.tables import preference

METHODS = ("optimal", "heuristic")
WEIGHTS = ("requests", "slices")
MAX_REQUESTS = 10_000_000
_SLACK = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class PartitionResult:
    """Where each request went: ``gpu`` and ``start``, shape (requests,), −1 if it is not served.

    ``profile`` is an index into ``names``. No fewer GPUs than ``lower_bound`` serve the whole
    demand: by the solver's proof if "optimal", by the relaxed program if "heuristic".
    ``served_bound`` is the most that the GPUs at hand can serve, in what was maximised (``weigh``:
    requests or compute slices).
    """

    geometry: str
    names: tuple[str, ...]
    profile: NDArray[np.int64]
    gpu: NDArray[np.int64]
    start: NDArray[np.int64]
    method: str
    lower_bound: int
    weigh: str
    served_bound: int
    compute_slices: NDArray[np.int64]
    gpu_compute_slices: int
    memory_slices: NDArray[np.int64]
    gpu_memory_slices: int

    @property
    def gpus_used(self) -> int:
        """GPUs that hold at least one instance."""
        return len(np.unique(self.gpu[self.gpu >= 0]))

    @property
    def served(self) -> int:
        """Requests that got an instance."""
        return int((self.gpu >= 0).sum())

    @property
    def unserved(self) -> int:
        """Requests that got none."""
        return len(self.gpu) - self.served

    @property
    def served_worth(self) -> int:
        """What is served, in requests or in compute slices, as ``weigh`` says."""
        worth = self.compute_slices if self.weigh == "slices" else np.ones(len(self.names), int)
        return int(worth[self.profile[self.gpu >= 0]].sum())

    @property
    def wasted_compute_slices(self) -> int:
        """Compute slices of the GPUs used that no instance holds."""
        held = int(self.compute_slices[self.profile[self.gpu >= 0]].sum())
        return self.gpus_used * self.gpu_compute_slices - held

    @property
    def wasted_memory_slices(self) -> int:
        """Memory slices of the GPUs used that no instance holds."""
        held = int(self.memory_slices[self.profile[self.gpu >= 0]].sum())
        return self.gpus_used * self.gpu_memory_slices - held

    @property
    def gap(self) -> float:
        """How far from the bound, as a part of it: GPUs too many, or demand served too little."""
        if self.unserved:
            return 1 - self.served_worth / self.served_bound if self.served_bound else 0.0
        return self.gpus_used / self.lower_bound - 1 if self.lower_bound else 0.0

    def configurations(self) -> dict[tuple[Placement, ...], int]:
        """Count the GPUs that hold the same instances at the same starts, the most frequent first.

        >>> result = partition({"3g.40gb": 4}, "A100-80G")
        >>> [(len(held), gpus) for held, gpus in result.configurations().items()]
        [(2, 2)]
        """
        served = np.flatnonzero(self.gpu >= 0)
        # instances as a number each, GPUs as rows of them in the order of the starts
        order = served[np.lexsort((self.start[served], self.gpu[served]))]
        held: dict[int, tuple[tuple[int, int], ...]] = {}
        for gpu, start, p in zip(
            self.gpu[order].tolist(),
            self.start[order].tolist(),
            self.profile[order].tolist(),
            strict=True,
        ):
            held[gpu] = (*held.get(gpu, ()), (p, start))
        return {
            tuple(Placement(self.names[p], start) for p, start in instances): gpus
            for instances, gpus in sorted(
                Counter(held.values()).items(), key=lambda item: (-item[1], item[0])
            )
        }


def partition(
    requests: Sequence[str] | Mapping[str, int],
    geometry: str,
    gpus: int | None = None,
    method: str = "optimal",
    weigh: str = "requests",
) -> PartitionResult:
    """Partition GPUs of one geometry for a demand.

    Without ``gpus`` all of the demand is served, with the fewest GPUs; with it, the most of the
    demand that fits. Method "optimal" solves an integer program over the fullest configurations;
    "heuristic" places the requests one after the other, the largest profile first, each on the
    fullest GPU that takes it (best-fit decreasing); where ``gpus`` are too few it also tries the
    smallest first, and keeps what serves more.

    Parameters
    ----------
    requests : sequence of str, or mapping of str to int
        The profile of each request; or how many there are of each profile, in that order.
    geometry : str
        A MIG geometry of data/mig_profiles.csv.
    gpus : int, optional
        GPUs at hand, 1 or above.
    method : str
        "optimal" or "heuristic".
    weigh : str
        What "optimal" maximises with ``gpus``: "requests" served, or compute "slices" served.

    Raises
    ------
    InputError
        There is no request, a profile is not one of the geometry's, or a count, ``gpus``,
        ``method`` or ``weigh`` is not allowed.

    Source: Gilmore and Gomory, Operations Research 9 (1961); Johnson, SIAM J. Comput. 3 (1974).

    >>> result = partition({"4g.40gb": 2, "3g.40gb": 3, "1g.10gb": 1}, "A100-80G")
    >>> result.gpus_used, result.lower_bound, result.served
    (3, 3, 6)
    >>> partition(["7g.80gb", "1g.10gb"], "A100-80G", gpus=1).gpu.tolist()
    [0, -1]
    """
    profile, states = _read_requests(requests, geometry)
    _check_choice("method", method, METHODS)
    _check_choice("weigh", weigh, WEIGHTS)
    if gpus is not None and (isinstance(gpus, bool) or not isinstance(gpus, int) or gpus < 1):
        msg = f"gpus is {gpus!r}; allowed are whole numbers of 1 or above, or None for as needed"
        raise InputError(msg)
    worth = states.compute if weigh == "slices" else np.ones_like(states.compute)
    solve = _solve if method == "optimal" else _approximate
    gpu, start, needed, bound = solve(profile, states, gpus, worth)
    return PartitionResult(
        geometry,
        states.names,
        profile,
        gpu,
        start,
        method,
        needed,
        weigh,
        bound,
        states.compute,
        int(states.free_compute[0]),
        states.memory,
        int(states.free_memory[0]),
    )


def _solve(
    profile: NDArray[np.int64], states: States, gpus: int | None, worth: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], int, int]:
    """Return GPU and start of each request, the bound on GPUs and the bound on what is served."""
    demand = np.bincount(profile, minlength=len(states.profiles))
    full = optimum.fullest_states(states)
    columns = states.counts[full]
    best = optimum.cover_demand(columns, demand)
    needed = math.ceil(best.bound - _SLACK)
    bound = float((worth * demand).sum())
    if gpus is not None and best.gpus.sum() > gpus:
        best = optimum.serve_most(columns, demand, gpus, worth)
        bound = best.bound
    gpu, start = _deal_out(profile, states, full, best.gpus)
    return gpu, start, needed, math.floor(bound + _SLACK)


def _approximate(
    profile: NDArray[np.int64], states: States, gpus: int | None, worth: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], int, int]:
    """Return what `_solve` does, packed best-fit; where not all fits, the better of two orders."""
    demand = np.bincount(profile, minlength=len(states.profiles))
    columns = states.counts[optimum.fullest_states(states)]
    needed = math.ceil(optimum.bound_gpus(columns, demand) - _SLACK)
    bound = float((worth * demand).sum())
    gpu, start = _pack(profile, states, gpus)
    if gpus is not None and (gpu < 0).any():
        if gpus < needed:
            bound = optimum.serve_most(columns, demand, gpus, worth).bound
        other = _pack(profile, states, gpus, smallest_first=True)
        if worth[profile[other[0] >= 0]].sum() > worth[profile[gpu >= 0]].sum():
            gpu, start = other
    return gpu, start, needed, math.floor(bound + _SLACK)


def _read_requests(
    requests: Sequence[str] | Mapping[str, int], geometry: str
) -> tuple[NDArray[np.int64], States]:
    """Return the profile of each request and the states of a GPU with the profiles asked for."""
    known = tuple(profile.name for profile in find_mig_profiles(geometry))
    if isinstance(requests, Mapping):
        counts = [_check_count(name, count) for name, count in requests.items()]
        asked = list(requests)
    else:
        asked, counts = list(requests), [1] * len(requests)
    if not 1 <= sum(counts) <= MAX_REQUESTS:
        msg = f"requests are {sum(counts)}; allowed are 1 to {MAX_REQUESTS}"
        raise InputError(msg)
    first = {name: place for place, name in reversed(list(enumerate(asked)))}
    for name, place in first.items():
        profile_index(known, name, f"request {place}", geometry)
    used = tuple(name for name in known if name in first)
    number = {name: index for index, name in enumerate(used)}
    profile = np.repeat([number[name] for name in asked], counts).astype(np.int64)
    return profile, build_states(geometry, used)


def _check_count(name: str, count: int) -> int:
    if isinstance(count, bool) or not isinstance(count, (int, np.integer)) or count < 1:
        msg = f"requests[{name!r}] is {count!r}; allowed are whole numbers of 1 or above"
        raise InputError(msg)
    return int(count)


def _check_choice(field: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        msg = f"{field} is {value!r}; allowed are {', '.join(allowed)}"
        raise InputError(msg)


def _deal_out(
    profile: NDArray[np.int64], states: States, full: NDArray[np.int64], gpus: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Give the instances of the chosen configurations to the requests, in their order."""
    chosen = np.repeat(full, gpus)
    gpu, start = (np.full(len(profile), -1, dtype=np.int64) for _ in range(2))
    for p, kind in enumerate(states.profiles):
        at = [[h.start for h in states.held[s] if h.profile == kind.name] for s in full]
        each = np.repeat([len(starts) for starts in at], gpus)
        where = np.repeat(np.arange(len(chosen)), each)
        starts = [begin for begins, count in zip(at, gpus, strict=True) for begin in begins * count]
        mine = np.flatnonzero(profile == p)[: len(where)]
        gpu[mine] = where[: len(mine)]
        start[mine] = starts[: len(mine)]
    return gpu, start


def _pack(
    profile: NDArray[np.int64],
    states: States,
    gpus: int | None,
    *,
    smallest_first: bool = False,
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Place the requests by best-fit decreasing: memory slices first, then compute slices."""
    key = states.memory * (states.free_compute[0] + 1) + states.compute
    key = key * len(key) + np.arange(len(key))  # of equals, the later profile: media engines first
    order = np.argsort(key[profile] if smallest_first else -key[profile], kind="stable")
    limit = len(profile) if gpus is None else min(gpus, len(profile))
    packed = kernel.pack(profile[order], limit, preference(states), states.after, states.start)
    gpu, start = np.empty_like(packed[0]), np.empty_like(packed[1])
    gpu[order], start[order] = packed
    return gpu, start
