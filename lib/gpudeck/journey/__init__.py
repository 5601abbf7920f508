"""The journey: one simulated fleet, stage after stage, and what each stage changes."""

from gpudeck.journey.baseline import (
    report_baseline,
    run_baseline,
    snapshot_hour,
)
from gpudeck.journey.run import Run, Runs, run_days
from gpudeck.journey.stage1 import StageEffect, report_stage1, run_stage1
from gpudeck.journey.waterfall import PARTS, Waterfall, attribute_day

__all__ = [
    "PARTS",
    "Run",
    "Runs",
    "StageEffect",
    "Waterfall",
    "attribute_day",
    "report_baseline",
    "report_stage1",
    "run_baseline",
    "run_days",
    "run_stage1",
    "snapshot_hour",
]
