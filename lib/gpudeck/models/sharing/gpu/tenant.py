"""A tenant of a shared GPU: its requests, the kernels that they are made of, its memory."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from gpudeck.errors import InputError

# what one run may hold: more is a mistake in a unit
MOST_REQUESTS = 5_000_000


@dataclass(frozen=True, slots=True)
class Tenant:
    """One client of a GPU that runs one request after the other, each a chain of equal kernels.

    Parameters
    ----------
    id : str
        Name, unique among the tenants.
    kernel_ms : float
        Duration of a kernel when the tenant has the GPU alone.
    kernels : int
        Kernels of one request.
    sm, bandwidth : float
        Share of the SMs and of the memory bandwidth that its kernels use when alone, 0 to 1.
    memory_gib : float
        Memory that it allocates at its start.
    rate_hz : float or None
        Poisson arrivals a second (open loop); None: the next request follows the last one (closed).
    pause_ms : float
        Closed loop: mean of an exponential pause before each request, no part of its latency. Open
        loop: host work before the kernels of each request, part of its latency.
    blocks : int
        Thread blocks of a kernel's grid: the tokens that a launch takes in HAMi.
    ahead : int
        Kernels that the host launches ahead of their end.
    weight : float
        Length of its time slice in slices.
    thread_pct : float
        MPS: active thread percentage, above 0 to 100; it caps and does not reserve.
    core_limit_pct : int
        HAMi: limit of its utilisation, 0 to 100; 0 and 100 are off.
    memory_limit_gib : float or None
        MPS (pinned memory limit) and HAMi: memory that it may allocate.

    Raises
    ------
    InputError
        A value is out of range; the message names tenant and field.

    >>> Tenant("chat", kernel_ms=0.5, kernels=40).work_ms
    20.0
    """

    id: str
    kernel_ms: float
    kernels: int = 1
    sm: float = 1.0
    bandwidth: float = 0.0
    memory_gib: float = 0.0
    rate_hz: float | None = None
    pause_ms: float = 0.0
    blocks: int = 1
    ahead: int = 1024
    weight: float = 1.0
    thread_pct: float = 100.0
    core_limit_pct: int = 0
    memory_limit_gib: float | None = None

    def __post_init__(self) -> None:
        # field: lowest, highest, whether the lowest is allowed
        bounds: dict[str, tuple[float, float, bool]] = {
            "kernel_ms": (1e-3, 1e6, True),
            "kernels": (1, 1e9, True),
            "sm": (0, 1, True),
            "bandwidth": (0, 1, True),
            "memory_gib": (0, math.inf, True),
            "rate_hz": (0, 1e6, False),
            "pause_ms": (0, 1e9, True),
            "blocks": (1, 2**31 - 1, True),
            "ahead": (1, 2**31 - 1, True),
            "weight": (0.01, 1000, True),
            "thread_pct": (0, 100, False),
            "core_limit_pct": (0, 100, True),
            "memory_limit_gib": (0, math.inf, False),
        }
        if not self.id:
            msg = "tenant id is empty; allowed is a name"
            raise InputError(msg)
        for name, (low, high, closed) in bounds.items():
            self._check(name, low, high, closed=closed)
        if self.sm == 0 and self.bandwidth == 0:
            msg = f"tenant {self.id!r}: sm and bandwidth are both 0; allowed is one of them above 0"
            raise InputError(msg)

    def _check(self, name: str, low: float, high: float, *, closed: bool) -> None:
        value = getattr(self, name)
        if value is None and name in ("rate_hz", "memory_limit_gib"):
            return
        kind = int if name in ("kernels", "blocks", "ahead", "core_limit_pct") else (int, float)
        right = isinstance(value, kind) and not isinstance(value, bool)
        if right and low <= value <= high and (closed or value > low) and value < math.inf:
            return
        what = "a whole number" if kind is int else "a number"
        start = f"from {low:g}" if closed else f"above {low:g}"
        msg = f"tenant {self.id!r}: {name} is {value!r}; allowed is {what} {start} to {high:g}"
        raise InputError(msg)

    @property
    def work_ms(self) -> float:
        """GPU time of one request when alone."""
        return self.kernels * self.kernel_ms

    @property
    def tight_gib(self) -> float:
        """Memory that the tenant may allocate."""
        return math.inf if self.memory_limit_gib is None else self.memory_limit_gib


def order_tenants(tenants: Sequence[Tenant]) -> tuple[Tenant, ...]:
    """Return the tenants by id, so that the order in which they are told changes nothing.

    Raises
    ------
    InputError
        There is no tenant, or two have one id.
    """
    if not tenants:
        msg = "there are no tenants; allowed is one or more"
        raise InputError(msg)
    ordered = tuple(sorted(tenants, key=lambda tenant: tenant.id))
    for before, after in pairwise(ordered):
        if before.id == after.id:
            rows = [n for n, tenant in enumerate(tenants) if tenant.id == after.id]
            msg = f"tenants in rows {rows} have the id {after.id!r}; allowed is one row an id"
            raise InputError(msg)
    return ordered


def check_positive(name: str, value: float, highest: float = math.inf) -> None:
    """Refuse an option that is not a finite number above 0.

    Raises
    ------
    InputError
        Names the option, its value and what is allowed.
    """
    if not 0 < value < math.inf or value > highest:
        msg = f"{name} is {value!r}; allowed is a finite number above 0, at most {highest:g}"
        raise InputError(msg)
