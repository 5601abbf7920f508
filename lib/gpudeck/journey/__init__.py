"""The journey: one simulated fleet, stage after stage, and what each stage changes."""

from gpudeck.journey.baseline import (
    report_baseline,
    report_better_policy,
    report_utilisation,
    run_baseline,
    snapshot_hour,
)
from gpudeck.journey.demand import GrainDemand, count_demand, report_demand
from gpudeck.journey.run import Run, Runs, run_days
from gpudeck.journey.sized import count_sized_gpus, report_sized, size_pods
from gpudeck.journey.stage1 import StageEffect, report_gains, report_stage1, run_stage1
from gpudeck.journey.stage2 import (
    OrchestrationEffect,
    run_stage2,
)
from gpudeck.journey.stage2_report import report_stage2
from gpudeck.journey.stage3 import DataPathEffect, run_stage3
from gpudeck.journey.stage3_report import report_stage3
from gpudeck.journey.stage4 import ServingEffect, run_stage4
from gpudeck.journey.stage4_report import report_serving_cost, report_stage4
from gpudeck.journey.use_grid import UseGrid, report_use, use_grid
from gpudeck.journey.waterfall import PARTS, Waterfall, attribute_day

__all__ = [
    "PARTS",
    "DataPathEffect",
    "GrainDemand",
    "OrchestrationEffect",
    "Run",
    "Runs",
    "ServingEffect",
    "StageEffect",
    "UseGrid",
    "Waterfall",
    "attribute_day",
    "count_demand",
    "count_sized_gpus",
    "report_baseline",
    "report_better_policy",
    "report_demand",
    "report_gains",
    "report_serving_cost",
    "report_sized",
    "report_stage1",
    "report_stage2",
    "report_stage3",
    "report_stage4",
    "report_use",
    "report_utilisation",
    "run_baseline",
    "run_days",
    "run_stage1",
    "run_stage2",
    "run_stage3",
    "run_stage4",
    "size_pods",
    "snapshot_hour",
    "use_grid",
]
