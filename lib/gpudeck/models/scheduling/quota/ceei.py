"""Competitive equilibrium from equal incomes: what a market would give to equal purses."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gpudeck.models.scheduling.quota.amounts import Amounts, check_demand, weights_of

_STEPS, _SHRINK, _GAP = 200, 0.2, 1e-13


def clear_market(
    capacity: Amounts, demand: Mapping[str, Amounts], *, weights: Amounts | None = None
) -> dict[str, float]:
    """Return the tasks, fractions included, that maximise the product of everyone's tasks.

    Parameters
    ----------
    capacity
        What there is of each resource.
    demand
        What one task of each tenant asks; a tenant that asks for nothing, for more than there is of
        a resource without capacity, or has a weight of 0 gets no task.
    weights
        Incomes; equal if not told.

    Raises
    ------
    InputError
        A negative amount or NaN, an unknown resource or tenant.

    Formula: max Σ w_i ln x_i subject to Σ_i x_i d_ir ≤ C_r, by a primal-dual interior-point method.
    Source: Ghodsi et al., NSDI 2011, Section 5.2 (Eisenberg and Gale's program).

    >>> x = clear_market({"cpu": 9, "mem_gb": 18},
    ...     {"A": {"cpu": 1, "mem_gb": 4}, "B": {"cpu": 3, "mem_gb": 1}})
    >>> round(x["A"], 6), round(x["B"], 6)
    (4.090909, 1.636364)
    """
    check_demand(capacity, demand)
    weight = weights_of(demand, weights)
    buyers = [
        name
        for name, asked in demand.items()
        if weight[name] > 0
        and any(asked.values())
        and all(capacity[r] > 0 for r, amount in asked.items() if amount > 0)
    ]
    tasks = dict.fromkeys(demand, 0.0)
    goods = [r for r in capacity if any(demand[n].get(r, 0) > 0 for n in buyers)]
    if not buyers:
        return tasks
    # in units of the capacity and of the income, so that one stopping rule suits all
    asked = np.array([[demand[n].get(r, 0) / capacity[r] for r in goods] for n in buyers])
    income = np.array([weight[n] for n in buyers])
    income /= income.sum()
    x = 0.5 * income / asked.max(axis=1)
    price, left, gap = np.ones(len(goods)), 1 - x @ asked, 1.0
    for _ in range(_STEPS):
        gap = max(_SHRINK * float(price @ left) / len(goods), _GAP / 10)
        # Newton's step of w/x = A p and p·left = gap, the prices eliminated
        want = income / x - asked @ (gap / left)
        curve = np.diag(income / x**2) + (asked * (price / left)) @ asked.T
        dx = np.linalg.solve(curve, want)
        dprice = gap / left - price + price / left * (dx @ asked)
        dleft = -(dx @ asked)
        reach = 1.0
        for value, change in ((x, dx), (price, dprice), (left, dleft)):
            falls = change < 0
            if falls.any():
                reach = min(reach, 0.99 * float(np.min(-value[falls] / change[falls])))
        # what is left is carried along: near the end 1 - x @ asked is rounding alone
        x, price, left = x + reach * dx, price + reach * dprice, left + reach * dleft
        if price @ left < len(goods) * _GAP and np.abs(want * x).max() < _GAP:
            break
    return tasks | {name: float(value) for name, value in zip(buyers, x, strict=True)}
