"""The compiled event loop does what its plain twin does, and keeps its promises on any input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
from gpudeck.models.scheduling.queue.reservation import assign_nodes
from gpudeck.workload import Jobs

INF = float("inf")


class Twin:
    """The queue in plain Python: nothing is kept that could be computed again."""

    def __init__(self, jobs, pool, policy):
        self.jobs, self.cap, self.policy = jobs, pool.gpus.tolist(), policy
        windows, want = assign_nodes(policy.reservations, pool)
        self.windows = [(w.begin_s, w.end_s) for w in windows]
        self.want, self.taken = want.tolist(), np.zeros_like(want).tolist()
        first, second = policy.keys(jobs)
        self.key = [(first[j], second[j], j) for j in range(len(jobs))]
        self.queue, self.running, self.log = [], {}, []
        self.saved, self.over = [0.0] * len(jobs), [0.0] * len(jobs)
        self.head, self.shadow, self.extra, self.now = None, INF, None, 0.0

    def end_of(self, j, now):
        left = 1.0 - self.saved[j] / self.jobs.duration_s[j]
        return now + self.over[j] + self.jobs.estimate_s[j] * left

    def usable(self, end, without=(), planned=None):
        planned = planned or [0] * len(self.cap)
        held = {j: r for j, r in self.running.items() if j not in without}
        usable = []
        for n, cap in enumerate(self.cap):
            taken = sum(t[n] for t in self.taken)
            most = cap - taken - planned[n] - sum(r["gpus"].get(n, 0) for r in held.values())
            for begin, _ in self.windows:
                if begin > self.now and end > begin:
                    apart = sum(
                        want[n]
                        for want, (b, e) in zip(self.want, self.windows, strict=True)
                        if b <= begin < e
                    )
                    late = sum(r["gpus"].get(n, 0) for r in held.values() if r["end"] > begin)
                    most = min(most, cap - apart - late - planned[n])
            usable.append(most)
        return usable

    def pick(self, usable, grain):
        nodes = [n for n, u in enumerate(usable) if u >= grain]
        if not nodes:
            return None
        spread = self.policy.placement == "spread"
        return min(nodes, key=lambda n: (-usable[n] if spread else usable[n], n))

    def place(self, usable, j):
        usable, held, grain = list(usable), {}, int(self.jobs.gpus_per_pod[j])
        for _ in range(int(self.jobs.pods[j])):
            n = self.pick(usable, grain)
            if n is None:
                return None
            usable[n] -= grain
            held[n] = held.get(n, 0) + grain
        return held

    def start(self, j, held):
        end = self.now + self.over[j] + (self.jobs.duration_s[j] - self.saved[j])
        self.running[j] = {
            "gpus": held, "began": self.now, "end": self.end_of(j, self.now), "finish": end,
        }  # fmt: skip

    def stop(self, j):
        run = self.running.pop(j)
        self.log.append((j, run["began"], self.now, run["gpus"]))
        return run

    def before(self, j):
        return (-self.jobs.priority[j], self.running[j]["began"], j)

    def preempt(self, h):
        end, grain = self.end_of(h, self.now), int(self.jobs.gpus_per_pod[h])
        victims, planned, where = [], [0] * len(self.cap), None
        for _ in range(int(self.jobs.pods[h])):
            n = self.pick(self.usable(end, victims, planned), grain)
            if n is None:
                n, more = self.best_node(h, end, victims, planned)
                if n is None:
                    return False
                victims += more
            planned[n] += grain
            where = n
        if self.jobs.pods[h] > 1:
            victims = self.reprieve(h, end, victims)
        self.queue.remove(h)
        for j in victims:
            run = self.stop(j)
            worked = max(0.0, self.now - run["began"] - self.over[j])
            every = self.policy.preemption.checkpoint_s
            self.saved[j] += worked // every * every if every else 0.0
            self.over[j] = self.policy.preemption.restart_s
            self.queue.append(j)
        held = {where: grain} if self.jobs.pods[h] == 1 else self.place(self.usable(end), h)
        self.start(h, held)
        return True

    def best_node(self, h, end, victims, planned):
        best = None
        for n in range(len(self.cap)):
            lower = [
                j
                for j, r in self.running.items()
                if n in r["gpus"]
                and j not in victims
                and self.jobs.priority[j] < self.jobs.priority[h]
            ]
            gone = set(lower)
            room = lambda: self.usable(end, [*victims, *gone], planned)[n]  # noqa: B023, E731
            if not lower or room() < self.jobs.gpus_per_pod[h]:
                continue
            for j in sorted(lower, key=self.before):
                gone.discard(j)
                if room() < self.jobs.gpus_per_pod[h]:
                    gone.add(j)
            priorities = [int(self.jobs.priority[j]) for j in gone]
            top = max(priorities)
            start = min(self.running[j]["began"] for j in gone if self.jobs.priority[j] == top)
            cost = (top, sum(p + 2**31 for p in priorities), len(gone), -start, n)
            if best is None or cost < best[0]:
                best = cost, n, sorted(gone, key=self.before)
        return (None, None) if best is None else best[1:]

    def reprieve(self, h, end, victims):
        kept = sorted(victims, key=self.before)
        for j in list(kept):
            rest = [v for v in kept if v != j]
            fit = sum(max(0, u) // self.jobs.gpus_per_pod[h] for u in self.usable(end, rest))
            if fit >= self.jobs.pods[h]:
                kept = rest
        return kept

    def reserve(self, h):
        ends = {max(self.now, r["end"]) for r in self.running.values()}
        for time in sorted(ends | {e for _, e in self.windows if e > self.now}):
            end = self.end_of(h, time)
            usable = []
            for n, cap in enumerate(self.cap):
                held = sum(
                    r["gpus"].get(n, 0)
                    for r in self.running.values()
                    if max(self.now, r["end"]) > time
                )
                apart = sum(
                    want[n]
                    for want, (b, e) in zip(self.want, self.windows, strict=True)
                    if e > time and b < end
                )
                usable.append(cap - held - apart)
            held = self.place(usable, h)
            if held is not None:
                break
        self.head, self.shadow = h, time
        self.extra = [max(0, u - held.get(n, 0)) for n, u in enumerate(usable)]

    def backfill(self):
        behind = self.queue[1 : 1 + self.policy.backfill_depth]
        for j in behind:
            end = self.end_of(j, self.now)
            usable = self.usable(end)
            held = self.place(usable, j)
            if held is None:
                continue
            if self.policy.backfill == "easy" and end > self.shadow:
                held = self.place(list(map(min, usable, self.extra)), j)
                if held is None:
                    continue
                for n, gpus in held.items():
                    self.extra[n] -= gpus
            self.queue.remove(j)
            self.start(j, held)

    def schedule(self):
        while self.queue:
            self.queue.sort(key=lambda j: self.key[j])
            h = self.queue[0]
            held = self.place(self.usable(self.end_of(h, self.now)), h)
            if held is not None:
                self.queue.pop(0)
                self.start(h, held)
            elif not (self.policy.preemption and self.preempt(h)):
                break
            self.head = None
        if self.queue and self.policy.backfill:
            h = self.queue[0]
            if self.policy.backfill == "easy" and (self.head != h or self.now >= self.shadow):
                self.reserve(h)
            self.backfill()

    def turn_windows(self):
        for w, (begin, end) in enumerate(self.windows):
            if begin > self.now:
                continue
            for n, cap in enumerate(self.cap):
                if end <= self.now:
                    self.taken[w][n] = 0
                    continue
                used = sum(r["gpus"].get(n, 0) for r in self.running.values())
                free = cap - used - sum(t[n] for t in self.taken)
                self.taken[w][n] += min(self.want[w][n] - self.taken[w][n], free)

    def run(self):
        coming = sorted(range(len(self.jobs)), key=lambda j: (self.jobs.arrival_s[j], j))
        while coming or self.running or self.queue:
            times = [self.jobs.arrival_s[j] for j in coming[:1]]
            times += [r["finish"] for r in self.running.values()]
            times += [t for window in self.windows for t in window if t > self.now]
            if not (coming or self.running) and not times:
                break
            self.now = min(times)
            for j in [j for j, r in self.running.items() if r["finish"] == self.now]:
                self.stop(j)
            self.turn_windows()
            while coming and self.jobs.arrival_s[coming[0]] == self.now:
                self.queue.append(coming.pop(0))
            self.schedule()
        return self


@st.composite
def workloads(draw, most_jobs=14, exact=False, whole=True):
    nodes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    count = draw(st.integers(1, most_jobs))
    pool = GpuPool(nodes)
    integers = lambda low, high: draw(  # noqa: E731
        st.lists(st.integers(low, high), min_size=count, max_size=count)
    )
    grain = np.minimum(integers(1, 5), max(nodes))
    room = np.array([sum(n // int(g) for n in nodes) for g in grain])
    pods = np.minimum(integers(1, 4), room)
    duration = np.array(integers(1, 12), dtype=float)
    factor = np.ones(count) if exact else np.array(integers(2, 5)) / (2 if whole else 3)
    jobs = Jobs(
        [f"j{i}" for i in range(count)],
        ["t"] * count,
        np.array(integers(0, 15), dtype=float),
        pods,
        grain,
        duration,
        duration * factor,
        np.array(integers(0, 2)) * 10,
    )
    return jobs, pool


@st.composite
def windows(draw, pool):
    found = []
    for k in range(draw(st.integers(0, 2))):
        begin = draw(st.integers(0, 20))
        most = max(1, pool.total // 2)
        found.append(
            Reservation(f"w{k}", begin, begin + draw(st.integers(1, 9)), draw(st.integers(1, most)))
        )
    return tuple(found) if pool.total > 1 else ()


@st.composite
def cases(draw):
    jobs, pool = draw(workloads())
    policy = QueuePolicy(
        draw(st.sampled_from(["fifo", "priority", "multilevel"])),
        backfill=draw(st.sampled_from([False, "easy", "greedy"])),
        preemption=draw(
            st.sampled_from([None, Preemption(0, 0), Preemption(2, 1), Preemption(3, 0.5)])
        ),
        aging_s=draw(st.sampled_from([INF, 0.5, 3.0])),
        level_gpu_s=(10.0, 30.0),
        backfill_depth=draw(st.sampled_from([1, 2, 1000])),
        placement=draw(st.sampled_from(["packed", "spread"])),
        reservations=draw(windows(pool)),
    )
    return jobs, pool, policy


@settings(max_examples=50, deadline=None)
@given(cases())
def test_the_kernel_does_what_its_twin_does(case):
    jobs, pool, policy = case
    result = simulate_queue(jobs, pool, policy)
    twin = Twin(jobs, pool, policy).run()
    log = result.log
    held = [{} for _ in log.job]
    for attempt, node, gpus in zip(log.attempt, log.node, log.gpus, strict=True):
        held[attempt][int(node)] = held[attempt].get(int(node), 0) + int(gpus)
    attempts = sorted(zip(log.job.tolist(), log.start_s, log.end_s, strict=True))
    assert attempts == sorted((j, start, end) for j, start, end, _ in twin.log)
    places = {(j, s): h for j, s, h in zip(log.job.tolist(), log.start_s, held, strict=True)}
    assert places == {(j, start): gpus for j, start, _, gpus in twin.log}


POLICIES = (
    QueuePolicy(),
    QueuePolicy("priority", backfill="easy"),
    QueuePolicy("priority", backfill="easy", preemption=Preemption(2, 1)),
    QueuePolicy("multilevel", backfill="greedy", level_gpu_s=(10.0, 30.0), placement="spread"),
    QueuePolicy(gang=False, backfill="greedy"),
    QueuePolicy("priority", gang=False, pod_interval_s=1.0),
)


@settings(max_examples=50, deadline=None)
@given(workloads(), st.sampled_from(POLICIES))
def test_gpus_are_never_exceeded_and_their_seconds_are_conserved(case, policy):
    jobs, pool = case
    result = simulate_queue(jobs, pool, policy)
    log = result.log
    ends = log.end_s[log.attempt]
    for moment in np.unique(np.concatenate([result.time_s, log.since_s])):
        now = (log.since_s <= moment) & (moment < ends)
        held = np.bincount(log.node[now], log.gpus[now], minlength=len(pool.gpus))
        assert (held <= pool.gpus).all()
        if result.deadlock_s is None or moment < result.deadlock_s:
            assert held.sum() == result.allocated_at(np.array([moment]))[0]
    total = (log.gpus * (ends - log.since_s)).sum()
    assert result.allocated_gpu_s == pytest.approx(total, rel=1e-9)
    parts = result.useful_gpu_s + result.lost_gpu_s + result.idle_gpu_s
    assert result.allocated_gpu_s == pytest.approx(parts.sum(), rel=1e-9)
    idle = pool.total - result.allocated - result.reserved
    assert (idle >= 0).all()


@settings(max_examples=50, deadline=None)
@given(workloads(), st.sampled_from(POLICIES[:4]))
def test_a_gang_holds_all_of_its_gpus_or_none(case, policy):
    jobs, pool = case
    log = simulate_queue(jobs, pool, policy).log
    held = np.bincount(log.attempt, log.gpus, minlength=len(log.job))
    assert held.tolist() == jobs.gpus[log.job].tolist()
    assert (log.gpus % jobs.gpus_per_pod[log.job][log.attempt] == 0).all()


@settings(max_examples=50, deadline=None)
@given(workloads())
def test_only_a_higher_priority_preempts(case):
    jobs, pool = case
    policy = QueuePolicy("priority", backfill="easy", preemption=Preemption(2, 1))
    result = simulate_queue(jobs, pool, policy)
    log, last = result.log, result.finish_s
    for job, end in zip(log.job, log.end_s, strict=True):
        if end < last[job]:
            preemptors = log.job[log.start_s == end]
            assert (jobs.priority[preemptors] > jobs.priority[job]).any()
    top = jobs.priority == jobs.priority.max()
    assert (result.attempts[top] == 1).all()


@settings(max_examples=50, deadline=None)
@given(workloads(exact=True))
def test_backfill_does_not_delay_the_head(case):
    """The first that has to wait in FIFO order starts no later than without backfill."""
    jobs, pool = case
    plain = simulate_queue(jobs, pool, QueuePolicy())
    easy = simulate_queue(jobs, pool, QueuePolicy(backfill="easy"))
    order = np.argsort(jobs.arrival_s, kind="stable")
    waits = plain.waiting_s[order] > 0
    if waits.any():
        head = order[int(np.argmax(waits))]
        assert easy.start_s[head] == plain.start_s[head]


@settings(max_examples=50, deadline=None)
@given(workloads(), st.sampled_from(POLICIES), st.randoms())
def test_names_change_nothing(case, policy, random):
    jobs, pool = case
    names = list(jobs.id)
    random.shuffle(names)
    other = Jobs(
        names, jobs.tenant, jobs.arrival_s, jobs.pods, jobs.gpus_per_pod, jobs.duration_s,
        jobs.estimate_s, jobs.priority,
    )  # fmt: skip
    first, second = simulate_queue(jobs, pool, policy), simulate_queue(other, pool, policy)
    np.testing.assert_array_equal(first.finish_s, second.finish_s)


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 12), st.integers(1, 4), st.integers(1, 6), st.sampled_from(POLICIES[:4]))
def test_equal_jobs_start_in_the_order_of_their_arrival(count, gpus, capacity, policy):
    jobs = Jobs(
        [str(k) for k in range(count)], ["t"] * count, np.arange(count) // 2, [1] * count,
        [min(gpus, capacity)] * count, [7.0] * count,
    )  # fmt: skip
    start = simulate_queue(jobs, capacity, policy).start_s
    assert (np.diff(start) >= 0).all()


@settings(max_examples=50, deadline=None)
@given(workloads(most_jobs=8), st.integers(1, 6))
def test_one_pod_preempts_whom_kubernetes_would(case, grain):
    """Fill a cluster at time 0, let one pod of high priority come, compare the evicted."""
    jobs, pool = case
    single = Jobs(
        jobs.id, jobs.tenant, jobs.arrival_s * 0, np.ones(len(jobs)), jobs.gpus_per_pod,
        jobs.duration_s + 100, None, np.minimum(jobs.priority, 10),
    )  # fmt: skip
    grain = min(grain, int(pool.gpus.max()))
    urgent = Jobs(["u"], ["t"], [1], [1], [grain], [5], None, [15])
    parts = [np.concatenate([getattr(single, f), getattr(urgent, f)]) for f in Jobs.__match_args__]
    policy = QueuePolicy("priority", backfill="greedy", preemption=Preemption(0, 0))
    result = simulate_queue(Jobs(*parts), pool, policy)
    log = result.log
    at_one = log.start_s[log.attempt] == 0
    nodes = [
        NodeLoad(
            str(n),
            {"gpu": int(gpus)},
            [
                RunningPod(str(log.job[a]), int(parts[7][log.job[a]]), {"gpu": int(g)})
                for a, node, g in zip(log.attempt[at_one], log.node[at_one], log.gpus[at_one],
                                      strict=True)
                if node == n
            ],
        )
        for n, gpus in enumerate(pool.gpus)
    ]  # fmt: skip
    wanted = choose_victims(15, {"gpu": grain}, nodes)
    evicted = {str(j) for j, e in zip(log.job, log.end_s, strict=True) if e == 1.0}
    assert evicted == (set() if wanted is None else {pod.id for pod in wanted.pods})
