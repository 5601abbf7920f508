"""Requests that meet their objectives."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving.disaggregation import simulate_disaggregated
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.goodput import (
    attainment,
    gap_percentile,
    meets_objectives,
    ttft_percentile,
)
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.models.serving.step_time import StepTime
from gpudeck.workload.request import RequestTable

# 10 ms a step
STEP = StepTime(np.array([0.0, 0.01, 0.01]), np.zeros(2))
REPLICA = Replica("H100-SXM", "llama-2-7b", 2, step_time=STEP)
ENGINE = Engine("paged", max_batch=1, step_overhead_s=0.0)
# one after the other: first tokens after 10, 60, 70 ms
TABLE = RequestTable([0.0, 0.0, 0.0], [5, 5, 5], [5, 1, 9])


def test_each_objective_and_both() -> None:
    """Two of three begin in time, one of them has a single token."""
    run = simulate(TABLE, ENGINE, REPLICA)
    assert run.ttft_s == pytest.approx([0.01, 0.06, 0.07])
    assert meets_objectives(run, 0.065, 0.02).tolist() == [True, True, False]
    assert meets_objectives(run, 1.0, 0.005).tolist() == [False, True, False]
    good = attainment(run, 0.065, 0.02)
    assert good.share == good.ttft_share == pytest.approx(2 / 3)
    assert good.tpot_share == 1.0
    assert good.requests_per_s == pytest.approx(2 / run.makespan_s)
    assert good.per_gpu_per_s == pytest.approx(good.requests_per_s / 2)
    strict = attainment(run, 1.0, 0.005)
    assert (strict.ttft_share, strict.tpot_share) == (1.0, pytest.approx(1 / 3))


def test_no_objective_is_met_by_all() -> None:
    """Without objectives goodput is throughput."""
    good = attainment(simulate(TABLE, ENGINE, REPLICA), np.inf, np.inf)
    assert good.share == 1.0


def test_a_transfer_counts_in_the_time_between_tokens() -> None:
    """The time to first token is met, the mean gap is not."""
    table = RequestTable([0.0], [2000], [2])
    run = simulate_disaggregated(
        table, ENGINE, REPLICA, prefill_replicas=1, decode_replicas=1, link_gb_s=1.0
    )
    good = attainment(run, 0.5, 0.1)
    assert (good.ttft_share, good.tpot_share, good.share) == (1.0, 0.0, 0.0)
    assert attainment(run, 0.5, 2.0).per_gpu_per_s == pytest.approx(1 / run.makespan_s / 4)


@pytest.mark.parametrize("percentile", [0.1, 10, 50, 90, 99, 100])
def test_percentiles_are_those_of_every_gap_spelt_out(percentile: float) -> None:
    """The pooled histogram gives what the list of all gaps gives."""
    rng = np.random.default_rng(1)
    table = RequestTable(rng.uniform(0, 1, 40), rng.integers(1, 99, 40), rng.integers(1, 30, 40))
    run = simulate(table, Engine("paged"), REPLICA)
    gaps = np.concatenate([np.diff(run.token_times(row)) for row in range(40)])
    expected = np.percentile(gaps, percentile, method="inverted_cdf")
    assert gap_percentile(run, percentile) == pytest.approx(expected)
    expected = np.percentile(run.ttft_s, percentile, method="inverted_cdf")
    assert ttft_percentile(run, percentile) == pytest.approx(expected)


def test_no_gap_at_all() -> None:
    """Single tokens have no gap."""
    run = simulate(RequestTable([0.0], [5], [1]), ENGINE, REPLICA)
    assert gap_percentile(run) == 0.0
    empty = simulate(RequestTable([], [], []), ENGINE, REPLICA)
    assert ttft_percentile(empty) == 0.0
    with pytest.raises(InputError, match="no request"):
        attainment(empty, 1.0, 1.0)


def test_values_out_of_range_are_refused() -> None:
    """Objectives are above 0, percentiles up to 100."""
    run = simulate(TABLE, ENGINE, REPLICA)
    with pytest.raises(InputError, match="ttft_objective_s is 0"):
        attainment(run, 0, 1)
    with pytest.raises(InputError, match="tbt_objective_s is nan"):
        meets_objectives(run, 1, np.nan)
    for wrong in (0, 101, np.nan):
        with pytest.raises(InputError, match="percentile"):
            gap_percentile(run, wrong)
        with pytest.raises(InputError, match="percentile"):
            ttft_percentile(run, wrong)
