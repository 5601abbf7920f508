"""Ways to set requests over time, on the same use: as declared, sized once, or in a loop."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.sharing.right_sizing.kernel import count_exceedances
from gpudeck.models.sharing.right_sizing.population import Population
from gpudeck.models.sharing.right_sizing.recommender import (
    VpaPolicy,
    default_policy,
    run_recommender,
)
from gpudeck.models.sharing.right_sizing.risk import size_profiles
from gpudeck.models.sharing.right_sizing.usage import Usage

STRATEGIES = ("declared", "sized", "eager", "damped")
DAY_MIN = 24 * 60


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What one strategy saves and costs after the profile, one value a run, shape (runs,).

    `saved_pct` as in `RiskGrid`, averaged over time; `kills` for 1,000 pod-days; `throttled_pct` of
    time; `resizes` a pod and week; `lost_min` minutes a pod and week that restarts take.
    """

    saved_pct: NDArray[np.float64]
    kills: NDArray[np.float64]
    throttled_pct: NDArray[np.float64]
    resizes: NDArray[np.float64]
    lost_min: NDArray[np.float64]


def compare_strategies(
    population: Population,
    *,
    quantile: float,
    headroom: float,
    device_gib: float,
    restart_min: float,
    policy: VpaPolicy | None = None,
) -> dict[str, Outcome]:
    """Run four strategies on the same use and count from the end of the profile.

    `declared` keeps what pods declared; `sized` applies quantile and headroom of the profile once;
    `eager` runs the loop without hysteresis, `damped` with it; both start from what is declared.

    Parameters
    ----------
    population : Population
        Simulated use.
    quantile, headroom : float
        Of the request that is sized once.
    device_gib : float
        Memory of one GPU, GiB.
    restart_min : float
        Minutes that a kill or a resize costs the pod.
    policy : VpaPolicy, optional
        Of the loop; `default_policy()` if not told.

    Raises
    ------
    InputError
        As in `run_recommender`.
    """
    damped = policy or default_policy()
    loops = {
        "eager": replace(damped, hysteresis=False),
        "damped": replace(damped, hysteresis=True),
    }
    columns: dict[str, list[tuple[float, ...]]] = {name: [] for name in STRATEGIES}
    for usage in population.runs:
        profile = population.profile_steps
        columns["declared"].append(_fixed(usage, profile, *np.ones((2, len(usage)))))
        sized = [
            size_profiles(use[:, :profile], usage.ceiling, [quantile], [headroom])[:, 0, 0]
            for use in (usage.memory, usage.compute)
        ]
        columns["sized"].append(_fixed(usage, profile, *sized))
        for name, rules in loops.items():
            columns[name].append(_looped(usage, profile, rules, device_gib))
    return {
        name: _outcome(np.array(rows), population.pod_days, restart_min)
        for name, rows in columns.items()
    }


def _fixed(
    usage: Usage, profile: int, memory: NDArray[np.float64], compute: NDArray[np.float64]
) -> tuple[float, ...]:
    """Return saved, kills, throttled share and resizes of requests that stay."""
    episodes, _ = count_exceedances(usage.memory[:, profile:], memory[:, None])
    _, above = count_exceedances(usage.compute[:, profile:], compute[:, None])
    total = usage.gpus.sum()
    saved = 1 - max(usage.gpus @ memory, usage.gpus @ compute) / total
    tested = len(usage) * (usage.memory.shape[1] - profile)
    return saved, int(episodes.sum()), above.sum() / tested, 0


def _looped(usage: Usage, profile: int, policy: VpaPolicy, device_gib: float) -> tuple[float, ...]:
    """Return saved, kills, throttled share and resizes of the loop."""
    result = run_recommender(usage, policy, device_gib, begin=profile)
    memory, compute = (
        usage.gpus @ request[:, profile:] for request in (result.memory, result.compute)
    )
    saved = 1 - np.maximum(memory, compute).mean() / usage.gpus.sum()
    tested = len(usage) * (usage.memory.shape[1] - profile)
    throttled = result.throttled.sum() / tested
    return saved, int(result.kills.sum()), throttled, int(result.resizes.sum())


def _outcome(rows: NDArray[np.float64], pod_days: float, restart_min: float) -> Outcome:
    saved, kills, throttled, resizes = rows.T
    return Outcome(
        100 * saved,
        1000 * kills / pod_days,
        100 * throttled,
        7 * resizes / pod_days,
        # A kill that leads to a resize restarts the pod once more: its new size needs a new pod.
        7 * (kills + resizes) / pod_days * restart_min,
    )
