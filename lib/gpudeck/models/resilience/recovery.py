"""How a job is protected: what it saves, how soon a failure is noticed, and how it starts again."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp

from gpudeck.errors import InputError
from gpudeck.models.resilience.checkpoint import MODES, CheckpointCost, Mode
from gpudeck.models.resilience.checkpoint_interval import best_interval


@dataclass(frozen=True, slots=True)
class StorageFallback:
    """Every so many saves in memory, one goes on to storage in the background.

    Parameters
    ----------
    every
        Saves in memory from one save in storage to the next, 1 or more.
    save_s, load_s
        Seconds until it is complete, and to load it.
    """

    every: int
    save_s: float
    load_s: float

    def __post_init__(self) -> None:
        if self.every < 1:
            msg = f"every is {self.every}; allowed are whole numbers of 1 or more"
            raise InputError(msg)
        CheckpointCost(0.0, self.save_s, self.load_s)


@dataclass(frozen=True, slots=True)
class Protection:
    """What stands between a failure and lost work.

    Parameters
    ----------
    mode
        Where a save goes: one of `MODES`.
    cost
        What a save costs in this mode.
    interval_s
        Work between two saves, seconds, above 0; not shorter than a save takes.
    detection_s
        From a failure until it is noticed, seconds, 0 or above.
    restart_s
        From then until the job is started again, seconds, mean, 0 or above; loading comes after.
    restart_sigma
        Spread of that time: sigma of its log-normal distribution, 0 for a fixed time.
    spare_nodes
        Nodes that stand by.
    elastic_min_share
        Part of the data-parallel replicas with which the job still runs, above 0; 1: all or none.
    copies
        Copies of each state in memory, the own one included; only in mode ``"memory"``.
    fallback
        Saves in storage beside those in memory; only and always in mode ``"memory"``.
    """

    mode: Mode
    cost: CheckpointCost
    interval_s: float
    detection_s: float
    restart_s: float
    restart_sigma: float = 0.0
    spare_nodes: int = 0
    elastic_min_share: float = 1.0
    copies: int = 1
    fallback: StorageFallback | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            msg = f"mode is {self.mode!r}; allowed are {', '.join(MODES)}"
            raise InputError(msg)
        if not 0 < self.interval_s < float("inf"):
            msg = f"interval_s is {self.interval_s}; allowed are finite numbers above 0"
            raise InputError(msg)
        if self.cost.save_s > self.interval_s:
            msg = (
                f"a save takes {self.cost.save_s} s and interval_s is {self.interval_s}; allowed"
                " is an interval that is not shorter than the save"
            )
            raise InputError(msg)
        self._check_recovery()
        self._check_memory()

    def _check_recovery(self) -> None:
        for name in ("detection_s", "restart_s"):
            if not 0 <= getattr(self, name) < float("inf"):
                msg = f"{name} is {getattr(self, name)}; allowed are finite numbers of 0 or above"
                raise InputError(msg)
        if not 0 <= self.restart_sigma <= 3:
            msg = f"restart_sigma is {self.restart_sigma}; allowed are numbers from 0 to 3"
            raise InputError(msg)
        if self.spare_nodes < 0:
            msg = f"spare_nodes is {self.spare_nodes}; allowed are whole numbers of 0 or above"
            raise InputError(msg)
        if not 0 < self.elastic_min_share <= 1:
            msg = f"elastic_min_share is {self.elastic_min_share}; allowed is above 0, up to 1"
            raise InputError(msg)

    def _check_memory(self) -> None:
        in_memory = self.mode == "memory"
        if in_memory != (self.fallback is not None) or in_memory != (self.copies > 1):
            msg = (
                f"mode is {self.mode!r} with copies {self.copies} and fallback {self.fallback};"
                " allowed are 2 copies or more and a fallback in mode 'memory', neither in others"
            )
            raise InputError(msg)
        if self.fallback is not None:
            cycle_s = self.fallback.every * (self.interval_s + self.cost.stall_s)
            if self.fallback.save_s > cycle_s:
                msg = (
                    f"a save in storage takes {self.fallback.save_s} s, and the next begins after"
                    f" {cycle_s} s; allowed is a save that is complete by then"
                )
                raise InputError(msg)

    @property
    def restart_median_s(self) -> float:
        """Median of the restart: mean · e^(−σ²/2)."""
        return self.restart_s * exp(-(self.restart_sigma**2) / 2)

    @property
    def downtime_s(self) -> float:
        """Mean time from a failure until the job works again, where no node is waited for."""
        return self.detection_s + self.restart_s + self.cost.load_s

    def recovery_s(self) -> float:
        """Return the mean time until the job is where it was: downtime + τ/2 + the save.

        Half an interval has to be done again, and what was worked while the save was not complete.

        >>> cost = CheckpointCost(60, 0, 60)
        >>> Protection("synchronous", cost, 1200, 30, 300).recovery_s()
        990.0
        """
        return self.downtime_s + self.interval_s / 2 + self.cost.save_s


def fallback_every(interval_s: float, stall_s: float, storage_s: float, mtbf_s: float) -> int:
    """Return how many saves in memory lie between two in storage.

    As few as the storage allows, and not fewer than Young's interval of a stall as short as that
    of a save in memory asks: more often would load the storage for nothing.

    Parameters
    ----------
    interval_s, stall_s
        Interval and stall of the saves in memory, seconds.
    storage_s
        Time that a save in storage takes, seconds.
    mtbf_s
        Mean time between failures, seconds.

    Raises
    ------
    InputError
        A time is out of range.

    >>> fallback_every(300, 5, 1000, 10_000)
    4
    """
    floor_s = best_interval(max(stall_s, 1e-3), mtbf_s, storage_s)
    cycle_s = interval_s + stall_s
    return max(1, -int(-floor_s // cycle_s))
