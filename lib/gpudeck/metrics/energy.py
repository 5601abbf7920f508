"""Energy and carbon of machines that run: power × time, the facility's overhead, and the grid."""

from __future__ import annotations

import math

from gpudeck.errors import InputError

_W_PER_KW = 1000.0
_G_PER_KG = 1000.0


def energy_kwh(power_w: float, hours: float, *, count: int = 1, pue: float = 1.0) -> float:
    """Return the energy of machines at a steady power: power · count · time · PUE.

    Parameters
    ----------
    power_w : float
        Power of one machine, W, 0 or above.
    hours : float
        How long, 0 or above.
    count : int
        Machines, 0 or above.
    pue : float
        Power usage effectiveness, 1 or above; 1 counts the machines alone.

    Raises
    ------
    InputError
        A value is out of range.

    Source: ISO/IEC 30134-2 (PUE).

    >>> round(energy_kwh(700, 24, count=8, pue=1.2), 2)
    161.28
    """
    for name, value, least in (
        ("power_w", power_w, 0),
        ("hours", hours, 0),
        ("count", count, 0),
        ("pue", pue, 1),
    ):
        _check(name, value, least)
    return power_w / _W_PER_KW * count * hours * pue


def carbon_kg(kwh: float, grams_per_kwh: float) -> float:
    """Return the carbon of energy from a grid, kg CO2e: energy · intensity.

    Raises
    ------
    InputError
        A value is below 0.

    >>> round(carbon_kg(161.28, 400), 3)
    64.512
    """
    _check("kwh", kwh, 0)
    _check("grams_per_kwh", grams_per_kwh, 0)
    return kwh * grams_per_kwh / _G_PER_KG


def embodied_carbon_kg(embodied_kg: float, hours: float, lifetime_h: float) -> float:
    """Return the part of a machine's embodied carbon that some hours of its life carry, kg CO2e.

    Raises
    ------
    InputError
        A value is below 0, or the lifetime not above 0.

    >>> round(embodied_carbon_kg(1312, 24, 43_800), 4)
    0.7189
    """
    _check("embodied_kg", embodied_kg, 0)
    _check("hours", hours, 0)
    _check("lifetime_h", lifetime_h, math.ulp(0.0))
    return embodied_kg * hours / lifetime_h


def _check(name: str, value: float, least: float) -> None:
    if not least <= value < math.inf:
        msg = (
            f"{name} is {value}; allowed is {'above 0' if 0 < least < 1 else f'{least:g} or above'}"
        )
        raise InputError(msg)
