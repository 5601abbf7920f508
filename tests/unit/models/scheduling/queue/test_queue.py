"""The queue on cases that can be done by hand, and on input that has to be refused."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.scheduling.queue import (
    GpuPool,
    NodeLoad,
    Preemption,
    QueuePolicy,
    Reservation,
    RunningPod,
    choose_victims,
    simulate_queue,
)
from gpudeck.workload import Jobs


def jobs_of(*rows, estimate=None):
    """Rows of (arrival, pods, GPUs a pod, duration, priority)."""
    arrival, pods, grain, duration, priority = zip(*rows, strict=True)
    names = [f"j{k}" for k in range(len(rows))]
    return Jobs(names, ["t"] * len(rows), arrival, pods, grain, duration, estimate, priority)


def test_idle_gpus_on_two_nodes_do_not_serve_one_pod():
    """Five of eight GPUs are taken on each of two nodes: six are idle, a pod of six has to wait."""
    jobs = jobs_of((0, 1, 5, 10, 0), (0, 1, 5, 20, 0), (1, 1, 6, 5, 0))
    spread = simulate_queue(jobs, GpuPool([8, 8]), QueuePolicy())
    assert spread.allocated_at(np.array([1.0])).tolist() == [10]
    assert spread.start_s.tolist() == [0, 0, 10]
    assert simulate_queue(jobs, 16, QueuePolicy()).start_s.tolist() == [0, 0, 1]


def test_pods_placed_one_by_one_can_block_each_other_for_ever():
    jobs = jobs_of((0, 4, 1, 1, 0), (0, 4, 1, 1, 0))
    gang = simulate_queue(jobs, 6, QueuePolicy())
    assert gang.start_s.tolist() == [0, 1]
    assert gang.horizon_s == 2
    assert gang.deadlock_s is None
    loose = simulate_queue(jobs, 6, QueuePolicy(gang=False))
    assert loose.deadlock_s == 0
    assert loose.status.tolist() == ["stuck", "stuck"]
    assert np.bincount(loose.log.attempt, loose.log.gpus).tolist() == [3, 3]
    assert np.isnan(loose.finish_s).all()
    assert "deadlock" in loose.notes[0]


def test_pods_that_hold_gpus_before_the_start_are_idle_not_useful():
    jobs = jobs_of((0, 1, 3, 10, 0), (0, 4, 1, 5, 0))
    result = simulate_queue(jobs, 4, QueuePolicy(gang=False))
    assert result.start_s.tolist() == [0, 10]
    assert result.idle_gpu_s.tolist() == [0, 10]
    assert result.allocated_gpu_s == 30 + 10 + 20


def test_preemption_loses_work_since_the_checkpoint_and_pays_the_restart():
    jobs = jobs_of((0, 1, 4, 100, 0), (37, 1, 4, 10, 5))
    policy = QueuePolicy("priority", preemption=Preemption(checkpoint_s=10, restart_s=3))
    result = simulate_queue(jobs, 4, policy)
    assert result.start_s.tolist() == [0, 37]
    assert result.finish_s.tolist() == [37 + 10 + 3 + 70, 47]
    assert result.lost_gpu_s.tolist() == [4 * (7 + 3), 0]
    assert result.waiting_s.tolist() == [10, 0]
    assert result.attempts.tolist() == [2, 1]


def test_without_checkpoints_all_work_is_lost():
    jobs = jobs_of((0, 1, 4, 100, 0), (37, 1, 4, 10, 5))
    result = simulate_queue(jobs, 4, QueuePolicy("priority", preemption=Preemption(0, 0)))
    assert result.finish_s.tolist() == [147, 47]


def test_a_gang_is_preempted_whole_and_spared_where_it_need_not_go():
    """Two pods of 4 come; the gang on nodes 0 and 1 frees both, so the job on node 2 stays."""
    jobs = jobs_of((0, 2, 4, 50, 0), (0, 1, 4, 50, 1), (5, 2, 4, 10, 9))
    policy = QueuePolicy("priority", preemption=Preemption(0, 0))
    result = simulate_queue(jobs, [4, 4, 4], policy)
    assert result.attempts.tolist() == [2, 1, 1]
    assert result.start_s.tolist() == [0, 0, 5]
    assert result.finish_s.tolist() == [65, 50, 15]


def test_equal_priority_is_never_preempted():
    jobs = jobs_of((0, 1, 4, 100, 5), (1, 1, 4, 10, 5))
    result = simulate_queue(jobs, 4, QueuePolicy("priority", preemption=Preemption()))
    assert result.start_s.tolist() == [0, 100]


def test_gpus_are_set_aside_for_a_reservation():
    """A job of 10 s must not take at 0 what is reserved at 5; a job of 4 s may."""
    jobs = jobs_of((0, 1, 4, 10, 0), (0, 1, 4, 4, 0))
    window = Reservation("demo", 5, 8, 6)
    policy = QueuePolicy(backfill="easy", reservations=(window,))
    result = simulate_queue(jobs, 8, policy)
    assert result.start_s.tolist() == [8, 0]
    assert result.reserved.max() == 6
    inside = (result.time_s >= 5) & (result.time_s < 8)
    assert (result.reserved[inside] == 6).all()


def test_a_job_that_outlasts_its_estimate_keeps_the_reservation_waiting():
    jobs = jobs_of((0, 1, 4, 10, 0), estimate=[4])
    result = simulate_queue(jobs, 4, QueuePolicy(reservations=(Reservation("demo", 5, 20, 4),)))
    assert result.finish_s.tolist() == [10]
    assert result.reserved[-1] == 4


def test_small_jobs_go_first_in_levels_until_the_large_has_aged():
    rows = [(0, 1, 4, 10, 0), (1, 1, 4, 100, 0), (2, 1, 4, 5, 0), (3, 1, 4, 5, 0)]
    levels = {"order": "multilevel", "level_gpu_s": (50.0,)}
    strict = simulate_queue(jobs_of(*rows), 4, QueuePolicy(**levels))
    assert strict.start_s.tolist() == [0, 20, 10, 15]
    aged = simulate_queue(jobs_of(*rows), 4, QueuePolicy(**levels, aging_s=1.5))
    assert aged.start_s.tolist() == [0, 15, 10, 115]


def test_rows_in_any_order_give_results_by_row_and_a_note():
    rows = [(5, 1, 4, 10, 0), (0, 1, 4, 10, 0)]
    result = simulate_queue(jobs_of(*rows), 4, QueuePolicy())
    assert result.start_s.tolist() == [10, 0]
    assert "not sorted" in result.notes[0]


def test_no_jobs_are_no_trouble():
    empty = Jobs([], [], [], [], [], [], [], [])
    for policy in (QueuePolicy(), QueuePolicy(gang=False)):
        assert simulate_queue(empty, 4, policy).horizon_s == 0


def test_a_job_larger_than_the_cluster_is_refused_or_set_apart():
    jobs = jobs_of((0, 1, 1, 1, 0), (0, 3, 4, 1, 0))
    with pytest.raises(InputError, match=r"row 1, job 'j1': 3 pods of 4 GPUs do not fit"):
        simulate_queue(jobs, [4, 4], QueuePolicy())
    for gang in (True, False):
        policy = QueuePolicy(gang=gang, oversized="unschedulable")
        result = simulate_queue(jobs, [4, 4], policy)
        assert result.status.tolist() == ["done", "unschedulable"]
        assert np.isnan(result.start_s[1])


def test_a_pod_larger_than_any_node_is_refused():
    with pytest.raises(InputError, match="8 on its largest node"):
        simulate_queue(jobs_of((0, 1, 9, 1, 0)), [8, 8], QueuePolicy())


def test_reservations_beyond_the_capacity_are_refused_by_name():
    pair = (Reservation("audit", 0, 10, 5), Reservation("demo", 9, 20, 4))
    with pytest.raises(InputError, match=r"'audit' and 'demo' overlap at 9 s .* 9 GPUs"):
        simulate_queue(jobs_of((0, 1, 1, 1, 0)), 8, QueuePolicy(reservations=pair))
    with pytest.raises(InputError, match="'audit' asks for 5 GPUs; the cluster has 4"):
        simulate_queue(jobs_of((0, 1, 1, 1, 0)), 4, QueuePolicy(reservations=pair[:1]))
    after = (pair[0], Reservation("demo", 10, 20, 4))
    simulate_queue(jobs_of((0, 1, 1, 1, 0)), 8, QueuePolicy(reservations=after))


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (lambda: QueuePolicy("lottery"), "order is 'lottery'"),
        (lambda: QueuePolicy(backfill="conservative"), "backfill is 'conservative'"),
        (lambda: QueuePolicy(backfill=True), "backfill is True"),
        (lambda: QueuePolicy(placement="tight"), "placement is"),
        (lambda: QueuePolicy(aging_s=0), "aging_s is 0"),
        (lambda: QueuePolicy(backfill_depth=0), "backfill_depth is 0"),
        (lambda: QueuePolicy(level_gpu_s=(5, 5)), "level_gpu_s"),
        (lambda: QueuePolicy(pod_interval_s=-1), "pod_interval_s"),
        (lambda: QueuePolicy(gang=False, backfill="easy"), "gang is False"),
        (lambda: Preemption(checkpoint_s=-1), "checkpoint_s is -1"),
        (lambda: Preemption(restart_s=float("nan")), "restart_s is nan"),
        (lambda: Reservation("x", -1, 5, 1), "from -1 s to 5 s"),
        (lambda: Reservation("x", 5, 5, 1), "a later end"),
        (lambda: Reservation("x", 0, 5, 0), "gpus is 0"),
        (lambda: GpuPool([]), "allowed is a list"),
        (lambda: GpuPool([8, -1]), "node 1 has -1"),
        (lambda: GpuPool([0]), "all have 0"),
        (lambda: jobs_of((0, 1, 1, 0, 0)), "duration_s is 0"),
        (lambda: jobs_of((0, 1, 1, -5, 0)), "duration_s is -5"),
        (lambda: Jobs(["a", "a"], ["t"] * 2, [0, 0], [1, 1], [1, 1], [1, 1]), "repeats"),
    ],
)
def test_nonsense_is_refused(make, complaint):
    with pytest.raises(InputError, match=complaint):
        make()


def test_a_violated_budget_weighs_more_than_a_priority():
    low = RunningPod("low", 0, {"gpu": 4}, violates_budget=True)
    mid = RunningPod("mid", 5, {"gpu": 4})
    nodes = [NodeLoad("a", {"gpu": 4}, [low]), NodeLoad("b", {"gpu": 4}, [mid])]
    found = choose_victims(9, {"gpu": 4}, nodes)
    assert (found.node, found.violations) == ("b", 0)


def test_a_pod_whose_budget_would_be_violated_is_reprieved_first():
    pods = [RunningPod("x", 1, {"gpu": 2}), RunningPod("y", 0, {"gpu": 2}, violates_budget=True)]
    found = choose_victims(9, {"gpu": 2}, [NodeLoad("a", {"gpu": 4}, pods)])
    assert [pod.id for pod in found.pods] == ["x"]


def test_no_victims_where_it_fits_and_none_where_nothing_helps():
    node = NodeLoad("a", {"gpu": 4, "cpu": 8}, [RunningPod("x", 5, {"gpu": 2, "cpu": 1})])
    assert choose_victims(0, {"gpu": 2}, [node]).pods == ()
    assert choose_victims(5, {"gpu": 3}, [node]) is None
    assert choose_victims(9, {"tpu": 1}, [node]) is None
    with pytest.raises(InputError, match="'a' repeats"):
        choose_victims(0, {"gpu": 1}, [node, node])
    with pytest.raises(InputError, match="is -1"):
        choose_victims(0, {"gpu": -1}, [node])
