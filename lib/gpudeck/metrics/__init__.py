"""The nine metrics, defined once, and the checks that hold between them."""

from gpudeck.metrics.consistency import Check, check_run
from gpudeck.metrics.latency import LatencySummary
from gpudeck.metrics.serving import (
    DEFINITIONS,
    FURTHER,
    Definition,
    ServingMetrics,
    measure_serving,
)
from gpudeck.models.serving.objectives import Objectives

__all__ = [
    "DEFINITIONS",
    "FURTHER",
    "Check",
    "Definition",
    "LatencySummary",
    "Objectives",
    "ServingMetrics",
    "check_run",
    "measure_serving",
]
