"""Exclusive: a whole GPU for each tenant."""

from __future__ import annotations

from collections.abc import Sequence

from gpudeck.models.sharing.gpu.arrangement import Arrangement
from gpudeck.models.sharing.gpu.tenant import Tenant


def arrange_exclusive(tenants: Sequence[Tenant], gpu_memory_gib: float) -> Arrangement:
    """Give each tenant a GPU of its own, where its memory fits one.

    >>> arrange_exclusive([Tenant("a", 1.0), Tenant("b", 1.0)], 80).gpus
    2
    """
    admitted = tuple(tenant for tenant in tenants if tenant.memory_gib <= gpu_memory_gib)
    refused = {
        tenant.id: f"out of memory: {tenant.memory_gib:g} > {gpu_memory_gib:g} GiB"
        for tenant in tenants
        if tenant not in admitted
    }
    return Arrangement(
        admitted, refused, "apart", (1.0,) * len(admitted), False, gpus=max(len(admitted), 1)
    )
