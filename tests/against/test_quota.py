"""Quotas against the papers and against the tests of Kueue, KAI, Volcano and ElasticQuota."""

import json
from pathlib import Path

import pytest

from gpudeck.models.scheduling import quota

NAMED = {
    "Lower": "lower",
    "Never": "never",
    "Any": "any",
    "LowerOrNewerEqual": "lower_or_newer_equal",
}
REASONS = {"Reclaim", "FairSharing", "InCQ"}


@pytest.fixture(scope="module")
def oracle(shared: Path) -> dict:
    return json.loads((shared / "oracles/quota.json").read_text())


@pytest.fixture(scope="module")
def cases(shared: Path) -> dict:
    listed = json.loads((shared / "oracles/scheduling.json").read_text())
    return {case["id"]: case for case in listed}


def test_drf_of_the_paper(oracle: dict) -> None:
    classic, order, asset, ceei, single, weighted, three = oracle["drf"]["cases"]
    capacity, demand = classic["capacity"], classic["demand"]
    done = quota.allocate_tasks(capacity, demand, ties=("B",))
    assert done.tasks == classic["expected_tasks"]
    assert done.allocated == classic["expected_alloc"]
    assert done.dominant_share == classic["dominant_share"]
    assert list(done.picks) == order["picks"]
    x = quota.fill_shares(capacity, demand, measure="asset")
    assert x == pytest.approx(asset["expected_tasks"], rel=1e-12)
    x = quota.clear_market(capacity, demand)
    assert x == pytest.approx(ceei["expected_tasks"], rel=1e-9)
    x = quota.fill_shares(single["capacity"], single["demand"], caps=single["caps"])
    assert x == single["expected_alloc_gpu"]
    x = quota.fill_shares(weighted["capacity"], weighted["demand"], weights=weighted["weights"])
    assert x == pytest.approx(weighted["expected_continuous"], rel=1e-12)
    x = quota.fill_shares(three["capacity"], three["demand"])
    assert x == pytest.approx(three["expected_tasks_cont"], rel=1e-12)
    for name, tasks in x.items():
        share = tasks * quota.dominant_share(three["demand"][name], three["capacity"])
        assert share == pytest.approx(three["expected_share"], rel=1e-12)


def test_water_filling(oracle: dict) -> None:
    assert len(oracle["waterfilling"]) == 3
    for case in oracle["waterfilling"]:
        got = quota.fill_water(case["capacity"], case["demand"], case["weights"])
        assert got == case["expected"]


def test_kai_division(oracle: dict) -> None:
    listed = oracle["kai_fair_share"]["cases"]
    assert len(listed) == 11
    for case in listed:
        queues = [
            quota.KaiQueue(name, q["des"], q["w"], q["req"], q.get("max", -1), q.get("pri", 0))
            for name, q in case["queues"].items()
        ]
        done = quota.divide_kai(case["total"], queues)
        assert done.fair_share == case["expected_fair_share"], case["name"]
        assert done.remaining == case["expected_remaining"], case["name"]


def test_dominant_resource_share(oracle: dict) -> None:
    assert len(oracle["kueue_drs"]["cases"]) == 3
    for case in oracle["kueue_drs"]["cases"]:
        borrowed = {
            name: max(0, used - case["nominal"][name]) for name, used in case["usage"].items()
        }
        share = quota.dominant_resource_share(borrowed, case["cohort_lendable"], case["weight"])
        assert share == case["expected"], case["name"]
        # the same by the ledger, the rest of the cohort in a second queue
        rest = {r: n - case["nominal"][r] for r, n in case["cohort_lendable"].items()}
        ledger = quota.Ledger(
            [
                quota.ClusterQueue("q", case["nominal"], "all", weight=case["weight"]),
                quota.ClusterQueue("rest", rest, "all"),
            ]
        )
        ledger.add(quota.Workload("w", "q", case["usage"]))
        assert ledger.share("q") == case["expected"], case["name"]


def workloads(rows: list[dict]) -> list[quota.Workload]:
    return [
        quota.Workload(row["name"], row["cq"], {"cpu": row["cpu"]}, row["priority"]) for row in rows
    ]


def test_classic_preemption(oracle: dict) -> None:
    given = oracle["kueue_classic_preemption"]
    queues = [
        quota.ClusterQueue(
            name,
            {"cpu": q["nom"]},
            q["cohort"],
            {"cpu": q["bl"]},
            within=NAMED[q["within"]],
            reclaim=NAMED[q["reclaim"]],
        )
        for name, q in given["cluster_queues"].items()
    ]
    assert len(given["cases"]) == 8
    for case in given["cases"]:
        ledger = quota.Ledger(queues)
        for workload in workloads(case["admitted"]):
            ledger.add(workload)
        (incoming,) = workloads([case["incoming"] | {"name": "in"}])
        victims = quota.find_victims(ledger, incoming)
        assert [v.name for v in victims] == case["expected_preempted"], case["name"]


def test_fair_preemption(oracle: dict) -> None:
    given = oracle["kueue_fair_preemption"]["cases"]
    assert len(given) == 11
    for case in given:
        names = ["a", "b", "c", "preemptible"]
        queues = [
            quota.ClusterQueue(
                name,
                {"cpu": 0 if name == "preemptible" else 3},
                "all",
                weight=0 if f"weight {name}=0" in case["name"] else 1,
                within="lower",
                reclaim="any",
            )
            for name in names
        ]
        ledger = quota.Ledger(queues)
        for workload in workloads(case["admitted"]):
            ledger.add(workload)
        (incoming,) = workloads([{"name": "in", "priority": 0} | case["incoming"]])
        one = case["name"].startswith("strategy LessThanOrEqualToFinalShare")
        victims = quota.find_fair_victims(ledger, incoming, quota.STRATEGIES[: 1 if one else 2])
        found = sorted(f"{victim.name}:{victim.reason}" for victim in victims)
        assert found == case["expected_preempted"], case["name"]


def test_volcano_binpack(oracle: dict) -> None:
    given = oracle["volcano_binpack"]
    (table,) = given["sets"]
    weights = {("mem_gi" if k == "memory" else k): v for k, v in table["args"].items()}
    weight = weights.pop("weight")
    for pod, scores in table["expected"].items():
        request = {k: v for k, v in given["pods"][pod].items() if k != "already_on"}
        for node, expected in scores.items():
            has = {k: v for k, v in given["nodes"][node].items() if k != "used"}
            used = given["nodes"][node].get("used", {})
            score = quota.binpack_score(request, has, used, weights, weight)
            assert score == pytest.approx(expected, abs=1e-8), (pod, node)


def test_hierarchical_drf(oracle: dict) -> None:
    for case in oracle["volcano_hdrf"]["cases"]:
        tree = quota.read_tree(case["tree"])
        held = quota.allocate_tree(case["capacity"], tree, case["demand"])
        for leaf, expected in case["expected"].items():
            assert {r: held[leaf][r] for r in expected} == expected, (case["name"], leaf)


def test_elastic_quota(oracle: dict) -> None:
    given = oracle["elastic_quota"]
    for case in given["prefilter_cases"]:
        quotas = {name: quota.ElasticQuota(**q) for name, q in case["eq"].items()}
        verdict = quota.check_quota(quotas, case["pod"]["ns"], case["pod"]["mem"])
        assert verdict == case["expected"], case["name"]
    ranks = {"low": 0, "mid": 1, "high": 2}
    for case in given["dryrun_cases"]:
        quotas = {name: quota.ElasticQuota(**q) for name, q in case["eq"].items()}
        *pods, incoming = (
            quota.QuotaPod(name, namespace, request, ranks[rank])
            for name, namespace, request, rank in [*case["pods"], case["incoming"]]
        )
        left = case["node_mem"] - sum(pod.request for pod in pods)
        assert quota.find_quota_victims(quotas, left, pods, incoming) == case["want"]


def test_o6_drf(cases: dict) -> None:
    given, expected = cases["O6"]["given"], cases["O6"]["expected"]
    capacity = dict(zip(("cpu", "mem"), given["capacity"], strict=True))
    demand = {n: dict(zip(("cpu", "mem"), given[n], strict=True)) for n in ("A", "B")}
    done = quota.allocate_tasks(capacity, demand)
    assert done.tasks == expected["tasks"]
    assert set(done.dominant_share.values()) == {expected["dominant_share"]}


def test_o7_reclaim(cases: dict) -> None:
    given, expected = cases["O7"]["given"], cases["O7"]["expected"]
    ledger = quota.Ledger(
        [
            quota.ClusterQueue(name, {"gpu": n}, "all", reclaim="any", within="lower")
            for name, n in given["quota"].items()
        ]
    )
    for name, queue, priority, gpus in given["running"]:
        ledger.add(quota.Workload(name, queue, {"gpu": gpus}, priority))
    queue, priority, gpus = given["incoming"]
    incoming = quota.Workload("in", queue, {"gpu": gpus}, priority)
    victims = [victim.name for victim in quota.find_victims(ledger, incoming)]
    assert victims == expected["victims"]
    for name in victims:
        ledger.remove(ledger.workloads[name])
    ledger.add(incoming)
    assert {name: ledger.usage(name, "gpu") for name in given["quota"]} == expected["after"]


def test_o8_borrowing_limit(cases: dict) -> None:
    given, expected = cases["O8"]["given"], cases["O8"]["expected"]
    ledger = quota.Ledger(
        [
            quota.ClusterQueue(name, {"gpu": n}, "all", {"gpu": given["borrow_limit"][name]})
            for name, n in given["quota"].items()
        ]
    )
    for name, demand in given["demand"].items():
        for number in range(demand):
            workload = quota.Workload(f"{name}{number}", name, {"gpu": 1})
            if quota.admits(ledger, workload):
                ledger.add(workload)
    used = {name: ledger.usage(name, "gpu") for name in given["quota"]}
    idle = sum(given["quota"].values()) - sum(used.values())
    assert used | {"idle": idle} == expected


def test_o14_and_o15(cases: dict) -> None:
    given, expected = cases["O14"]["given"], cases["O14"]["expected"]
    demand = {str(i): d for i, d in enumerate(given["demand"])}
    weights = {str(i): w for i, w in enumerate(given["weights"])}
    got = quota.fill_water(given["capacity"], demand, weights)
    assert list(got.values()) == expected["alloc"]
    given, expected = cases["O15"]["given"], cases["O15"]["expected"]
    queues = [
        quota.KaiQueue(name, q["deserved"], q["weight"], q["request"])
        for name, q in given["queues"].items()
    ]
    assert quota.divide_kai(given["total"], queues).fair_share == expected["fair_share"]
