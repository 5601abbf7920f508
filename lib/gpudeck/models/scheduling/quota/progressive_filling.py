"""Divisible tasks: raise everyone's share alike until a resource is full, then go on with the rest.

With the dominant share this is DRF, with the sum of shares asset fairness; on one resource both are
max-min fairness.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.scheduling.quota.amounts import (
    TOLERANCE,
    Amounts,
    caps_of,
    check_demand,
    weights_of,
)

Measure = Literal["dominant", "asset"]


def fill_shares(
    capacity: Amounts,
    demand: Mapping[str, Amounts],
    *,
    weights: Amounts | None = None,
    caps: Amounts | None = None,
    measure: Measure = "dominant",
) -> dict[str, float]:
    """Return how many tasks, fractions included, each tenant gets.

    Parameters
    ----------
    capacity
        What there is of each resource.
    demand
        What one task of each tenant asks; a tenant that asks for nothing gets no task.
    weights
        One for each tenant; weights of 0 share alike what all others leave.
    caps
        The most tasks of a tenant.
    measure
        "dominant" equals max_r x_i d_ir / C_r / w_i over tenants (DRF), "asset" their sum over r.

    Raises
    ------
    InputError
        A negative amount or NaN, an unknown resource, tenant or measure.

    Source: Ghodsi et al., NSDI 2011, Sections 4.1, 4.2 and 5.1.

    >>> x = fill_shares({"cpu": 9, "mem_gb": 18},
    ...     {"A": {"cpu": 1, "mem_gb": 4}, "B": {"cpu": 3, "mem_gb": 1}}, measure="asset")
    >>> round(x["A"], 4), round(x["B"], 4)
    (2.52, 2.16)
    """
    check_demand(capacity, demand)
    if measure not in ("dominant", "asset"):
        msg = f"measure is {measure!r}; allowed are 'dominant' and 'asset'"
        raise InputError(msg)
    weight, most = weights_of(demand, weights), caps_of(demand, caps)
    names = list(demand)
    size = np.array([float(capacity[r]) for r in capacity])
    asked = np.array([[float(demand[n].get(r, 0)) for r in capacity] for n in names])
    asked = asked.reshape(len(names), len(size))
    limit = np.array([most[n] for n in names])
    heavy = np.array([weight[n] for n in names])
    tasks = np.zeros(len(names))
    _fill(tasks, asked, size, limit, heavy, measure)
    _fill(tasks, asked, size, limit, np.where(heavy == 0, 1.0, 0.0), measure)
    return {name: float(x) for name, x in zip(names, tasks, strict=True)}


def _fill(
    tasks: NDArray,
    asked: NDArray,
    size: NDArray,
    limit: NDArray,
    weight: NDArray,
    measure: Measure,
) -> None:
    """Fill for the tenants of positive weight, in place; each turn stops one of them at least."""
    used = tasks @ asked
    scaled = np.divide(asked, size, out=np.zeros_like(asked), where=size > 0)
    step = scaled.max(axis=1, initial=0) if measure == "dominant" else scaled.sum(axis=1)
    impossible = ((asked > 0) & (size == 0)).any(axis=1)
    active = (weight > 0) & (step > 0) & ~impossible & (tasks < limit)
    slack = TOLERANCE * np.maximum(size, 1e-300)
    while True:
        full = size - used <= slack
        active &= ~(asked[:, full] > 0).any(axis=1)
        if not active.any():
            return
        speed = np.where(active, np.divide(weight, step, where=step > 0, out=0 * step), 0.0)
        flow = speed @ asked
        rise = np.min((size - used)[flow > 0] / flow[flow > 0])
        to_limit = (limit - tasks)[active] / speed[active]
        rise = min(rise, float(to_limit.min()))
        tasks += speed * rise
        used = tasks @ asked
        reached = active & (tasks >= limit * (1 - TOLERANCE))
        tasks[reached] = limit[reached]
        active &= ~reached
