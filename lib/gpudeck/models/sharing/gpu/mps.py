"""MPS: the kernels of all clients run together on one GPU."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from gpudeck.errors import InputError
from gpudeck.models.sharing.gpu.arrangement import Arrangement, admit
from gpudeck.models.sharing.gpu.tenant import Tenant
from gpudeck.tables import read_table


@cache
def client_limit(cuda: tuple[int, int] = (13, 0)) -> int:
    """Return how many clients MPS serves on one GPU.

    Source: NVIDIA, Multi-Process Service; the rise with CUDA 13.1 as quoted by others.

    >>> client_limit(), client_limit((13, 1))
    (48, 60)
    """
    name = "clients_cuda_13_1" if cuda >= (13, 1) else "clients"
    return int(read_table("sharing").row("mps", name).number)


def arrange_mps(
    tenants: Sequence[Tenant], gpu_memory_gib: float, *, clients_at_most: int | None = None
) -> Arrangement:
    """Run all tenants together: thread percentages cap, memory limits refuse, a fault kills all.

    A tenant that uses more SMs than its active thread percentage slows to percentage / use; less
    than its percentage changes nothing, and nothing is reserved for it.

    Raises
    ------
    InputError
        There are more tenants than clients allowed.
    """
    most = client_limit() if clients_at_most is None else clients_at_most
    if len(tenants) > most:
        extra = tenants[most].id
        msg = f"there are {len(tenants)} MPS clients, {extra!r} is one too many; allowed are {most}"
        raise InputError(msg)
    admitted, refused = admit(tenants, gpu_memory_gib, obey_limits=True)
    caps = tuple(min(1.0, t.thread_pct / 100 / t.sm) if t.sm else 1.0 for t in admitted)
    return Arrangement(admitted, refused, "together", caps, True)
