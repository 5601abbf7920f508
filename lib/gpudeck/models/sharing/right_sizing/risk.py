"""GPUs saved against risk: requests of many quantiles and headrooms, tested on the days after."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.sharing.right_sizing.kernel import count_exceedances
from gpudeck.models.sharing.right_sizing.population import Population
from gpudeck.models.sharing.right_sizing.usage import Usage

QUANTILES = (0.5, 0.9, 0.95, 0.99)
HEADROOMS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class RiskGrid:
    """What requests save and risk, arrays of shape (runs, quantiles, headrooms).

    `saved_pct` is GPU capacity freed, in % of what was declared, when both memory and compute have
    to fit (fractional packing bound); `memory_saved_pct` that of memory alone. `kills` are
    out-of-memory kills for 1,000 pod-days, an excursion above the request counting once;
    `throttled_pct` is the share of time in which compute is held back.
    """

    quantiles: tuple[float, ...]
    headrooms: tuple[float, ...]
    saved_pct: NDArray[np.float64]
    memory_saved_pct: NDArray[np.float64]
    kills: NDArray[np.float64]
    throttled_pct: NDArray[np.float64]
    pod_days: float

    def place(self, quantile: float, headroom: float) -> tuple[int, int]:
        """Return the indices of a cell.

        Raises
        ------
        InputError
            The grid has no such quantile or headroom.
        """
        try:
            return self.quantiles.index(quantile), self.headrooms.index(headroom)
        except ValueError:
            msg = (
                f"quantile {quantile} and headroom {headroom};"
                f" allowed are {self.quantiles} and {self.headrooms}"
            )
            raise InputError(msg) from None


def sweep_requests(
    population: Population,
    quantiles: Sequence[float] = QUANTILES,
    headrooms: Sequence[float] = HEADROOMS,
) -> RiskGrid:
    """Size every pod on its profile by every quantile and headroom, and test it on what follows.

    A request is min(X₍⌈nq⌉₎ (1 + headroom), what the device allows) and stays as it is: growth and
    jumps after the profile are part of the risk. With w_i the GPUs that pod i declared and r the
    requests over it, Σw − max(Σ w r_memory, Σ w r_compute) is saved.

    Parameters
    ----------
    population : Population
        Simulated use.
    quantiles, headrooms : sequences of float
        The grid, as fractions: between 0 and 1, and 0 or above.

    Raises
    ------
    InputError
        A quantile or headroom is out of range.
    """
    _check_grid(quantiles, headrooms)
    parts = [
        _sweep(usage, population.profile_steps, quantiles, headrooms) for usage in population.runs
    ]
    saved, memory, kills, throttled = (np.stack(part) for part in zip(*parts, strict=True))
    return RiskGrid(
        tuple(quantiles),
        tuple(headrooms),
        100 * saved,
        100 * memory,
        1000 * kills / population.pod_days,
        100 * throttled,
        population.pod_days,
    )


def zero_kills_bound(pod_days: float, level: float = 0.95) -> float:
    """Return the upper bound for 1,000 pod-days when none was seen: −1000 ln(1 − level)/pod-days.

    Source: rule of three; Hanley and Lippman-Hand, JAMA 249 (1983).

    >>> round(zero_kills_bound(1000), 2)
    3.0
    """
    return -1000 * math.log(1 - level) / pod_days


def size_profiles(
    use: NDArray[np.float64],
    ceiling: NDArray[np.float64],
    quantiles: Sequence[float],
    headrooms: Sequence[float],
) -> NDArray[np.float64]:
    """Return the requests of every pod, shape (pods, quantiles, headrooms), from its profile.

    Parameters
    ----------
    use : array, shape (pods, samples)
        The profile.
    ceiling : array, shape (pods,)
        What the device allows.
    quantiles, headrooms : sequences of float
        As in `sweep_requests`.
    """
    count = use.shape[1]
    ranks = [max(0, math.ceil(count * quantile - 1e-9) - 1) for quantile in quantiles]
    base = np.partition(use, sorted(set(ranks)), axis=1)[:, ranks]
    grown = base[:, :, None] * (1 + np.asarray(headrooms, dtype=np.float64))
    return np.minimum(grown, ceiling[:, None, None])


def _sweep(
    usage: Usage, profile: int, quantiles: Sequence[float], headrooms: Sequence[float]
) -> tuple[NDArray[np.float64], ...]:
    """Return saved, memory saved, kills and throttled share of one run, each a grid."""
    shape = (len(quantiles), len(headrooms))
    total, tested = usage.gpus.sum(), usage.memory.shape[1] - profile
    needed, episodes, above = [], [], []
    for use in (usage.memory, usage.compute):
        requests = size_profiles(use[:, :profile], usage.ceiling, quantiles, headrooms)
        flat = requests.reshape(len(usage), -1)
        order = np.argsort(flat, axis=1, kind="stable")
        counted = count_exceedances(use[:, profile:], np.take_along_axis(flat, order, axis=1))
        back = np.argsort(order, axis=1, kind="stable")
        risen, spent = (np.take_along_axis(column, back, axis=1) for column in counted)
        needed.append((usage.gpus @ flat).reshape(shape))
        episodes.append(risen.sum(axis=0).reshape(shape))
        above.append(spent.sum(axis=0).reshape(shape))
    saved = 1 - np.maximum(*needed) / total
    return saved, 1 - needed[0] / total, episodes[0], above[1] / (len(usage) * tested)


def _check_grid(quantiles: Sequence[float], headrooms: Sequence[float]) -> None:
    for name, values, allowed, fine in (
        ("quantiles", quantiles, "between 0 and 1, both excluded", lambda v: 0 < v < 1),
        ("headrooms", headrooms, "finite numbers of 0 or above", lambda v: 0 <= v < math.inf),
    ):
        if not values or not all(fine(value) for value in values):
            msg = f"{name} are {tuple(values)}; allowed are {allowed}, one or more"
            raise InputError(msg)
