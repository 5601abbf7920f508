"""The event simulation: what always holds, closed forms inside its band, what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.interval import interval_of
from gpudeck.models.resilience.checkpoint import CheckpointCost
from gpudeck.models.resilience.checkpoint_interval import efficiency
from gpudeck.models.resilience.failure import read_failure_rates
from gpudeck.models.resilience.recovery import Protection, StorageFallback
from gpudeck.models.resilience.replicas import group_survivability
from gpudeck.models.resilience.simulate import MOST_FAILURES, TrainingRun, simulate_runs
from gpudeck.models.resilience.success import success_rate
from gpudeck.rng import spawn_seeds

RATES = read_failure_rates()
ENDLESS = float("inf")
DAY_S = 86_400.0
SEEDS = spawn_seeds(7, 400)


def llama(days: float = 54, work_s: float = ENDLESS, **more: object) -> TrainingRun:
    return TrainingRun(2048, 8, RATES, work_s, days * DAY_S, **more)


@pytest.mark.parametrize(
    ("mode", "save_s"), [("synchronous", 0), ("asynchronous", 300), ("asynchronous", 1100)]
)
@pytest.mark.parametrize(("detection_s", "restart_s", "load_s"), [(0, 0, 0), (60, 500, 40)])
def test_closed_form_is_inside_the_interval(mode, save_s, detection_s, restart_s, load_s) -> None:
    run = llama()
    protection = Protection(mode, CheckpointCost(60, save_s, load_s), 1100, detection_s, restart_s)
    found = interval_of(simulate_runs(run, protection, SEEDS).effective, level=0.999)
    recovery_s = detection_s + restart_s + load_s
    expected = float(efficiency(1100, 60, run.mtbf_s, recovery_s, save_s))
    assert found.low <= expected <= found.high
    # a band of a tenth of a point tests it; a failure of the formula would be points
    assert found.half_width < 0.002


def test_failures_are_as_many_as_published() -> None:
    result = simulate_runs(
        llama(), Protection("synchronous", CheckpointCost(60, 0, 60), 1100, 30, 300), SEEDS
    )
    found = interval_of(result.failures, level=0.999)
    assert found.low <= 419 <= found.high
    parts = result.by_component.sum(axis=0) / result.failures.sum()
    assert parts == pytest.approx(list(RATES.shares.values()), abs=0.005)
    assert result.by_component.sum(axis=1).tolist() == result.failures.tolist()


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["synchronous", "asynchronous", "memory"]),
    st.floats(0.2, 200),
    st.integers(0, 4),
    st.sampled_from([0.5, 1.0]),
    st.floats(0, 30_000),
    st.integers(0, 10**6),
)
def test_times_sum_to_the_whole(mode, times, spares, share, replace_s, seed) -> None:
    run = TrainingRun(16, 8, RATES.scaled(50 * times), 3 * DAY_S, 9 * DAY_S, 2, replace_s, 0.2, 5)
    memory = mode == "memory"
    protection = Protection(
        mode, CheckpointCost(20, 100, 50), 900, 60, 300, 0.5, spares, share, 2 if memory else 1,
        StorageFallback(2, 600, 200) if memory else None,
    )  # fmt: skip
    result = simulate_runs(run, protection, [seed, seed + 1])
    assert result.times_s.sum(axis=1) == pytest.approx(result.wall_s, rel=1e-9)
    assert (result.times_s >= -1e-6).all()
    assert ((result.effective >= 0) & (result.effective <= 1)).all()
    done = result.times_s[:, 0] >= run.work_s - 1e-3
    assert result.finished.tolist() == done.tolist()
    assert (result.wall_s <= run.horizon_s * (1 + 1e-12)).all()
    assert (result.recovery_s >= 0).all()
    if share == 1.0:
        assert result.share("slowed") == pytest.approx(0, abs=1e-12)


def test_without_failures_only_saves_cost() -> None:
    run = TrainingRun(1, 1, RATES.scaled(1e-9), 10_000, 1e6)
    result = simulate_runs(
        run, Protection("synchronous", CheckpointCost(100, 0, 0), 1000, 1, 1), [1]
    )
    # ten pieces of work and nine saves: none after the last
    assert result.wall_s.tolist() == [10_900]
    assert result.finished.tolist() == [True]
    assert len(result.recovery_s) == 0


def test_same_seeds_same_bytes_and_same_failures() -> None:
    run = llama(5)
    slow = Protection("synchronous", CheckpointCost(60, 0, 60), 1100, 600, 3600)
    fast = Protection("asynchronous", CheckpointCost(5, 60, 60), 400, 30, 300)
    first, again = (simulate_runs(run, slow, SEEDS[:50]) for _ in range(2))
    assert first.times_s.tobytes() == again.times_s.tobytes()
    # whole jobs meet every failure of the clock, however they are protected
    assert first.failures.tolist() == simulate_runs(run, fast, SEEDS[:50]).failures.tolist()


def test_each_layer_of_protection_helps() -> None:
    run = llama(20, replica_nodes=4, replace_s=7200, burst_share=0.05, burst_nodes=4)
    cost = CheckpointCost(60, 0, 60)
    ladder = [
        Protection("synchronous", cost, 1100, 600, 3600, 0.8),
        Protection("asynchronous", CheckpointCost(5, 60, 60), 330, 600, 3600, 0.8),
        Protection("asynchronous", CheckpointCost(5, 60, 60), 330, 30, 300, 0.2),
        Protection("asynchronous", CheckpointCost(5, 60, 60), 330, 30, 300, 0.2, 0, 0.9),
        Protection("asynchronous", CheckpointCost(5, 60, 60), 330, 30, 300, 0.2, 21, 0.9),
    ]
    means = [simulate_runs(run, one, SEEDS[:100]).effective.mean() for one in ladder]
    assert means == sorted(means)
    assert means[-1] > 0.9
    assert means[0] < 0.5


def test_losses_of_copies_are_as_often_as_computed() -> None:
    # every failure with a node takes four of sixteen; each recovery is long over before the next
    run = TrainingRun(16, 8, RATES.scaled(10), ENDLESS, 400 * DAY_S, burst_share=1.0, burst_nodes=4)
    protection = Protection(
        "memory", CheckpointCost(1, 1, 1), 100, 0, 0, copies=2, fallback=StorageFallback(1, 1, 1)
    )
    result = simulate_runs(run, protection, SEEDS)
    lost = result.from_storage.sum() / result.failures.sum()
    expected = RATES.node_share * (1 - group_survivability(16, 2, 4))
    assert lost == pytest.approx(expected, rel=0.03)


def test_a_job_that_cannot_finish_is_a_result() -> None:
    # a failure every second, and a day to start again
    run = TrainingRun(100, 8, RATES.scaled(1e6 / 4), DAY_S, 30 * DAY_S, replace_s=1e9)
    protection = Protection("synchronous", CheckpointCost(60, 0, 60), 1100, 600, 86_400)
    result = simulate_runs(run, protection, SEEDS[:3])
    assert not result.finished.any()
    assert (result.effective < 0.001).all()
    assert success_rate(result, 30 * DAY_S).share.mean == 0
    # so many failures that it gives up: the time until then is accounted for
    result = simulate_runs(TrainingRun(1000, 8, RATES.scaled(1e9), DAY_S, DAY_S), protection, [1])
    assert result.gave_up.tolist() == [True]
    assert result.failures[0] <= MOST_FAILURES
    assert result.times_s.sum() == pytest.approx(result.wall_s[0])


def test_success_is_before_the_deadline_within_the_retries() -> None:
    run = llama(20, work_s=5 * DAY_S)
    protection = Protection("asynchronous", CheckpointCost(5, 60, 60), 330, 30, 300)
    result = simulate_runs(run, protection, SEEDS)
    median_s, failures = float(np.median(result.wall_s)), float(np.median(result.failures))
    half = success_rate(result, median_s)
    assert half.share.mean == pytest.approx(0.5, abs=0.01)
    assert half.share.low < 0.46
    assert half.share.high > 0.54
    assert success_rate(result, run.horizon_s).share.mean == 1
    assert success_rate(result, run.horizon_s).share.low < 1
    few = success_rate(result, run.horizon_s, retries=int(failures) - 1).share.mean
    assert 0.3 < few < 0.5
    assert success_rate(result, 1.0).succeeded == 0


PLAIN = Protection("synchronous", CheckpointCost(60, 0, 60), 1100, 30, 300)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: TrainingRun(0, 8, RATES, 1, 1), "nodes is 0"),
        (lambda: TrainingRun(1, 0, RATES, 1, 1), "of 0 GPUs"),
        (lambda: TrainingRun(1, 8, RATES, 0, 1), "work_s is 0"),
        (lambda: TrainingRun(1, 8, RATES, 1, ENDLESS), "horizon_s is inf"),
        (lambda: TrainingRun(1, 8, RATES, 1, 1, 2), "replica_nodes is 2 of 1"),
        (lambda: TrainingRun(1, 8, RATES, 1, 1, 1, -1), "replace_s is -1"),
        (lambda: TrainingRun(1, 8, RATES, 1, 1, 1, 0, 1.2), "burst_share is 1.2"),
        (lambda: TrainingRun(4, 8, RATES, 1, 1, 1, 0, 0.1, 5), "burst_nodes is 5 of 4"),
        (lambda: simulate_runs(llama(), PLAIN, []), "no seeds"),
        (lambda: simulate_runs(llama(1), PLAIN, [1]).share("lunch"), "name is 'lunch'"),
        (lambda: success_rate(simulate_runs(llama(1), PLAIN, [1]), 0), "deadline_s is 0"),
        (lambda: success_rate(simulate_runs(llama(1), PLAIN, [1]), 1, -1), "retries is -1"),
        (lambda: success_rate(simulate_runs(llama(1), PLAIN, [1]), 1, level=1), "level is 1"),
    ],
)
def test_refuses(call, named: str) -> None:
    with pytest.raises(InputError, match=named):
        call()
