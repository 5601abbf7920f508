"""The load curve: what a run carries, the goal's capacity, engines on the same requests."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving import Engine, Replica, RequestTable, simulate
from gpudeck.models.serving.batch_grid import batch_grid, report_batches
from gpudeck.models.serving.equal_latency import report_equal, study_equal
from gpudeck.models.serving.load_curve import (
    ENGINES,
    Goal,
    batching_engines,
    carried_rate,
    choose_static_batch,
    find_capacities,
    saturated_per_s,
    sweep_load,
)
from gpudeck.models.serving.load_curve_report import report_load
from gpudeck.models.serving.pooled import pooled_quantile
from gpudeck.models.serving.service import plan_replica
from gpudeck.models.serving.step_time import StepTime
from gpudeck.scenario import read_scenario

GOAL = Goal(2.0, 0.1)


def tables(seeds: int) -> list[RequestTable]:
    drawn = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        gaps_s = rng.exponential(1, 40)
        drawn.append(
            RequestTable(np.cumsum(gaps_s), rng.integers(50, 900, 40), rng.integers(2, 60, 40))
        )
    return drawn


@pytest.fixture(scope="module")
def scenario():
    return read_scenario("small")


@pytest.fixture(scope="module")
def curve(scenario):
    engines = batching_engines(Engine(), GOAL.tbt_s, 8)
    return sweep_load(tables(2), engines, plan_replica(scenario.serving), GOAL, (0.1, 0.5, 1.0))


def test_pooled_quantile_is_that_of_the_values_repeated():
    values, counts = np.array([5.0, 1.0, 3.0]), np.array([1, 50, 49])
    repeated = np.quantile(np.repeat(values, counts), 0.99, method="inverted_cdf")
    assert pooled_quantile(values, counts, 0.99) == repeated
    assert pooled_quantile(np.zeros(0), np.zeros(0, int), 0.99) == 0


def test_engines_differ_in_batching_alone():
    engines = batching_engines(Engine(step_overhead_s=0.002), 0.1, 16)
    assert {e.reservation for e in engines.values()} == {"oracle"}
    assert {e.step_overhead_s for e in engines.values()} == {0.002}
    assert [e.policy for e in engines.values()] == ["static", "dynamic", "continuous", "continuous"]
    assert engines["static"].max_batch == 16
    assert engines["adaptive"].adaptive.objective_s == 0.05


def test_what_is_carried_is_neither_filling_nor_draining():
    # a step of 10 ms whatever it holds: a batch of 8 takes 20 steps, 40 requests a second
    replica = Replica(step_time=StepTime(np.r_[0.0, np.full(4000, 0.01)], np.zeros(2)))
    engine = Engine("static", max_batch=8, reservation="oracle", step_overhead_s=0.0)
    waiting = RequestTable(np.zeros(100), [10] * 100, [20] * 100)
    run = simulate(waiting, engine, replica)
    assert carried_rate(run) == pytest.approx(40, rel=1e-9)
    assert len(waiting) / run.makespan_s < 40


def test_a_stable_run_carries_what_is_offered():
    table = RequestTable(np.arange(200) / 2.0, [300] * 200, [20] * 200)
    for policy in ("continuous", "chunked"):
        assert carried_rate(simulate(table, Engine(policy), Replica())) == pytest.approx(
            2, rel=0.02
        )


def test_a_run_whose_requests_all_start_at_once_carries_its_throughput():
    run = simulate(RequestTable(np.zeros(4), [10] * 4, [5] * 4), Engine("continuous"), Replica())
    assert carried_rate(run) == pytest.approx(4 / run.makespan_s)


def test_a_sweep_has_a_value_for_each_engine_seed_and_rate(curve, scenario):
    for name in ENGINES:
        assert curve.ttft_s[name].shape == curve.carried_per_s[name].shape == (2, 3)
        assert curve.offered_per_s[name].shape == (3,)
        assert (curve.ttft_s[name] > 0).all()
    # a request that need not wait for others starts earlier
    assert (curve.ttft_s["continuous"] < curve.ttft_s["static"]).all()
    facts = {fact.key: fact for fact in report_load(curve, scenario)}
    assert facts["adaptive"].value == pytest.approx(curve.capacity_per_s["adaptive"].mean())
    assert facts["ttft_objective"].source == scenario.id
    assert facts["trace_requests"].source == "azure-llm-2023"


def test_capacity_meets_the_goal_and_is_never_above_what_is_served(curve, scenario):
    replica, drawn = plan_replica(scenario.serving), tables(2)
    for name, engine in curve.engines.items():
        for table, rate in zip(drawn, curve.capacity_per_s[name], strict=True):
            most = saturated_per_s(table, engine, replica)
            assert rate <= most * (1 + 1e-12)
            if rate > 0:
                run = simulate(table.with_rate(rate), engine, replica)
                assert np.quantile(run.ttft_s, 0.99, method="inverted_cdf") <= GOAL.ttft_s
    impossible = find_capacities(curve, drawn, replica, Goal(1e-6, 1e-6))
    assert all((rates == 0).all() for rates in impossible.values())


def test_the_static_batch_is_the_one_that_carries_most():
    table = tables(1)[0]
    goal = Goal(60.0, 1.0)
    # forty requests fill a batch of 8 five times, and one of 1 carries little
    assert choose_static_batch(table, Engine(), Replica(), goal, (1, 8)) == 8
    assert choose_static_batch(table, Engine(), Replica(), Goal(1e-6, 1.0), (4, 8)) == 4
    assert choose_static_batch(table, Engine(max_batch=2), Replica(), goal) == 2


def test_equal_latency_adds_a_relaxed_goal_and_chunks(curve, scenario):
    equal = study_equal(scenario.serving, tables(2), curve)
    assert list(equal.within_per_s) == [*ENGINES, "chunked"]
    for name in equal.within_per_s:
        assert (equal.relaxed_per_s[name] >= equal.within_per_s[name] * 0.97).all()
    facts = {fact.key: fact.value for fact in report_equal(equal)}
    gain = equal.relaxed_per_s["adaptive"] - equal.relaxed_per_s["static"]
    assert facts["more_static"] == pytest.approx(gain.mean())
    assert facts["relaxed_ttft"] == 60


def test_the_grid_offers_shares_of_what_the_replica_serves(scenario):
    table = tables(1)[0]
    grid = batch_grid(scenario.serving, table, shares=(0.1, 0.5), caps=(4, 8), delays_ms=(10, 1000))
    slower = read_scenario("small", ["serving.model=llama-2-70b", "serving.tensor_parallel=4"])
    other = batch_grid(slower.serving, table, shares=(0.1, 0.5), caps=(4, 8), delays_ms=(10, 1000))
    assert other.rates_per_s[0] < grid.rates_per_s[0] < grid.rates_per_s[1]
    assert set(grid.dynamic) == {(r, c, d) for r, c in grid.continuous for d in (10, 1000)}
    assert grid.start == (grid.rates_per_s[1], 8, 1000)
    facts = {fact.key: fact for fact in report_batches(grid)}
    last = float(grid.continuous[grid.start[:2]][-1])
    scale = 1000 if facts["start_continuous"].unit == "ms" else 1
    assert facts["start_continuous"].value == pytest.approx(scale * last)


def test_shares_that_do_not_rise_are_refused():
    engines = batching_engines(Engine(), 0.1, 8)
    with pytest.raises(InputError, match="rising from 0"):
        sweep_load(tables(1), engines, Replica(), GOAL, (0.5, 0.2))
