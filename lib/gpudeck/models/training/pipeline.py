"""Pipeline schedules: the bubble of 1F1B, plain and interleaved, and what stays in memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError


def bubble_ratio(
    stages: ArrayLike, microbatches: ArrayLike, interleave: ArrayLike = 1
) -> NDArray[np.float64]:
    """Return the idle time of a pipeline over its busy time: (p − 1)/(v·m).

    Parameters
    ----------
    stages, microbatches, interleave : array_like of int
        Pipeline stages p, microbatches m of a step, pieces v of the model on a stage.

    Raises
    ------
    InputError
        One of them is below 1.

    Source: Narayanan et al., SC 2021, section 2.2.

    >>> float(bubble_ratio(8, 64)), float(bubble_ratio(8, 64, 2))
    (0.109375, 0.0546875)
    """
    p, m, v = (_counts(*named) for named in (
        ("stages", stages), ("microbatches", microbatches), ("interleave", interleave)
    ))  # fmt: skip
    return np.asarray((p - 1) / (v * m))


def bubble_share(
    stages: ArrayLike, microbatches: ArrayLike, interleave: ArrayLike = 1
) -> NDArray[np.float64]:
    """Return the idle part of all the pipeline's time: (p − 1)/(v·m + p − 1).

    Raises
    ------
    InputError
        As `bubble_ratio`.

    >>> round(float(bubble_share(8, 64)), 4)
    0.0986
    """
    ratio = bubble_ratio(stages, microbatches, interleave)
    return np.asarray(ratio / (1 + ratio))


def in_flight(
    stages: ArrayLike, microbatches: ArrayLike, interleave: ArrayLike = 1
) -> NDArray[np.float64]:
    """Return how many microbatches' activations the first stage of 1F1B holds at most.

    min(p, m), and with v pieces p·(1 + (p − 1)/(p·v)); a stage that sees fewer holds all it sees.

    Source: Korthikanti et al., 2022, section 4.2.3.

    >>> in_flight([8, 8, 8], [64, 4, 64], [1, 1, 2]).tolist()
    [8.0, 4.0, 11.5]
    """
    p, m, v = (np.asarray(value, float) for value in (stages, microbatches, interleave))
    return np.asarray(np.minimum(np.where(v > 1, p + (p - 1) / v, p), m))


def _counts(field: str, values: ArrayLike) -> NDArray[np.float64]:
    counts = np.asarray(values, float)
    if not (counts >= 1).all():
        msg = f"{field} is {counts.min()}; allowed are numbers from 1"
        raise InputError(msg)
    return counts
