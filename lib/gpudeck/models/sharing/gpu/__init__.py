"""One GPU shared by several tenants: exclusive, time slicing, MPS, HAMi and MIG."""

from gpudeck.models.sharing.gpu.hami import TokenBucket, read_token_bucket
from gpudeck.models.sharing.gpu.interference import share_rates
from gpudeck.models.sharing.gpu.mig import Instance, assign_instances
from gpudeck.models.sharing.gpu.mps import client_limit
from gpudeck.models.sharing.gpu.result import Run, SharingResult, TenantResult, Watch
from gpudeck.models.sharing.gpu.sharing import WAYS, Fault, share
from gpudeck.models.sharing.gpu.tenant import Tenant
from gpudeck.models.sharing.gpu.time_slice import slice_shares

__all__ = [
    "WAYS",
    "Fault",
    "Instance",
    "Run",
    "SharingResult",
    "Tenant",
    "TenantResult",
    "TokenBucket",
    "Watch",
    "assign_instances",
    "client_limit",
    "read_token_bucket",
    "share",
    "share_rates",
    "slice_shares",
]
