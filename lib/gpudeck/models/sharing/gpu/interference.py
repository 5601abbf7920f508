"""Interference: what co-running kernels leave each other of SMs and memory bandwidth.

Assumptions, all of them stated on the page's notes:

1. A kernel's demand for SMs and for bandwidth is constant while it runs.
2. A resource that is not saturated slows nobody.
3. A saturated resource is shared in proportion to demand: all who use it slow by one factor.
4. A tenant that uses two saturated resources slows by the worse of the two.
5. Contention for L2 is contained in the bandwidth demand; power and clocks are left out.
"""

from __future__ import annotations

from collections.abc import Sequence

from gpudeck.errors import InputError


def share_rates(
    sm: Sequence[float], bandwidth: Sequence[float], caps: Sequence[float] | None = None
) -> list[float]:
    """Return the speed of each co-running tenant, 1 being the GPU alone.

    rate = cap · min(1, 1 / Σ cap · sm if it uses SMs, 1 / Σ cap · bandwidth if it uses bandwidth)

    Parameters
    ----------
    sm, bandwidth
        Demand of each when alone, 0 to 1, shape (tenants,).
    caps
        Largest speed of each, as a thread percentage allows it; 1 if not told.

    Raises
    ------
    InputError
        The lengths differ, or a demand is outside 0 to 1.

    >>> share_rates([0.9, 0.6], [0.2, 0.2])
    [0.6666666666666666, 0.6666666666666666]
    >>> share_rates([0.4, 0.5], [0.3, 0.3])
    [1.0, 1.0]
    """
    speeds = [1.0] * len(sm) if caps is None else list(caps)
    if not len(sm) == len(bandwidth) == len(speeds):
        msg = f"{len(sm)} sm, {len(bandwidth)} bandwidth, {len(speeds)} caps: allowed is one each"
        raise InputError(msg)
    for n, (s, b) in enumerate(zip(sm, bandwidth, strict=True)):
        if not (0 <= s <= 1 and 0 <= b <= 1):
            msg = f"tenant {n}: sm is {s!r}, bandwidth is {b!r}; allowed is 0 to 1"
            raise InputError(msg)
    loads = [
        max(1.0, sum(speed * each for speed, each in zip(speeds, demand, strict=True)))
        for demand in (sm, bandwidth)
    ]
    return [
        speed * min(1 / loads[0] if s > 0 else 1.0, 1 / loads[1] if b > 0 else 1.0)
        for speed, s, b in zip(speeds, sm, bandwidth, strict=True)
    ]
