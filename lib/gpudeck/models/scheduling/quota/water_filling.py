"""Weighted water filling: one resource, divided so that nobody can gain but at a smaller's cost."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.scheduling.quota.amounts import Amounts, check_amount, check_amounts, weights_of


def fill_water(
    capacity: float, demand: Amounts, weights: Amounts | None = None
) -> dict[str, float]:
    """Divide a capacity in proportion to the weights, nobody above its demand.

    Parameters
    ----------
    capacity
        What is divided, 0 or above.
    demand
        What each asks for, 0 or above.
    weights
        One for each; weights of 0 share alike what all others leave.

    Raises
    ------
    InputError
        A negative number or NaN, or weights of others than those who ask.

    Formula: x_i = min(d_i, w_i λ) with Σ x_i = min(C, Σ d_i).
    Source: Bertsekas and Gallager, Data Networks, Section 6.5.2 (max-min flow control).

    >>> fill_water(16, {"a": 4, "b": 2, "c": 10, "d": 4}, {"a": 2.5, "b": 4, "c": 0.5, "d": 1})
    {'a': 4.0, 'b': 2.0, 'c': 6.0, 'd': 4.0}
    """
    check_amount("capacity", capacity)
    check_amounts("demand", demand)
    weight = weights_of(demand, weights)
    asked = np.array([[float(value) for value in demand.values()]])
    heavy = np.array([weight[name] for name in demand])
    got = fill_rows(np.array([float(capacity)]), asked, heavy)[0]
    return {name: float(x) for name, x in zip(demand, got, strict=True)}


def fill_rows(
    capacity: NDArray[np.float64], demand: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Divide many capacities at once, one a row.

    Parameters
    ----------
    capacity
        Shape (rows,).
    demand
        Shape (rows, tenants).
    weight
        Shape (tenants,), the same for all rows.

    Raises
    ------
    InputError
        Shapes that do not match.
    """
    if demand.ndim != 2 or capacity.shape != demand.shape[:1] or weight.shape != demand.shape[1:]:
        msg = (
            f"capacity, demand and weight have shapes {capacity.shape}, {demand.shape} and "
            f"{weight.shape}; allowed are (rows,), (rows, tenants) and (tenants,)"
        )
        raise InputError(msg)
    got, ones = np.zeros_like(demand), np.ones(demand.shape[1])
    for heavy in (weight, np.where(weight == 0, 1.0, 0.0)):
        # each turn, whoever asks less than the level gets it all and leaves the more for the rest
        open_ = np.broadcast_to(heavy > 0, demand.shape).copy()
        # a product with ones: sums over a short last axis are slow
        left = capacity - got @ ones
        for _ in range(demand.shape[1]):
            total = open_ @ heavy
            level = np.divide(left, total, out=np.zeros_like(left), where=total > 0)
            content = open_ & (demand <= heavy * level[:, None])
            got = np.where(content, demand, got)
            left = left - (content * demand) @ ones
            open_ &= ~content
        left = np.maximum(left, 0)
        total = open_ @ heavy
        level = np.divide(left, total, out=np.zeros_like(left), where=total > 0)
        got = np.where(open_, np.minimum(demand, heavy * level[:, None]), got)
    return got
