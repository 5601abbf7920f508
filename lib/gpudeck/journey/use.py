"""What pods use of the GPU that they ask for: over the pods, and over the hours of a day.

Use is counted in millionths of what a pod asked for, so that all sums over it are exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.rng import generator
from gpudeck.scenario.schema import Tenant, Use, WorkloadUse
from gpudeck.workload.pod import Pods

KINDS = ("inference", "training", "notebook")
HOURS = 24
PPM = 1_000_000
# 24 hours of a raised cosine to this power have all but a millionth of the load in one hour
_LOWEST = 1e-12  # least load before the power, as part of the peak
_STEEPEST = 4096.0


@dataclass(frozen=True, slots=True, eq=False)
class PodUse:
    """What each pod uses of what it asked for.

    ``kind``, ``peak_ppm`` and ``memory_ppm`` have shape (pods,): the place of the pod's workload in
    `KINDS`, −1 for a pod without GPU; SM activity in its peak hour; GPU memory. ``course_ppm`` has
    shape (kinds, 24): the load of each hour, as part of that of the peak hour. ``failed_ppm`` has
    shape (kinds,): part of the use that goes to jobs which fail.
    """

    kind: NDArray[np.int64]
    peak_ppm: NDArray[np.int64]
    memory_ppm: NDArray[np.int64]
    course_ppm: NDArray[np.int64]
    failed_ppm: NDArray[np.int64]


def draw_use(pods: Pods, tenants: Sequence[Tenant], use: Use, seed: int) -> PodUse:
    """Give each GPU pod a tenant by the tenants' shares, and a use drawn from Beta distributions.

    Parameters
    ----------
    pods : Pods
        The pods; those without GPU get no kind and use nothing.
    tenants : sequence of Tenant
        Who shares the fleet; their shares sum to 1.
    use : Use
        Mean and spread by kind of workload.
    seed : int
        Seed of the draws, 0 or above.

    Raises
    ------
    InputError
        No pod asks for GPU, or a spread is too large for its mean.

    Source: the means follow published figures, see the scenario; the shape is an assumption.
    """
    asks = pods.num_gpu > 0
    if not asks.any():
        msg = f"{len(pods)} pods, none of which asks for GPU; allowed is one or more that do"
        raise InputError(msg)
    share = np.array([tenant.share for tenant in tenants])
    owner = generator(seed, "tenant").choice(len(tenants), len(pods), p=share / share.sum())
    kind_of = np.array([KINDS.index(tenant.workload) for tenant in tenants])
    kind = np.where(asks, kind_of[owner], -1)
    peak, memory = np.zeros((2, len(pods)), dtype=np.int64)
    rng = generator(seed, "use")
    for place, name in enumerate(KINDS):
        of_kind: WorkloadUse = getattr(use, name)
        mine = kind == place
        count = int(mine.sum())
        peak[mine] = draw_beta(of_kind.sm_peak_pct, of_kind.sm_sd_pct, count, rng)
        memory[mine] = draw_beta(of_kind.memory_mean_pct, of_kind.memory_sd_pct, count, rng)
    all_kinds: list[WorkloadUse] = [getattr(use, name) for name in KINDS]
    course = [daily_course(k.sm_mean_pct, k.sm_peak_pct, use.peak_hour) for k in all_kinds]
    failed = [round(k.failed_pct / 100 * PPM) for k in all_kinds]
    return PodUse(kind, peak, memory, _ppm(course), np.array(failed))


def draw_beta(
    mean_pct: float, sd_pct: float, count: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """Draw parts of a whole, in millionths, from the Beta distribution of a mean and a spread.

    a = m·ν and b = (1 − m)·ν with ν = m(1 − m)/s² − 1; without spread all are the mean.

    Parameters
    ----------
    mean_pct
        Mean, above 0 and below 100 %.
    sd_pct
        Standard deviation in points; its square is below mean · (100 − mean).
    count
        How many to draw.
    rng
        Where they come from.

    Raises
    ------
    InputError
        The mean is not inside, or the spread is too large for a Beta distribution.

    >>> draw_beta(50, 0, 2, np.random.default_rng(0)).tolist()
    [500000, 500000]
    """
    mean, spread = mean_pct / 100, sd_pct / 100
    if not 0 < mean < 1 or not (spread >= 0 and spread**2 < mean * (1 - mean)):
        msg = (
            f"mean {mean_pct} % with standard deviation {sd_pct} points; allowed is a mean between"
            " 0 and 100 % and a variance below mean · (100 % − mean)"
        )
        raise InputError(msg)
    if spread < 1 / PPM:  # finer than what is kept
        return _ppm(np.full(count, mean))
    weight = mean * (1 - mean) / spread**2 - 1
    return _ppm(rng.beta(mean * weight, (1 - mean) * weight, count))


def daily_course(mean_pct: float, peak_pct: float, peak_hour: int) -> NDArray[np.float64]:
    """Return the load of each hour as part of the peak hour's, shape (24,).

    A raised cosine to a power k, ((1 + cos(2π(h − peak)/24))/2)^k, with k such that the mean of the
    day over its peak is mean_pct / peak_pct; k = 0 is a flat load.

    Parameters
    ----------
    mean_pct, peak_pct
        Mean load of the day and load of the peak hour; the mean is up to 12 times smaller.
    peak_hour
        Hour of the greatest load, 0 to 23.

    Raises
    ------
    InputError
        The peak is below the mean, or more than 12 times as much.

    >>> course = daily_course(7.0, 19.8, 15)
    >>> int(course.argmax()), round(float(course.mean() / course.max()), 4)
    (15, 0.3535)
    """
    if not 0 < mean_pct <= peak_pct <= 12 * mean_pct:
        msg = f"peak {peak_pct} % of mean {mean_pct} %; allowed is 1 to 12 times the mean"
        raise InputError(msg)
    phase = 2 * np.pi * (np.arange(HOURS) - peak_hour) / HOURS
    # 0 at the lowest hour would stay 0 at any power, and no mean near the peak be met
    raised = np.maximum((1 + np.cos(phase)) / 2, _LOWEST)
    low, high = 0.0, _STEEPEST
    for _ in range(80):  # bisection to the last bit
        power = (low + high) / 2
        low, high = (power, high) if (raised**power).mean() > mean_pct / peak_pct else (low, power)
    return np.asarray(raised**low)


def _ppm(parts: ArrayLike) -> NDArray[np.int64]:
    return np.rint(np.asarray(parts) * PPM).astype(np.int64)
