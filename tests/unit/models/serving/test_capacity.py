"""The highest rate that meets the objectives."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving.capacity import (
    find_best_split,
    find_capacity,
    find_disaggregated_capacity,
    find_splits,
)
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.objectives import Objectives
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.models.serving.step_time import StepTime
from gpudeck.workload.request import RequestTable

# 5 ms a step and 20 µs a token
_TOKENS = np.arange(4097)
STEP = StepTime(np.where(_TOKENS > 0, 0.005 + 2e-5 * _TOKENS, 0.0), np.zeros(2), 1e-5, 1e-9)
REPLICA = Replica("H100-SXM", "llama-2-7b", step_time=STEP)
ENGINE = Engine("chunked")
GOAL = {"ttft_objective_s": 0.3, "tbt_objective_s": 0.03}
LINK = {"link_gb_s": 50.0}


def make_requests(seed: int, count: int = 200) -> RequestTable:
    """Poisson arrivals with spread lengths."""
    rng = np.random.default_rng(seed)
    return RequestTable(
        np.cumsum(rng.exponential(1.0, count)),
        rng.integers(50, 1500, count),
        rng.integers(2, 120, count),
    )


def test_a_queue_with_a_known_capacity() -> None:
    """Requests at equal distances on a server of one: none waits up to 1/service time.

    Beyond it the last of n waits (n − 1)·(service − distance); the objective allows 30 ms.
    """
    step = StepTime(np.array([0.0, 0.01, 0.01]), np.zeros(2))
    engine = Engine("paged", max_batch=1, step_overhead_s=0.0)
    table = RequestTable(np.arange(101.0), [10] * 101, [10] * 101)
    found = find_capacity(
        table,
        engine,
        Replica("H100-SXM", "llama-2-7b", step_time=step),
        ttft_objective_s=0.0401,
        tbt_objective_s=1.0,
        percentile=100,
        tolerance=1e-5,
    )
    assert found.outcome == "found"
    # waits of 100·(0.1 − 1/rate) = 30.1 ms
    assert found.rate_per_s == pytest.approx(1 / (0.1 - 0.0301 / 100), rel=2e-5)


@pytest.mark.parametrize("by", ["requests", "gaps"])
def test_the_rate_is_met_and_one_above_is_not(by: str) -> None:
    """Both ends of the interval are tried by themselves."""
    table = make_requests(0)
    found = find_capacity(table, ENGINE, REPLICA, by=by, percentile=95, **GOAL)
    goal = Objectives(0.3, 0.03, 95, by)
    assert found.rate_per_s == found.low == found.high
    assert goal.are_met(simulate(table.with_rate(found.rate_per_s), ENGINE, REPLICA))
    assert not goal.are_met(simulate(table.with_rate(found.rate_per_s * 1.02), ENGINE, REPLICA))


def test_seeds_give_an_interval() -> None:
    """Each seed is a search of its own; the first does not depend on how many there are."""
    found = find_capacity(make_requests, ENGINE, REPLICA, seeds=range(4), **GOAL)
    assert len(found.rates_per_s) == len(found.outcomes) == 4
    assert found.low < found.rate_per_s < found.high
    assert found.rate_per_s == pytest.approx(np.mean(found.rates_per_s))
    alone = find_capacity(make_requests(0), ENGINE, REPLICA, **GOAL)
    assert alone.rates_per_s == found.rates_per_s[:1]


def test_the_table_s_own_rate_does_not_matter() -> None:
    """Only its shape does."""
    table = make_requests(3)
    slow = find_capacity(table.with_rate(0.01), ENGINE, REPLICA, **GOAL)
    fast = find_capacity(table.with_rate(900.0), ENGINE, REPLICA, **GOAL)
    assert slow.rate_per_s == pytest.approx(fast.rate_per_s, rel=1e-9)


def test_looser_objectives_and_more_replicas_serve_more() -> None:
    """Common random numbers keep the order, within the tolerance of the search."""
    table = make_requests(1)
    tight = find_capacity(
        table, ENGINE, REPLICA, ttft_objective_s=0.1, tbt_objective_s=0.02
    ).rate_per_s
    loose = find_capacity(table, ENGINE, REPLICA, **GOAL).rate_per_s
    four = find_capacity(table, ENGINE, REPLICA, replicas=4, **GOAL)
    assert 0 < tight <= loose * 1.02
    assert four.rate_per_s > 2 * loose
    assert four.gpus == 4
    assert four.per_gpu_per_s == pytest.approx(four.rate_per_s / 4)


def test_objectives_that_are_never_met() -> None:
    """A step takes longer than the objective, however few requests there are."""
    found = find_capacity(
        make_requests(0), ENGINE, REPLICA, ttft_objective_s=1.0, tbt_objective_s=0.004
    )
    assert (found.rate_per_s, found.low, found.high, found.outcome) == (0.0, 0.0, 0.0, "never")


def test_objectives_that_are_always_met() -> None:
    """Without objectives the search ends at its highest rate and says so."""
    found = find_capacity(
        make_requests(0), ENGINE, REPLICA, ttft_objective_s=np.inf, tbt_objective_s=np.inf
    )
    assert found.outcome == "always"
    assert np.isfinite(found.rate_per_s)
    assert found.runs < 20


def test_a_wait_between_the_pools_is_seen_by_requests_but_not_by_pooled_gaps() -> None:
    """One decode replica with a batch of one makes everybody wait once."""
    table = RequestTable(np.arange(50) * 1.0, [10] * 50, [200] * 50)
    options = {
        "prefill_replicas": 1,
        "decode_replicas": 1,
        "decode_engine": Engine("paged", max_batch=1),
        **LINK,
        **GOAL,
    }
    by_gaps = find_disaggregated_capacity(table, ENGINE, REPLICA, by="gaps", **options)
    by_requests = find_disaggregated_capacity(table, ENGINE, REPLICA, **options)
    assert by_requests.rate_per_s < 0.2 * by_gaps.rate_per_s


def test_best_split() -> None:
    """Every division is tried; the best is the highest, and one pool alone cannot be."""
    splits = find_splits(make_requests, ENGINE, REPLICA, replicas=4, seeds=(0, 1), **LINK, **GOAL)
    assert [(s.prefill_replicas, s.decode_replicas) for s in splits] == [(1, 3), (2, 2), (3, 1)]
    assert {s.capacity.gpus for s in splits} == {4}
    best = find_best_split(make_requests, ENGINE, REPLICA, replicas=4, seeds=(0, 1), **LINK, **GOAL)
    assert best.capacity.rate_per_s == max(s.capacity.rate_per_s for s in splits) > 0
    one = find_disaggregated_capacity(
        make_requests, ENGINE, REPLICA, prefill_replicas=1, decode_replicas=3, seeds=(0, 1),
        **LINK, **GOAL,
    )  # fmt: skip
    assert one == splits[0].capacity


def test_a_slow_link_costs_capacity() -> None:
    """Half a megabyte a token does not fit through 1 GB/s."""
    pools = {"prefill_replicas": 2, "decode_replicas": 2}
    table = make_requests(0)
    rates = [
        find_disaggregated_capacity(
            table, ENGINE, REPLICA, link_gb_s=link, **pools, **GOAL
        ).rate_per_s
        for link in (1.0, 400.0)
    ]
    assert rates[0] < 0.5 * rates[1]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"percentile": 0}, "percentile is 0"),
        ({"ttft_objective_s": 0.0}, "ttft_objective_s is 0.0"),
        ({"by": "luck"}, "by is 'luck'"),
        ({"tolerance": 0.0}, "tolerance is 0.0"),
        ({"seeds": ()}, "seeds is empty"),
        ({"seeds": (1, 2)}, "seeds are 2"),
        ({"replicas": 0}, "replicas is 0"),
        ({"requests": RequestTable([1.0], [1], [1])}, "1 requests"),
        ({"requests": RequestTable([1.0, 1.0], [1, 1], [1, 1])}, "arrive at 1.0"),
    ],
)
def test_values_out_of_range_are_refused(options: dict, told: str) -> None:
    """The message names the field, the value and what is allowed."""
    arguments = {"requests": make_requests(0), "engine": ENGINE, "replica": REPLICA, **GOAL}
    with pytest.raises(InputError, match=told):
        find_capacity(**{**arguments, **options})


def test_a_split_needs_two_replicas() -> None:
    """One of each pool."""
    with pytest.raises(InputError, match="replicas is 1"):
        find_splits(make_requests, ENGINE, REPLICA, replicas=1, **LINK, **GOAL)
