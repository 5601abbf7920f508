"""Power of a GPU that serves: prompts near its cap, decoding well below."""

from __future__ import annotations

from math import log2

# Share of the power cap: prompts run near it; decoding takes 0.75 of it on one GPU and 0.55 on
# each of eight. Source: Patel et al., Splitwise, ISCA 2024, on A100; between them by log2.
PREFILL_SHARE = 1.0
DECODE_SHARE_ONE, DECODE_SHARE_EIGHT = 0.75, 0.55
# an assumption: an idle GPU that holds a model draws a fifth of its cap
IDLE_SHARE = 0.2


def decode_share(tensor_parallel: int) -> float:
    """Share of its power cap that each GPU of a replica draws while it decodes.

    >>> decode_share(1), decode_share(8)
    (0.75, 0.55)
    """
    slope = (DECODE_SHARE_ONE - DECODE_SHARE_EIGHT) / 3
    return round(max(DECODE_SHARE_EIGHT, DECODE_SHARE_ONE - slope * log2(tensor_parallel)), 6)
