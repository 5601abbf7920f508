"""Memory overhead: allocated memory of the GPU that holds neither weights nor live cache."""

from __future__ import annotations

from gpudeck.models.serving.result import ServingResult


def memory_overhead(result: ServingResult) -> float:
    """Return 1 − (weights + live KV)/allocated, weighted by time while a replica computes.

    Allocated are the weights and the cache that requests hold, reserved or in blocks; a free block
    is not. Without a step it is 0.
    """
    live, held = _token_seconds(result)
    per_token = result.replica.kv_bytes_per_token
    weights = result.busy_s * result.replica.weights_bytes
    allocated = weights + held * per_token
    return 1 - (weights + live * per_token) / allocated if allocated > 0 else 0.0


def cache_overhead(result: ServingResult) -> float:
    """Return 1 − live KV/allocated KV, weighted by time: the waste of the cache alone.

    Source: Kwon et al., SOSP 2023, figure 2.
    """
    live, held = _token_seconds(result)
    return 1 - live / held if held > 0 else 0.0


def _token_seconds(result: ServingResult) -> tuple[float, float]:
    seconds = result.end_s - result.start_s
    # whole numbers as decimals: only these multiply fast
    live, held = result.kv_live_tokens.astype(float), result.kv_tokens.astype(float)
    return float(live @ seconds), float(held @ seconds)
