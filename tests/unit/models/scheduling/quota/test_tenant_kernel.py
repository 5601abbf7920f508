"""The kernel against the same simulation, slow and plain, by the library's rules of Kueue, KAI."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.models.scheduling.quota import (
    POLICIES,
    ClusterQueue,
    Cohort,
    KaiQueue,
    Ledger,
    TenantQuota,
    Workload,
    divide_kai,
    find_fair_victims,
    find_victims,
    simulate_tenants,
)
from gpudeck.workload.job import Jobs


class Twin:
    """A pool of tenants; `run` returns the history and the evictions."""

    def __init__(
        self,
        jobs: Jobs,
        quotas: list[TenantQuota],
        gpus: int,
        policy: str,
        checkpoint_s: float = math.inf,
        grace_s: float = 0.0,
        lower_only: bool = False,
    ) -> None:
        self.quotas, self.gpus, self.policy = {q.tenant: q for q in quotas}, gpus, policy
        self.checkpoint_s, self.grace_s = checkpoint_s, grace_s
        reclaim = {"reclaim": "any", "fair_sharing": "any"}.get(policy, "never")
        reclaim = "lower" if lower_only and reclaim == "any" else reclaim
        self.lower_only = lower_only
        own = gpus - sum(q.gpus for q in quotas)
        self.ledger = Ledger(
            [
                ClusterQueue(
                    q.tenant,
                    {"gpu": q.gpus},
                    "all",
                    {} if math.isinf(q.borrow_gpus) else {"gpu": q.borrow_gpus},
                    weight=q.weight,
                    reclaim=reclaim,
                )
                for q in quotas
            ],
            [Cohort("all", nominal={"gpu": own})],
        )

        # a name that sorts by tenant's queue: priority, arrival, row
        def rank(row: int) -> tuple:
            priority = 0 if policy == "none" else -int(jobs.priority[row])
            return (priority, float(jobs.arrival_s[row]), row)

        order = sorted(
            range(len(jobs)), key=lambda row: (list(self.quotas).index(jobs.tenant[row]), rank(row))
        )
        self.name = {row: f"{place:05d}" for place, row in enumerate(order)}
        self.row = {name: row for row, name in self.name.items()}
        self.jobs = jobs
        self.left = {row: float(jobs.duration_s[row]) for row in order}
        self.waiting = {t: [] for t in self.quotas}
        self.unfit = dict.fromkeys(self.quotas, 0)
        self.running: dict[str, tuple[float, float, float]] = {}
        self.evicted: list[tuple[float, int, int]] = []
        self.lost = 0.0

    def ceiling(self, tenant: str) -> float:
        quota = self.quotas[tenant]
        limit = {"none": math.inf, "static": 0}.get(self.policy, quota.borrow_gpus)
        return min(self.gpus, quota.gpus + limit)

    def held(self, tenant: str) -> int:
        return int(self.ledger.usage(tenant, "gpu"))

    def asked(self, tenant: str) -> int:
        queue = sum(int(self.jobs.gpus[self.row[n]]) for n in self.waiting[tenant])
        return self.held(tenant) + queue + self.unfit[tenant]

    def free(self) -> int:
        return self.gpus - sum(map(self.held, self.quotas))

    def workload(self, name: str, now: float) -> Workload:
        row = self.row[name]
        return Workload(
            name,
            str(self.jobs.tenant[row]),
            {"gpu": int(self.jobs.gpus[row])},
            int(self.jobs.priority[row]),
            admitted_s=now,
        )

    def run(self, until: float) -> list[tuple]:
        rows = []
        coming = sorted(range(len(self.jobs)), key=lambda row: (self.jobs.arrival_s[row], row))
        now = 0.0
        while now < until:
            for name, (_, end, wait) in sorted(self.running.items()):
                if end <= now:
                    del self.running[name]
                    self.ledger.remove(self.ledger.workloads[name])
                    self.lost += wait * int(self.jobs.gpus[self.row[name]])
            while coming and self.jobs.arrival_s[coming[0]] <= now:
                row = coming.pop(0)
                tenant = str(self.jobs.tenant[row])
                if self.jobs.gpus[row] > self.ceiling(tenant):
                    self.unfit[tenant] += int(self.jobs.gpus[row])
                else:
                    self.waiting[tenant] = sorted([*self.waiting[tenant], self.name[row]])
            self.schedule(now)
            row = (
                [self.held(t) for t in self.quotas],
                [self.asked(t) for t in self.quotas],
            )
            if not rows or rows[-1][1:] != row:
                rows.append((now, *row))
            times = [end for _, end, _ in self.running.values()]
            times += [float(self.jobs.arrival_s[row]) for row in coming[:1]]
            now = min([until, *times])
        return rows

    def key(self, tenant: str, fair: dict) -> tuple:
        name = self.waiting[tenant][0]
        row = self.row[name]
        gpus, arrival = int(self.jobs.gpus[row]), float(self.jobs.arrival_s[row])
        priority = -int(self.jobs.priority[row])
        index = list(self.quotas).index(tenant)
        match self.policy:
            case "none":
                return (arrival, index)
            case "static":
                first = 0.0
            case "borrowing" | "reclaim":
                first = float(self.ledger.borrows(tenant, "gpu", gpus))
            case "fair_sharing":
                self.ledger.change(tenant, {"gpu": gpus})
                first = self.ledger.rank(tenant)
                self.ledger.change(tenant, {"gpu": gpus}, -1)
            case "kai":
                first = self.held(tenant) / fair[tenant] if fair[tenant] > 0 else math.inf
        return (first, priority, arrival, index)

    def schedule(self, now: float) -> None:
        fair = divide_kai(
            self.gpus,
            [
                KaiQueue(
                    t,
                    q.gpus,
                    q.weight,
                    self.asked(t),
                    self.ceiling(t),
                    created=list(self.quotas).index(t),
                )
                for t, q in self.quotas.items()
            ],
        ).fair_share
        blocked: set[str] = set()
        while True:
            ready = [t for t in self.quotas if self.waiting[t] and t not in blocked]
            if not ready:
                return
            tenant = min(ready, key=lambda t: self.key(t, fair))
            incoming = self.workload(self.waiting[tenant][0], now)
            gpus = incoming.uses["gpu"]
            within = self.held(tenant) + gpus <= self.ceiling(tenant)
            fits = within and gpus <= self.free()
            victims = [] if fits or not within else self.victims(incoming, fair)
            if not fits and not victims:
                if self.policy == "none":
                    return
                blocked.add(tenant)
                continue
            for name in victims:
                self.evict(name, incoming.name, now)
            blocked = set()
            self.waiting[tenant].remove(incoming.name)
            self.ledger.add(incoming)
            wait = self.grace_s if victims else 0.0
            self.running[incoming.name] = (
                now,
                now + wait + self.left[self.row[incoming.name]],
                wait,
            )

    def victims(self, incoming: Workload, fair: dict) -> list[str]:
        if self.policy == "reclaim":
            return [v.name for v in find_victims(self.ledger, incoming)]
        if self.policy == "fair_sharing":
            return [v.name for v in find_fair_victims(self.ledger, incoming)]
        if self.policy != "kai":
            return []
        return self.above_fair_share(incoming, fair)

    def above_fair_share(self, incoming: Workload, fair: dict) -> list[str]:
        gpus = incoming.uses["gpu"]
        if self.held(incoming.queue) + gpus > fair[incoming.queue]:
            return []
        held, free, taken = {t: self.held(t) for t in self.quotas}, self.free(), []
        others = [
            w
            for w in self.ledger.workloads.values()
            if w.queue != incoming.queue
            and not (self.lower_only and w.priority >= incoming.priority)
        ]
        for other in sorted(others, key=lambda w: (w.priority, -w.admitted_s, w.name)):
            if held[other.queue] > fair[other.queue]:
                held[other.queue] -= other.uses["gpu"]
                free += other.uses["gpu"]
                taken.append(other)
            if free >= gpus:
                break
        if free < gpus:
            return []
        kept = list(taken)
        for other in reversed(taken[:-1]):
            if free - other.uses["gpu"] >= gpus:
                free -= other.uses["gpu"]
                kept.remove(other)
        return [other.name for other in kept]

    def evict(self, name: str, by: str, now: float) -> None:
        start, _, wait = self.running.pop(name)
        row = self.row[name]
        self.ledger.remove(self.ledger.workloads[name])
        work = max(0.0, now - start - wait)
        if self.checkpoint_s > 0:
            work = (
                0.0
                if math.isinf(self.checkpoint_s)
                else work // self.checkpoint_s * self.checkpoint_s
            )
        self.left[row] -= work
        self.lost += int(self.jobs.gpus[row]) * (now - start - work)
        tenant = str(self.jobs.tenant[row])
        self.waiting[tenant] = sorted([*self.waiting[tenant], name])
        self.evicted.append((now, row, self.row[by]))


@st.composite
def pools(draw: st.DrawFn) -> tuple[Jobs, list[TenantQuota], int]:
    gpus = draw(st.integers(4, 16))
    count = draw(st.integers(1, 3))
    left, quotas = gpus, []
    for number in range(count):
        own = draw(st.integers(0, left))
        left -= own
        limit = draw(st.sampled_from([math.inf, 0.0, 2.0, 5.0]))
        weight = draw(st.sampled_from([0.0, 1.0, 2.0, 0.5]))
        quotas.append(TenantQuota(f"t{number}", own, weight, limit))
    n = draw(st.integers(1, 25))
    row = st.tuples(
        st.integers(0, count - 1),
        st.integers(0, 30),
        st.integers(1, min(4, gpus)),
        st.integers(1, 25),
        st.integers(-1, 1),
    )
    rows = draw(st.lists(row, min_size=n, max_size=n))
    tenant, arrival, size, duration, priority = zip(*rows, strict=True)
    jobs = Jobs(
        [f"j{i}" for i in range(n)],
        [f"t{i}" for i in tenant],
        arrival,
        size,
        [1] * n,
        duration,
        priority=priority,
    )
    return jobs, quotas, gpus


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=50, deadline=None)
@given(
    pool=pools(),
    checkpoint_s=st.sampled_from([math.inf, 0.0, 4.0]),
    grace_s=st.sampled_from([0.0, 1.5]),
    lower_only=st.booleans(),
)
def test_the_kernel_does_what_its_twin_does(
    policy: str, pool: tuple, checkpoint_s: float, grace_s: float, lower_only: bool
) -> None:
    jobs, quotas, gpus = pool
    settings_ = {"checkpoint_s": checkpoint_s, "grace_s": grace_s, "lower_only": lower_only}
    done = simulate_tenants(jobs, quotas, gpus, policy, until_s=60, **settings_)
    twin = Twin(jobs, quotas, gpus, policy, **settings_)
    rows = twin.run(60)
    # a row that differs in `denied` alone is the kernel's own
    change = np.any(np.diff(np.hstack([done.held_gpus, done.asked_gpus]), axis=0) != 0, axis=1)
    keep = np.concatenate([[True], change])
    assert done.time_s[keep].tolist() == [row[0] for row in rows]
    assert done.held_gpus[keep].tolist() == [row[1] for row in rows]
    assert done.asked_gpus[keep].tolist() == [row[2] for row in rows]
    log = zip(done.evicted_at_s, done.evicted, done.evicted_by, strict=True)
    assert [(t, a, b) for t, a, b in log] == twin.evicted
    assert done.lost_gpu_s == pytest.approx(twin.lost)


@pytest.mark.parametrize("policy", POLICIES)
@settings(max_examples=50, deadline=None)
@given(pool=pools())
def test_what_holds_under_any_policy(policy: str, pool: tuple) -> None:
    jobs, quotas, gpus = pool
    done = simulate_tenants(jobs, quotas, gpus, policy, until_s=60)
    assert (done.held_gpus >= 0).all()
    assert (done.held_gpus.sum(axis=1) <= gpus).all()
    assert (done.held_gpus <= done.asked_gpus).all()
    # GPU-seconds by the pool and by the jobs
    lasted = np.diff(np.append(done.time_s, done.until_s))
    assert done.held_gpus.sum(axis=1) @ lasted == pytest.approx((done.busy_s * jobs.gpus).sum())
    if policy != "none":
        borrow = math.inf if policy != "static" else 0
        for column, quota in enumerate(quotas):
            most = quota.gpus + min(borrow, quota.borrow_gpus)
            assert (done.held_gpus[:, column] <= most).all()
    assert 0 < done.jain <= 1 + 1e-12
    assert 0 <= done.guarantee_kept_pct <= 100 + 1e-9
    assert done.useful_pct <= done.allocated_pct + 1e-9


@pytest.mark.parametrize("policy", ["reclaim", "kai", "fair_sharing"])
@settings(max_examples=50, deadline=None)
@given(pool=pools())
def test_after_reclaim_no_guarantee_is_denied(policy: str, pool: tuple) -> None:
    jobs, quotas, gpus = pool
    done = simulate_tenants(jobs, quotas, gpus, policy, until_s=60)
    assert not done.denied.any()
    # a queue that waits holds its guarantee, short by less than its largest job
    largest = max(jobs.gpus)
    fits = [jobs.gpus[jobs.tenant == q.tenant].max(initial=0) <= q.gpus for q in quotas]
    for column, quota in enumerate(quotas):
        if not fits[column]:
            continue
        own = np.minimum(done.asked_gpus[:, column], quota.gpus)
        assert (done.held_gpus[:, column] > own - largest).all()


@settings(max_examples=50, deadline=None)
@given(pool=pools())
def test_victims_come_from_borrowers_and_never_from_higher_priority(pool: tuple) -> None:
    jobs, quotas, gpus = pool
    own = {quota.tenant: quota.gpus for quota in quotas}
    done = simulate_tenants(jobs, quotas, gpus, "reclaim", until_s=60, lower_only=True)
    for victim, by in zip(done.evicted, done.evicted_by, strict=True):
        assert jobs.priority[victim] < jobs.priority[by]
        assert jobs.tenant[victim] != jobs.tenant[by]
    done = simulate_tenants(jobs, quotas, gpus, "reclaim", until_s=60)
    for at, victim in zip(done.evicted_at_s, done.evicted, strict=True):
        tenant = str(jobs.tenant[victim])
        column = list(own).index(tenant)
        before = done.held_gpus[done.time_s < at]
        # what it held just before, or was given at the same instant, was beyond its guarantee
        most = max(before[-1, column] if len(before) else 0, 0) + jobs.gpus.sum()
        assert most > own[tenant]
