"""A service that is scaled: what a replica bears, what is promised, how long a start takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.resilience.erlang import largest_loads

MINUTE_S = 60.0


@dataclass(frozen=True, slots=True)
class Service:
    """What autoscaling needs to know of a service; times in seconds.

    Parameters
    ----------
    service_s
        Mean time that a request takes on its slot, above 0.
    slots
        Requests that a replica serves at once, 1 or above.
    gpus
        GPUs of a replica, 1 or above.
    wait_s, late_pct
        The objective: at most `late_pct` % of the requests wait longer than `wait_s`.
    cold_start_s, warm_start_s
        From the decision until a replica serves, from nothing and out of the warm pool; counted in
        whole minutes, the part of a minute as a whole one.
    warm_pool
        Replicas that are kept loaded and idle.
    min_replicas, max_replicas
        Bounds of the number of replicas.
    """

    service_s: float = 10.0
    slots: int = 1
    gpus: int = 1
    wait_s: float = 5.0
    late_pct: float = 5.0
    cold_start_s: float = 300.0
    warm_start_s: float = 30.0
    warm_pool: int = 0
    min_replicas: int = 1
    max_replicas: int = 200

    def __post_init__(self) -> None:
        finite = float("inf")
        ranges = (
            ("service_s", self.service_s, 0 < self.service_s < finite, "above 0"),
            ("slots", self.slots, self.slots >= 1, "1 or above"),
            ("gpus", self.gpus, self.gpus >= 1, "1 or above"),
            ("wait_s", self.wait_s, 0 <= self.wait_s < finite, "0 or above"),
            ("late_pct", self.late_pct, 0 < self.late_pct < 100, "above 0 and below 100"),
            ("cold_start_s", self.cold_start_s, 0 <= self.cold_start_s <= 86400, "0 to a day"),
            (
                "warm_start_s",
                self.warm_start_s,
                0 <= self.warm_start_s <= self.cold_start_s,
                f"0 to the cold start, {self.cold_start_s:g}",
            ),
            ("warm_pool", self.warm_pool, self.warm_pool >= 0, "0 or above"),
            (
                "min_replicas",
                self.min_replicas,
                0 <= self.min_replicas <= self.max_replicas,
                f"0 to max_replicas, {self.max_replicas}",
            ),
            (
                "max_replicas",
                self.max_replicas,
                1 <= self.max_replicas * self.slots <= 50_000,
                "replicas times slots from 1 to 50,000",
            ),
        )
        for name, value, right, allowed in ranges:
            if not right:
                msg = f"{name} is {value}; allowed is {allowed}"
                raise InputError(msg)

    @property
    def cold_min(self) -> int:
        """Whole minutes of a cold start."""
        return ceil(self.cold_start_s / MINUTE_S)

    @property
    def warm_min(self) -> int:
        """Whole minutes of a start out of the pool."""
        return ceil(self.warm_start_s / MINUTE_S)

    def loads(self) -> NDArray[np.float64]:
        """Return the greatest load within the objective, in erlang, by slots in service."""
        return largest_loads(
            self.max_replicas * self.slots, self.service_s, self.wait_s, self.late_pct
        )
