"""Goodput per GPU of prefill and decode apart, by ratio of replicas, against both together.

Every fleet serves the same requests at the same rates once. What it carries within any objective
then follows from the latencies kept: the highest rate at which the wanted share of the requests
meets both, as `find_capacity` defines it, read between the rates tried instead of searched for.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.link import find_link
from gpudeck.models.serving.disaggregation import simulate_disaggregated
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.goodput import Served, judged_tpot
from gpudeck.models.serving.objectives import Objectives
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.service import plan_engine, plan_replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.scenario import Scenario
from gpudeck.scenario.schema import Serving
from gpudeck.scenario.serving import read_serving_runs
from gpudeck.workload.request import RequestTable

# replicas of every fleet, and the link that a prefill replica has: assumptions
REPLICAS = 4
LINK = "IB-NDR"
# rates tried, as shares of what the replicas serve together with all requests at once
LOAD_SHARES = (0.06, 0.18, 0.38, 0.6, 0.8, 1.0, 1.25, 1.6)
# requests of a run, and runs at most: each run is served once a rate and fleet
MOST_REQUESTS, MOST_RUNS = 1200, 3
# objectives for TTFT that latencies allow, as multiples of the scenario's
TTFT_FACTORS = (0.5, 1.0, 2.0)
# prompts longer than the scenario's, for the explorer
PROMPT_FACTORS = (1.0, 3.0)
_POINTS = 16


@dataclass(frozen=True, slots=True, eq=False)
class FleetLatencies:
    """Latencies of the same requests in several fleets of as many GPUs.

    Parameters
    ----------
    replicas, gpus
        Of each fleet.
    rate_per_s
        Rates tried, rising, shape (rates,).
    ttft_s, tpot_s
        By the prefill replicas of a fleet, 0 for all together, shape (runs, rates, requests). A
        request of a single token has a TPOT of 0; rates that were not served have infinite ones.
    """

    replicas: int
    gpus: int
    rate_per_s: NDArray[np.float64]
    ttft_s: dict[int, NDArray[np.float64]]
    tpot_s: dict[int, NDArray[np.float64]]

    @property
    def splits(self) -> tuple[int, ...]:
        """Prefill replicas of each fleet with pools apart."""
        return tuple(prefill for prefill in self.ttft_s if prefill)

    def first_run(self) -> FleetLatencies:
        """Return the latencies of the first run alone."""
        ttft, tpot = (
            {prefill: values[:1] for prefill, values in table.items()}
            for table in (self.ttft_s, self.tpot_s)
        )
        return replace(self, ttft_s=ttft, tpot_s=tpot)

    def goodput(self, prefill: int, goal: Objectives) -> NDArray[np.float64]:
        """Return the highest rate a GPU at which the goal's percentile is met, shape (runs,).

        The quantile of max(TTFT/objective, TPOT/objective) over the requests is 1 there. Its
        logarithm is taken to be straight over that of the rate between the rates tried. 0 where
        the lowest rate fails, the highest tried where none does.
        """
        over = np.maximum(self.ttft_s[prefill] / goal.ttft_s, self.tpot_s[prefill] / goal.tbt_s)
        worst = _quantile(over, goal.percentile)
        found = [_crossing(self.rate_per_s, one) for one in worst]
        return np.array(found) / self.gpus


@dataclass(frozen=True, slots=True, eq=False)
class SplitStudy:
    """Goodput a GPU over the objective for the time between tokens.

    Parameters
    ----------
    latencies
        What it is computed from.
    goal
        The scenario's objectives.
    tbt_s
        Objectives tried, rising, shape (points,); the scenario's own is one of them.
    goodput
        By prefill replicas, 0 for all together, shape (runs, points), requests/s and GPU.
    """

    latencies: FleetLatencies
    goal: Objectives
    tbt_s: NDArray[np.float64]
    goodput: dict[int, NDArray[np.float64]]

    @property
    def own(self) -> int:
        """Place of the scenario's objective."""
        return int(np.flatnonzero(self.tbt_s == self.goal.tbt_s)[0])

    def best_split(self, point: int) -> int:
        """Prefill replicas of the best split at an objective, by the mean over the runs."""
        return max(
            self.latencies.splits, key=lambda prefill: self.goodput[prefill][:, point].mean()
        )

    def apart(self) -> NDArray[np.float64]:
        """Return the goodput of the best split at each objective, shape (runs, points)."""
        columns = [
            self.goodput[self.best_split(point)][:, point] for point in range(len(self.tbt_s))
        ]
        return np.stack(columns, axis=1)


def read_split_runs(scenario: Scenario, seed: int = 0) -> tuple[RequestTable, ...]:
    """Return the requests that the fleets serve: the scenario's, two runs or more.

    Parameters
    ----------
    scenario
        Its section `serving` says what they are like.
    seed
        Seed from which the runs' seeds are drawn.
    """
    return read_serving_runs(scenario, MOST_REQUESTS, seed, runs=min(scenario.runs, MOST_RUNS))


def serve_fleets(
    runs: Sequence[RequestTable],
    engine: Engine,
    prompt_engine: Engine,
    replica: Replica,
    goal: Objectives,
    *,
    replicas: int = REPLICAS,
    link_gb_s: float | None = None,
    shares: Sequence[float] = LOAD_SHARES,
) -> FleetLatencies:
    """Serve the same requests by every split of the replicas and by all together, at every rate.

    Parameters
    ----------
    runs
        Requests of each run, as many in each; stretched to each rate.
    engine
        Of the replicas that do both.
    prompt_engine
        Of both pools where they are apart; only the prefill pool computes prompts.
    replica
        The same in every fleet.
    goal
        After the first rate whose percentile of TTFT misses the most lenient of `TTFT_FACTORS` no
        higher one is served: it would miss it too.
    replicas
        All of them, 2 or more.
    link_gb_s
        Rate of the link of one prefill replica, 10⁹ bytes a second; `LINK`'s if not told.
    shares
        Rates, as shares of what the replicas serve together with all requests at once; rising.

    Raises
    ------
    InputError
        Fewer than two replicas, no run, runs of several lengths, or as `simulate_disaggregated`.

    Source: Zhong et al., DistServe, OSDI 2024 (goodput per GPU under both objectives).
    """
    counts = {len(run) for run in runs}
    if replicas < 2 or len(counts) != 1 or min(counts) < 2:
        msg = (
            f"{replicas} replicas, runs of {sorted(counts)} requests; allowed are 2 or more, and"
            " runs of one length of 2 or more"
        )
        raise InputError(msg)
    link = find_link(LINK).direction_gb_s if link_gb_s is None else link_gb_s

    def serve(run: RequestTable, prefill: int) -> Served:
        if not prefill:
            return simulate(run, engine, replica, replicas=replicas, router="least_outstanding")
        return simulate_disaggregated(
            run,
            prompt_engine,
            replica,
            prefill_replicas=prefill,
            decode_replicas=replicas - prefill,
            link_gb_s=link,
            router="least_outstanding",
        )

    saturated = np.mean([len(run) / serve(run.all_at_once(), 0).makespan_s for run in runs])
    rates = np.array(shares) * saturated
    shape = (len(runs), len(rates), counts.pop())
    ttft = {prefill: np.full(shape, np.inf) for prefill in range(replicas)}
    tpot = {prefill: np.full(shape, np.inf) for prefill in range(replicas)}
    for prefill in range(replicas):
        for i, run in enumerate(runs):
            for j, rate in enumerate(rates):
                result = serve(run.with_rate(float(rate)), prefill)
                ttft[prefill][i, j], tpot[prefill][i, j] = result.ttft_s, judged_tpot(result)
                if _quantile(result.ttft_s, goal.percentile) > TTFT_FACTORS[-1] * goal.ttft_s:
                    break
    return FleetLatencies(replicas, replicas * replica.tensor_parallel, rates, ttft, tpot)


def serve_service(serving: Serving, runs: Sequence[RequestTable]) -> FleetLatencies:
    """Serve the requests by fleets of a scenario's replica.

    Together each replica computes prompts in the scenario's chunks between decodes; apart the
    prefill pool takes whole prompts, for there is nothing that they could delay.

    Parameters
    ----------
    serving
        The scenario's section.
    runs
        Its requests.
    """
    engine, prompt_engine = plan_engine(serving), plan_engine(serving, "paged")
    return serve_fleets(runs, engine, prompt_engine, plan_replica(serving), plan_goal(serving))


def plan_goal(serving: Serving) -> Objectives:
    """Return a scenario's objectives, judged request by request."""
    return Objectives(
        serving.ttft_objective_s, serving.tbt_objective_s, serving.objective_percentile
    )


def compare_splits(
    latencies: FleetLatencies, goal: Objectives, tightest_s: float, points: int = _POINTS
) -> SplitStudy:
    """Compare the fleets for objectives from one that hardly any can meet to a lenient one.

    Parameters
    ----------
    latencies
        From `serve_fleets`.
    goal
        Objectives; that between tokens is varied.
    tightest_s
        Lowest objective for the time between tokens, below it no step can be.
    points
        How many are tried besides the goal's own, 2 or more.

    Raises
    ------
    InputError
        The lowest objective is not above 0.
    """
    if not 0 < tightest_s < float("inf"):
        msg = f"tightest_s is {tightest_s}; allowed is above 0, and finite"
        raise InputError(msg)
    widest = max(4 * tightest_s, 1.2 * goal.tbt_s)
    tried = np.union1d(np.geomspace(tightest_s, widest, points), [goal.tbt_s])
    goals = [Objectives(goal.ttft_s, float(each), goal.percentile) for each in tried]
    goodput = {
        prefill: np.stack([latencies.goodput(prefill, each) for each in goals], axis=1)
        for prefill in latencies.ttft_s
    }
    return SplitStudy(latencies, goal, tried, goodput)


def study_splits(serving: Serving, latencies: FleetLatencies) -> SplitStudy:
    """Compare the fleets for objectives around a scenario's own.

    The tightest is a step that decodes one request alone, at the scenario's engine.

    Parameters
    ----------
    serving
        The scenario's section.
    latencies
        From `serve_service`.
    """
    engine, replica = plan_engine(serving), plan_replica(serving)
    alone_s = engine.step_overhead_s + float(replica.step_time.decode_s(1, 1))
    return compare_splits(latencies, plan_goal(serving), alone_s)


def stretch_prompts(run: RequestTable, factor: float, longest: int) -> RequestTable:
    """Return the same requests with longer or shorter prompts, cut to what a replica holds.

    Parameters
    ----------
    run
        Requests.
    factor
        On each prompt, above 0.
    longest
        Tokens of prompt and answer together, at most.

    Raises
    ------
    InputError
        The factor is not above 0.

    >>> stretch_prompts(RequestTable([0.0, 1.0], [10, 90], [5, 5]), 2.0, 100).prompt_tokens.tolist()
    [20, 95]
    """
    if not 0 < factor < float("inf"):
        msg = f"factor is {factor}; allowed is above 0, and finite"
        raise InputError(msg)
    prompt = np.rint(run.prompt_tokens * factor).astype(np.int64)
    return RequestTable(
        run.arrival_s, np.clip(prompt, 1, longest - run.output_tokens), run.output_tokens
    )


def split_grid(
    serving: Serving, latencies: FleetLatencies, run: RequestTable
) -> dict[float, FleetLatencies]:
    """Serve one run with prompts of several lengths; the scenario's own are served already.

    Parameters
    ----------
    serving
        The scenario's section.
    latencies
        From `serve_service`; its first run is used.
    run
        The requests of that run.

    Returns
    -------
    dict
        By the factor on the prompts, `PROMPT_FACTORS`.
    """
    longest = int(plan_replica(serving).kv_capacity_tokens)
    return {
        factor: latencies.first_run()
        if factor == 1
        else serve_service(serving, [stretch_prompts(run, factor, longest)])
        for factor in PROMPT_FACTORS
    }


def _quantile(values: NDArray[np.float64], percentile: float) -> NDArray[np.float64]:
    """Return the value that this share does not exceed, along the last axis."""
    at = max(int(np.ceil(percentile / 100 * values.shape[-1] * (1 - 1e-12))), 1) - 1
    found: NDArray[np.float64] = np.partition(np.nan_to_num(values, nan=np.inf), at, axis=-1)
    return found[..., at]


def _crossing(rates: NDArray[np.float64], worst: NDArray[np.float64]) -> float:
    """Return the rate at which a latency over its objective first exceeds 1."""
    failed = np.flatnonzero(worst > 1)
    if not len(failed):
        return float(rates[-1])
    at = int(failed[0])
    if at == 0:
        return 0.0
    below, above = np.log(worst[at - 1]), np.log(min(worst[at], 1e12))
    part = -below / (above - below) if np.isfinite(below) else 1.0
    return float(rates[at - 1] * (rates[at] / rates[at - 1]) ** part)
