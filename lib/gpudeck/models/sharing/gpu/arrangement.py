"""What a way of sharing makes of the tenants before any of them runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from gpudeck.models.sharing.gpu.tenant import Tenant

Standing = Literal["apart", "sliced", "together"]


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Who is admitted, how fast each may go, and how they stand to each other.

    ``caps`` is the largest speed of each admitted tenant, ``limits_pct`` the limit of its
    utilisation that HAMi watches (0: none). ``refused`` tells why a tenant got no memory. With
    ``one_fault_domain`` a crash of one takes all along. ``gpus`` is how many GPUs are held.
    """

    admitted: tuple[Tenant, ...]
    refused: dict[str, str]
    standing: Standing
    caps: tuple[float, ...]
    one_fault_domain: bool
    gpus: int = 1
    limits_pct: tuple[int, ...] = ()
    slice_ms: float = float("inf")
    switch_ms: float = 0.0
    forced: bool = False
    instances: dict[str, str] = field(default_factory=dict)


def admit(
    tenants: Sequence[Tenant], memory_gib: float, *, obey_limits: bool = False
) -> tuple[tuple[Tenant, ...], dict[str, str]]:
    """Let the tenants allocate, by id, from one memory that is not partitioned.

    Returns
    -------
    The tenants whose allocation succeeded, and for each other one why it failed: out of memory, or
    its own limit, where limits are obeyed (used + new > limit).
    """
    admitted: list[Tenant] = []
    refused: dict[str, str] = {}
    used_gib = 0.0
    for tenant in tenants:
        new_gib = tenant.memory_gib
        if obey_limits and new_gib > tenant.tight_gib:
            refused[tenant.id] = f"its limit: 0 + {new_gib:g} > {tenant.tight_gib:g} GiB"
        elif used_gib + new_gib > memory_gib:
            refused[tenant.id] = f"out of memory: {used_gib:g} + {new_gib:g} > {memory_gib:g} GiB"
        else:
            used_gib += new_gib
            admitted.append(tenant)
    return tuple(admitted), refused
