"""GPU utilisation in three senses: busy, computing (MFU), and reading memory (MBU)."""

from __future__ import annotations

import numpy as np

from gpudeck.models.serving.result import ServingResult
from gpudeck.workload.model import find_model


def busy_fraction(result: ServingResult) -> float:
    """Return the share of the time from first arrival to last token in which a replica computes."""
    return result.busy_fraction


def model_flops_utilisation(result: ServingResult) -> float:
    """Return MFU: FLOP that the served tokens need, over what the GPUs could do meanwhile.

    MFU = 2·P_active·(Σ(n_in − n_cached) + Σ(n_out − 1)) / (makespan · peak). Padding, and what is
    computed again after a preemption, is no use and not counted; nor is attention.

    Source: Chowdhery et al., PaLM, JMLR 2023, appendix B, without the term of attention.
    """
    requests = result.table
    prompts = requests.prompt_tokens - result.cached_tokens
    done = np.isfinite(result.finish_s)
    tokens = int((prompts + requests.output_tokens - 1)[done].sum())
    could = result.makespan_s * result.replicas * result.replica.peak_flops
    return flop_per_token(result) * tokens / could if could > 0 else 0.0


def model_bandwidth_utilisation(result: ServingResult) -> float:
    """Return MBU: bytes of weights and cache that steps have to read, over what HBM could deliver.

    MBU = Σ_steps (weights + live KV where any sequence decodes) / (makespan · bandwidth). Every
    step reads all weights once, as a dense model does: an upper bound for a mixture of experts.

    Source: Databricks, LLM Inference Performance Engineering: Best Practices, 2023.
    """
    replica = result.replica
    live = result.kv_live_tokens[result.decodes > 0].sum() * replica.kv_bytes_per_token
    read = result.iterations * replica.weights_bytes + live
    bandwidth = replica.chip.memory_bandwidth_gb_s * 1e9 * replica.tensor_parallel
    could = result.makespan_s * result.replicas * bandwidth
    return float(read / could) if could > 0 else 0.0


def flop_per_token(result: ServingResult) -> float:
    """Return 2·P_active: a multiplication and an addition for each active parameter."""
    return 2.0 * find_model(result.replica.model).active_parameters
