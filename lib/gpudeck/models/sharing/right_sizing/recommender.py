"""The loop of a vertical autoscaler over days: decaying histograms, bounds, and hysteresis."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.sharing.right_sizing import kernel
from gpudeck.models.sharing.right_sizing.usage import Usage
from gpudeck.tables import read_table

GIB = 2.0**30
# Assumption: the recommender looks every hour and after each kill; Kubernetes' looks every minute.
EVALUATION_MIN = 60
# Weights double every half-life; beyond this a double overflows.
MAX_HALF_LIVES = 900


@dataclass(frozen=True, slots=True)
class VpaPolicy:
    """The loop's parameters, as Kubernetes' Vertical Pod Autoscaler names and uses them.

    Percentiles and margin make target, lower and upper bound; `half_life_h` ages samples;
    `peak_interval_h` is the window of which memory keeps the peak; after a kill memory is taken as
    max(used · `oom_bump_ratio`, used + `oom_bump_b`). With hysteresis a pod is resized outside the
    bounds, after a kill, or after `lifetime_h` if the change is `min_change` or more; without,
    whenever the target differs.
    """

    target_percentile: float
    lower_percentile: float
    upper_percentile: float
    margin: float
    half_life_h: float
    peak_interval_h: float
    bucket_growth: float
    first_bucket_b: float
    first_bucket_compute: float
    oom_bump_ratio: float
    oom_bump_b: float
    min_change: float
    lifetime_h: float
    upper_confidence: float
    lower_confidence: float
    hysteresis: bool = True

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not 0 <= value < float("inf"):
                msg = f"{entry.name} is {value}; allowed are finite numbers of 0 or above"
                raise InputError(msg)
        for name in ("target_percentile", "lower_percentile", "upper_percentile"):
            if not 0 < getattr(self, name) < 1:
                msg = f"{name} is {getattr(self, name)}; allowed is between 0 and 1, both excluded"
                raise InputError(msg)
        for name in ("half_life_h", "peak_interval_h", "bucket_growth", "first_bucket_b",
                     "first_bucket_compute"):  # fmt: skip
            if getattr(self, name) == 0:
                msg = f"{name} is 0; allowed is above 0"
                raise InputError(msg)


@cache
def default_policy() -> VpaPolicy:
    """Return the defaults of Kubernetes' Vertical Pod Autoscaler, read from ``data/vpa.csv``.

    Raises
    ------
    InputError
        The table lacks a parameter or has an unknown one.

    >>> default_policy().target_percentile, default_policy().half_life_h
    (0.9, 24.0)
    """
    rows = read_table("vpa").of("vpa")
    try:
        return VpaPolicy(**{name: row.number for name, row in rows.items()})  # type: ignore[arg-type]
    except TypeError as error:
        msg = f"vpa in data/vpa.csv: {error}; allowed are the fields of VpaPolicy"
        raise InputError(msg) from error


@dataclass(frozen=True, slots=True, eq=False)
class LoopResult:
    """Requests over time, and what happened, each over what the pod declared.

    `memory` and `compute` (pods, steps) are the requests in force after each sample; `marks`
    (pods, steps) is 1 where a pod was resized, 2 where it was killed, 3 where both. `kills`,
    `throttled` (samples) and `resizes`, shape (pods,), count from step `begin` on.
    """

    memory: NDArray[np.float64]
    compute: NDArray[np.float64]
    marks: NDArray[np.int8]
    kills: NDArray[np.int64]
    throttled: NDArray[np.int64]
    resizes: NDArray[np.int64]
    begin: int


def run_recommender(
    usage: Usage, policy: VpaPolicy | None, device_gib: float, *, start: float = 1.0, begin: int = 0
) -> LoopResult:
    """Run the loop over every pod from the request that it starts with.

    Memory and compute are sized together, and one restart serves both. A sample never shows more
    than the request, which is the limit too: a compute share that is throttled is seen at its
    limit, memory at the point of the kill.

    Parameters
    ----------
    usage : Usage
        What the pods use.
    policy : VpaPolicy or None
        The loop's parameters; None leaves the requests as they start.
    device_gib : float
        Memory of one GPU, GiB: bucket widths and the bump after a kill are in bytes.
    start : float
        First request of every pod, over what it declared; above 0.
    begin : int
        Step from which to count.

    Raises
    ------
    InputError
        A number is out of range, or the usage spans too many half-lives.

    Source: Kubernetes, Vertical Pod Autoscaler, recommender and updater (data/vpa.csv).
    """
    steps = usage.memory.shape[1]
    if not 0 < device_gib < float("inf") or not 0 < start < float("inf"):
        msg = f"device_gib is {device_gib}, start {start}; allowed are finite numbers above 0"
        raise InputError(msg)
    if not 0 <= begin < steps:
        msg = f"begin is {begin}; allowed is 0 to {steps - 1}, a step of the usage"
        raise InputError(msg)
    used = policy or default_policy()
    hours = usage.sample_min / 60
    # A window's peak carries the weight of the window's end, which may lie after the last sample.
    if (steps * hours + used.peak_interval_h) / used.half_life_h > MAX_HALF_LIVES:
        msg = (
            f"half_life_h is {used.half_life_h} over {steps * hours:.0f} h of use;"
            f" allowed are {MAX_HALF_LIVES} half-lives at most"
        )
        raise InputError(msg)
    rule = _pack_rule(used, usage, active=policy is not None)
    # Per GPU of the pod: one that holds several asks the same share of each.
    declared_b = device_gib * GIB / usage.ceiling
    first = np.column_stack(
        [used.first_bucket_b / declared_b, used.first_bucket_compute * usage.ceiling]
    )
    bump = used.oom_bump_b / declared_b
    starts = np.minimum(np.full(len(usage), start), usage.ceiling)
    requests, marks, counts = kernel.run_loop(
        usage.memory, usage.compute, usage.ceiling, first, bump, starts, rule, begin
    )
    return LoopResult(
        requests[:, 0],
        requests[:, 1],
        marks,
        counts[:, kernel.KILLS],
        counts[:, kernel.THROTTLED],
        counts[:, kernel.RESIZES],
        begin,
    )


def _pack_rule(policy: VpaPolicy, usage: Usage, *, active: bool) -> NDArray[np.float64]:
    """Return the loop's numbers in the order of the kernel, hours as steps."""
    per_hour = 60 / usage.sample_min
    every = max(1, round(EVALUATION_MIN / usage.sample_min)) if active else 0
    return np.array(
        [
            policy.target_percentile,
            policy.lower_percentile,
            policy.upper_percentile,
            policy.margin,
            policy.half_life_h * per_hour,
            max(1, round(policy.peak_interval_h * per_hour)),
            policy.bucket_growth,
            policy.oom_bump_ratio,
            policy.min_change,
            policy.lifetime_h * per_hour,
            policy.upper_confidence,
            policy.lower_confidence,
            every,
            policy.hysteresis,
            24 * per_hour,
        ],
        dtype=np.float64,
    )
