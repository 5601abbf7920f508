"""What to rent where: reserved, on-demand and spot GPUs of several clouds, by a linear program.

A reserved GPU is paid for every hour, an on-demand one while it is used, and a spot GPU may be
taken away: of its time only the efficiency η counts, so that spot pays when its price over that of
on-demand is below η.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.resilience.checkpoint_interval import best_interval, efficiency

Kind = Literal["reserved", "on_demand", "spot"]
KINDS: tuple[Kind, ...] = ("reserved", "on_demand", "spot")
_LITTLE_S = 1e-3  # a save that takes no time still needs an interval


@dataclass(frozen=True, slots=True)
class Offer:
    """GPUs that a cloud rents out: at what price, at most how many, and how often it takes them.

    `preemptions_per_h` is of one spot GPU, and 0 for the other kinds.

    Raises
    ------
    InputError
        The kind is unknown, or a number out of range.
    """

    cloud: str
    kind: Kind
    usd_per_gpu_h: float
    limit_gpus: float = float("inf")
    preemptions_per_h: float = 0.0

    def __post_init__(self) -> None:
        spot = self.kind == "spot"
        ranges = (
            ("kind", self.kind, self.kind in KINDS, ", ".join(KINDS)),
            ("usd_per_gpu_h", self.usd_per_gpu_h, 0 <= self.usd_per_gpu_h < np.inf, "0 or above"),
            ("limit_gpus", self.limit_gpus, self.limit_gpus >= 0, "0 or above"),
            (
                "preemptions_per_h",
                self.preemptions_per_h,
                0 <= self.preemptions_per_h < np.inf and (spot or self.preemptions_per_h == 0),
                "0 or above, and 0 unless the kind is spot",
            ),
        )
        for name, value, right, allowed in ranges:
            if not right:
                msg = f"{name} of {self.cloud} {self.kind} is {value!r}; allowed: {allowed}"
                raise InputError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class CloudMix:
    """The cheapest mix: GPUs of each offer hour by hour, and what it costs.

    `gpus` has shape (offers, hours). `all_on_demand_usd` is the cost of the same demand from
    on-demand offers alone, the cheapest first.
    """

    offers: tuple[Offer, ...]
    demand: NDArray[np.float64]
    gpus: NDArray[np.float64]
    useful: NDArray[np.float64]
    usd: float
    all_on_demand_usd: float

    @property
    def saved_pct(self) -> float:
        """Cost saved against on-demand alone, in %; 0 where that costs nothing."""
        if not self.all_on_demand_usd:
            return 0.0
        return 100 * (1 - self.usd / self.all_on_demand_usd)


def spot_efficiency(preemptions_per_h: float, stall_s: float, recovery_s: float) -> float:
    """Compute the share of a spot GPU's time that is kept work, with the best saving interval.

    Daly's efficiency at M = 1 / rate: work is saved in `stall_s`, and a preempted GPU is replaced
    after `recovery_s`.

    Parameters
    ----------
    preemptions_per_h
        Of one GPU, 0 or above; 0 gives 1.
    stall_s, recovery_s
        Seconds, 0 or above.

    Raises
    ------
    InputError
        A number is out of range.

    Source: Daly, Future Generation Computer Systems 22 (2006), equation 20.

    >>> round(spot_efficiency(1 / 3, 60, 600), 4)
    0.8497
    """
    if not 0 <= preemptions_per_h < np.inf:
        msg = f"preemptions_per_h is {preemptions_per_h}; allowed are finite numbers of 0 or above"
        raise InputError(msg)
    if not 0 <= stall_s < np.inf:
        msg = f"stall_s is {stall_s}; allowed are finite numbers of 0 or above"
        raise InputError(msg)
    if preemptions_per_h == 0:
        return 1.0
    mtbf_s, stall = 3600 / preemptions_per_h, max(stall_s, _LITTLE_S)
    return float(efficiency(best_interval(stall, mtbf_s), stall, mtbf_s, recovery_s))


def spot_pays(spot_usd: float, on_demand_usd: float, share: float) -> bool:
    """Tell whether spot is the cheaper: p_spot / p_on-demand below the efficiency `share`.

    Raises
    ------
    InputError
        A price is negative, on-demand is free, or the share is outside 0 to 1.

    >>> spot_pays(1.0, 2.0, 0.85), spot_pays(1.8, 2.0, 0.85)
    (True, False)
    """
    if spot_usd < 0 or not 0 < on_demand_usd < np.inf or not 0 <= share <= 1:
        msg = (
            f"spot_usd is {spot_usd}, on_demand_usd {on_demand_usd}, share {share};"
            " allowed are prices of 0 or above, on demand above 0, and a share from 0 to 1"
        )
        raise InputError(msg)
    return spot_usd / on_demand_usd < share


def mix_clouds(
    demand: ArrayLike,
    offers: Sequence[Offer],
    *,
    stall_s: float,
    recovery_s: float,
    spot_share_pct: float = 100.0,
) -> CloudMix:
    """Find the cheapest GPUs that do the work of every hour, as a linear program.

    min Σ_h Σ_o p_o x_oh with Σ_o η_o x_oh ≥ d_h, x_oh ≤ limit_o, a reserved x_oh the same in all
    hours, and spot's useful part at most `spot_share_pct` % of d_h, so that one wave of
    preemptions does not take more.

    Parameters
    ----------
    demand
        Useful GPUs needed, 0 or above, shape (hours,).
    offers
        What can be rented.
    stall_s, recovery_s
        As in `spot_efficiency`.
    spot_share_pct
        0 to 100.

    Raises
    ------
    InputError
        A number is out of range, or the offers do not suffice: by how many GPUs, and when.

    Source: solved by HiGHS, in scipy.optimize.linprog.

    >>> offers = [Offer("a", "reserved", 1.0), Offer("a", "on_demand", 2.0)]
    >>> mix_clouds([2, 4], offers, stall_s=0, recovery_s=0).usd
    8.0
    """
    from scipy.optimize import linprog

    need = np.asarray(demand, dtype=np.float64)
    if need.ndim != 1 or not need.size or not ((need >= 0) & np.isfinite(need)).all():
        msg = f"demand has shape {need.shape}; allowed are finite numbers of 0 or above, by hour"
        raise InputError(msg)
    if not 0 <= spot_share_pct <= 100:
        msg = f"spot_share_pct is {spot_share_pct}; allowed is 0 to 100"
        raise InputError(msg)
    share = np.array([spot_efficiency(o.preemptions_per_h, stall_s, recovery_s) for o in offers])
    spot = np.array([offer.kind == "spot" for offer in offers], dtype=bool)
    _check_enough(need, offers, share, spot, spot_share_pct / 100)
    cost, upper, bounds, columns = _program(need, offers, share, spot, spot_share_pct / 100)
    solved = linprog(cost, A_ub=upper[0], b_ub=upper[1], bounds=bounds, method="highs")
    if solved.status != 0:
        msg = f"the cheapest mix was not found: {solved.message}"
        raise InputError(msg)
    gpus = solved.x[columns]
    usd = float(solved.fun)
    return CloudMix(
        tuple(offers), need, gpus, gpus * share[:, None], usd, _cost_on_demand(need, offers)
    )


def _program(  # type: ignore[no-untyped-def]
    need: NDArray[np.float64],
    offers: Sequence[Offer],
    share: NDArray[np.float64],
    spot: NDArray[np.bool_],
    most: float,
):
    """Return costs, upper bounds on rows, bounds, and the column of each offer and hour."""
    from scipy.sparse import csr_matrix

    hours = len(need)
    columns = np.empty((len(offers), hours), np.int64)
    count = 0
    for number, offer in enumerate(offers):
        width = 1 if offer.kind == "reserved" else hours
        columns[number] = count + (0 if width == 1 else np.arange(hours))
        count += width
    cost = np.zeros(count)
    prices = np.array([offer.usd_per_gpu_h for offer in offers])
    np.add.at(cost, columns, np.broadcast_to(prices[:, None], columns.shape))
    limits = np.empty(count)
    limits[columns] = np.array([offer.limit_gpus for offer in offers])[:, None]
    rows = np.broadcast_to(np.arange(hours), columns.shape)
    useful = np.broadcast_to(share[:, None], columns.shape)
    entries = np.concatenate([-useful.ravel(), useful[spot].ravel()])
    places = (
        np.concatenate([rows.ravel(), hours + rows[spot].ravel()]),
        np.concatenate([columns.ravel(), columns[spot].ravel()]),
    )
    matrix = csr_matrix((entries, places), shape=(2 * hours, count))
    right = np.concatenate([-need, most * need])
    bounds = [(0, None if np.isinf(limit) else limit) for limit in limits]
    return cost, (matrix, right), bounds, columns


def _check_enough(
    need: NDArray[np.float64],
    offers: Sequence[Offer],
    share: NDArray[np.float64],
    spot: NDArray[np.bool_],
    most: float,
) -> None:
    limits = np.array([offer.limit_gpus for offer in offers])
    firm = limits[~spot].sum()
    # 0 efficiency times no limit is no GPU, not "not a number"
    fickle = sum(e * n for e, n in zip(share[spot], limits[spot], strict=True) if e > 0)
    missing = need - firm - np.minimum(fickle, most * need)
    if not len(offers) or missing.max() > 1e-9:
        hour = int(np.argmax(missing))
        msg = (
            f"the offers lack {missing[hour]:.1f} of {need[hour]:.1f} useful GPUs in hour {hour};"
            " allowed are limits that suffice: raise limit_gpus or spot_share_pct"
        )
        raise InputError(msg)


def _cost_on_demand(need: NDArray[np.float64], offers: Sequence[Offer]) -> float:
    """Price the demand from on-demand offers, cheapest first; beyond their limits, the dearest."""
    steady = sorted(
        (offer for offer in offers if offer.kind == "on_demand"), key=lambda o: o.usd_per_gpu_h
    )
    if not steady:
        msg = "offers has no on_demand one; allowed is one or more, to compare with"
        raise InputError(msg)
    left, usd = need.copy(), 0.0
    for offer in steady:
        taken = np.minimum(left, offer.limit_gpus)
        usd += offer.usd_per_gpu_h * float(taken.sum())
        left = left - taken
    return usd + steady[-1].usd_per_gpu_h * float(left.sum())
