"""Placing instances on one GPU: which starts are free, which one is taken, what fits together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from gpudeck.errors import InputError
from gpudeck.hardware.mig import Placement, find_mig_profiles
from gpudeck.models.sharing.mig.states import States, build_states, profile_index


def free_starts(
    held: Sequence[Placement], profile: str, geometry: str, *, rule: str = "most_room"
) -> tuple[int, ...]:
    """List the memory slices at which an instance of a profile could start now.

    Parameters
    ----------
    held : sequence of Placement
        The instances on the GPU.
    profile : str
        Name of the profile to add.
    geometry : str
        The GPU's MIG geometry.
    rule : str
        As in `place`; it does not change the answer.

    Raises
    ------
    InputError
        A profile is not one of the GPU's, or the instances held cannot stand together.

    >>> free_starts([Placement("1g.10gb", 0)], "3g.40gb", "A100-80G")
    (4,)
    """
    states, state, index = _locate(held, profile, geometry, rule)
    return tuple(int(start) for start in (states.after[state, index] >= 0).nonzero()[0])


def place(
    held: Sequence[Placement], profile: str, geometry: str, *, rule: str = "most_room"
) -> Placement | None:
    """Choose where an instance of a profile starts; None if it has no legal start left.

    Parameters
    ----------
    held, profile, geometry
        As in `free_starts`.
    rule : str
        "most_room": the start that leaves the most placements possible, of equals the highest;
        "lowest": the lowest free start, which falls into the order trap.

    Raises
    ------
    InputError
        As in `free_starts`, or the rule is unknown.

    >>> place([], "1g.10gb", "A100-80G")
    Placement(profile='1g.10gb', start=6)
    >>> trap = place([], "1g.10gb", "A100-80G", rule="lowest")
    >>> trap.start, place([trap], "4g.40gb", "A100-80G")
    (0, None)
    """
    states, state, index = _locate(held, profile, geometry, rule)
    start = int(states.start[state, index])
    return None if start < 0 else Placement(profile, start)


def place_in_order(
    names: Sequence[str], geometry: str, *, rule: str = "most_room"
) -> tuple[Placement | None, ...]:
    """Place instances one after the other on an empty GPU; None for one that finds no start.

    >>> [p and p.start for p in place_in_order(["1g.10gb", "4g.40gb"], "A100-80G", rule="lowest")]
    [0, None]
    >>> [p and p.start for p in place_in_order(["1g.10gb", "4g.40gb"], "A100-80G")]
    [6, 0]
    """
    held: list[Placement] = []
    placed: list[Placement | None] = []
    for name in names:
        found = place(held, name, geometry, rule=rule)
        placed.append(found)
        held += [found] if found else []
    return tuple(placed)


def remove(held: Sequence[Placement], start: int) -> tuple[Placement, ...]:
    """Destroy the instance that begins at a memory slice.

    Raises
    ------
    InputError
        No instance begins there.

    >>> remove([Placement("4g.40gb", 0), Placement("3g.40gb", 4)], 4)
    (Placement(profile='4g.40gb', start=0),)
    """
    left = tuple(placement for placement in held if placement.start != start)
    if len(left) != len(held) - 1:
        starts = [placement.start for placement in held]
        msg = f"start is {start}; allowed are the starts of the GPU's instances, {starts}"
        raise InputError(msg)
    return left


def is_feasible(names: Sequence[str], geometry: str) -> bool:
    """Say whether one GPU can hold instances of these profiles at once, in some arrangement.

    Parameters
    ----------
    names : sequence of str
        A profile for each instance, repeats allowed.
    geometry : str
        The GPU's MIG geometry.

    Raises
    ------
    InputError
        A profile is not one of the GPU's.

    >>> is_feasible(["3g.40gb", "3g.40gb"], "A100-80G")
    True
    >>> is_feasible(["3g.40gb", "3g.40gb", "1g.10gb"], "A100-80G")
    False
    """
    known = tuple(profile.name for profile in find_mig_profiles(geometry))
    for place_number, name in enumerate(names):
        profile_index(known, name, f"profile {place_number}", geometry)
    if not names:
        return True
    states = build_states(geometry, tuple(sorted(set(names))))
    wanted = Counter(names)
    return bool((states.counts == [wanted[name] for name in states.names]).all(axis=1).any())


def _locate(
    held: Sequence[Placement], profile: str, geometry: str, rule: str
) -> tuple[States, int, int]:
    every = find_mig_profiles(geometry)
    known = tuple(p.name for p in every)
    index = profile_index(known, profile, "profile to place", geometry)
    states = build_states(geometry, None, rule)
    if not {profile, *(placement.profile for placement in held)} <= set(states.names):
        states = build_states(geometry, known, rule)
    index = states.names.index(profile)
    state = 0
    for number, placement in enumerate(held):
        p = profile_index(states.names, placement.profile, f"instance {number}", geometry)
        legal = 0 <= placement.start < states.before.shape[1]
        state = int(states.after[state, p, placement.start]) if legal else -1
        if state < 0:
            msg = (
                f"instance {number} is {placement.profile} at {placement.start}, beside"
                f" {[tuple(other) for other in held[:number]]}; allowed are legal starts that"
                " share no slice"
            )
            raise InputError(msg)
    return states, state, index
