"""Requests that come and go on a pool of GPUs, and the slices that nobody waiting can use.

Three ways to run the pool. "static": every GPU keeps the configuration that serves the largest
multiple of the expected mix; a request waits for an instance of its profile. "dynamic": an instance
is created where one fits when a request comes, and destroyed when it goes; running instances stay.
"repartition": the same, and where a request fits nowhere, running instances may be restarted
elsewhere, at a cost.

A slice is fragmented while it is free and some request waits: none of those waiting can use it,
for each was tried when last a request came or went.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.mig import find_mig_profiles
from gpudeck.models.sharing.mig import kernel, optimum
from gpudeck.models.sharing.mig.states import build_states, profile_index
from gpudeck.models.sharing.mig.tables import kernel_tables

POLICIES = ("static", "dynamic", "repartition")
MAX_GPUS = 100_000


@dataclass(frozen=True, slots=True)
class InstanceCosts:
    """Seconds for which slices are held and do no work: assumptions, not measurements.

    ``create_s`` and ``destroy_s`` of a GPU instance with its compute instance; ``drain_s`` to save
    a tenant's work and start it again elsewhere, no work being lost.
    """

    create_s: float = 2.0
    destroy_s: float = 2.0
    drain_s: float = 60.0

    def __post_init__(self) -> None:
        for name in ("create_s", "destroy_s", "drain_s"):
            value = getattr(self, name)
            if not 0 <= value < np.inf:
                msg = f"{name} is {value!r}; allowed are finite seconds of 0 or above"
                raise InputError(msg)

    @property
    def stall_s(self) -> float:
        """Seconds that a restart keeps a tenant from working: drain, destroy, create."""
        return self.drain_s + self.destroy_s + self.create_s


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """Requests in the order of their arrival; every array has shape (requests,).

    Parameters
    ----------
    geometry : str
        The MIG geometry of the pool.
    names : tuple of str
        The profiles in use.
    profile : array
        Index into ``names`` of each request.
    arrival_s : array
        When it comes, ascending, 0 or above.
    duration_s : array
        For how long it works on its instance, above 0.

    Raises
    ------
    InputError
        There is no request, a profile is not one of the geometry's, the columns differ in length,
        arrivals are negative or not ascending, or a duration is not above 0 and finite.

    >>> Stream.build("A100-80G", ["1g.10gb", "4g.40gb"], [0, 5], [10, 10]).names
    ('1g.10gb', '4g.40gb')
    """

    geometry: str
    names: tuple[str, ...]
    profile: NDArray[np.int64]
    arrival_s: NDArray[np.float64]
    duration_s: NDArray[np.float64]

    def __post_init__(self) -> None:
        known = tuple(profile.name for profile in find_mig_profiles(self.geometry))
        for place, name in enumerate(self.names):
            profile_index(known, name, f"names[{place}]", self.geometry)
        shape = self.profile.shape
        if (
            len(shape) != 1
            or not shape[0]
            or not shape == self.arrival_s.shape == self.duration_s.shape
        ):
            msg = (
                f"the stream has shapes {shape}, {self.arrival_s.shape}, {self.duration_s.shape};"
                " allowed is one profile, arrival_s and duration_s for each of 1 or more requests"
            )
            raise InputError(msg)
        before = np.r_[0.0, self.arrival_s[:-1]]
        late = (self.arrival_s >= before) & np.isfinite(self.arrival_s)
        self._refuse("arrival_s", self.arrival_s, late, "finite seconds of 0 or above, ascending")
        lasting = (self.duration_s > 0) & np.isfinite(self.duration_s)
        self._refuse("duration_s", self.duration_s, lasting, "finite seconds above 0")

    @staticmethod
    def _refuse(field: str, values: NDArray, allowed: NDArray[np.bool_], words: str) -> None:
        if not allowed.all():
            at = int(np.argmin(allowed))
            msg = f"{field} of request {at} is {values[at]}; allowed are {words}"
            raise InputError(msg)

    @classmethod
    def build(
        cls, geometry: str, requests: list[str], arrival_s: ArrayLike, duration_s: ArrayLike
    ) -> Stream:
        """Build a stream of requests named by their profile.

        Raises
        ------
        InputError
            As of the class.
        """
        known = tuple(profile.name for profile in find_mig_profiles(geometry))
        for place, name in enumerate(requests):
            profile_index(known, name, f"request {place}", geometry)
        used = tuple(name for name in known if name in set(requests))
        profile = np.array([used.index(name) for name in requests], dtype=np.int64)
        return cls(
            geometry, used, profile, np.asarray(arrival_s, float), np.asarray(duration_s, float)
        )

    def __len__(self) -> int:
        return len(self.profile)


@dataclass(frozen=True, slots=True, eq=False)
class StreamResult:
    """What became of a stream on a pool of GPUs, from time 0 to ``horizon_s``.

    ``granted_s`` and ``released_s``, shape (requests,): when a request got its instance and when
    the instance was gone, infinite if the partition has none of its profile. ``restarts`` counts
    those of each request. Slice-seconds add up: useful + overhead + fragmented + idle = capacity.
    ``edge_s``, shape (bins + 1,), and ``fragmented_slices``, shape (bins,): the mean over each bin.
    """

    policy: str
    horizon_s: float
    granted_s: NDArray[np.float64]
    released_s: NDArray[np.float64]
    restarts: NDArray[np.int64]
    useful_slice_s: float
    overhead_slice_s: float
    fragmented_slice_s: float
    idle_slice_s: float
    capacity_slice_s: float
    edge_s: NDArray[np.float64]
    fragmented_slices: NDArray[np.float64]

    @property
    def fragmented_pct(self) -> float:
        """Fragmented slice-seconds, in % of the capacity."""
        return 100 * self.fragmented_slice_s / self.capacity_slice_s

    @property
    def useful_pct(self) -> float:
        """Slice-seconds in which tenants work, in % of the capacity."""
        return 100 * self.useful_slice_s / self.capacity_slice_s

    @property
    def overhead_pct(self) -> float:
        """Slice-seconds of creating, destroying and restarting, in % of the capacity."""
        return 100 * self.overhead_slice_s / self.capacity_slice_s


def static_instances(geometry: str, mix: Mapping[str, float], gpus: int) -> dict[str, int]:
    """Partition a pool for good: how many instances of each profile it holds.

    The pool holds the largest multiple of the mix; if it is too small to hold every profile, the
    most of the mix in compute slices.

    Parameters
    ----------
    geometry : str
        The pool's MIG geometry.
    mix : mapping of str to float
        What is expected at once of each profile, in proportion, above 0.
    gpus : int
        GPUs of the pool, 1 or above.

    Raises
    ------
    InputError
        The mix is empty, a share is not above 0, a profile is not one of the geometry's, or
        ``gpus`` is not allowed.

    >>> static_instances("A100-80G", {"3g.40gb": 1, "4g.40gb": 1}, 2)
    {'3g.40gb': 2, '4g.40gb': 2}
    """
    _check_gpus(gpus)
    if not mix or not all(0 < share < np.inf for share in mix.values()):
        msg = f"mix is {dict(mix)}; allowed are one profile or more, each with a share above 0"
        raise InputError(msg)
    states = build_states(geometry, tuple(mix))
    columns = states.counts[optimum.fullest_states(states)]
    expected = np.array(list(mix.values()), dtype=float)
    expected /= expected.sum()
    chosen = optimum.share_mix(columns, expected, gpus)
    if not chosen.gpus.any():
        demand = np.maximum(np.rint(expected * gpus), 1).astype(np.int64)
        chosen = optimum.serve_most(columns, demand, gpus, states.compute)
    return dict(zip(mix, (chosen.gpus @ columns).tolist(), strict=True))


def simulate_stream(
    stream: Stream,
    gpus: int,
    policy: str,
    *,
    costs: InstanceCosts | None = None,
    instances: Mapping[str, int] | None = None,
    rule: str = "most_room",
    horizon_s: float | None = None,
    bins: int = 48,
) -> StreamResult:
    """Let a stream of requests run on a pool of GPUs.

    Waiting requests are tried in the order of their arrival whenever one comes or goes, and one
    that fits may pass one that does not. "dynamic" takes the fullest GPU on which the request fits.
    "repartition" does too; failing that, it frees a start on the GPU where this moves the fewest
    compute slices, if all that are moved find another place. A moved tenant and the one that waits
    both stand still for ``costs.stall_s``; an instance that is done sooner stays.

    Parameters
    ----------
    stream : Stream
        The requests.
    gpus : int
        GPUs of the pool, 1 or above.
    policy : str
        One of `POLICIES`.
    costs : InstanceCosts, optional
        Seconds of creating, destroying and draining.
    instances : mapping of str to int, optional
        What a "static" pool holds of each profile; as `static_instances` cuts it for the stream's
        own time on instances if not told.
    rule : str
        Where an instance starts on its GPU, as in `place`.
    horizon_s : float, optional
        End of the account; the last arrival if not told.
    bins : int
        Bins of ``fragmented_slices``.

    Raises
    ------
    InputError
        ``gpus``, ``policy``, ``horizon_s`` or ``bins`` is not allowed.

    >>> stream = Stream.build("A100-80G", ["1g.10gb", "4g.40gb"], [0, 1], [100, 100])
    >>> free = InstanceCosts(0, 0, 0)
    >>> simulate_stream(stream, 1, "dynamic", costs=free, rule="lowest").granted_s.tolist()
    [0.0, 100.0]
    >>> simulate_stream(stream, 1, "dynamic", costs=free).granted_s.tolist()
    [0.0, 1.0]
    """
    _check_gpus(gpus)
    if policy not in POLICIES:
        msg = f"policy is {policy!r}; allowed are {', '.join(POLICIES)}"
        raise InputError(msg)
    end_s = float(stream.arrival_s[-1]) if horizon_s is None else float(horizon_s)
    if not 0 < end_s < np.inf or bins < 1:
        msg = (
            f"horizon_s is {end_s} with {bins} bins; allowed are finite seconds above 0 (a stream"
            " whose last arrival is at 0 needs one) and 1 bin or more"
        )
        raise InputError(msg)
    costs = costs or InstanceCosts()
    moves: list[tuple[float, int]] = []
    if policy == "static":
        held = instances or static_instances(stream.geometry, _own_mix(stream), gpus)
        granted, released = kernel.serve_instances(
            stream.profile,
            stream.arrival_s,
            stream.duration_s,
            np.array([held.get(name, 0) for name in stream.names], dtype=np.int64),
        )
        costs = InstanceCosts(0, 0, 0)
    else:
        granted, released, moves = kernel.serve_gpus(
            stream.profile,
            stream.arrival_s,
            stream.duration_s,
            gpus,
            kernel_tables(stream.geometry, stream.names, rule),
            policy == "repartition",
            costs.create_s,
            costs.destroy_s,
            costs.stall_s,
        )
    return _account(stream, gpus, policy, costs, granted, released, moves, end_s, bins)


def _own_mix(stream: Stream) -> dict[str, float]:
    busy_s = np.bincount(stream.profile, stream.duration_s, len(stream.names))
    return {name: float(s) for name, s in zip(stream.names, busy_s, strict=True) if s > 0}


def _account(
    stream: Stream,
    gpus: int,
    policy: str,
    costs: InstanceCosts,
    granted: NDArray[np.float64],
    released: NDArray[np.float64],
    moves: list[tuple[float, int]],
    end_s: float,
    bins: int,
) -> StreamResult:
    states = build_states(stream.geometry, stream.names)
    size = states.compute[stream.profile].astype(float)
    moved_s = np.array([time_s for time_s, _ in moves])
    mover = np.array([request for _, request in moves], dtype=np.int64)
    restarts = np.bincount(mover, minlength=len(stream))
    served = np.flatnonzero(np.isfinite(granted))
    # All on the instance that is no work, no end and no restart is the start: it may be a stall.
    spent_s = stream.duration_s + costs.destroy_s + restarts * costs.stall_s
    first_s = released[served] - granted[served] - spent_s[served]
    overhead = sum(
        float((size[who] * _within(start_s, start_s + length_s, end_s)).sum())
        for who, start_s, length_s in (
            (served, granted[served], first_s),
            (served, released[served] - costs.destroy_s, costs.destroy_s),
            (mover, moved_s, costs.stall_s),
        )
    )
    held = float((size[served] * _within(granted[served], released[served], end_s)).sum())
    capacity = float(states.free_compute[0]) * gpus
    edge_s = np.linspace(0, end_s, bins + 1)
    fragmented = _fragmented_until(edge_s, stream.arrival_s, granted, released, size, capacity)
    return StreamResult(
        policy,
        end_s,
        granted,
        released,
        restarts,
        held - overhead,
        overhead,
        float(fragmented[-1]),
        capacity * end_s - held - float(fragmented[-1]),
        capacity * end_s,
        edge_s,
        np.diff(fragmented) / np.diff(edge_s),
    )


def _within(start_s: NDArray, stop_s: NDArray, end_s: float) -> NDArray[np.float64]:
    """Measure how much of each interval lies before the end."""
    return np.minimum(stop_s, end_s) - np.minimum(start_s, end_s)


def _fragmented_until(
    edge_s: NDArray[np.float64],
    arrival_s: NDArray[np.float64],
    granted_s: NDArray[np.float64],
    released_s: NDArray[np.float64],
    size: NDArray[np.float64],
    capacity: float,
) -> NDArray[np.float64]:
    """Integrate the slices that are free while some request waits, from 0 to each edge."""
    nothing = np.zeros(len(size))
    one = np.ones(len(size))
    time_s = np.concatenate([arrival_s, granted_s, released_s, [0.0, edge_s[-1]]])
    waits = np.concatenate([one, -one, nothing, [0, 0]])
    holds = np.concatenate([nothing, size, -size, [0, 0]])
    order = np.argsort(time_s, kind="stable")
    time_s = np.minimum(time_s[order], edge_s[-1])
    free = capacity - np.cumsum(holds[order])
    lost = np.where(np.cumsum(waits[order]) > 0.5, free, 0.0)
    total = np.concatenate([[0.0], np.cumsum(lost[:-1] * np.diff(time_s))])
    return np.interp(edge_s, time_s, total)


def _check_gpus(gpus: int) -> None:
    if isinstance(gpus, bool) or not isinstance(gpus, int) or not 1 <= gpus <= MAX_GPUS:
        msg = f"gpus is {gpus!r}; allowed are whole numbers from 1 to {MAX_GPUS}"
        raise InputError(msg)
