"""The compiled simulation against a plain twin that steps from save to save and keeps lists."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import cos, exp, inf, log, pi, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.models.resilience import kernel
from gpudeck.models.resilience.checkpoint import CheckpointCost
from gpudeck.models.resilience.elastic import elastic_speed, nodes_needed
from gpudeck.models.resilience.failure import FailureComponent, FailureRates
from gpudeck.models.resilience.recovery import Protection, StorageFallback
from gpudeck.models.resilience.replicas import group_survivability
from gpudeck.models.resilience.simulate import TIME_NAMES, TrainingRun, simulate_runs

MASK = 2**64 - 1
GAP, COMPONENT, BURST, SURVIVE, NORMAL_1, NORMAL_2, THIN, REPLACE = range(8)


def uniform(seed: int, index: int, slot: int) -> float:
    """SplitMix64 of a counter, on Python's whole numbers."""
    z = (seed + 0x9E3779B97F4A7C15 * (index * 256 + slot + 1)) & MASK
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & MASK
    z ^= z >> 31
    return ((z >> 11) + 0.5) / 2**53


@dataclass
class Twin:
    """State of one run; `simulate` plays it."""

    run: TrainingRun
    protection: Protection
    seed: int
    times: dict[str, float] = field(
        default_factory=lambda: dict.fromkeys(
            ("useful", "rework", "stall", "detect", "restart", "wait", "load", "slowed"), 0.0
        )
    )
    out: list[float] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    failures: int = 0
    from_storage: int = 0
    memory: float = 0.0
    storage: float = 0.0

    def failure_times(self) -> Iterator[tuple[int, float]]:
        at, index = 0.0, 0
        while True:
            at -= log(uniform(self.seed, index, GAP)) * self.run.mtbf_s
            yield index, at
            index += 1

    def available(self, at: float) -> int:
        out = sum(back > at for back in self.out)
        return self.run.nodes + self.protection.spare_nodes - out

    def speed_at(self, at: float) -> float:
        return elastic_speed(self.run.nodes, self.run.replica_nodes, self.available(at))

    def train(self, start: float, base: float, speed: float, until: float) -> tuple[float, float]:
        """Train until a moment or until the work is done; return when, and the work then."""
        cost, fallback = self.protection.cost, self.protection.fallback
        every = fallback.every if fallback else 1
        storage_save = fallback.save_s if fallback else cost.save_s
        now, work, saves = start, base, 0
        complete: list[tuple[float, float, str]] = []
        while now < until:
            piece = min(self.protection.interval_s, (self.run.work_s - work) / speed)
            done = piece < self.protection.interval_s or (
                work + piece * speed >= self.run.work_s - 1e-9
            )
            piece = min(piece, until - now)
            now, work = now + piece, work + piece * speed
            self.times["slowed"] += piece * (1 - speed)
            if now >= until or done:
                break
            pause = min(cost.stall_s, until - now)
            self.times["stall"] += pause
            now += pause
            if pause < cost.stall_s:
                break
            saves += 1
            complete.append((now + cost.save_s, work, "memory"))
            if saves % every == 0:
                complete.append((now + storage_save, work, "storage"))
        self.memory = base
        for at, kept, where in complete:
            if at <= now:
                if where == "memory":
                    self.memory = max(self.memory, kept)
                else:
                    self.storage = max(self.storage, kept)
        return now, work

    def recover(self, index: int, at: float, state: dict) -> None:
        """Take one failure in: nodes out, restart, and where to go on from."""
        run, protection = self.run, self.protection
        self.failures += 1
        left, component = uniform(self.seed, index, COMPONENT), 0
        shares = list(run.rates.shares.values())
        while component < len(shares) - 1 and left >= shares[component]:
            left -= shares[component]
            component += 1
        self.out = [back for back in self.out if back > at]
        noticed = at + protection.detection_s
        if run.rates.components[component].takes_node:
            burst = uniform(self.seed, index, BURST) < run.burst_share
            hit = run.burst_nodes if burst else 1
            for i in range(hit):
                if len(self.out) < run.nodes + protection.spare_nodes:
                    draw = uniform(self.seed, index, REPLACE + i)
                    self.out.append(noticed - log(draw) * run.replace_s)
            state["lost_nodes"] += hit
        restart = protection.restart_median_s
        if protection.restart_sigma:
            radius = sqrt(-2 * log(uniform(self.seed, index, NORMAL_1)))
            angle = 2 * pi * uniform(self.seed, index, NORMAL_2)
            restart *= exp(protection.restart_sigma * radius * cos(angle))
        ready = noticed + restart
        needed = nodes_needed(run.nodes, run.replica_nodes, protection.elastic_min_share)
        while self.available(ready) < needed:
            ready = min(back for back in self.out if back > ready)
        kept = False
        if protection.fallback is not None and state["lost_nodes"] <= run.nodes:
            survive = group_survivability(run.nodes, protection.copies, state["lost_nodes"])
            kept = state["survive"] < survive
        fallback = protection.fallback
        storage_load = fallback.load_s if fallback else protection.cost.load_s
        self.from_storage += not kept
        state["base"] = self.memory if kept else self.storage
        load = protection.cost.load_s if kept else storage_load
        state.update(
            start=ready + load, load=load, wait=ready - noticed - restart,
            detect=protection.detection_s, speed=self.speed_at(ready),
        )  # fmt: skip

    def grow(self, at: float, work: float, state: dict) -> None:
        """Save and start again with one replica more: nothing is lost."""
        self.memory = work
        if self.protection.fallback is None:
            self.storage = work
        pause = self.protection.cost.stall_s + self.protection.restart_s
        state.update(start=at + pause, detect=0.0, wait=0.0, load=0.0, speed=self.speed_at(at))

    def close(self, outage: float, work: float, state: dict) -> bool:
        """Account an outage; tell whether the run ends in it."""
        until = min(state["start"], self.run.horizon_s)
        missing, spent = state["start"] - until, until - outage
        load = max(0.0, state["load"] - missing)
        missing -= state["load"] - load
        wait = max(0.0, state["wait"] - missing)
        detect = min(state["detect"], spent - load - wait)
        rest = spent - load - wait - detect
        for name, value in (
            ("load", load), ("wait", wait), ("detect", detect), ("restart", rest),
            ("rework", work - state["base"]),
        ):  # fmt: skip
            self.times[name] += value
        over = state["start"] >= self.run.horizon_s
        if over:
            self.times["useful"] = state["base"]
        return over


def simulate(run: TrainingRun, protection: Protection, seed: int) -> tuple[Twin, float, str]:
    """Play a run; return the twin, when it ended, and how."""
    twin = Twin(run, protection, seed)
    failures = twin.failure_times()
    index, at = next(failures)
    start, base, speed = 0.0, 0.0, 1.0
    while True:
        # train: pauses when nodes come back, ends with a failure, the work or the horizon
        better = [b for b in twin.out if b > start and twin.speed_at(b) > speed]
        back = min(better, default=inf)
        while at < min(back, run.horizon_s) and uniform(seed, index, THIN) >= speed:
            # it would have hit what stands still
            index, at = next(failures)
        limit = min(at, run.horizon_s, back)
        now, work = twin.train(start, base, speed, limit)
        if now < limit or work >= run.work_s - 1e-9 or now >= run.horizon_s:
            twin.times["useful"] = work
            return twin, now, "out of time" if work < run.work_s - 1e-9 else "finished"
        state = {"lost_nodes": 0, "survive": uniform(seed, index, SURVIVE), "base": work}
        if back < at:
            twin.grow(now, work, state)
        else:
            twin.recover(index, at, state)
            index, at = next(failures)
        counted = limit != back
        while at < min(state["start"], run.horizon_s):
            if uniform(seed, index, THIN) < state["speed"]:
                twin.recover(index, at, state)
                counted = True
            index, at = next(failures)
        if twin.close(now, work, state):
            return twin, run.horizon_s, "out of time"
        start, base = state["start"], state["base"]
        twin.out = [b for b in twin.out if b > start]
        speed = max(state["speed"], twin.speed_at(start))
        if counted:
            twin.recoveries.append(start - now + (work - base) / speed)


@pytest.mark.parametrize(
    ("seed", "index", "slot"), [(0, 0, 0), (2**64 - 1, 7, 3), (12345, 999, 70)]
)
def test_draws_are_the_twin_s(seed: int, index: int, slot: int) -> None:
    drawn = kernel.uniform(np.uint64(seed), index, slot)
    assert drawn == uniform(seed, index, slot)
    assert 0 < drawn < 1


def rates(per_gpu_hour: float) -> FailureRates:
    return FailureRates(
        (
            FailureComponent("gpu", 0.7 * per_gpu_hour, True),
            FailureComponent("software", 0.3 * per_gpu_hour, False),
        )
    )


protections = st.builds(
    lambda mode, interval, stall, save, load, detection, restart, sigma, spares, share: Protection(
        mode,
        CheckpointCost(stall, min(save, interval), load),
        interval,
        detection,
        restart,
        sigma,
        spares,
        share,
        2 if mode == "memory" else 1,
        StorageFallback(3, min(2 * save, interval), 2 * load) if mode == "memory" else None,
    ),
    st.sampled_from(["synchronous", "asynchronous", "memory"]),
    st.floats(50, 2000),
    st.floats(0, 60),
    st.floats(0, 300),
    st.floats(0, 100),
    st.floats(0, 600),
    st.floats(0, 3000),
    st.sampled_from([0.0, 0.5]),
    st.integers(0, 3),
    st.sampled_from([1.0, 0.5]),
)


@settings(max_examples=50, deadline=None)
@given(
    protections,
    st.integers(0, 2**64 - 1),
    st.floats(200, 20_000),
    st.floats(1000, 60_000),
    st.booleans(),
    st.floats(0, 20_000),
)
def test_run_is_the_twin_s(protection, seed, mtbf_s, horizon_s, endless, replace_s) -> None:
    run = TrainingRun(
        8, 8, rates(3600 / (64 * mtbf_s)), float("inf") if endless else horizon_s / 2, horizon_s,
        2, replace_s, 0.3, 3,
    )  # fmt: skip
    result = simulate_runs(run, protection, [seed])
    twin, wall_s, how = simulate(run, protection, seed)
    assert result.wall_s[0] == pytest.approx(wall_s)
    assert result.finished[0] == (how == "finished")
    assert result.failures[0] == twin.failures
    assert result.from_storage[0] == twin.from_storage
    for name, value in twin.times.items():
        column = result.times_s[0, TIME_NAMES.index(name)]
        assert column == pytest.approx(value, abs=1e-5), name
    assert result.recovery_s.tolist() == pytest.approx(twin.recoveries)


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**64 - 1), st.floats(2000, 30_000), st.floats(0.3, 0.9))
def test_smaller_job_is_the_twin_s(seed, mtbf_s, share) -> None:
    run = TrainingRun(8, 8, rates(3600 / (64 * mtbf_s)), float("inf"), 50_000, 1, 8000, 0.3, 3)
    protection = Protection("asynchronous", CheckpointCost(5, 50, 20), 500, 30, 300, 0.2, 1, share)
    twin, wall_s, _ = simulate(run, protection, seed)
    result = simulate_runs(run, protection, [seed])
    assert result.wall_s[0] == pytest.approx(wall_s)
    assert result.failures[0] == twin.failures
    for name, value in twin.times.items():
        assert result.times_s[0, TIME_NAMES.index(name)] == pytest.approx(value, abs=1e-5), name
