"""The batch: how many steps and how much computation a larger one takes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class BatchTrade:
    """Steps and examples to reach one loss, over the fewest possible; shape of the batches."""

    steps: NDArray[np.float64]
    examples: NDArray[np.float64]


def trade_batch(batch: ArrayLike, critical: float) -> BatchTrade:
    """Return steps S/S_min = 1 + B_n/B and examples E/E_min = 1 + B/B_n at a batch.

    At the critical batch both are two: twice the fewest steps, with twice the fewest examples.

    Parameters
    ----------
    batch : array_like
        Batch sizes B, in the unit of `critical`.
    critical : float
        The noise scale B_n, which is the critical batch.

    Raises
    ------
    InputError
        A batch or the critical batch is not above 0.

    Source: McCandlish et al., An Empirical Model of Large-Batch Training, 2018, equation 2.11.

    >>> trade = trade_batch([1e6, 2e6], 1e6)
    >>> trade.steps.tolist(), trade.examples.tolist()
    ([2.0, 1.5], [2.0, 3.0])
    """
    sizes = np.asarray(batch, float)
    if not critical > 0 or not (sizes > 0).all():
        msg = f"batch is {sizes} and critical {critical}; allowed are numbers above 0"
        raise InputError(msg)
    return BatchTrade(1 + critical / sizes, 1 + sizes / critical)
