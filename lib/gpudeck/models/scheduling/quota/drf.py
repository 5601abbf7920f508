"""Dominant resource fairness, task by task: the lowest dominant share gets the next task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gpudeck.errors import InputError
from gpudeck.models.scheduling.quota.amounts import (
    TOLERANCE,
    Amounts,
    caps_of,
    check_demand,
    weights_of,
)

# a share is compared to twelve digits, so that 2/3 and 6/9 tie
_DIGITS = 12
_TASKS_AT_MOST = 1_000_000


@dataclass(frozen=True, slots=True)
class TaskAllocation:
    """Who was picked, in order, and what each holds in the end."""

    picks: tuple[str, ...]
    tasks: dict[str, int]
    allocated: dict[str, dict[str, float]]
    dominant_share: dict[str, float]


def dominant_share(asked: Amounts, capacity: Amounts) -> float:
    """Return the largest share that an amount takes of any resource; infinite where there is none.

    >>> round(dominant_share({"cpu": 1, "mem_gb": 4}, {"cpu": 9, "mem_gb": 18}), 4)
    0.2222
    """
    shares = [
        amount / capacity[name] if capacity.get(name, 0) > 0 else float("inf")
        for name, amount in asked.items()
        if amount > 0
    ]
    return max(shares, default=0.0)


def allocate_tasks(
    capacity: Amounts,
    demand: Mapping[str, Amounts],
    *,
    weights: Amounts | None = None,
    caps: Amounts | None = None,
    ties: Sequence[str] = (),
    stop_when_blocked: bool = False,
) -> TaskAllocation:
    """Give tasks one at a time to the tenant of the lowest dominant share over weight.

    Parameters
    ----------
    capacity
        What there is of each resource.
    demand
        What one task of each tenant asks; a tenant that asks for nothing gets no task.
    weights
        One for each tenant; a weight of 0 gets tasks only when nobody else can.
    caps
        The most tasks of a tenant.
    ties
        Who goes first among equal shares; those not named follow in the order of `demand`.
    stop_when_blocked
        End when the picked tenant's task does not fit (Algorithm 1); otherwise go on with the rest.

    Raises
    ------
    InputError
        A negative amount or NaN, an unknown resource or tenant, or over a million tasks.

    Formula: next = argmin_i max_r(u_ir / C_r) / w_i.
    Source: Ghodsi et al., NSDI 2011, Algorithm 1 and Table 1.

    >>> done = allocate_tasks({"cpu": 9, "mem_gb": 18},
    ...     {"A": {"cpu": 1, "mem_gb": 4}, "B": {"cpu": 3, "mem_gb": 1}}, ties=("B",))
    >>> "".join(done.picks), done.tasks
    ('BAABA', {'A': 3, 'B': 2})
    """
    check_demand(capacity, demand)
    weight, most = weights_of(demand, weights), caps_of(demand, caps)
    _check_ties(ties, demand)
    order = list(dict.fromkeys([*ties, *demand]))
    share = {name: dominant_share(demand[name], capacity) for name in order}
    active = [name for name in order if 0 < share[name] < float("inf")]
    left, tasks, picks = dict(capacity), dict.fromkeys(demand, 0), list[str]()
    while active:
        name = min(active, key=lambda n: _urgency(tasks[n] * share[n], weight[n]))
        if tasks[name] + 1 > most[name] or not _fits(demand[name], left, capacity):
            if stop_when_blocked:
                break
            active.remove(name)
            continue
        for resource, amount in demand[name].items():
            left[resource] -= amount
        tasks[name] += 1
        picks.append(name)
        if len(picks) > _TASKS_AT_MOST:
            msg = f"capacity holds more than {_TASKS_AT_MOST} tasks; ask `fill_shares` instead"
            raise InputError(msg)
    held = {n: {r: tasks[n] * amount for r, amount in demand[n].items()} for n in demand}
    return TaskAllocation(
        tuple(picks), tasks, held, {n: tasks[n] * share[n] if tasks[n] else 0.0 for n in demand}
    )


def _urgency(share: float, weight: float) -> tuple[bool, float]:
    return (weight == 0, round(share / (weight or 1), _DIGITS))


def _fits(asked: Amounts, left: Amounts, capacity: Amounts) -> bool:
    return all(amount <= left[r] + TOLERANCE * capacity[r] for r, amount in asked.items())


def _check_ties(ties: Sequence[str], demand: Mapping[str, Amounts]) -> None:
    if unknown := [name for name in ties if name not in demand]:
        msg = f"ties name {unknown[0]!r}; allowed are {', '.join(demand)}"
        raise InputError(msg)
