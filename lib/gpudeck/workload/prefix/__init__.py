"""Prefixes that prompts share, and what a cache of their blocks saves."""

from gpudeck.workload.prefix.block_hash import hash_prompt
from gpudeck.workload.prefix.reuse import (
    PrefixReuse,
    ReuseCurve,
    prefix_reuse,
    recorded_curve,
    reuse_curve,
)
from gpudeck.workload.prefix.sessions import Sessions, draw_sessions

__all__ = [
    "PrefixReuse",
    "ReuseCurve",
    "Sessions",
    "draw_sessions",
    "hash_prompt",
    "prefix_reuse",
    "recorded_curve",
    "reuse_curve",
]
