"""Goodput: requests that meet every latency objective, as a share, a second, and a GPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.serving.disaggregation import DisaggregatedResult
from gpudeck.models.serving.pooled import pooled_quantile
from gpudeck.models.serving.result import ServingResult

Served = ServingResult | DisaggregatedResult


@dataclass(frozen=True, slots=True)
class Goodput:
    """How many requests met every objective, and how fast they came.

    `share` of all requests; `requests_per_s` from the first arrival to the last token;
    `per_gpu_per_s` the same over the GPUs of the run; `ttft_share` and `tpot_share` are the shares
    that met one objective alone.
    """

    share: float
    requests_per_s: float
    per_gpu_per_s: float
    ttft_share: float
    tpot_share: float


def meets_objectives(
    result: Served, ttft_objective_s: float, tbt_objective_s: float
) -> NDArray[np.bool_]:
    """Tell which requests meet both objectives, shape (n,).

    A request's time between tokens is its TPOT, the mean of its gaps, as DistServe has it: one
    long gap does not fail it (`gap_percentile` shows those). A request of a single token has no
    gap and meets that objective; one that was refused meets none.

    Raises
    ------
    InputError
        An objective is not above 0.
    """
    ttft, tpot = _meet_each(result, ttft_objective_s, tbt_objective_s)
    return ttft & tpot


def attainment(result: Served, ttft_objective_s: float, tbt_objective_s: float) -> Goodput:
    """Count the requests that meet both objectives.

    goodput = (requests with TTFT ≤ objective and TPOT ≤ objective)/(last token − first arrival)

    Parameters
    ----------
    result
        A run, co-located or disaggregated.
    ttft_objective_s, tbt_objective_s
        Longest time to the first token, and longest time per output token after it; ``inf`` for
        no objective.

    Raises
    ------
    InputError
        An objective is not above 0, or the run has no request.

    Source: Zhong et al., DistServe, OSDI 2024.

    >>> from gpudeck.models.serving import Engine, Replica, RequestTable, simulate
    >>> run = simulate(RequestTable([0.0, 1.0], [100, 100], [5, 1]), Engine(), Replica())
    >>> attainment(run, 1.0, 1.0).share
    1.0
    """
    if len(result.table) == 0:
        msg = "there is no request; allowed is a run of 1 or more"
        raise InputError(msg)
    ttft, tpot = _meet_each(result, ttft_objective_s, tbt_objective_s)
    share = float((ttft & tpot).mean())
    rate = float((ttft & tpot).sum()) / result.makespan_s
    return Goodput(share, rate, rate / result.gpus, float(ttft.mean()), float(tpot.mean()))


def gap_percentile(result: Served, percentile: float = 99) -> float:
    """Return a percentile of the gaps between tokens of all requests, pooled; 0 without a gap.

    The smallest gap that is not exceeded by that share of all gaps.

    Raises
    ------
    InputError
        The percentile is not above 0, or above 100.
    """
    require_percentile(percentile)
    return float(pooled_quantile(*result.gaps(), percentile / 100))


def ttft_percentile(result: Served, percentile: float = 99) -> float:
    """Return a percentile of the time to first token, by the same rule as `gap_percentile`.

    Raises
    ------
    InputError
        The percentile is not above 0, or above 100.
    """
    require_percentile(percentile)
    if len(result.table) == 0:
        return 0.0
    values = np.nan_to_num(np.sort(result.ttft_s), nan=np.inf)
    at = int(np.ceil(percentile / 100 * len(values) * (1 - 1e-12)))
    return float(values[max(at, 1) - 1])


def require_percentile(percentile: float) -> None:
    """Refuse a percentile that is not above 0, or above 100.

    Raises
    ------
    InputError
        It is out of range.
    """
    if not 0 < percentile <= 100:
        msg = f"percentile is {percentile}; allowed is above 0, at most 100"
        raise InputError(msg)


def require_objectives(ttft_objective_s: float, tbt_objective_s: float) -> None:
    """Refuse an objective that is not above 0.

    Raises
    ------
    InputError
        One is out of range.
    """
    for name, value in (
        ("ttft_objective_s", ttft_objective_s),
        ("tbt_objective_s", tbt_objective_s),
    ):
        if not value > 0:
            msg = f"{name} is {value}; allowed is above 0, inf for no objective"
            raise InputError(msg)


def judged_tpot(result: Served) -> NDArray[np.float64]:
    """Return the time per output token that a request is judged by, shape (n,).

    Its TPOT; 0 for a request of a single token, which has no gap; NaN for one that was refused.
    """
    single = (result.table.output_tokens == 1) & np.isfinite(result.finish_s)
    return np.where(single, 0.0, result.tpot_s)


def _meet_each(
    result: Served, ttft_objective_s: float, tbt_objective_s: float
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    require_objectives(ttft_objective_s, tbt_objective_s)
    return result.ttft_s <= ttft_objective_s, judged_tpot(result) <= tbt_objective_s
