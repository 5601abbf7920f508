"""What each tenant of a shared GPU got, and what the GPU did."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class TenantResult:
    """One tenant: status is served, died (a fault) or refused (memory), and why.

    Work is ms of the GPU alone; ``issued_ms`` and ``latency_ms`` hold when each finished request
    came and how long it took, shape (finished,). ``slowdown`` is the mean latency over that of
    the same requests on a GPU alone.
    """

    id: str
    status: str
    reason: str
    arrived: int
    finished: int
    work_arrived_ms: float
    work_done_ms: float
    busy_ms: float
    launches: int
    issued_ms: NDArray[np.float64]
    latency_ms: NDArray[np.float64]
    throughput_hz: float
    slowdown: float

    @property
    def work_left_ms(self) -> float:
        """Work that has arrived and is not done."""
        return self.work_arrived_ms - self.work_done_ms

    @property
    def mean_ms(self) -> float:
        """Mean latency; NaN without a finished request."""
        return float(self.latency_ms.mean()) if len(self.latency_ms) else float("nan")

    def latency_at(self, percent: float) -> float:
        """Percentile of the latency; NaN without a finished request."""
        return (
            float(np.percentile(self.latency_ms, percent)) if len(self.latency_ms) else float("nan")
        )


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of time in which a tenant's kernels ran; tenant None is a context switch."""

    tenant: str | None
    start_ms: float
    end_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class Watch:
    """What HAMi's watcher of one tenant saw at each of its turns; every array (turns,).

    ``launches`` counts kernel launches up to then, ``refill`` is the tokens given each turn.
    """

    limit_pct: int
    time_ms: NDArray[np.float64]
    utilisation_pct: NDArray[np.float64]
    tokens: NDArray[np.float64]
    refill: NDArray[np.float64]
    launches: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SharingResult:
    """The outcome of one way of sharing; tenants by id.

    ``sm_busy`` and ``bandwidth_busy`` are fractions of the GPUs held, over the whole time;
    ``runs`` is the first part of the event log.
    """

    way: str
    duration_s: float
    gpus: int
    tenants: dict[str, TenantResult]
    sm_busy: float
    bandwidth_busy: float
    runs: tuple[Run, ...]
    watches: dict[str, Watch]
    instances: dict[str, str]

    @property
    def refused(self) -> dict[str, str]:
        """Tenants that got no memory, and why."""
        return {t.id: t.reason for t in self.tenants.values() if t.status == "refused"}

    @property
    def victims(self) -> tuple[str, ...]:
        """Tenants that a fault killed, the faulty one among them."""
        return tuple(t.id for t in self.tenants.values() if t.status == "died")

    @property
    def throughput_hz(self) -> float:
        """Finished requests a second, of all tenants."""
        return sum(tenant.throughput_hz for tenant in self.tenants.values())

    @property
    def work_per_gpu(self) -> float:
        """Work done over the time of the GPUs held: above 1 where kernels overlap."""
        done_ms = sum(tenant.work_done_ms for tenant in self.tenants.values())
        return done_ms / (1000 * self.duration_s * self.gpus)
