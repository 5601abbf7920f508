"""The integer programs behind a partition: columns are the fullest sets of instances of a GPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.sharing.mig.states import States

# Far above what these programs take; beyond it the best found so far counts, with its bound.
TIME_LIMIT_S = 60.0
ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Cover:
    """GPUs of each column, shape (columns,), and a bound on the objective that none can beat."""

    gpus: NDArray[np.int64]
    bound: float


def fullest_states(states: States) -> NDArray[np.int64]:
    """List one state for each count of instances by profile that no other state exceeds.

    Returns
    -------
    Numbers of states, shape (columns,).

    >>> from gpudeck.models.sharing.mig.states import build_states
    >>> states = build_states("A30")
    >>> sorted(states.counts[fullest_states(states)].tolist())
    [[0, 0, 1], [0, 2, 0], [2, 1, 0], [4, 0, 0]]
    """
    counts, first = np.unique(states.counts, axis=0, return_index=True)
    at_least = (counts[None] >= counts[:, None]).all(axis=2)
    return first[at_least.sum(axis=1) == 1]


def bound_gpus(
    columns: NDArray[np.int64], demand: NDArray[np.int64] | NDArray[np.float64]
) -> float:
    """Return the least number of GPUs if they could be divided: the relaxation's optimum.

    Parameters
    ----------
    columns : array
        Instances of each profile on a GPU, shape (columns, profiles).
    demand : array
        Requests by profile, shape (profiles,).
    """
    # A second of import that a page without a program need not pay.
    from scipy.optimize import linprog

    solved = linprog(np.ones(len(columns)), A_ub=-columns.T, b_ub=-demand, method="highs")
    return float(solved.fun)


def cover_demand(columns: NDArray[np.int64], demand: NDArray[np.int64]) -> Cover:
    """Serve all of a demand with the fewest GPUs.

    min Σ x_c subject to Σ_c n_cp x_c ≥ d_p for every profile p, x_c ≥ 0 whole.

    Parameters
    ----------
    columns, demand
        As in `bound_gpus`.

    Source: Gilmore and Gomory, Operations Research 9 (1961), the cutting-stock problem.

    >>> columns = np.array([[2, 0], [1, 1]])
    >>> int(cover_demand(columns, np.array([3, 2])).gpus.sum())
    3
    """
    from scipy.optimize import LinearConstraint

    count = len(columns)
    rows = LinearConstraint(columns.T, demand, np.inf)
    return _solve(np.ones(count), [rows], np.ones(count), np.full(count, np.inf))


def serve_most(
    columns: NDArray[np.int64], demand: NDArray[np.int64], gpus: int, worth: NDArray[np.int64]
) -> Cover:
    """Serve as much of a demand as a number of GPUs can.

    max Σ_p w_p y_p subject to y_p ≤ d_p, y_p ≤ Σ_c n_cp x_c and Σ x_c ≤ G, x whole. Returned is
    x, and the most that the relaxation serves.

    Parameters
    ----------
    columns, demand
        As in `bound_gpus`.
    gpus : int
        GPUs at hand.
    worth : array
        What serving one request of a profile counts, shape (profiles,).

    >>> serve_most(np.array([[2, 0], [1, 1]]), np.array([3, 2]), 2, np.array([1, 1])).bound
    4.0
    """
    from scipy.optimize import LinearConstraint

    count, kinds = columns.shape
    enough = LinearConstraint(np.hstack([columns.T, -np.eye(kinds)]), 0, np.inf)
    fleet = LinearConstraint(np.r_[np.ones(count), np.zeros(kinds)][None], 0, gpus)
    upper = np.r_[np.full(count, gpus), demand].astype(float)
    whole = np.r_[np.ones(count), np.zeros(kinds)]
    found = _solve(np.r_[np.zeros(count), -worth], [enough, fleet], whole, upper)
    return Cover(found.gpus[:count], -found.bound)


def share_mix(columns: NDArray[np.int64], mix: NDArray[np.float64], gpus: int) -> Cover:
    """Partition a pool for good, so that it holds the largest multiple of a mix of requests.

    max t subject to Σ_c n_cp x_c ≥ t·m_p and Σ x_c ≤ G, x whole. Returned are x and the bound on t.

    Parameters
    ----------
    columns
        As in `bound_gpus`.
    mix : array
        Requests of each profile that are expected at once, shape (profiles,).
    gpus : int
        GPUs of the pool.

    >>> share_mix(np.array([[2, 0], [1, 1]]), np.array([3.0, 1.0]), 4).gpus.tolist()
    [2, 2]
    """
    from scipy.optimize import LinearConstraint

    count = len(columns)
    enough = LinearConstraint(np.hstack([columns.T, -mix[:, None]]), 0, np.inf)
    fleet = LinearConstraint(np.r_[np.ones(count), 0.0][None], 0, gpus)
    upper = np.r_[np.full(count, float(gpus)), np.inf]
    found = _solve(np.r_[np.zeros(count), -1.0], [enough, fleet], np.r_[np.ones(count), 0.0], upper)
    return Cover(found.gpus[:count], -found.bound)


def _solve(cost: NDArray, constraints: list[object], whole: NDArray, upper: NDArray) -> Cover:
    from scipy.optimize import Bounds, milp

    solved = milp(
        cost,
        constraints=constraints,
        integrality=whole,
        bounds=Bounds(np.zeros(len(cost)), upper),
        options={"mip_rel_gap": 0.0, "time_limit": TIME_LIMIT_S},
    )
    if solved.x is None:
        msg = f"HiGHS found no partition: {solved.message}"
        raise RuntimeError(msg)
    return Cover(np.rint(solved.x).astype(np.int64), float(solved.mip_dual_bound))
