"""The queue against worked examples and Kubernetes' own test cases."""

import json

import numpy as np
import pytest

from gpudeck.models.scheduling.queue import (
    GpuPool,
    NodeLoad,
    QueuePolicy,
    RunningPod,
    choose_victims,
    simulate_queue,
)
from gpudeck.workload import Jobs


@pytest.fixture(scope="module")
def case(shared):
    cases = json.loads((shared / "oracles" / "scheduling.json").read_text())
    return {one["id"]: one for one in cases}


@pytest.mark.parametrize(
    ("expected", "left_out", "backfill"),
    [
        ("start_times", None, "easy"),
        ("without_J2", "J2", "easy"),
        ("fcfs_no_backfill", None, False),
    ],
)
def test_easy_backfill(case, expected, left_out, backfill):
    given = case["O1"]["given"]
    rows = [row for row in given["jobs"] if row["id"] != left_out]
    column = lambda name: [row[name] for row in rows]  # noqa: E731
    jobs = Jobs(
        column("id"), ["t"] * len(rows), column("arrive"), column("gpus"), [1] * len(rows),
        column("runtime_estimate"),
    )  # fmt: skip
    result = simulate_queue(jobs, given["gpus"], QueuePolicy(backfill=backfill))
    assert dict(zip(column("id"), result.start_s, strict=True)) == case["O1"]["expected"][expected]


def test_gangs_and_their_deadlock_without(case):
    given, expected = case["O2"]["given"], case["O2"]["expected"]["gang"]
    rows = given["jobs"]
    column = lambda name: [row[name] for row in rows]  # noqa: E731
    jobs = Jobs(column("id"), ["t", "t"], [0, 0], column("pods"), column("gpu"), column("runtime"))
    result = simulate_queue(jobs, given["gpus"], QueuePolicy())
    assert result.start_s.tolist() == [expected["start_A"], expected["start_B"]]
    assert result.horizon_s == expected["makespan"]
    loose = simulate_queue(jobs, given["gpus"], QueuePolicy(gang=False))
    assert np.bincount(loose.log.attempt, loose.log.gpus).tolist() == [3, 3]
    assert loose.deadlock_s == 0


def test_victims_are_minimal(case):
    given = case["O5"]["given"]
    pods = [RunningPod(p["id"], p["prio"], {"cpu": p["cpu"]}) for p in given["running"]]
    node = NodeLoad("n", {"cpu": given["node_capacity_cpu"]}, pods)
    incoming = given["incoming"]
    found = choose_victims(incoming["prio"], {"cpu": incoming["cpu"]}, [node])
    assert [pod.id for pod in found.pods] == case["O5"]["expected"]["victims"]


def test_idle_is_not_schedulable(case):
    given, expected = case["O16"]["given"], case["O16"]["expected"]
    jobs = Jobs(
        ["a", "b", "c"], ["t"] * 3, [0, 0, 1], [1, 1, 1], [5, 5, given["job"]["gpus"]], [9, 9, 9]
    )
    nodes = GpuPool.uniform(given["nodes"], given["gpus_per_node"])
    result = simulate_queue(jobs, nodes, QueuePolicy())
    idle = nodes.total - result.allocated_at(np.array([1.0]))[0]
    assert idle == expected["idle"]
    assert (result.start_s[2] == 1) == expected["schedulable"]


def test_elastic_training_fills_what_inference_leaves(case):
    # inference first; training as hours of one GPU, so that it runs wherever there is room
    given, expected = case["O17"]["given"], case["O17"]["expected"]
    night, day = given["inference_gpus_night"], given["inference_gpus_day"]
    hours = expected["training_gpu_hours"]
    served = [24] * night + [given["day_hours"]] * (day - night)
    count = len(served) + hours
    jobs = Jobs(
        [f"j{i}" for i in range(count)],
        ["inference"] * len(served) + ["training"] * hours,
        [0] * count,
        [1] * count,
        [1] * count,
        [3600 * h for h in served] + [3600] * hours,
        None,
        [1] * len(served) + [0] * hours,
    )
    result = simulate_queue(jobs, given["gpus"], QueuePolicy("priority"))
    assert (result.start_s[: len(served)] == 0).all()
    assert result.useful_gpu_s[: len(served)].sum() / 3600 == expected["inference_gpu_hours"]
    summary = result.summary()
    assert summary.makespan_s == 24 * 3600
    assert summary.allocated_pct / 100 == expected["util_colocated"]
    assert result.allocated_gpu_s / 3600 == expected["total"]


def test_preemption_cases_of_kubernetes(shared):
    found = json.loads((shared / "oracles" / "kubernetes_scores.json").read_text())
    assert len(found["preemption_cases"]) == 5
    for case in found["preemption_cases"]:
        nodes = []
        for name, wanted in case["victims_per_node"].items():
            pods = [
                RunningPod(
                    pod["name"],
                    pod["priority"],
                    {"cpu": pod["cpu_m"], "memory": pod["mem"]},
                    pod["start_ns"],
                )
                for pod in case["pods"]
                if pod["node"] == name
            ]
            capacity = case["node_capacity"]
            node = NodeLoad(name, {"cpu": capacity["cpu_m"], "memory": capacity["mem"]}, pods)
            nodes.append(node)
            incoming = case["preemptor"]
            requests = {"cpu": incoming["cpu_m"], "memory": incoming["mem"]}
            alone = choose_victims(incoming["priority"], requests, [node])
            assert [pod.id for pod in alone.pods] == wanted, case["name"]
        chosen = choose_victims(incoming["priority"], requests, nodes)
        assert chosen.node in case["expected_node_any_of"], case["name"]
