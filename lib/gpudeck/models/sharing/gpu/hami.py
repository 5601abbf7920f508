"""HAMi: memory that is refused beyond a limit, and cores that a token bucket throttles.

HAMi-core stands between a container and the driver. Each kernel launch takes as many tokens as its
grid has blocks; while the bucket is below zero the launch sleeps 10 ms and looks again. Every
120 ms a watcher reads the container's utilisation over the last second and moves the refill: up by
a step while the utilisation is at or below the limit, down by it above. The step is

    SM² · threads · max(5, |limit − util|) / 2560, times 2 · |limit − util| / (limit + 1)
    where |limit − util| > limit / 2

and the bucket holds SM · threads · 32 tokens, twice that whenever it is full and overdrawn. So it
reacts to what has run, it does not cap what will run. Kernels of several containers are time-sliced
by the driver.

Source: Project-HAMi, HAMi-core, src/multiprocess/multiprocess_utilization_watcher.c.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from gpudeck.errors import InputError
from gpudeck.models.sharing.gpu import kernel
from gpudeck.models.sharing.gpu.arrangement import Arrangement, admit
from gpudeck.models.sharing.gpu.tenant import Tenant
from gpudeck.models.sharing.gpu.time_slice import check_slice
from gpudeck.tables import read_table


@dataclass(frozen=True, slots=True)
class TokenBucket:
    """The constants of the loop, on a GPU of ``sms`` SMs with ``threads`` threads each.

    ``power`` is the power of the number of SMs in the step: 2 in HAMi-core, 1 in a proposed fix.
    """

    sms: int = 108
    threads: int = 2048
    power: int = 2
    divisor: int = 2560
    floor_pct: int = 5
    wait_ms: int = 120
    window_ms: int = 1000
    factor: int = 32
    nap_ms: float = 10.0

    @property
    def pool(self) -> int:
        """Tokens that a full bucket holds at first.

        >>> TokenBucket().pool
        7077888
        """
        return self.sms * self.threads * self.factor

    def refill(self, limit_pct: int, utilisation_pct: int, share: int) -> int:
        """Return the next refill from the last one.

        >>> TokenBucket().refill(50, 50, 0)
        46656
        """
        return int(
            kernel.refill(
                limit_pct, utilisation_pct, share, self.pool,
                self.sms, self.threads, self.power, self.divisor, self.floor_pct,
            )
        )  # fmt: skip


@cache
def read_token_bucket(sms: int, threads: int | None = None, power: int = 2) -> TokenBucket:
    """Read the constants of the loop from ``data/sharing.csv`` for a GPU of so many SMs.

    Raises
    ------
    InputError
        A count is below 1.
    """
    table = read_table("sharing")
    each = threads or int(table.row("gpu", "threads_per_sm").number)
    if sms < 1 or each < 1 or power not in (1, 2):
        msg = f"sms is {sms}, threads is {each}, power is {power}; allowed are 1 or more, 1 or 2"
        raise InputError(msg)
    rows = {name: row.number for name, row in table.of("hami-core").items()}
    return TokenBucket(
        sms,
        each,
        power,
        int(rows["step_divisor"]),
        int(rows["step_floor"]),
        int(rows["watch"]),
        int(rows["window"]),
        int(rows["bucket_factor"]),
        rows["nap"],
    )


def arrange_hami(
    tenants: Sequence[Tenant],
    gpu_memory_gib: float,
    *,
    slice_ms: float,
    switch_us: float,
    forced: bool = False,
) -> Arrangement:
    """Time-slice the tenants, refuse memory beyond each limit, and watch those with a core limit.

    A lone tenant is not limited unless forced; a limit of 0 or 100 is off.
    """
    check_slice(slice_ms, switch_us)
    admitted, refused = admit(tenants, gpu_memory_gib, obey_limits=True)
    watched = forced or len(admitted) > 1
    limits = tuple(t.core_limit_pct % 100 if watched else 0 for t in admitted)
    return Arrangement(
        admitted,
        refused,
        "sliced",
        (1.0,) * len(admitted),
        True,
        limits_pct=limits,
        slice_ms=slice_ms,
        switch_ms=switch_us / 1000,
        forced=forced,
    )
