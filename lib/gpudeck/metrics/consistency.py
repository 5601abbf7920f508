"""Checks that hold between metrics whatever the engine: a number that breaks one is wrong."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudeck.hardware.gpu import find_gpu
from gpudeck.metrics.economy import gpu_count
from gpudeck.models.serving.power import IDLE_SHARE, PREFILL_SHARE
from gpudeck.models.serving.result import ServingResult

TOLERANCE = 1e-6


@dataclass(frozen=True, slots=True)
class Check:
    """Two ways to one number: `left` and `right` agree within `tolerance`, relative."""

    name: str
    left: float
    right: float
    tolerance: float = TOLERANCE

    @property
    def ok(self) -> bool:
        """Whether both agree."""
        return abs(self.left - self.right) <= self.tolerance * max(abs(self.right), 1.0)


def check_little(result: ServingResult) -> Check:
    """Hold the requests in the system to Little's law: time-mean number = rate · mean time.

    The left side counts the requests event by event, the right is n/T · Σ e2e/n. It is exact on a
    run that begins and ends empty, as every run of `simulate` does.

    Source: Little, Operations Research 9 (1961).
    """
    arrival, finish = result.table.arrival_s, result.finish_s
    moments = np.concatenate([arrival, finish])
    change = np.concatenate([np.ones(len(arrival)), -np.ones(len(finish))])
    order = np.argsort(moments, kind="stable")
    present = np.cumsum(change[order])[:-1]
    span = float(np.ptp(moments))
    if span == 0:
        return Check("little", 0.0, 0.0)
    mean = float(present @ np.diff(moments[order])) / span
    return Check("little", mean, len(arrival) / span * float(result.e2e_s.mean()))


def check_tokens(result: ServingResult) -> Check:
    """Hold the tokens that came out to those asked for: Σ decodes + prompts finished = Σ n_out."""
    out = int(result.decodes.sum()) + len(result.segments.row)
    return Check("tokens", out, int(result.table.output_tokens.sum()), 0.0)


def check_energy(result: ServingResult) -> Check:
    """Hold energy to power × time: the mean power lies between that of an idle GPU and its cap.

    `left` is the mean power, `right` the nearest power allowed: they differ only outside.
    """
    cap_w = (find_gpu(result.replica.gpu).tdp_w or 0.0) * gpu_count(result)
    span = result.makespan_s
    power = result.energy_j / span if span > 0 else 0.0
    low, high = (IDLE_SHARE * cap_w, PREFILL_SHARE * cap_w) if span > 0 else (0.0, 0.0)
    return Check("energy", power, min(max(power, low), high))


def check_parallelism(result: ServingResult) -> Check:
    """Hold decoding parallelism to its tokens: Σ decodes = Σ over stretches of their length."""
    lengths = int((result.segments.to - result.segments.after).sum())
    return Check("parallelism", int(result.decodes.sum()), lengths, 0.0)


def check_run(result: ServingResult) -> tuple[Check, ...]:
    """Return every check of a run in which all requests were served."""
    checks = (check_little, check_tokens, check_energy, check_parallelism)
    return tuple(check(result) for check in checks)
