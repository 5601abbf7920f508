"""The study of policies, the grid and the worked examples: the facts say what the runs say."""

import numpy as np
import pytest

from gpudeck.models.scheduling import quota
from gpudeck.scenario import read_scenario


@pytest.fixture(scope="module")
def pool() -> quota.TenantPool:
    return quota.pool_of(read_scenario("small"), 100)


@pytest.fixture(scope="module")
def study(pool: quota.TenantPool) -> quota.PolicyStudy:
    return quota.compare_policies(pool, 3, seed=1)


def test_the_pool_is_the_scenario(pool: quota.TenantPool) -> None:
    scenario = read_scenario("small")
    assert [q.gpus for q in pool.quotas] == [int(t.guaranteed_pct) for t in scenario.tenants]
    assert [q.weight for q in pool.quotas] == [t.weight for t in scenario.tenants]
    assert [d.priority for d in pool.demands] == [t.priority for t in scenario.tenants]
    changed = pool.changed(borrow_pct=10, weight_factor=4)
    assert {q.borrow_gpus for q in changed.quotas} == {10}
    assert changed.quotas[0].weight == 4 * pool.quotas[0].weight
    assert changed.quotas[1].weight == pool.quotas[1].weight


def test_facts_are_the_means_of_the_samples(study: quota.PolicyStudy) -> None:
    facts = {fact.key: fact for fact in quota.report_policies(study)}
    for policy, measures in study.samples.items():
        for name, values in measures.items():
            fact = facts[f"{name}_{policy}"]
            assert fact.value == pytest.approx(values.mean())
            assert fact.interval is not None
    gain = study.samples["reclaim"]["useful_pct"] - study.samples["static"]["useful_pct"]
    assert facts["gain"].value == pytest.approx(gain.mean())
    assert facts["evictions"].value == len(study.first["reclaim"].evicted)


def test_policies_see_the_same_jobs(study: quota.PolicyStudy) -> None:
    counts = {len(result.end_s) for result in study.first.values()}
    assert len(counts) == 1
    again = quota.compare_policies(study.pool, 2, seed=1, policies=["kai"])
    assert again.samples["kai"]["jain"].tolist() == study.samples["kai"]["jain"][:2].tolist()


def test_static_quotas_are_borrowing_without_any(pool: quota.TenantPool) -> None:
    grid = quota.share_grid(pool, 3, policies=["reclaim"], borrow_pct=[0, 100], factors=[1.0])
    static = pool.run("static", pool.draw_jobs(3))
    facts = {fact.key: fact.value for fact in quota.report_grid(grid)}
    assert facts["useful_closed"] == pytest.approx(static.useful_pct)
    assert facts["useful_open"] > facts["useful_closed"]
    hour, held = quota.sample_day(static, static.held_gpus, 1800.0)
    assert held.tolist() == grid.held_pct["reclaim", 0, 1.0].tolist()
    assert hour[0] == 0
    assert (np.diff(hour) == 0.5).all()


def test_the_worked_division_is_kais(study: quota.PolicyStudy) -> None:
    worked = quota.divide_busy_moment(study.first["kai"])
    assert worked.division == quota.divide_kai(worked.gpus, worked.queues)
    facts = {fact.key: fact.value for fact in quota.report_division(worked)}
    assert facts["asked"] == sum(queue.request for queue in worked.queues)
    assert 0 <= facts["beyond"] <= worked.gpus


def test_the_drf_example_ends_even() -> None:
    worked = quota.work_drf_example()
    facts = {fact.key: fact.value for fact in quota.report_drf(worked)}
    assert (facts["tasks_a"], facts["tasks_b"]) == (3, 2)
    assert facts["drf_share"] == pytest.approx(200 / 3)
    assert worked.shares["A"][-1] == pytest.approx(worked.shares["B"][-1])
    assert len(worked.shares["A"]) == len(worked.done.picks) + 1
