"""One GPU shared by several tenants: exclusive, time slicing, MPS, HAMi and MIG."""

from gpudeck.models.sharing.gpu.comparison import WayComparison, compare_ways
from gpudeck.models.sharing.gpu.core_split import CoreSplit, split_by_kernel, split_cores
from gpudeck.models.sharing.gpu.hami import TokenBucket, read_token_bucket
from gpudeck.models.sharing.gpu.interference import share_rates
from gpudeck.models.sharing.gpu.latency_grid import LatencyGrid, latency_grid
from gpudeck.models.sharing.gpu.mig import Instance, assign_instances
from gpudeck.models.sharing.gpu.mix import build_mix, build_tenant
from gpudeck.models.sharing.gpu.mps import client_limit
from gpudeck.models.sharing.gpu.report import (
    report_bucket,
    report_grid,
    report_mps,
    report_split,
    report_ways,
)
from gpudeck.models.sharing.gpu.result import Run, SharingResult, TenantResult, Watch
from gpudeck.models.sharing.gpu.sharing import WAYS, Fault, share
from gpudeck.models.sharing.gpu.tenant import Tenant
from gpudeck.models.sharing.gpu.time_slice import slice_shares

__all__ = [
    "WAYS",
    "CoreSplit",
    "Fault",
    "Instance",
    "LatencyGrid",
    "Run",
    "SharingResult",
    "Tenant",
    "TenantResult",
    "TokenBucket",
    "Watch",
    "WayComparison",
    "assign_instances",
    "build_mix",
    "build_tenant",
    "client_limit",
    "compare_ways",
    "latency_grid",
    "read_token_bucket",
    "report_bucket",
    "report_grid",
    "report_mps",
    "report_split",
    "report_ways",
    "share",
    "share_rates",
    "slice_shares",
    "split_by_kernel",
    "split_cores",
]
