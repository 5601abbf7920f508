"""Scheduling: who gets which GPU, when, and what is lost on the way."""

from gpudeck.models.scheduling.fragmentation import (
    TypicalPods,
    fragmentation_of,
    typical_pods,
)
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

__all__ = [
    "POLICIES",
    "FillCurves",
    "FillResult",
    "ReplayResult",
    "TypicalPods",
    "fill",
    "fill_curves",
    "fragmentation_of",
    "random_orders",
    "replay",
    "typical_pods",
]
