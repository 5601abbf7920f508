"""The ladder of page 12, its worked example, its grid and its facts."""

import numpy as np
import pytest

from gpudeck.fact import index_facts
from gpudeck.models.scheduling import queue
from gpudeck.models.scheduling.queue.grid import hourly_mean
from gpudeck.scenario import read_scenario
from gpudeck.workload import Jobs


@pytest.fixture(scope="module")
def scenario():
    chosen = read_scenario("small")
    changed = chosen.queue.model_copy(update={"nodes": 12, "days": 1.0})
    return chosen.model_copy(update={"queue": changed})


@pytest.fixture(scope="module")
def cluster(scenario):
    return scenario.cluster_tables(0)


def test_every_step_sees_the_same_jobs(scenario, cluster):
    ladder = queue.climb(scenario, cluster, [1, 2, 3])
    assert tuple(ladder.summaries) == queue.STEPS
    counts = [ladder.samples(step, "jobs").tolist() for step in queue.STEPS]
    assert all(count == counts[0] for count in counts)
    assert (
        ladder.samples("gang", "utilisation_pct") <= ladder.samples("gang", "allocated_pct") + 1e-9
    ).all()
    assert (ladder.samples("preemption", "stuck") == 0).all()
    facts = index_facts(queue.report_ladder(ladder, scenario))
    assert facts["runs"].value == 3
    assert facts["load"].value == scenario.queue.load_pct
    assert facts["fifo"].interval is not None


def test_backfill_shortens_the_queue(scenario, cluster):
    ladder = queue.climb(scenario, cluster, range(5))
    gang, backfill = (ladder.samples(step, "delay_mean_s").mean() for step in ("gang", "backfill"))
    assert backfill < gang


def test_the_queue_has_the_nodes_asked_for_and_no_more_than_there_are(scenario, cluster):
    assert len(queue.queue_pool(scenario, cluster).gpus) == 12
    assert len(queue.queue_pool(scenario, cluster, 10_000).gpus) == len(cluster.nodes)


def test_the_example_shows_what_it_is_there_to_show():
    example = queue.run_example()
    result, names = example.result, example.result.jobs.id.tolist()
    start = dict(zip(names, result.start_s, strict=True))
    assert start[example.head] == example.shadow_s
    assert start[example.backfilled] < start[example.head]
    attempts = dict(zip(names, result.attempts, strict=True))
    assert attempts[example.victim] == 2
    assert start["E"] == example.window.end_s
    facts = index_facts(queue.report_example(example))
    # four minutes since the checkpoint and two to restart, on two GPUs
    assert facts["redone"].value == 2 * (4 + 2)


def test_hourly_means_by_hand():
    jobs = Jobs(["a"], ["t"], [1800], [1], [2], [3600])
    result = queue.simulate_queue(jobs, 4, queue.QueuePolicy())
    np.testing.assert_allclose(hourly_mean(result, np.arange(4.0)), [0, 1, 1, 0])


def test_the_grid_has_every_cell(scenario, cluster):
    grid = queue.queue_grid(scenario, cluster, load_pct=(50, 90), gang_pct=(0, 20))
    assert len(grid.summary) == 2 * 2 * 3
    curve = grid.allocated_pct[90, 20, "easy"]
    assert curve.shape == grid.hour.shape
    assert (curve >= 0).all()
    assert (curve <= 100 + 1e-9).all()
    facts = index_facts(queue.report_grid(grid))
    assert facts["most"].value == 90


def test_published_delays_are_read_with_their_source():
    facts = index_facts(queue.report_published())
    assert facts["philly_median"].value == 189
    assert facts["philly_mean"].source == "acme"
    assert facts["shape"].value == pytest.approx(3760.604 / 189)


def test_there_are_thirteen_extension_points():
    (points,) = queue.report_framework()
    assert points.value == 13
    assert len({point.id for point in queue.extension_points()}) == 13
