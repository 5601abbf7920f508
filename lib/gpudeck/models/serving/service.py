"""The replica and the engine that a scenario's section `serving` describes."""

from __future__ import annotations

from gpudeck.models.serving.engine import Engine, Policy
from gpudeck.models.serving.replica import Replica
from gpudeck.scenario.schema import Serving


def plan_replica(serving: Serving, kv_precision: str | None = None) -> Replica:
    """Return the replica, with a cache of another precision if told."""
    return Replica(
        serving.gpu, serving.model, serving.tensor_parallel, serving.precision, kv_precision
    )


def plan_engine(serving: Serving, policy: Policy = "chunked") -> Engine:
    """Return an engine with the section's limits."""
    return Engine(
        policy,
        max_batch=serving.max_batch,
        chunk_tokens=serving.chunk_tokens,
        block_size=serving.block_size,
        step_overhead_s=serving.step_overhead_ms / 1000,
    )
