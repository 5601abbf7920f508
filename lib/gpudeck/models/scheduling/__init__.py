"""Scheduling: who gets which GPU, when, and what is lost on the way."""

from gpudeck.models.scheduling.fragmentation import (
    TypicalPods,
    fragmentation_of,
    typical_pods,
)
from gpudeck.models.scheduling.grid import FillGrid, fill_grid
from gpudeck.models.scheduling.packing import (
    FillCurves,
    FillResult,
    ReplayResult,
    fill,
    fill_curves,
    random_orders,
    replay,
)
from gpudeck.models.scheduling.policy import POLICIES
from gpudeck.models.scheduling.published import PublishedPoint, read_published_curves
from gpudeck.models.scheduling.report import report_curves, report_lead
from gpudeck.models.scheduling.snapshot import NodeSnapshot, snapshot_models

__all__ = [
    "POLICIES",
    "FillCurves",
    "FillGrid",
    "FillResult",
    "NodeSnapshot",
    "PublishedPoint",
    "ReplayResult",
    "TypicalPods",
    "fill",
    "fill_curves",
    "fill_grid",
    "fragmentation_of",
    "random_orders",
    "read_published_curves",
    "replay",
    "report_curves",
    "report_lead",
    "snapshot_models",
    "typical_pods",
]
