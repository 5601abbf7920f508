"""Tokens for a dollar and for a joule, with the boundary of the energy stated."""

from __future__ import annotations

import numpy as np

from gpudeck.errors import InputError
from gpudeck.models.serving.result import ServingResult

_HOUR_S = 3600.0


def tokens_per_usd(result: ServingResult, usd_per_gpu_h: float) -> float:
    """Return the output tokens that a dollar of GPU-hours buys, idle time paid for.

    Raises
    ------
    InputError
        The price is not above 0.
    """
    if not 0 < usd_per_gpu_h < np.inf:
        msg = f"usd_per_gpu_h is {usd_per_gpu_h}; allowed is above 0"
        raise InputError(msg)
    spent = gpu_count(result) * result.makespan_s / _HOUR_S * usd_per_gpu_h
    return _tokens(result) / spent if spent > 0 else 0.0


def tokens_per_joule(result: ServingResult, host_w_per_gpu: float = 0.0, pue: float = 1.0) -> float:
    """Return the output tokens of a joule: tokens/s over watts.

    Parameters
    ----------
    result
        A run of `simulate`; its energy is that of the GPUs, idle time included.
    host_w_per_gpu
        Power of the rest of the node for each GPU; with it the boundary is the node.
    pue
        Power usage effectiveness, 1 or above; with it the boundary is the facility.

    Raises
    ------
    InputError
        A value is out of range.
    """
    joules = energy_j(result, host_w_per_gpu, pue)
    return _tokens(result) / joules if joules > 0 else 0.0


def energy_j(result: ServingResult, host_w_per_gpu: float = 0.0, pue: float = 1.0) -> float:
    """Return the joules of a run inside a boundary; parameters as of `tokens_per_joule`."""
    if not 0 <= host_w_per_gpu < np.inf:
        msg = f"host_w_per_gpu is {host_w_per_gpu}; allowed is 0 or above"
        raise InputError(msg)
    if not 1 <= pue < np.inf:
        msg = f"pue is {pue}; allowed is 1 or above"
        raise InputError(msg)
    host = host_w_per_gpu * gpu_count(result) * result.makespan_s
    return (result.energy_j + host) * pue


def gpu_count(result: ServingResult) -> int:
    """Return the GPUs of all replicas."""
    return result.replicas * result.replica.tensor_parallel


def _tokens(result: ServingResult) -> int:
    return int(result.table.output_tokens[np.isfinite(result.finish_s)].sum())
