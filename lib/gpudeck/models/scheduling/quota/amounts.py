"""Amounts of named resources, such as {"cpu": 9, "mem_gb": 18}, checked before they are used."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from gpudeck.errors import InputError

Amounts = Mapping[str, float]

# sums of decimals such as 0.1 do not add up to the last digit
TOLERANCE = 1e-9


def check_amount(name: str, value: float, *, infinite: bool = False) -> float:
    """Return an amount of 0 or above.

    Raises
    ------
    InputError
        A negative number or NaN; infinity, unless `infinite`.
    """
    right = value >= 0 and (infinite or math.isfinite(value))
    if not right:
        allowed = "0 or above" if infinite else "a finite number of 0 or above"
        msg = f"{name} is {value}; allowed is {allowed}"
        raise InputError(msg)
    return value


def check_amounts(name: str, amounts: Amounts) -> None:
    """Check each amount of a mapping; the error names the key."""
    for key, value in amounts.items():
        check_amount(f"{name}[{key!r}]", value)


def check_demand(capacity: Amounts, demand: Mapping[str, Amounts]) -> None:
    """Check what tenants ask of each resource against the resources that there are."""
    check_amounts("capacity", capacity)
    for tenant, asked in demand.items():
        check_amounts(f"demand[{tenant!r}]", asked)
        if unknown := sorted(set(asked) - set(capacity)):
            msg = f"demand[{tenant!r}] names {unknown[0]!r}; allowed are {', '.join(capacity)}"
            raise InputError(msg)


def weights_of(tenants: Iterable[str], weights: Amounts | None) -> dict[str, float]:
    """Return a weight for each tenant, 1 for each if none is told.

    Raises
    ------
    InputError
        A tenant without a weight, a weight of nobody, a negative one or NaN.
    """
    names = list(tenants)
    if weights is None:
        return dict.fromkeys(names, 1.0)
    check_amounts("weights", weights)
    if wrong := sorted(set(names) ^ set(weights)):
        msg = f"weights name {sorted(weights)}; allowed is one for each of {sorted(names)}: {wrong}"
        raise InputError(msg)
    return {name: float(weights[name]) for name in names}


def caps_of(tenants: Iterable[str], caps: Amounts | None) -> dict[str, float]:
    """Return each tenant's most, infinity where none is told; unknown tenants are refused."""
    names = list(tenants)
    if unknown := sorted(set(caps or {}) - set(names)):
        msg = f"caps name {unknown[0]!r}; allowed are {', '.join(names)}"
        raise InputError(msg)
    limits = {name: float((caps or {}).get(name, math.inf)) for name in names}
    for name, limit in limits.items():
        check_amount(f"caps[{name!r}]", limit, infinite=True)
    return limits
