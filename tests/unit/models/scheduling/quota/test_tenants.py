"""Tenants over time: small cases by hand, the demand, and what is refused."""

import math

import pytest

from gpudeck.errors import InputError
from gpudeck.models.scheduling.quota import (
    POLICIES,
    TenantDemand,
    TenantQuota,
    TenantResult,
    draw_tenant_jobs,
    simulate_tenants,
)
from gpudeck.workload.job import Jobs


def test_a_job_that_never_fits_waits_and_holds_nobody_up() -> None:
    jobs = Jobs(["big", "small"], ["x", "x"], [0, 1], [6, 2], [1, 1], [10, 10])
    done = simulate_tenants(jobs, [TenantQuota("x", 4)], 8, "static", until_s=20)
    assert done.first_start_s.tolist() == [-1, 1]
    assert done.asked_gpus[-1, 0] == 6


def test_the_borrowing_limit_leaves_gpus_idle() -> None:
    jobs = Jobs([f"a{i}" for i in range(10)], ["a"] * 10, [0] * 10, [1] * 10, [1] * 10, [99] * 10)
    quotas = [TenantQuota("a", 4, borrow_gpus=2), TenantQuota("b", 4, borrow_gpus=0)]
    done = simulate_tenants(jobs, quotas, 8, "borrowing", until_s=50)
    assert done.held_gpus.tolist() == [[6, 0]]


def test_a_checkpoint_saves_work_and_grace_costs_it() -> None:
    jobs = Jobs(["a", "b"], ["x", "y"], [0, 35], [8, 4], [1, 1], [100, 10])
    quotas = [TenantQuota("x", 4), TenantQuota("y", 4)]
    done = simulate_tenants(jobs, quotas, 8, "reclaim", until_s=200, checkpoint_s=10, grace_s=5)
    # 5 s since the checkpoint on 8 GPUs, 5 s of waiting on 4
    assert done.lost_gpu_s == 8 * 5 + 4 * 5
    assert done.end_s.tolist() == [50 + 70, 35 + 5 + 10]
    assert done.reclaim_s().tolist() == [5]


def test_without_reclaim_the_guarantee_waits_for_the_borrower() -> None:
    jobs = Jobs(["a", "b"], ["x", "y"], [0, 10], [8, 4], [1, 1], [100, 100])
    quotas = [TenantQuota("x", 4), TenantQuota("y", 4)]
    done = simulate_tenants(jobs, quotas, 8, "borrowing", until_s=300)
    assert done.reclaim_s().tolist() == [90]
    assert done.first_start_s.tolist() == [0, 100]


def result(policy: str = "static") -> TenantResult:
    jobs = Jobs(["a", "b"], ["x", "y"], [0, 0], [4, 4], [1, 1], [50, 50])
    return simulate_tenants(
        jobs, [TenantQuota("x", 4), TenantQuota("y", 4)], 8, policy, until_s=100
    )


@pytest.mark.parametrize("policy", POLICIES)
def test_closed_form_of_the_figures(policy: str) -> None:
    done = result(policy)
    assert done.allocated_pct == 50
    assert (done.jain, done.share_gap_pct, done.guarantee_kept_pct) == (1, 0, 100)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"policy": "fifo"}, "policy is 'fifo'"),
        ({"gpus": 0}, "gpus is 0"),
        ({"gpus": 3}, "guarantees are 4 GPUs of 3"),
        ({"quotas": [TenantQuota("x", 1), TenantQuota("x", 1)]}, "'x' has two quotas"),
        ({"quotas": [TenantQuota("y", 1)]}, "'x' has jobs and no quota"),
        ({"until_s": math.nan}, "until_s nan"),
        ({"since_s": 500}, "since_s is 500"),
        ({"grace_s": -1}, "grace_s is -1"),
        ({"checkpoint_s": math.nan}, "checkpoint_s is nan"),
        ({"quotas": [TenantQuota("x", 1)], "gpus": 3}, "job 'a': 4 GPUs; the pool has 3"),
    ],
)
def test_bad_input_is_named(change: dict, words: str) -> None:
    jobs = Jobs(["a"], ["x"], [0], [4], [1], [50])
    given_ = {"quotas": [TenantQuota("x", 4)], "gpus": 8, "policy": "kai", "until_s": 100} | change
    with pytest.raises(InputError, match=words):
        simulate_tenants(jobs, **given_)


@pytest.mark.parametrize("change", [{"gpus": -1}, {"gpus": 1.5}, {"weight": math.nan}])
def test_a_wrong_quota_is_refused(change: dict) -> None:
    with pytest.raises(InputError, match="tenant 'x'"):
        TenantQuota(**({"tenant": "x", "gpus": 4} | change))


def test_demand_has_the_load_and_the_order_of_peaks() -> None:
    tenants = [TenantDemand("a", 0.5), TenantDemand("b", 0.5)]
    jobs = draw_tenant_jobs(tenants, 1000, seed=1, load_pct=80, swing_pct=100, days=30)
    load = jobs.gpu_seconds.sum() / (1000 * 30 * 86400)
    assert load == pytest.approx(0.8, rel=0.05)
    hours = jobs.arrival_s % 86400 / 3600
    first = hours[jobs.tenant == "a"]
    assert ((first < 6) | (first > 18)).mean() > 0.75
    second = hours[jobs.tenant == "b"]
    assert ((second > 6) & (second < 18)).mean() > 0.75
    again = draw_tenant_jobs(tenants, 1000, seed=1, load_pct=80, swing_pct=100, days=30)
    assert (again.arrival_s == jobs.arrival_s).all()


@pytest.mark.parametrize(
    "change", [{"load_pct": 0}, {"swing_pct": 101}, {"job_h": math.nan}, {"days": -1}, {"gpus": 0}]
)
def test_demand_out_of_range_is_named(change: dict) -> None:
    given_ = {"tenants": [TenantDemand("a", 1)], "gpus": 8, "seed": 0} | change
    with pytest.raises(InputError, match=next(iter(change))):
        draw_tenant_jobs(**given_)
