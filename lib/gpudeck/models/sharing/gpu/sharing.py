"""One GPU shared by several tenants, in one of five ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.sharing.gpu import kernel
from gpudeck.models.sharing.gpu.arrangement import Arrangement
from gpudeck.models.sharing.gpu.exclusive import arrange_exclusive
from gpudeck.models.sharing.gpu.hami import TokenBucket, arrange_hami, read_token_bucket
from gpudeck.models.sharing.gpu.mig import Instance, arrange_mig
from gpudeck.models.sharing.gpu.mps import arrange_mps
from gpudeck.models.sharing.gpu.result import Run, SharingResult, TenantResult, Watch
from gpudeck.models.sharing.gpu.tenant import (
    MOST_REQUESTS,
    Tenant,
    check_positive,
    order_tenants,
)
from gpudeck.models.sharing.gpu.time_slice import arrange_time_slicing
from gpudeck.rng import generator

WAYS = ("exclusive", "time_slicing", "mps", "hami", "mig")
SLICE_MS, SWITCH_US = 2.0, 50.0
_STANDINGS = {"apart": kernel.APART, "sliced": kernel.SLICED, "together": kernel.TOGETHER}
_SLICES_AT_MOST = 20_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """A tenant whose kernel makes an illegal access at some time."""

    tenant: str
    time_s: float


def share(
    tenants: Sequence[Tenant],
    way: str,
    *,
    gpu_memory_gib: float,
    duration_s: float,
    seed: int = 0,
    slice_ms: float = SLICE_MS,
    switch_us: float = SWITCH_US,
    clients_at_most: int | None = None,
    instances: Mapping[str, Instance] | None = None,
    bucket: TokenBucket | None = None,
    forced: bool = False,
    fault: Fault | None = None,
    log_entries: int = 0,
) -> SharingResult:
    """Run the tenants for a while and report what each got.

    The tenants' random numbers depend on seed and id alone, so that all ways see the same requests,
    and a tenant's do not change when another one appears.

    Parameters
    ----------
    tenants
        One or more, ids distinct, any order.
    way
        ``exclusive`` (a GPU for each), ``time_slicing``, ``mps``, ``hami``, ``mig``.
    gpu_memory_gib, duration_s, seed
        Memory of one GPU, simulated time, seed of the arrivals.
    slice_ms, switch_us
        Time slicing and HAMi: length of a slice, cost of a switch to another client.
    clients_at_most
        MPS: clients allowed, as the table has it if not told.
    instances
        MIG: the instance of each tenant by id; equal parts of the GPU if not told.
    bucket, forced
        HAMi: constants of the token bucket (A100 if not told); limit a lone tenant too.
    fault
        A crash: whom it takes along depends on the way.
    log_entries
        How many entries of the event log to keep.

    Raises
    ------
    InputError
        A value is out of range; the message names it.

    >>> three = [Tenant(name, kernel_ms=1.0) for name in "abc"]
    >>> got = share(three, "time_slicing", gpu_memory_gib=80, duration_s=6, switch_us=0)
    >>> [round(tenant.throughput_hz, 1) for tenant in got.tenants.values()]
    [333.3, 333.3, 333.3]
    """
    ordered = order_tenants(tenants)
    check_positive("gpu_memory_gib", gpu_memory_gib)
    check_positive("duration_s", duration_s, 1e7)
    _check_fault(fault, ordered)
    timing = {"slice_ms": slice_ms, "switch_us": switch_us}
    if way == "exclusive":
        plan = arrange_exclusive(ordered, gpu_memory_gib)
    elif way == "time_slicing":
        plan = arrange_time_slicing(ordered, gpu_memory_gib, **timing)
    elif way == "mps":
        plan = arrange_mps(ordered, gpu_memory_gib, clients_at_most=clients_at_most)
    elif way == "hami":
        plan = arrange_hami(ordered, gpu_memory_gib, forced=forced, **timing)
    elif way == "mig":
        plan = arrange_mig(ordered, instances or _equal_parts(ordered, gpu_memory_gib))
    else:
        msg = f"way is {way!r}; allowed are {', '.join(WAYS)}"
        raise InputError(msg)
    loop = bucket or read_token_bucket(108)
    return _run(way, ordered, plan, duration_s, seed, loop, fault, log_entries)


def _check_fault(fault: Fault | None, tenants: Sequence[Tenant]) -> None:
    ids = [tenant.id for tenant in tenants]
    if fault is not None and (fault.tenant not in ids or not 0 <= fault.time_s < float("inf")):
        msg = f"fault is {fault}; allowed is a time of 0 or more and one of {', '.join(ids)}"
        raise InputError(msg)


def _equal_parts(tenants: Sequence[Tenant], gpu_memory_gib: float) -> dict[str, Instance]:
    part = 1 / len(tenants)
    return {t.id: Instance(f"1/{len(tenants)}", part, part, part * gpu_memory_gib) for t in tenants}


def _run(
    way: str,
    tenants: Sequence[Tenant],
    plan: Arrangement,
    duration_s: float,
    seed: int,
    loop: TokenBucket,
    fault: Fault | None,
    log_entries: int,
) -> SharingResult:
    admitted, end_ms = plan.admitted, 1000 * duration_s
    if plan.slice_ms < end_ms / _SLICES_AT_MOST:
        msg = f"duration_s is {duration_s}, slice_ms {plan.slice_ms}: allowed are 2e7 slices a run"
        raise InputError(msg)
    draws = [_draw(tenant, duration_s, seed) for tenant in admitted]
    first = np.concatenate([[0], np.cumsum([len(each) for each in draws])]).astype(np.int64)
    real, whole = _columns(plan, seed, loop)
    out = np.zeros((len(admitted), kernel.OUT_COLUMNS))
    issued, latency = np.full((2, int(first[-1])), np.nan)
    turns = int(end_ms / loop.wait_ms) + 2 if any(whole[:, kernel.LIMIT]) else 0
    ticks = np.zeros((len(admitted), turns, kernel.TICK_COLUMNS + 1))
    log = np.zeros((log_entries, 3))
    at = [n for n, tenant in enumerate(admitted) if fault and tenant.id == fault.tenant]
    entries = kernel.simulate(
        _STANDINGS[plan.standing], end_ms, min(plan.slice_ms, 1e12), plan.switch_ms,
        1000 * fault.time_s if fault else 0.0, at[0] if at else -1, plan.one_fault_domain,
        real, whole, np.concatenate([*draws, np.empty(0)]), first, _rule(loop), loop.nap_ms,
        out, issued, latency, ticks, log,
    )  # fmt: skip
    results = _collect(tenants, plan, out, (issued, latency), first, draws, duration_s)
    used = {name: _used(plan, out, name) / (end_ms * plan.gpus) for name in ("sm", "bandwidth")}
    return SharingResult(
        way,
        duration_s,
        plan.gpus,
        results,
        used["sm"],
        used["bandwidth"],
        tuple(
            Run(None if who < 0 else admitted[int(who)].id, float(start), float(end))
            for who, start, end in log[:entries]
        ),
        {
            tenant.id: _watch_of(plan.limits_pct[n], ticks[n])
            for n, tenant in enumerate(admitted)
            if whole[n, kernel.LIMIT]
        },
        plan.instances,
    )


def _draw(tenant: Tenant, duration_s: float, seed: int) -> NDArray[np.float64]:
    """Draw arrival times (open loop) or the pause before each request (closed loop), in ms."""
    rng = generator(seed, "sharing", tenant.id)
    if tenant.rate_hz is None:
        most = 1000 * duration_s / tenant.work_ms + 2
        _check_requests(tenant, most)
        return rng.exponential(tenant.pause_ms, int(most))
    expected = tenant.rate_hz * duration_s
    _check_requests(tenant, expected)
    gaps = rng.exponential(1000 / tenant.rate_hz, int(expected + 10 * expected**0.5) + 20)
    times = np.cumsum(gaps)
    return times[times < 1000 * duration_s]


def _check_requests(tenant: Tenant, count: float) -> None:
    if count > MOST_REQUESTS:
        msg = (
            f"tenant {tenant.id!r} has about {count:.3g} requests in this time; allowed are"
            f" {MOST_REQUESTS}: raise kernels, or shorten duration_s"
        )
        raise InputError(msg)


def _columns(plan: Arrangement, seed: int, loop: TokenBucket) -> tuple[NDArray, NDArray]:
    real = np.zeros((len(plan.admitted), kernel.REAL_COLUMNS))
    whole = np.zeros((len(plan.admitted), kernel.WHOLE_COLUMNS), np.int64)
    for n, tenant in enumerate(plan.admitted):
        # each container starts its watcher when it starts itself
        phase_ms = float(generator(seed, "watcher", tenant.id).uniform(0, loop.wait_ms))
        real[n, kernel.KERNEL_MS], real[n, kernel.SM] = tenant.kernel_ms, tenant.sm
        real[n, kernel.BANDWIDTH], real[n, kernel.WEIGHT] = tenant.bandwidth, tenant.weight
        real[n, kernel.CAP], real[n, kernel.PAUSE_MS] = plan.caps[n], tenant.pause_ms
        real[n, kernel.PHASE_MS] = phase_ms
        whole[n, kernel.KERNELS], whole[n, kernel.OPEN] = tenant.kernels, tenant.rate_hz is not None
        whole[n, kernel.GRIDS], whole[n, kernel.AHEAD] = tenant.blocks, tenant.ahead
        whole[n, kernel.LIMIT] = plan.limits_pct[n] if plan.limits_pct else 0
    return real, whole


def _rule(loop: TokenBucket) -> NDArray[np.int64]:
    return np.array(
        [loop.sms, loop.threads, loop.power, loop.divisor, loop.floor_pct, loop.wait_ms,
         loop.window_ms, loop.factor], np.int64,
    )  # fmt: skip


def _used(plan: Arrangement, out: NDArray, name: str) -> float:
    pairs = zip(plan.admitted, out[:, kernel.DONE_MS], strict=True)
    return float(sum(getattr(tenant, name) * done for tenant, done in pairs))


def _collect(
    tenants: Sequence[Tenant],
    plan: Arrangement,
    out: NDArray,
    times: tuple[NDArray, NDArray],
    first: NDArray,
    draws: Sequence[NDArray],
    duration_s: float,
) -> dict[str, TenantResult]:
    place = {tenant.id: n for n, tenant in enumerate(plan.admitted)}
    results = {}
    for tenant in tenants:
        n = place.get(tenant.id)
        if n is None:
            nothing = np.empty(0)
            results[tenant.id] = TenantResult(
                tenant.id, "refused", plan.refused[tenant.id], 0, 0, 0.0, 0.0, 0.0, 0,
                nothing, nothing, 0.0, float("nan"),
            )  # fmt: skip
            continue
        came, own = (each[first[n] : first[n + 1]] for each in times)
        came, own = came[~np.isnan(own)], own[~np.isnan(own)]
        alive = bool(out[n, kernel.ALIVE])
        results[tenant.id] = TenantResult(
            tenant.id,
            "served" if alive else "died",
            "" if alive else "fault",
            int(out[n, kernel.ARRIVED]),
            int(out[n, kernel.FINISHED]),
            float(out[n, kernel.ARRIVED]) * tenant.work_ms,
            float(out[n, kernel.DONE_MS]),
            float(out[n, kernel.BUSY_MS]),
            int(out[n, kernel.LAUNCHES]),
            came,
            own,
            float(out[n, kernel.FINISHED]) / duration_s,
            float(own.mean()) / _alone_ms(tenant, draws[n][: len(own)]) if len(own) else np.nan,
        )
    return results


def _alone_ms(tenant: Tenant, draws: NDArray[np.float64]) -> float:
    """Mean latency of the same requests on a GPU alone: they wait for each other only."""
    if tenant.rate_hz is None:
        return tenant.work_ms
    # each starts when it comes or when the one before has ended, whichever is later
    service_ms = tenant.work_ms + tenant.pause_ms
    served = service_ms * np.arange(len(draws))
    starts = served + np.maximum.accumulate(draws - served)
    return float((starts + service_ms - draws).mean())


def _watch_of(limit_pct: int, ticks: NDArray) -> Watch:
    seen = ticks[ticks[:, kernel.AT_MS] > 0]
    return Watch(
        limit_pct,
        seen[:, kernel.AT_MS],
        seen[:, kernel.UTILISATION],
        seen[:, kernel.TOKENS],
        seen[:, kernel.REFILL],
        seen[:, kernel.LAUNCHED],
    )
