"""Autoscaling: capacity that follows the load, by a rule, by a forecast, or by both."""

from gpudeck.models.resilience.autoscaling.accuracy import Accuracy, measure_accuracy
from gpudeck.models.resilience.autoscaling.cloud_study import plan_clouds
from gpudeck.models.resilience.autoscaling.grid import LeadGrid, lead_grid
from gpudeck.models.resilience.autoscaling.pool_study import PoolStudy, study_pools
from gpudeck.models.resilience.autoscaling.report import (
    report_accuracy,
    report_clouds,
    report_elasticity,
    report_grid,
    report_pools,
)
from gpudeck.models.resilience.autoscaling.scaling import (
    POLICIES,
    Rule,
    ScalingResult,
    desired_replicas,
    predict,
    simulate_scaling,
)
from gpudeck.models.resilience.autoscaling.service import Service
from gpudeck.models.resilience.autoscaling.study import (
    COMPARED,
    Demand,
    Elasticity,
    common_level,
    draw_demand,
    hours_at,
    study_elasticity,
)

__all__ = [
    "COMPARED",
    "POLICIES",
    "Accuracy",
    "Demand",
    "Elasticity",
    "LeadGrid",
    "PoolStudy",
    "Rule",
    "ScalingResult",
    "Service",
    "common_level",
    "desired_replicas",
    "draw_demand",
    "hours_at",
    "lead_grid",
    "measure_accuracy",
    "plan_clouds",
    "predict",
    "report_accuracy",
    "report_clouds",
    "report_elasticity",
    "report_grid",
    "report_pools",
    "simulate_scaling",
    "study_elasticity",
    "study_pools",
]
