"""What the packing model gives for the rows of ``data/published/packing.csv``."""

import re
from collections.abc import Sequence

from gpudeck.errors import InputError
from gpudeck.models.scheduling.packing import fill_curves
from gpudeck.models.scheduling.policy import POLICIES
from gpudeck.tables import Row
from gpudeck.workload.openb import openb_nodes, openb_pods

_SEEDS = tuple(range(10))  # as many as the authors average over
_ID = re.compile(rf"({'|'.join(POLICIES)})@(\d+)")


def compute_published(rows: Sequence[Row]) -> dict[str, float]:
    """Compute each row ``policy@arrived``: allocated GPU in percent, the mean of ten seeds.

    The cluster and the pods are those of ``openb_nodes()`` and ``openb_pods()``; the orders are our
    own random ones.

    Parameters
    ----------
    rows
        Rows with ids such as ``fgd@130``.

    Raises
    ------
    InputError
        An id is not of this form.
    """
    places: dict[str, tuple[str, int]] = {}
    for row in rows:
        match = _ID.fullmatch(row.id)
        if match is None:
            msg = f"id is {row.id!r}; allowed is policy@percent with one of {', '.join(POLICIES)}"
            raise InputError(msg)
        places[row.id] = match[1], int(match[2])
    if not places:
        return {}
    policies = sorted({policy for policy, _ in places.values()})
    load = max(percent for _, percent in places.values()) / 100
    curves = fill_curves(openb_nodes(), openb_pods(), policies, load, _SEEDS)
    return {
        key: float(curves.allocated_pct[policy][:, percent].mean())
        for key, (policy, percent) in places.items()
    }
