"""Free GPU of a day: in fragments beside what is held, or on GPUs that are free as a whole."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.journey.day import Day
from gpudeck.journey.run import Runs
from gpudeck.journey.use import HOURS
from gpudeck.workload.pod import GPU_MILLI


def free_gpu_pct(day: Day) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Split the free GPU of each hour by where it lies, in % of the fleet, two of shape (24,).

    First the fragments, free parts of GPUs that something is held of; then GPUs that are all free.
    Their sum is all that no pod holds: what is stranded and what is unneeded.

    Parameters
    ----------
    day : Day
        A simulated day whose pods get what they asked for, grain "share".

    Raises
    ------
    InputError
        The day's pods get whole GPUs: then no GPU has fragments.
    """
    if day.grain != "share":
        msg = f"grain is {day.grain!r}; allowed is 'share': whole GPUs have no fragments"
        raise InputError(msg)
    jobs = np.flatnonzero(day.placed & (day.held_milli > 0))
    bits = (day.device[jobs][:, None] >> np.arange(day.nodes.gpus.max())) & 1
    row, device = np.nonzero(bits)
    job = jobs[row]
    first = np.concatenate([[0], np.cumsum(day.nodes.gpus)[:-1]])
    gpu = first[day.node[job]] + device
    milli = day.pods.gpu_milli[day.sessions.pod[job]]
    count, width = day.nodes.gpu_count, HOURS + 1
    change = np.bincount(gpu * width + day.sessions.start_h[job], milli, count * width)
    change -= np.bincount(gpu * width + day.sessions.end_h[job], milli, count * width)
    held = np.cumsum(change.reshape(count, width), axis=1)[:, :HOURS]
    partly = np.where(held > 0, GPU_MILLI - held, 0).sum(axis=0)
    whole = GPU_MILLI * (held == 0).sum(axis=0)
    return 100 * partly / day.capacity_milli, 100 * whole / day.capacity_milli


def mean_free_pct(runs: Runs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Average `free_gpu_pct` over the hours of each run, two of shape (runs,)."""
    split = np.array([free_gpu_pct(run.day) for run in runs.runs]).mean(axis=2)
    return split[:, 0], split[:, 1]
