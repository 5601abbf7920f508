"""What if more requests came, or batches were larger or waited longer? A grid of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.fact import Fact, function_name
from gpudeck.models.serving.load_curve import saturated_per_s
from gpudeck.models.serving.pooled import pooled_quantile
from gpudeck.models.serving.result import ServingResult
from gpudeck.models.serving.service import plan_engine, plan_replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.scenario.schema import Serving
from gpudeck.workload.request import RequestTable

SOURCE = "model:serving"
# a grid of sixty runs in the time of one page
MOST_REQUESTS = 150
PERCENTILES = np.arange(1.0, 100.0, 2.0)
# rates offered, as shares of what continuous batching serves when all requests wait
LOAD_SHARES = (0.05, 0.1, 0.2, 0.4, 0.8)
CAPS = (8, 32, 128)
DELAYS_MS = (10, 100, 1000)


@dataclass(frozen=True, slots=True, eq=False)
class BatchGrid:
    """TTFT in seconds at `PERCENTILES`: `dynamic[rate, cap, delay_ms]`, `continuous[rate, cap]`."""

    rates_per_s: tuple[float, ...]
    caps: tuple[int, ...]
    delays_ms: tuple[int, ...]
    dynamic: dict[tuple[float, int, int], NDArray[np.float64]]
    continuous: dict[tuple[float, int], NDArray[np.float64]]

    @property
    def start(self) -> tuple[float, int, int]:
        """Rate, cap and delay that are shown first: the middle of each."""
        axes = (self.rates_per_s, self.caps, self.delays_ms)
        rate, cap, delay = (axis[len(axis) // 2] for axis in axes)
        return rate, int(cap), int(delay)


def batch_grid(
    serving: Serving,
    table: RequestTable,
    *,
    shares: Sequence[float] = LOAD_SHARES,
    caps: Sequence[int] = CAPS,
    delays_ms: Sequence[int] = DELAYS_MS,
) -> BatchGrid:
    """Serve the first requests of a table at every rate, batch cap and, dynamic, maximum delay.

    Parameters
    ----------
    serving
        The scenario's section.
    table
        Requests of one seed.
    shares
        Rates, as shares of what continuous batching serves on the scenario's replica; they are
        rounded to two digits.
    caps, delays_ms
        The rest of the grid.

    Raises
    ------
    InputError
        As in `simulate`.
    """
    few = table.take(np.arange(min(len(table), MOST_REQUESTS)))
    replica = plan_replica(serving)
    base = replace(plan_engine(serving, "continuous"), reservation="oracle")
    most = saturated_per_s(table, base, replica)
    rates = tuple(float(f"{share * most:.2g}") for share in shares)
    dynamic, continuous = {}, {}
    for rate in rates:
        offered = few.with_rate(rate)
        for cap in caps:
            engine = replace(base, max_batch=cap)
            continuous[rate, cap] = _quantiles(simulate(offered, engine, replica))
            for delay in delays_ms:
                late = replace(engine, policy="dynamic", max_delay_s=delay / 1000)
                dynamic[rate, cap, delay] = _quantiles(simulate(offered, late, replica))
    return BatchGrid(rates, tuple(caps), tuple(delays_ms), dynamic, continuous)


def _quantiles(run: ServingResult) -> NDArray[np.float64]:
    once = np.ones(len(run.ttft_s), np.int64)
    return pooled_quantile(run.ttft_s, once, PERCENTILES / 100)


def report_batches(grid: BatchGrid) -> tuple[Fact, ...]:
    """Return the state that is shown first, and its 99th percentiles of TTFT.

    `start_rate` (requests/s), `start_cap`, `start_delay` (ms), `start_percentile`, `start_dynamic`
    and `start_continuous` (s, or ms below one).
    """
    by = function_name(batch_grid)
    rate, cap, delay = grid.start
    facts = [
        Fact("start_rate", rate, "request/s", "simulated", SOURCE, by),
        Fact("start_cap", cap, "count", "simulated", SOURCE, by, decimals=0),
        Fact("start_delay", delay, "ms", "simulated", SOURCE, by, decimals=0),
        Fact("start_percentile", float(PERCENTILES[-1]), "1", "simulated", SOURCE, by, decimals=0),
    ]
    for name, curve in (
        ("dynamic", grid.dynamic[rate, cap, delay]),
        ("continuous", grid.continuous[rate, cap]),
    ):
        value = float(curve[-1])
        unit, scale = ("ms", 1000) if value < 1 else ("s", 1)
        facts.append(Fact(f"start_{name}", scale * value, unit, "simulated", SOURCE, by))
    return tuple(facts)
