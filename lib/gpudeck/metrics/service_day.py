"""A service's day in money: nodes that are rented, tokens that are sold, nodes that are free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from gpudeck.errors import InputError

DAY_H = 24.0


@dataclass(frozen=True, slots=True)
class ServiceDay:
    """One day of a service whose nodes follow its load.

    Parameters
    ----------
    mean_nodes, peak_nodes : float
        Nodes in use, mean and greatest over the day; the mean is above 0 and at most the peak.
    gpus_per_node : int
        1 or above.
    usd_per_gpu_h : float
        Price of a GPU-hour, above 0.

    Raises
    ------
    InputError
        A value is out of range.

    >>> ServiceDay(226.75, 278, 8, 2.0).cost_usd
    87072.0
    """

    mean_nodes: float
    peak_nodes: float
    gpus_per_node: int
    usd_per_gpu_h: float

    def __post_init__(self) -> None:
        if not 0 < self.mean_nodes <= self.peak_nodes < math.inf:
            msg = (
                f"mean_nodes is {self.mean_nodes}, peak_nodes {self.peak_nodes}; allowed is "
                "0 < mean <= peak"
            )
            raise InputError(msg)
        if self.gpus_per_node < 1 or not 0 < self.usd_per_gpu_h < math.inf:
            msg = (
                f"gpus_per_node is {self.gpus_per_node}, usd_per_gpu_h {self.usd_per_gpu_h}; "
                "allowed are 1 or above, and above 0"
            )
            raise InputError(msg)

    @property
    def cost_usd(self) -> float:
        """Rent of the nodes in use: mean · GPUs · price · 24 h."""
        return self.mean_nodes * self.gpus_per_node * self.usd_per_gpu_h * DAY_H

    @property
    def mean_over_peak(self) -> float:
        """Share of the peak's nodes that the service uses, 0 to 1."""
        return self.mean_nodes / self.peak_nodes

    @property
    def freed_node_hours(self) -> float:
        """Node-hours that a fleet sized for the peak has left: (peak - mean) · 24 h."""
        return (self.peak_nodes - self.mean_nodes) * DAY_H

    @property
    def freed_gpu_hours(self) -> float:
        """The same in GPU-hours: what training by night may use."""
        return self.freed_node_hours * self.gpus_per_node

    def margin(self, revenue_usd: float) -> float:
        """Return (revenue - cost)/cost."""
        return (revenue_usd - self.cost_usd) / self.cost_usd


def token_revenue_usd(tokens: Sequence[float], usd_per_mtoken: Sequence[float]) -> float:
    """Return what tokens of several kinds bring at their prices for a million.

    Raises
    ------
    InputError
        Not as many prices as kinds, or a value below 0.

    >>> token_revenue_usd([2e6, 1e6], [0.5, 2.0])
    3.0
    """
    pairs = list(zip(tokens, usd_per_mtoken, strict=False))
    if len(tokens) != len(usd_per_mtoken) or any(min(pair) < 0 for pair in pairs):
        msg = f"tokens are {tokens}, prices {usd_per_mtoken}; allowed is one of 0 or above for each"
        raise InputError(msg)
    return sum(count / 1e6 * price for count, price in pairs)
