"""Quantiles of values of which each stands for several."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def pooled_quantile(
    values: NDArray[np.float64], counts: NDArray[np.int64], share: ArrayLike
) -> NDArray[np.float64]:
    """Return the smallest value that at least a share of all does not exceed; 0 without a value.

    The same as ``numpy.quantile(numpy.repeat(values, counts), share, method="inverted_cdf")``.

    Parameters
    ----------
    values, counts
        Values in any order and how often each occurs, shape (m,).
    share
        Above 0, at most 1; any shape, which is that of the answer.

    >>> float(pooled_quantile(np.array([3.0, 1.0]), np.array([1, 9]), 0.5))
    1.0
    """
    if len(values) == 0 or counts.sum() == 0:
        return np.zeros(np.shape(share))
    order = np.argsort(values)
    upto = np.cumsum(counts[order])
    # a hair less, so that rounding does not pass a share that is met exactly
    at = np.searchsorted(upto, np.asarray(share) * upto[-1] * (1 - 1e-12))
    return np.asarray(values[order][np.minimum(at, len(values) - 1)])
