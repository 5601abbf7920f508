"""Submissions to MLPerf Storage: what their accelerators read at the utilisation they report."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gpudeck.errors import InputError
from gpudeck.tables import Row
from gpudeck.workload.training_input import find_training_input

_ID = re.compile(r"([a-z0-9-]+)@(\d+):([0-9.]+)")


def compute_published(rows: Sequence[Row]) -> dict[str, float]:
    """Compute each row ``workload@n:u``: GB/s that n accelerators read at u % utilisation.

    n · u/100 · batch bytes/compute time, the closed form solved for the bandwidth.

    Raises
    ------
    InputError
        An id is not of this form, or there is no such workload.
    """
    computed = {}
    for row in rows:
        match = _ID.fullmatch(row.id)
        if match is None:
            msg = f"row {row.id!r}; allowed are ids workload@accelerators:utilisation"
            raise InputError(msg)
        job = find_training_input(match[1])
        computed[row.id] = int(match[2]) * float(match[3]) / 100 * job.need_gb_s
    return computed
