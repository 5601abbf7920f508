"""How well prompts use the GPU's peak, and how many sequences decode side by side."""

from __future__ import annotations

import numpy as np

from gpudeck.metrics.utilisation import flop_per_token
from gpudeck.models.serving.result import ServingResult


def prefill_efficiency(result: ServingResult) -> float:
    """Return 2·P_active·Σ(n_in − n_cached)/(time in prefill · peak).

    A step that also decodes is in prefill by the prompts' share of its tokens, so that the ratio
    never exceeds the peak. Padding and what is computed again after a preemption take time and are
    no use. Without a prompt it is 0.
    """
    done = np.isfinite(result.finish_s)
    tokens = int((result.table.prompt_tokens - result.cached_tokens)[done].sum())
    could = prefill_seconds(result) * result.replica.peak_flops
    return flop_per_token(result) * tokens / could if could > 0 else 0.0


def prefill_seconds(result: ServingResult) -> float:
    """Return the time in prefill: Σ Δt · (1 − decodes/tokens) over steps with a prompt."""
    with_prompt = result.prefill_tokens > 0
    share = 1 - result.decodes[with_prompt] / result.tokens[with_prompt]
    return float(share @ (result.end_s - result.start_s)[with_prompt])


def effective_prefill_efficiency(result: ServingResult) -> float:
    """Return prefill efficiency / (1 − hit rate): what is found in the cache counts as computed."""
    total = int(result.table.prompt_tokens.sum())
    missed = total - int(result.cached_tokens.sum())
    return prefill_efficiency(result) * total / missed if missed > 0 else 0.0


def decoding_parallelism(result: ServingResult) -> float:
    """Return the time-mean number of sequences that decode on a replica while it computes."""
    return result.mean_decodes()
