"""Time slicing: one context at a time, round robin over the clients that have work."""

from __future__ import annotations

from collections.abc import Sequence

from gpudeck.errors import InputError
from gpudeck.models.sharing.gpu.arrangement import Arrangement, admit
from gpudeck.models.sharing.gpu.tenant import Tenant, check_positive


def arrange_time_slicing(
    tenants: Sequence[Tenant], gpu_memory_gib: float, *, slice_ms: float, switch_us: float
) -> Arrangement:
    """Put all tenants on one GPU: memory not partitioned, one fault domain.

    A client without work gives its slice away at once; a switch to another client costs
    ``switch_us``; a client that is alone is never switched. The slice is a parameter because no
    vendor publishes its length.

    Raises
    ------
    InputError
        The slice is not above 0, or the switch is negative.
    """
    check_slice(slice_ms, switch_us)
    admitted, refused = admit(tenants, gpu_memory_gib)
    return Arrangement(
        admitted,
        refused,
        "sliced",
        (1.0,) * len(admitted),
        True,
        slice_ms=slice_ms,
        switch_ms=switch_us / 1000,
    )


def check_slice(slice_ms: float, switch_us: float) -> None:
    """Refuse a slice or a switch that cannot be."""
    check_positive("slice_ms", slice_ms, 1e9)
    if not 0 <= switch_us <= 1e6:
        msg = f"switch_us is {switch_us!r}; allowed is a number from 0 to 1000000"
        raise InputError(msg)


def slice_shares(
    weights: Sequence[float], slice_ms: float, switch_ms: float = 0.0
) -> tuple[float, ...]:
    """Return each client's share of the GPU when all of them always have work.

    share = weight · slice / Σ (weight · slice + switch); a single client has it all.

    >>> slice_shares([1, 1, 1, 1], 2.0, 0.1)[0]
    0.23809523809523808
    >>> slice_shares([1, 2, 1], 2.0)
    (0.25, 0.5, 0.25)
    """
    if len(weights) == 1:
        return (1.0,)
    round_ms = sum(weight * slice_ms + switch_ms for weight in weights)
    return tuple(weight * slice_ms / round_ms for weight in weights)
