"""Utilisation: the part of the GPUs' peak that a step uses, for the model and in all."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError


def utilisation_pct(
    flop: ArrayLike, step_s: ArrayLike, gpus: int, peak_flop_s: float
) -> NDArray[np.float64]:
    """Return F/(t·n·peak) in %: MFU with the model's FLOP, HFU with those that the GPUs compute.

    Parameters
    ----------
    flop, step_s : array_like
        FLOP of a step over all GPUs, and its seconds.
    gpus : int
        Number of GPUs.
    peak_flop_s : float
        Dense peak of one GPU.

    Raises
    ------
    InputError
        Time, GPUs or peak is not above 0.

    Source: Korthikanti et al., 2022, section 6.3.

    >>> float(utilisation_pct(5e15, 10, 1, 1e15))
    50.0
    """
    seconds = np.asarray(step_s, float)
    if not (seconds > 0).all() or gpus < 1 or not peak_flop_s > 0:
        msg = f"step_s is {seconds}, gpus {gpus}, peak {peak_flop_s}; allowed are numbers above 0"
        raise InputError(msg)
    return np.asarray(100 * np.asarray(flop, float) / (seconds * gpus * peak_flop_s))
