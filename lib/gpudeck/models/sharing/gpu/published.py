"""Published measurements of HAMi's core limits, and what the token bucket gives for each."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gpudeck.errors import InputError
from gpudeck.models.sharing.gpu.core_split import SHORT_KERNEL_MS, split_cores
from gpudeck.models.sharing.gpu.hami import read_token_bucket
from gpudeck.tables import Row

_ID = re.compile(r"hami@(\d+):(\d+)")
# what a source prints of its GPU and kernels: SMs, threads an SM, kernel ms, blocks of the grid
_SETTINGS = {
    "hami-2863": (108, 2048, SHORT_KERNEL_MS, None),
    "hami-core-314": (188, 1536, 21.6, 1024),
}


def compute_published(rows: Sequence[Row]) -> dict[str, float]:
    """Compute each row ``hami@a:b``: share of the launches, in %, of the container limited to a.

    Nothing is fitted: the loop has HAMi-core's constants. What a source does not print is assumed
    and stands in the row's locator.

    Raises
    ------
    InputError
        An id is not of this form, or its source has no settings here.
    """
    computed = {}
    for row in rows:
        match = _ID.fullmatch(row.id)
        settings = _SETTINGS.get(row.sources[0])
        if match is None or settings is None:
            msg = f"row {row.id!r} of {row.sources}; allowed are hami@a:b of {', '.join(_SETTINGS)}"
            raise InputError(msg)
        sms, threads, kernel_ms, blocks = settings
        split = split_cores(
            read_token_bucket(sms, threads),
            (int(match[1]), int(match[2])),
            kernel_ms=kernel_ms,
            blocks=blocks,
            duration_s=120,
            runs=3,
        )
        computed[row.id] = float(split.launched_pct.mean())
    return computed
