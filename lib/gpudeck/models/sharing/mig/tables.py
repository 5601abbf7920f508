"""What the compiled loops look up: in which order states are tried, and whom to move."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.sharing.mig.states import States, build_states

Tables = tuple[NDArray, NDArray, NDArray, NDArray, NDArray, NDArray]


def preference(states: States) -> NDArray[np.int64]:
    """Order, for each profile, the states that can take it: best fit first, the empty GPU last.

    Best is the state with the fewest memory slices left, then the fewest compute slices, then the
    least room after the placement, then the lowest number.

    Returns
    -------
    Numbers of states, shape (profiles, states), −1 behind the last.
    """
    order = np.full((len(states.profiles), len(states.held)), -1, dtype=np.int64)
    for p in range(len(states.profiles)):
        able = np.flatnonzero(states.start[:, p] >= 0)
        room = states.room[states.after[able, p, states.start[able, p]]]
        keys = (able, room, states.free_compute[able], states.free_memory[able], able == 0)
        order[p, : len(able)] = able[np.lexsort(keys)]
    return order


def victims(states: States) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find which instances to take off a GPU so that a profile finds a legal start on it.

    Of all sets of instances the one with the fewest compute slices is taken, then with the fewest
    instances.

    Returns
    -------
    The starts of those instances as bits, shape (states, profiles), 0 where the profile fits as it
    is; and, for each profile, the states in the order of the slices moved, shape (profiles,
    states), −1 behind the last.
    """
    count, kinds, slices = len(states.held), len(states.profiles), states.before.shape[1]
    bits = np.zeros(count, dtype=np.int64)
    sets = np.zeros((count, kinds * slices), dtype=np.float32)
    for number, placements in enumerate(states.held):
        for placement in placements:
            bits[number] |= 1 << placement.start
            sets[number, states.names.index(placement.profile) * slices + placement.start] = 1
    size = sets.sum(axis=1)
    # part[s, t]: state t is state s less some instances
    part = sets @ sets.T == size[None, :]
    gone = states.free_compute[None, :] - states.free_compute[:, None]
    cost = np.where(part, gone * slices + (size[:, None] - size[None, :]), np.inf)
    mask = np.zeros((count, kinds), dtype=np.int64)
    order = np.full((kinds, count), -1, dtype=np.int64)
    for p in range(kinds):
        able = np.where(states.start[:, p] >= 0, cost, np.inf)
        best = able.argmin(axis=1)
        mask[:, p] = bits & ~bits[best]
        need = np.flatnonzero(mask[:, p] > 0)
        order[p, : len(need)] = need[np.argsort(able.min(axis=1)[need], kind="stable")]
    return mask, order


@cache
def kernel_tables(geometry: str, names: tuple[str, ...], rule: str = "most_room") -> Tables:
    """Return what `kernel.serve_gpus` looks up, for a geometry and its profiles in use."""
    states = build_states(geometry, names, rule)
    mask, order = victims(states)
    return preference(states), states.after, states.before, states.start, mask, order
