"""The compiled event loop against a plain twin that keeps every kernel as an object of its own."""

from collections import deque

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.models.sharing.gpu import Tenant, TokenBucket, share, share_rates
from gpudeck.rng import generator

TINY = 1e-9
SMALL = TokenBucket(sms=4, threads=64, wait_ms=12, window_ms=100)


class Client:
    """One tenant of the twin: its requests, the kernels it has launched, its token bucket."""

    def __init__(self, tenant, limit, loop, seed, duration_s):
        self.tenant, self.limit, self.loop = tenant, limit, loop
        rng = generator(seed, "sharing", tenant.id)
        self.open = tenant.rate_hz is not None
        if self.open:
            count = tenant.rate_hz * duration_s
            size = int(count + 10 * count**0.5) + 20
            times = np.cumsum(rng.exponential(1000 / tenant.rate_hz, size))
            self.coming = deque(times[times < 1000 * duration_s].tolist())
        else:
            size = int(1000 * duration_s / tenant.work_ms + 2)
            self.coming = deque(rng.exponential(tenant.pause_ms, size).tolist())
        self.queue = deque()  # ms left of each kernel launched and not ended
        self.unlaunched = self.unfinished = 0
        self.latency, self.busy = [], [(0.0, 0.0)]
        self.busy_ms = self.done_ms = 0.0
        self.tokens = self.refill = 0
        self.pool = loop.pool
        self.wake = self.start = float("inf")
        self.turn = (
            generator(seed, "watcher", tenant.id).uniform(0, loop.wait_ms) if limit else 1e99
        )
        self.take(0.0)

    def take(self, now):
        if not self.coming:
            self.start = float("inf")
            return
        drawn = self.coming.popleft()
        self.came = drawn if self.open else now + drawn
        self.start = max(now, drawn) + self.tenant.pause_ms if self.open else self.came

    def launch(self, now):
        while self.unlaunched and len(self.queue) < self.tenant.ahead:
            if self.limit and self.tokens < 0:
                self.wake = now + self.loop.nap_ms
                return
            self.tokens -= self.tenant.blocks if self.limit else 0
            self.queue.append(self.tenant.kernel_ms)
            self.unlaunched -= 1

    def end_kernels(self, now):
        while self.queue and self.queue[0] <= TINY:
            self.queue.popleft()
            self.unfinished -= 1
            if not self.unfinished:
                self.latency.append(now - self.came)
                self.take(now)
            elif self.wake > 1e98:
                self.launch(now)

    def watch(self, now):
        span = min(self.loop.window_ms, now)
        at, used = zip(*self.busy, (now, self.busy_ms), strict=True)
        before = np.interp(now - self.loop.window_ms, at, used)
        seen = min(int(100 * (self.busy_ms - before) / span + TINY), 100)
        if self.refill == self.pool and self.tokens < 0:
            self.pool *= 2
            self.refill = self.pool
        apart = max(abs(self.limit - seen), self.loop.floor_pct)
        step = self.loop.sms**self.loop.power * self.loop.threads * apart // self.loop.divisor
        if apart > self.limit // 2:
            step = step * apart * 2 // (self.limit + 1)
        grown = min(self.refill + step, self.pool)
        self.refill = grown if seen <= self.limit else max(self.refill - step, 0)
        self.tokens = min(self.tokens + self.refill, self.pool)
        self.busy.append((now, self.busy_ms))
        self.turn = now + self.loop.wait_ms

    def due(self, now):
        if self.turn <= now + TINY:
            self.watch(now)
        self.end_kernels(now)
        if self.wake <= now + TINY:
            self.wake = float("inf")
            self.launch(now)
        if self.start <= now + TINY:
            self.start = float("inf")
            self.unlaunched = self.unfinished = self.tenant.kernels
            self.launch(now)


class Turns:
    """Whose slice it is, and when it and the switch before it end."""

    def __init__(self, clients, slice_ms, switch_us):
        self.clients, self.slice_ms, self.switch_ms = clients, slice_ms, switch_us / 1000
        self.turn, self.slice_end, self.switch_end = None, 0.0, 0.0

    def rates(self, now):
        """Return the speed of each, and when this may change."""
        waiting = [n for n, client in enumerate(self.clients) if client.queue]
        over = self.turn not in waiting or now >= self.slice_end - TINY
        if now >= self.switch_end - TINY and waiting and over:
            after = [n for n in waiting if self.turn is None or n > self.turn]
            chosen = (after or waiting)[0]
            pause_ms = 0.0 if self.turn in (None, chosen) else self.switch_ms
            self.turn, self.switch_end = chosen, now + pause_ms
            weight = self.clients[chosen].tenant.weight
            self.slice_end = self.switch_end + self.slice_ms * weight
        speeds = [0.0] * len(self.clients)
        if now < self.switch_end - TINY:
            return speeds, [self.switch_end]
        if self.turn not in waiting:
            return speeds, []
        speeds[self.turn] = 1.0
        return speeds, [self.slice_end]


def rates_together(clients):
    on = [client.tenant for client in clients if client.queue]
    caps = [min(1.0, tenant.thread_pct / 100 / tenant.sm) for tenant in on]
    speeds = share_rates([t.sm for t in on], [t.bandwidth for t in on], caps)
    by_id = dict(zip([t.id for t in on], speeds, strict=True))
    return [by_id.get(client.tenant.id, 0.0) for client in clients]


def advance(clients, rates, step):
    for client, rate in zip(clients, rates, strict=True):
        if rate:
            client.queue[0] -= rate * step
            client.done_ms += rate * step
            client.busy_ms += step


def twin(tenants, way, duration_s, seed, slice_ms, switch_us, loop):
    """Run the tenants; return work done and latencies of each."""
    ordered = sorted(tenants, key=lambda tenant: tenant.id)
    limits = [t.core_limit_pct % 100 if way == "hami" and len(tenants) > 1 else 0 for t in ordered]
    clients = [Client(t, n, loop, seed, duration_s) for t, n in zip(ordered, limits, strict=True)]
    turns = Turns(clients, slice_ms, switch_us)
    now, end = 0.0, 1000 * duration_s
    while True:
        for client in clients:
            client.due(now)
        if now >= end - TINY:
            return {c.tenant.id: (c.done_ms, c.latency) for c in clients}
        moments = []
        if way in ("time_slicing", "hami"):
            rates, moments = turns.rates(now)
        elif way == "mps":
            rates = rates_together(clients)
        else:
            rates = [1.0 if client.queue else 0.0 for client in clients]
        for client, rate in zip(clients, rates, strict=True):
            moments += [client.turn, client.wake, client.start]
            moments += [now + client.queue[0] / rate] if rate else []
        step = min([*moments, end]) - now
        advance(clients, rates, step)
        now += step


@st.composite
def tenant_lists(draw):
    count = draw(st.integers(1, 4))
    tenants = []
    for n in range(count):
        opened = draw(st.booleans())
        tenants.append(
            Tenant(
                f"t{n}",
                kernel_ms=draw(st.sampled_from([0.37, 1.0, 2.9])),
                kernels=draw(st.integers(1, 9)),
                sm=draw(st.sampled_from([0.3, 0.7, 1.0])),
                bandwidth=draw(st.sampled_from([0.0, 0.4, 0.9])),
                rate_hz=draw(st.sampled_from([5.0, 40.0])) if opened else None,
                pause_ms=draw(st.sampled_from([0.0, 3.0])),
                blocks=draw(st.sampled_from([10, 700])),
                ahead=draw(st.sampled_from([1, 3, 1024])),
                weight=draw(st.sampled_from([1.0, 2.0])),
                thread_pct=draw(st.sampled_from([25.0, 100.0])),
                core_limit_pct=draw(st.sampled_from([0, 10, 40, 90])),
            )
        )
    return tenants


@pytest.mark.parametrize("way", ["exclusive", "time_slicing", "mps", "hami"])
@settings(max_examples=25, deadline=None)
@given(tenants=tenant_lists(), seed=st.integers(0, 99), slice_ms=st.sampled_from([0.7, 2.0, 11.0]))
def test_the_kernel_agrees_with_the_twin(way, tenants, seed, slice_ms):
    got = share(
        tenants, way, gpu_memory_gib=1, duration_s=0.7, seed=seed, slice_ms=slice_ms,
        switch_us=130, bucket=SMALL,
    )  # fmt: skip
    expected = twin(tenants, way, 0.7, seed, slice_ms, 130, SMALL)
    for name, (done_ms, latency) in expected.items():
        assert got.tenants[name].work_done_ms == pytest.approx(done_ms, abs=1e-5)
        assert got.tenants[name].latency_ms.tolist() == pytest.approx(latency, abs=1e-5)
