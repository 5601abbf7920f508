"""Advance reservations: windows in which GPUs are set aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.scheduling.queue.pool import GpuPool


@dataclass(frozen=True, slots=True)
class Reservation:
    """GPUs that no job of the queue may hold from a begin to an end.

    A job that is expected to end after the begin may not take them before either. Jobs that run
    longer than estimated are not stopped; the reservation then gets its GPUs as they end.

    Parameters
    ----------
    name
        What errors call it.
    begin_s, end_s
        The window, 0 or above, the end after the begin.
    gpus
        How many, 1 or above, on any nodes.

    Raises
    ------
    InputError
        A window that is negative, empty or not finite, or a number of GPUs below 1.
    """

    name: str
    begin_s: float
    end_s: float
    gpus: int

    def __post_init__(self) -> None:
        if not (isfinite(self.end_s) and 0 <= self.begin_s < self.end_s):
            msg = (
                f"reservation {self.name!r} lasts from {self.begin_s} s to {self.end_s} s;"
                " allowed is a begin of 0 or above and a later end"
            )
            raise InputError(msg)
        if self.gpus < 1:
            msg = f"reservation {self.name!r}: gpus is {self.gpus}; allowed is 1 or above"
            raise InputError(msg)


def assign_nodes(
    reservations: Sequence[Reservation], pool: GpuPool
) -> tuple[tuple[Reservation, ...], NDArray[np.int64]]:
    """Sort reservations by their begin and choose their nodes, from the last node backwards.

    Parameters
    ----------
    reservations
        Any number.
    pool
        The nodes.

    Returns
    -------
    tuple
        The reservations by begin, and the GPUs that each takes of each node, shape
        (reservations, nodes).

    Raises
    ------
    InputError
        A reservation larger than the cluster, or two that overlap and together exceed it.

    >>> assign_nodes([Reservation("audit", 0, 10, 3)], GpuPool([2, 2]))[1].tolist()
    [[1, 2]]
    """
    sequence = tuple(sorted(reservations, key=lambda one: (one.begin_s, one.end_s, one.name)))
    taken = np.zeros((len(sequence), pool.gpus.size), dtype=np.int64)
    for number, one in enumerate(sequence):
        others = [k for k in range(number) if sequence[k].end_s > one.begin_s]
        room = pool.gpus - taken[others].sum(axis=0)
        if one.gpus > room.sum():
            _refuse(one, [sequence[k] for k in others], pool)
        behind = np.cumsum(room[::-1])[::-1] - room
        taken[number] = np.clip(one.gpus - behind, 0, room)
    return sequence, taken


def _refuse(one: Reservation, others: Sequence[Reservation], pool: GpuPool) -> None:
    if not others:
        msg = f"reservation {one.name!r} asks for {one.gpus} GPUs; the cluster has {pool.total}"
        raise InputError(msg)
    names = " and ".join(repr(other.name) for other in (*others, one))
    wanted = one.gpus + sum(other.gpus for other in others)
    msg = (
        f"reservations {names} overlap at {one.begin_s:g} s and together ask for {wanted} GPUs;"
        f" the cluster has {pool.total}"
    )
    raise InputError(msg)
