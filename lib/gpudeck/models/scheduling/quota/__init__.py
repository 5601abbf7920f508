"""Quota and fairness: who is guaranteed what, who may borrow, and who has to give back."""

from gpudeck.models.scheduling.quota.ceei import clear_market
from gpudeck.models.scheduling.quota.drf import TaskAllocation, allocate_tasks, dominant_share
from gpudeck.models.scheduling.quota.elastic_quota import (
    ElasticQuota,
    QuotaPod,
    check_quota,
    find_quota_victims,
)
from gpudeck.models.scheduling.quota.fairness import jain_index, share_gap
from gpudeck.models.scheduling.quota.hdrf import Branch, allocate_tree, read_tree
from gpudeck.models.scheduling.quota.kai import UNLIMITED, KaiDivision, KaiQueue, divide_kai
from gpudeck.models.scheduling.quota.kueue import (
    ClusterQueue,
    Cohort,
    Ledger,
    Workload,
    admits,
    dominant_resource_share,
)
from gpudeck.models.scheduling.quota.kueue_fair_sharing import STRATEGIES, find_fair_victims
from gpudeck.models.scheduling.quota.kueue_preemption import Victim, find_victims
from gpudeck.models.scheduling.quota.policy_study import (
    MEASURES,
    PolicyStudy,
    compare_policies,
    report_policies,
)
from gpudeck.models.scheduling.quota.progressive_filling import fill_shares
from gpudeck.models.scheduling.quota.tenant_demand import (
    TenantDemand,
    draw_tenant_jobs,
    gang_sizes,
)
from gpudeck.models.scheduling.quota.tenant_pool import TenantPool, pool_of
from gpudeck.models.scheduling.quota.tenants import (
    POLICIES,
    TenantQuota,
    TenantResult,
    simulate_tenants,
)
from gpudeck.models.scheduling.quota.volcano import binpack_score
from gpudeck.models.scheduling.quota.water_filling import fill_water

__all__ = [
    "MEASURES",
    "POLICIES",
    "STRATEGIES",
    "UNLIMITED",
    "Branch",
    "ClusterQueue",
    "Cohort",
    "ElasticQuota",
    "KaiDivision",
    "KaiQueue",
    "Ledger",
    "PolicyStudy",
    "QuotaPod",
    "TaskAllocation",
    "TenantDemand",
    "TenantPool",
    "TenantQuota",
    "TenantResult",
    "Victim",
    "Workload",
    "admits",
    "allocate_tasks",
    "allocate_tree",
    "binpack_score",
    "check_quota",
    "clear_market",
    "compare_policies",
    "divide_kai",
    "dominant_resource_share",
    "dominant_share",
    "draw_tenant_jobs",
    "fill_shares",
    "fill_water",
    "find_fair_victims",
    "find_quota_victims",
    "find_victims",
    "gang_sizes",
    "jain_index",
    "pool_of",
    "read_tree",
    "report_policies",
    "share_gap",
    "simulate_tenants",
]
