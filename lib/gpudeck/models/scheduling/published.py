"""Published packing results: the curves to draw, and what the model gives for each row."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from gpudeck.errors import InputError
from gpudeck.models.scheduling.packing import fill_curves
from gpudeck.models.scheduling.policy import POLICIES
from gpudeck.tables import Row, data_dir, read_columns
from gpudeck.workload.openb import openb_nodes, openb_pods

_CURVE_COLUMNS = ("policy", "arrived_pct", "allocated_pct", "source")
_SEEDS = tuple(range(10))  # as many as the authors average over
_ID = re.compile(rf"({'|'.join(POLICIES)})@(\d+)")


@dataclass(frozen=True)
class PublishedPoint:
    """A point of a published curve: allocated GPU at arrived GPU, both in % of the capacity."""

    policy: str
    arrived_pct: float
    allocated_pct: float
    source: str


def read_published_curves() -> tuple[PublishedPoint, ...]:
    """Read the published mean curves of six policies on the openb cluster, every 5 % arrived.

    Source: Weng et al., ATC 2023, artifact, default pod list.

    >>> read_published_curves()[0].policy
    'random'
    """
    columns = read_columns(data_dir() / "published" / "fgd_atc23_curve.csv")
    rows = zip(*(columns[name] for name in _CURVE_COLUMNS), strict=True)
    return tuple(
        PublishedPoint(policy, float(arrived), float(allocated), source)
        for policy, arrived, allocated, source in rows
    )


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
