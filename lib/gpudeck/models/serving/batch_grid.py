"""What if more requests came, or batches were larger or waited longer? A grid of runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.serving.service import plan_engine, plan_replica
from gpudeck.models.serving.simulate import simulate
from gpudeck.scenario.schema import Serving
from gpudeck.workload.request import RequestTable

# a grid of sixty runs in the time of one page
MOST_REQUESTS = 150
PERCENTILES = np.arange(1.0, 100.0, 2.0)


@dataclass(frozen=True, slots=True, eq=False)
class BatchGrid:
    """TTFT in seconds at `PERCENTILES`: `dynamic[rate, cap, delay_ms]`, `continuous[rate, cap]`."""

    rates_per_s: tuple[float, ...]
    caps: tuple[int, ...]
    delays_ms: tuple[int, ...]
    dynamic: dict[tuple[float, int, int], NDArray[np.float64]]
    continuous: dict[tuple[float, int], NDArray[np.float64]]


def batch_grid(
    serving: Serving,
    table: RequestTable,
    *,
    rates_per_s: Sequence[float] = (0.5, 1.0, 2.0, 4.0, 8.0),
    caps: Sequence[int] = (4, 16, 64, 256),
    delays_ms: Sequence[int] = (10, 100, 1000),
) -> BatchGrid:
    """Serve the first requests of a table at every rate, batch cap and, dynamic, maximum delay.

    Parameters
    ----------
    serving
        The scenario's section.
    table
        Requests of one seed.
    rates_per_s, caps, delays_ms
        The grid.

    Raises
    ------
    InputError
        As in `simulate`.
    """
    few = table.take(np.arange(min(len(table), MOST_REQUESTS)))
    replica = plan_replica(serving)
    base = replace(plan_engine(serving, "continuous"), reservation="oracle")
    dynamic, continuous = {}, {}
    for rate in rates_per_s:
        offered = few.with_rate(rate)
        for cap in caps:
            engine = replace(base, max_batch=cap)
            run = simulate(offered, engine, replica)
            continuous[rate, cap] = np.percentile(run.ttft_s, PERCENTILES)
            for delay in delays_ms:
                late = replace(engine, policy="dynamic", max_delay_s=delay / 1000)
                run = simulate(offered, late, replica)
                dynamic[rate, cap, delay] = np.percentile(run.ttft_s, PERCENTILES)
    return BatchGrid(tuple(rates_per_s), tuple(caps), tuple(delays_ms), dynamic, continuous)
