"""Erlang's formulas: how often, and how long, a request waits for one of several servers."""

from gpudeck.models.resilience.erlang.formulas import (
    erlang_b,
    erlang_c,
    largest_loads,
    late_share,
    mean_wait,
)

__all__ = ["erlang_b", "erlang_c", "largest_loads", "late_share", "mean_wait"]
