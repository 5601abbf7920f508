"""MIG: where instances may stand, how to partition GPUs for a demand, and what fragments them."""

from gpudeck.models.sharing.mig.demand import (
    MigDemand,
    cover_milli,
    geometry_of,
    map_pods,
    smallest_profiles,
)
from gpudeck.models.sharing.mig.partition import METHODS, PartitionResult, partition
from gpudeck.models.sharing.mig.placement import (
    free_starts,
    is_feasible,
    place,
    place_in_order,
    remove,
)
from gpudeck.models.sharing.mig.report import (
    COMPARED_GPUS,
    report_device,
    report_gap,
    report_gpu,
    report_isolation,
    report_partition,
    report_profiles,
    report_streams,
    report_trap,
    trapped_pairs,
)
from gpudeck.models.sharing.mig.split import PhysicalSplit, mixed_instances, split_gpu, used_sms
from gpudeck.models.sharing.mig.states import RULES, States, build_states
from gpudeck.models.sharing.mig.stream import (
    POLICIES,
    InstanceCosts,
    Stream,
    StreamResult,
    simulate_stream,
    static_instances,
)
from gpudeck.models.sharing.mig.study import (
    PoolPlan,
    StreamStudy,
    draw_stream,
    shared_mix,
    splittable,
    study_gap,
    study_streams,
)

__all__ = [
    "COMPARED_GPUS",
    "METHODS",
    "POLICIES",
    "RULES",
    "InstanceCosts",
    "MigDemand",
    "PartitionResult",
    "PhysicalSplit",
    "PoolPlan",
    "States",
    "Stream",
    "StreamResult",
    "StreamStudy",
    "build_states",
    "cover_milli",
    "draw_stream",
    "free_starts",
    "geometry_of",
    "is_feasible",
    "map_pods",
    "mixed_instances",
    "partition",
    "place",
    "place_in_order",
    "remove",
    "report_device",
    "report_gap",
    "report_gpu",
    "report_isolation",
    "report_partition",
    "report_profiles",
    "report_streams",
    "report_trap",
    "shared_mix",
    "simulate_stream",
    "smallest_profiles",
    "split_gpu",
    "splittable",
    "static_instances",
    "study_gap",
    "study_streams",
    "trapped_pairs",
    "used_sms",
]
