"""What a serving run delivers: output tokens a second, and requests in time."""

from __future__ import annotations

import numpy as np

from gpudeck.models.serving.goodput import meets_objectives
from gpudeck.models.serving.result import ServingResult


def measure_throughput(result: ServingResult) -> float:
    """Return the output tokens of finished requests a second: Σ n_out / makespan, token/s."""
    finished = np.isfinite(result.finish_s)
    return _rate(int(result.table.output_tokens[finished].sum()), result.makespan_s)


def measure_goodput(
    result: ServingResult, ttft_objective_s: float, tpot_objective_s: float
) -> float:
    """Return the requests a second that meet both objectives of latency.

    Parameters
    ----------
    result
        A run of `simulate`.
    ttft_objective_s, tpot_objective_s
        Longest time to first token, and longest mean time between a request's own tokens. A
        request of a single token has no second.

    Raises
    ------
    InputError
        An objective is not above 0.

    Source: Zhong et al., DistServe, OSDI 2024, section 1.
    """
    met = meets_objectives(result, ttft_objective_s, tpot_objective_s)
    return _rate(int(met.sum()), result.makespan_s)


def _rate(count: int, seconds: float) -> float:
    return count / seconds if seconds > 0 else 0.0
