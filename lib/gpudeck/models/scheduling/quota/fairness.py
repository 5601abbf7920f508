"""Indices of fairness: Jain's, and the gap between weighted dominant shares."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError


def jain_index(values: ArrayLike) -> float:
    """Return how evenly values are spread: 1 if all are equal, 1/n if one has all.

    Parameters
    ----------
    values
        Shape (n,), 0 or above; all zero, or none at all, is even: 1.

    Raises
    ------
    InputError
        A negative value, or one that is not finite.

    Formula: (Σ x)² / (n Σ x²).
    Source: Jain, Chiu and Hawe, DEC-TR-301 (1984).

    >>> jain_index([1, 1, 0, 0]), jain_index([3, 3])
    (0.5, 1.0)
    """
    x = np.asarray(values, dtype=np.float64)
    if x.ndim != 1 or not np.isfinite(x).all() or (x < 0).any():
        msg = f"values are {values}; allowed are finite numbers of 0 or above, shape (n,)"
        raise InputError(msg)
    return float(jain_rows(x[None], np.ones((1, len(x)), dtype=bool))[0])


def jain_rows(values: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return Jain's index of each row over the counted values, 1 where they are all zero."""
    x = np.where(counted, values, 0.0)
    # scaled by the largest: squares of very small shares would vanish
    top = reduce(np.maximum, x.T, np.zeros(len(x)))
    x = x / np.where(top > 0, top, 1.0)[:, None]
    ones = np.ones(x.shape[1])
    squares = (counted @ ones) * (x**2 @ ones)
    return np.divide((x @ ones) ** 2, squares, out=np.ones(len(x)), where=squares > 0)


def share_gap(shares: ArrayLike, weights: ArrayLike, wanting: ArrayLike | None = None) -> float:
    """Return how far the best served is ahead of the worst served who wants more.

    Parameters
    ----------
    shares
        Dominant shares, shape (n,), 0 or above.
    weights
        Shape (n,), above 0.
    wanting
        Who still wants more, shape (n,); all if not told. Who is content envies nobody.

    Raises
    ------
    InputError
        Shapes that differ, a share below 0, or a weight of 0 or below.

    Formula: max(0, max_i s_i/w_i − min_{i wanting} s_i/w_i).

    >>> share_gap([0.5, 0.25], [1, 1]), share_gap([0.5, 0.25], [2, 1])
    (0.25, 0.0)
    """
    s, w = np.asarray(shares, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    want = np.ones(s.shape, dtype=bool) if wanting is None else np.asarray(wanting, dtype=bool)
    if s.ndim != 1 or s.shape != w.shape or s.shape != want.shape:
        msg = f"shares, weights, wanting have shapes {s.shape}, {w.shape}, {want.shape}; one (n,)"
        raise InputError(msg)
    if not ((s >= 0).all() and (w > 0).all() and np.isfinite(w).all() and np.isfinite(s).all()):
        msg = f"shares are {shares}, weights {weights}; allowed are 0 or above, and above 0"
        raise InputError(msg)
    return float(gap_rows((s / w)[None], want[None])[0]) if len(s) else 0.0


def gap_rows(weighted: NDArray[np.float64], wanting: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the gap of each row of weighted shares, 0 where nobody wants more."""
    worst = reduce(np.minimum, np.where(wanting, weighted, np.inf).T)
    best = reduce(np.maximum, weighted.T)
    return np.where(np.isfinite(worst), np.maximum(0, best - worst), 0.0)
