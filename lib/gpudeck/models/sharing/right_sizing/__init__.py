"""Right-sizing: requests from profiled use, adjusted over days, and what they save and risk."""

from gpudeck.models.sharing.right_sizing.demand import (
    ContextSweep,
    MemoryDemand,
    Placement,
    Surveyed,
    memory_demand,
    mig_sizes,
    place_demand,
    survey_models,
    sweep_contexts,
)
from gpudeck.models.sharing.right_sizing.grid import LoopGrid, loop_grid
from gpudeck.models.sharing.right_sizing.population import (
    Population,
    simulate_population,
    usage_shape,
)
from gpudeck.models.sharing.right_sizing.recommender import (
    LoopResult,
    VpaPolicy,
    default_policy,
    run_recommender,
)
from gpudeck.models.sharing.right_sizing.report import (
    report_contexts,
    report_grid,
    report_models,
    report_sizing,
    report_strategies,
)
from gpudeck.models.sharing.right_sizing.risk import RiskGrid, sweep_requests, zero_kills_bound
from gpudeck.models.sharing.right_sizing.sizing import (
    SizedRequest,
    effective_samples,
    exceedance_interval,
    size_by_days,
    size_request,
)
from gpudeck.models.sharing.right_sizing.strategy import Outcome, compare_strategies
from gpudeck.models.sharing.right_sizing.study import Study, run_study
from gpudeck.models.sharing.right_sizing.usage import Usage, UsageShape, draw_pods, simulate_usage

__all__ = [
    "ContextSweep",
    "LoopGrid",
    "LoopResult",
    "MemoryDemand",
    "Outcome",
    "Placement",
    "Population",
    "RiskGrid",
    "SizedRequest",
    "Study",
    "Surveyed",
    "Usage",
    "UsageShape",
    "VpaPolicy",
    "compare_strategies",
    "default_policy",
    "draw_pods",
    "effective_samples",
    "exceedance_interval",
    "loop_grid",
    "memory_demand",
    "mig_sizes",
    "place_demand",
    "report_contexts",
    "report_grid",
    "report_models",
    "report_sizing",
    "report_strategies",
    "run_recommender",
    "run_study",
    "simulate_population",
    "simulate_usage",
    "size_by_days",
    "size_request",
    "survey_models",
    "sweep_contexts",
    "sweep_requests",
    "usage_shape",
    "zero_kills_bound",
]
