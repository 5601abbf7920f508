"""The compiled loops against plain Python that was written from the rules, not from the kernel."""

import math
from dataclasses import replace

import numpy as np
import pytest

from gpudeck.models.sharing.right_sizing import (
    Usage,
    UsageShape,
    VpaPolicy,
    default_policy,
    run_recommender,
    simulate_usage,
)
from gpudeck.models.sharing.right_sizing.kernel import (
    bucket_start,
    count_exceedances,
    find_bucket,
)
from gpudeck.rng import generator

GIB = 2.0**30


class Histogram:
    """A decaying histogram over buckets that grow by 5 %."""

    def __init__(self, first: float, half_life: float, growth: float) -> None:
        self.first, self.half_life, self.ratio = first, half_life, 1 + growth
        self.weight: dict[int, float] = {}

    def bucket(self, value: float) -> int:
        if value < self.first:
            return 0
        return int(math.log(value * (self.ratio - 1) / self.first + 1) / math.log(self.ratio))

    def add(self, value: float, time: float, sign: int = 1) -> None:
        key = self.bucket(value)
        self.weight[key] = self.weight.get(key, 0.0) + sign * 2 ** (time / self.half_life)
        if self.weight[key] <= 0:
            del self.weight[key]

    def percentile(self, share: float) -> float:
        total, partial = sum(self.weight[key] for key in sorted(self.weight)), 0.0
        for key in sorted(self.weight):
            partial += self.weight[key]
            if partial >= share * total:
                break
        return self.first * (self.ratio ** (key + 1) - 1) / (self.ratio - 1)


def plain_bounds(hists, days: float, ceiling: float, policy: VpaPolicy):
    margin = 1 + policy.margin
    target = [min(h.percentile(policy.target_percentile) * margin, ceiling) for h in hists]
    trust = margin * (1 + policy.lower_confidence / days) ** -2
    lower = [min(h.percentile(policy.lower_percentile) * trust, ceiling) for h in hists]
    trust = margin * (1 + policy.upper_confidence / days)
    return target, lower, [h.percentile(policy.upper_percentile) * trust for h in hists]


def plain_choice(now, target, lower, upper, age_h: float, policy: VpaPolicy, *, killed: bool):
    if killed:
        return target[0] > now[0]
    change = sum(abs(t - r) / r for t, r in zip(target, now, strict=True))
    outside = any(r < low or r > high for r, low, high in zip(now, lower, upper, strict=True))
    aged = age_h >= policy.lifetime_h and change >= policy.min_change
    return change > 1e-12 and (outside or aged or not policy.hysteresis)


def plain_loop(usage: Usage, pod: int, policy: VpaPolicy, device_gib: float):
    per_hour = 60 / usage.sample_min
    ceiling = usage.ceiling[pod]
    declared_b = device_gib * GIB / ceiling
    hists = (
        Histogram(policy.first_bucket_b / declared_b, policy.half_life_h * per_hour, 0.05),
        Histogram(policy.first_bucket_compute * ceiling, policy.half_life_h * per_hour, 0.05),
    )
    now, born, end, down = [1.0, 1.0], 0, 0, False
    usage_peak = oom_peak = 0.0
    requests, marks = [], []
    for step in range(usage.memory.shape[1]):
        mark = 0
        if step >= end:
            end, usage_peak, oom_peak = step + round(policy.peak_interval_h * per_hour), 0.0, 0.0
        seen = min(usage.memory[pod, step], now[0])
        peak = max(usage_peak, oom_peak)
        if seen > peak:
            if peak:
                hists[0].add(peak, end, -1)
            hists[0].add(seen, end)
        usage_peak = max(usage_peak, seen)
        hists[1].add(min(usage.compute[pod, step], now[1]), step)
        over = usage.memory[pod, step] > now[0]
        killed, down = over and not down, over
        if killed:
            mark = 2
            used = max(now[0], usage_peak)
            needed = max(used + policy.oom_bump_b / declared_b, used * policy.oom_bump_ratio)
            peak = max(usage_peak, oom_peak)
            if needed > peak:
                hists[0].add(peak, end, -1)
                hists[0].add(needed, end)
                oom_peak = needed
        if step and (killed or step % round(per_hour) == 0):
            target, lower, upper = plain_bounds(hists, step / (24 * per_hour), ceiling, policy)
            age_h = (step - born) / per_hour
            go = plain_choice(now, target, lower, upper, age_h, policy, killed=killed)
            if go:
                now, born, down, mark = target, step, False, mark | 1
        requests.append(tuple(now))
        marks.append(mark)
    return np.array(requests).T, np.array(marks)


@pytest.mark.parametrize("hysteresis", [True, False])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_loop_is_the_plain_one(seed: int, *, hysteresis: bool) -> None:
    shape = UsageShape(6, 30, 0.5, 0.3, 0.15, 0.4, 0.3, 2.0, 0.5)
    usage = simulate_usage(shape, [1.0, 0.3, 2.0], [1.0, 1 / 0.3, 1.0], seed)
    policy = replace(default_policy(), hysteresis=hysteresis)
    result = run_recommender(usage, policy, 78.5)
    for pod in range(3):
        requests, marks = plain_loop(usage, pod, policy, 78.5)
        assert result.memory[pod] == pytest.approx(requests[0], rel=1e-9)
        assert result.compute[pod] == pytest.approx(requests[1], rel=1e-9)
        assert (result.marks[pod] == marks).all()
        assert result.kills[pod] == (marks >= 2).sum()
        assert result.resizes[pod] == (marks % 2).sum()
        before = np.concatenate([[1.0], requests[1][:-1]])
        assert result.throttled[pod] == (usage.compute[pod] > before).sum()
    assert result.kills.sum() > 0


@pytest.mark.parametrize("seed", range(5))
def test_exceedances_are_counted_as_a_plain_loop_does(seed: int) -> None:
    rng = generator(seed, "exceedances")
    use = rng.integers(0, 8, (4, 60)).astype(float)
    bound = np.sort(rng.integers(0, 8, (4, 7)).astype(float), axis=1)
    episodes, above = count_exceedances(use, bound)
    for pod in range(4):
        for request in range(7):
            over = use[pod] > bound[pod, request]
            begins = over & ~np.concatenate([[False], over[:-1]])
            assert episodes[pod, request] == begins.sum()
            assert above[pod, request] == over.sum()


def test_buckets_hold_their_values_and_grow_by_five_per_cent() -> None:
    for value in (0.0, 0.4, 1.0, 1.9, 7.3, 900.0):
        bucket = find_bucket(value, 1.0, 0.05)
        assert bucket_start(bucket, 1.0, 0.05) <= value + 1e-9
        assert value < bucket_start(bucket + 1, 1.0, 0.05) + 1e-9
    widths = np.diff([bucket_start(bucket, 1.0, 0.05) for bucket in range(9)])
    assert widths[1:] / widths[:-1] == pytest.approx(1.05)
