"""Two containers that always have work, each with a core limit of HAMi: who gets what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.sharing.gpu.hami import TokenBucket
from gpudeck.models.sharing.gpu.result import Watch
from gpudeck.models.sharing.gpu.sharing import share
from gpudeck.models.sharing.gpu.tenant import Tenant
from gpudeck.rng import spawn_seeds

# a block size that fills an SM on every GPU of the tables
BLOCK_THREADS = 256
# what a microbenchmark of launches runs: short kernels
SHORT_KERNEL_MS = 0.1
# the pair of limits whose ratio of launches was published
PUBLISHED_LIMITS_PCT = (10, 90)
_ENDLESS = 10**9


def wave_blocks(bucket: TokenBucket) -> int:
    """Blocks of 256 threads that a GPU holds at once: one full wave.

    >>> wave_blocks(TokenBucket())
    864
    """
    return bucket.sms * bucket.threads // BLOCK_THREADS


@dataclass(frozen=True, slots=True, eq=False)
class CoreSplit:
    """Kernel launches of two containers with limits, and what their watchers saw.

    ``launched_pct`` is the share of the first one, one value a seed; ``ratio`` how many launches
    the second makes for one of the first. ``watches`` are of the first seed.
    """

    limits_pct: tuple[int, int]
    kernel_ms: float
    blocks: int
    launched_pct: NDArray[np.float64]
    watches: tuple[Watch, Watch]

    @property
    def ratio(self) -> NDArray[np.float64]:
        """Launches of the second for one launch of the first, one value a seed."""
        return (100 - self.launched_pct) / self.launched_pct


def split_cores(
    bucket: TokenBucket,
    limits_pct: tuple[int, int] = PUBLISHED_LIMITS_PCT,
    *,
    kernel_ms: float = SHORT_KERNEL_MS,
    blocks: int | None = None,
    duration_s: float = 25.0,
    runs: int = 3,
    seed: int = 0,
) -> CoreSplit:
    """Let two containers launch without end, kernels that fill the GPU, and count.

    Parameters
    ----------
    bucket
        The GPU's token bucket.
    limits_pct
        Core limits of the two, 1 to 99.
    kernel_ms, blocks
        Duration and grid of their kernels; one full wave of blocks if not told.
    duration_s, runs, seed
        Simulated time; how many phases of the two watchers are drawn, and from which seed.

    Raises
    ------
    InputError
        A limit would be off, or a value is out of range.
    """
    if not all(0 < limit < 100 for limit in limits_pct):
        msg = f"limits_pct is {limits_pct}; allowed are whole numbers from 1 to 99"
        raise InputError(msg)
    grid = blocks or wave_blocks(bucket)
    pair = [
        Tenant(name, kernel_ms=kernel_ms, kernels=_ENDLESS, blocks=grid, core_limit_pct=limit)
        for name, limit in zip(("first", "second"), limits_pct, strict=True)
    ]
    results = [
        share(pair, "hami", gpu_memory_gib=1, duration_s=duration_s, seed=s, bucket=bucket)
        for s in spawn_seeds(seed, runs)
    ]
    done = np.array([[r.tenants[t.id].work_done_ms for t in pair] for r in results])
    watches = results[0].watches["first"], results[0].watches["second"]
    return CoreSplit(limits_pct, kernel_ms, grid, 100 * done[:, 0] / done.sum(axis=1), watches)


def split_by_kernel(
    bucket: TokenBucket,
    limits_pct: tuple[int, int] = PUBLISHED_LIMITS_PCT,
    kernels_ms: Sequence[float] = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0),
    *,
    duration_s: float = 12.0,
    runs: int = 6,
    seed: int = 0,
) -> tuple[CoreSplit, ...]:
    """Repeat `split_cores` for kernels of one wave and several durations.

    The bucket counts blocks, not time: a block of a long kernel costs no more than one of a short.
    """
    return tuple(
        split_cores(bucket, limits_pct, kernel_ms=ms, duration_s=duration_s, runs=runs, seed=seed)
        for ms in kernels_ms
    )
