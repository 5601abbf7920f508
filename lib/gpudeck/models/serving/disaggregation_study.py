"""Goodput per GPU of prefill and decode apart, by ratio of replicas, against both together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.serving.disaggregation import simulate_disaggregated
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.workload.request import RequestTable


@dataclass(frozen=True, slots=True)
class Objectives:
    """What a request has to meet: time to first token, and time per output token after it."""

    ttft_s: float
    tpot_s: float

    def __post_init__(self) -> None:
        for name in ("ttft_s", "tpot_s"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                msg = f"{name} is {value}; allowed is above 0, and finite"
                raise InputError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class SplitStudy:
    """Requests a second and GPU that meet both objectives.

    `apart` has shape (runs, replicas − 1): column k has k + 1 replicas for prompts, the others
    decode. `together` has shape (runs,): as many replicas that each do both.
    """

    replicas: int
    apart: NDArray[np.float64]
    together: NDArray[np.float64]

    @property
    def best_prefill(self) -> int:
        """Prefill replicas of the best split, by the mean over the runs."""
        return int(self.apart.mean(axis=0).argmax()) + 1

    def gain_pct(self) -> NDArray[np.float64]:
        """Best split over both together, in % more, shape (runs,)."""
        return 100 * (self.apart[:, self.best_prefill - 1] / self.together - 1)


def goodput_per_gpu(
    requests: RequestTable,
    ttft_s: NDArray[np.float64],
    tpot_s: NDArray[np.float64],
    objectives: Objectives,
    gpus: int,
) -> float:
    """Return the requests that meet both objectives, over the time of arrivals and the GPUs.

    A request of one token has no time per output token (NaN) and meets that objective.

    >>> table = RequestTable([0.0, 1.0, 2.0], [9, 9, 9], [2, 2, 1])
    >>> ttft, tpot = np.array([0.1, 0.9, 0.1]), np.array([0.01, 0.01, np.nan])
    >>> goodput_per_gpu(table, ttft, tpot, Objectives(0.5, 0.05), gpus=2)
    0.5
    """
    met = (ttft_s <= objectives.ttft_s) & ~(tpot_s > objectives.tpot_s)
    if requests.duration_s == 0:
        msg = f"{len(requests)} requests arrive at once; allowed are two or more, spread in time"
        raise InputError(msg)
    return float(met.sum() / requests.duration_s / gpus)


def compare_splits(
    runs: Sequence[RequestTable],
    engine: Engine,
    replica: Replica,
    objectives: Objectives,
    *,
    replicas: int = 4,
    link_gb_s: float = 50.0,
) -> SplitStudy:
    """Serve the same requests by every split of the replicas, and by all of them together.

    Parameters
    ----------
    runs
        Requests of each run.
    engine, replica
        The same for both pools and for the replicas that do both.
    objectives
        What counts as good.
    replicas
        All of them, 2 or more.
    link_gb_s
        Rate of the link of one prefill replica, 10⁹ bytes a second.

    Raises
    ------
    InputError
        Fewer than two replicas, no run, or as `simulate_disaggregated`.

    Source: Zhong et al., DistServe, OSDI 2024 (goodput per GPU under both objectives).
    """
    if replicas < 2 or not len(runs):
        msg = f"{replicas} replicas, {len(runs)} runs; allowed are 2 or more, and 1 or more"
        raise InputError(msg)
    gpus = replicas * replica.tensor_parallel
    apart, together = np.zeros((len(runs), replicas - 1)), np.zeros(len(runs))
    for i, requests in enumerate(runs):
        both = simulate(requests, engine, replica, replicas=replicas, router="least_outstanding")
        together[i] = goodput_per_gpu(requests, both.ttft_s, both.tpot_s, objectives, gpus)
        for prefill in range(1, replicas):
            result = simulate_disaggregated(
                requests,
                engine,
                replica,
                prefill_replicas=prefill,
                decode_replicas=replicas - prefill,
                link_gb_s=link_gb_s,
                router="least_outstanding",
            )
            apart[i, prefill - 1] = goodput_per_gpu(
                requests, result.ttft_s, result.tpot_s, objectives, gpus
            )
    return SplitStudy(replicas, apart, together)


def report_splits(study: SplitStudy) -> tuple[Fact, ...]:
    """Return the facts of a study of two runs or more.

    Returns
    -------
    tuple of Fact
        `together` and `apart` (requests/s and GPU, the best split), `prefill_replicas` and
        `decode_replicas` of the best split.
    """
    by, source = function_name(compare_splits), "model:serving"
    best = study.best_prefill
    return (
        mean_fact("together", study.together, "1", source, by, decimals=None),
        mean_fact("apart", study.apart[:, best - 1], "1", source, by, decimals=None),
        Fact("prefill_replicas", best, "count", "simulated", source, by, decimals=0),
        Fact(
            "decode_replicas", study.replicas - best, "count", "simulated", source, by, decimals=0
        ),
    )


@dataclass(frozen=True, slots=True, eq=False)
class SplitGrid:
    """One study for each rate of arrival and each rate of the link."""

    rate_per_s: tuple[float, ...]
    link_gb_s: tuple[float, ...]
    studies: dict[tuple[float, float], SplitStudy]


def split_grid(
    requests: RequestTable,
    engine: Engine,
    replica: Replica,
    objectives: Objectives,
    rate_per_s: Sequence[float],
    link_gb_s: Sequence[float],
    *,
    replicas: int = 4,
) -> SplitGrid:
    """Compare the splits once for every rate of arrival and of the link, on the same requests."""
    studies = {
        (rate, link): compare_splits(
            [requests.with_rate(rate)],
            engine,
            replica,
            objectives,
            replicas=replicas,
            link_gb_s=link,
        )
        for rate in rate_per_s
        for link in link_gb_s
    }
    return SplitGrid(tuple(rate_per_s), tuple(link_gb_s), studies)
