"""Every set of instances that one GPU can hold, numbered, and what leads from one to another.

A GPU is always in one of these states: a few hundred with the classic profiles. Placing, packing
and simulating are then walks through tables, and no illegal set of instances can arise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.mig import (
    MigProfile,
    Placement,
    classic_profiles,
    enumerate_placements,
    find_mig_profiles,
    read_mig_profiles,
)

RULES = ("most_room", "lowest")


@dataclass(frozen=True, slots=True, eq=False)
class States:
    """The states of a GPU with some profiles, the empty one first.

    ``held[s]`` are the instances of state s. ``counts`` has shape (states, profiles);
    ``free_compute``, ``free_memory`` and ``room`` have shape (states,): slices left, and the number
    of pairs of profile and start that could still be placed. ``after[s, p, start]`` is the state
    with an instance of profile p more, ``before[s, start]`` that without the instance at a start,
    and ``start[s, p]`` where the rule places profile p; −1 where there is none.
    """

    profiles: tuple[MigProfile, ...]
    rule: str
    held: tuple[tuple[Placement, ...], ...]
    counts: NDArray[np.int64]
    free_compute: NDArray[np.int64]
    free_memory: NDArray[np.int64]
    room: NDArray[np.int64]
    after: NDArray[np.int64]
    before: NDArray[np.int64]
    start: NDArray[np.int64]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the profiles."""
        return tuple(profile.name for profile in self.profiles)

    @property
    def compute(self) -> NDArray[np.int64]:
        """Compute slices of each profile, shape (profiles,)."""
        return np.array([profile.compute_slices for profile in self.profiles], dtype=np.int64)

    @property
    def memory(self) -> NDArray[np.int64]:
        """Memory slices of each profile, shape (profiles,)."""
        return np.array([profile.memory_slices for profile in self.profiles], dtype=np.int64)


def profile_index(names: Sequence[str], name: str, where: str, geometry: str) -> int:
    """Find a profile among those of a geometry.

    Raises
    ------
    InputError
        It is a profile of another GPU, or of none; the message names the place.

    >>> profile_index(("1g.10gb", "2g.20gb"), "2g.20gb", "request 0", "A100-80G")
    1
    """
    if name in names:
        return names.index(name)
    others = [
        g for g, profiles in read_mig_profiles().items() if any(p.name == name for p in profiles)
    ]
    known = f", a profile of {', '.join(others)}" if others else ""
    msg = f"{where}: profile is {name!r}{known}; allowed on {geometry} are {', '.join(names)}"
    raise InputError(msg)


@cache
def build_states(
    geometry: str, names: tuple[str, ...] | None = None, rule: str = "most_room"
) -> States:
    """Enumerate the states of a GPU.

    Where a profile may start in several places, rule "most_room" takes the start that leaves the
    most pairs of profile and start placeable, of equals the highest; "lowest" takes the lowest.
    On an empty GPU of seven slices most room means 1g to 6, 2g and 3g to 4.

    Parameters
    ----------
    geometry : str
        A MIG geometry of data/mig_profiles.csv.
    names : tuple of str, optional
        The profiles in use; the classic ones if not told.
    rule : str
        One of `RULES`.

    Raises
    ------
    InputError
        The geometry, a profile or the rule is unknown.

    >>> states = build_states("A100-80G")
    >>> len(states.held), int(states.start[0, states.names.index("1g.10gb")])
    (298, 6)
    """
    if rule not in RULES:
        msg = f"rule is {rule!r}; allowed are {', '.join(RULES)}"
        raise InputError(msg)
    profiles = _choose_profiles(geometry, names)
    found = enumerate_placements(profiles)
    held = tuple(sorted(found, key=lambda placements: (len(placements), placements)))
    index = {frozenset(placements): number for number, placements in enumerate(held)}
    slices = max(max(p.starts) + p.memory_slices for p in find_mig_profiles(geometry))
    after = np.full((len(held), len(profiles), slices), -1, dtype=np.int64)
    before = np.full((len(held), slices), -1, dtype=np.int64)
    for number, placements in enumerate(held):
        have = frozenset(placements)
        for p, profile in enumerate(profiles):
            for start in profile.starts:
                more = have | {Placement(profile.name, start)}
                if len(more) > len(have):
                    after[number, p, start] = index.get(more, -1)
        for placement in placements:
            before[number, placement.start] = index[have - {placement}]
    counts = np.array(
        [[sum(h.profile == p.name for h in placements) for p in profiles] for placements in held]
    )
    every = find_mig_profiles(geometry)
    compute = max(p.compute_slices for p in every)
    room = (after >= 0).sum(axis=(1, 2))
    return States(
        profiles,
        rule,
        held,
        counts,
        compute - counts @ np.array([p.compute_slices for p in profiles]),
        slices - counts @ np.array([p.memory_slices for p in profiles]),
        room,
        after,
        before,
        _choose_starts(after, room, rule),
    )


def _choose_profiles(geometry: str, names: tuple[str, ...] | None) -> tuple[MigProfile, ...]:
    every = find_mig_profiles(geometry)
    if names is None:
        return classic_profiles(every)
    known = tuple(profile.name for profile in every)
    return tuple(
        every[profile_index(known, name, f"profile {place}", geometry)]
        for place, name in enumerate(dict.fromkeys(names))
    )


def _choose_starts(
    after: NDArray[np.int64], room: NDArray[np.int64], rule: str
) -> NDArray[np.int64]:
    legal = after >= 0
    slices = after.shape[2]
    at = np.arange(slices)
    worth = room[after] * slices + at if rule == "most_room" else -at
    best = np.where(legal, worth, np.iinfo(np.int64).min).argmax(axis=2)
    return np.where(legal.any(axis=2), best, -1)
