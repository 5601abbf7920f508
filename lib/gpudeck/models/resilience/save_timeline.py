"""One save, second by second: when the job stands still, and when the save is complete."""

from __future__ import annotations

from dataclasses import dataclass

from gpudeck.models.resilience.checkpoint import CheckpointPath
from gpudeck.models.resilience.recovery import Protection


@dataclass(frozen=True, slots=True)
class SavePhases:
    """Phases of one save, in seconds after the job stopped for it.

    `stall_s` until it works again, `snapshot_s` until the state is in host memory (0 where it goes
    to storage directly), `begin_s` to `complete_s` the way to storage.
    """

    stall_s: float
    snapshot_s: float
    begin_s: float
    complete_s: float


def save_phases(path: CheckpointPath) -> tuple[SavePhases, SavePhases]:
    """Return the phases of a synchronous and of an asynchronous save of the same state.

    >>> synchronous, asynchronous = save_phases(CheckpointPath(1e12, 1024, 128, 20, 20, 5, 10))
    >>> synchronous.stall_s, round(asynchronous.stall_s, 2), round(asynchronous.complete_s, 2)
    (55.0, 5.05, 55.05)
    """
    synchronous, asynchronous = path.cost("synchronous"), path.cost("asynchronous")
    stall_s = asynchronous.stall_s
    return (
        SavePhases(synchronous.stall_s, 0.0, path.overhead_s, synchronous.stall_s),
        SavePhases(stall_s, stall_s, stall_s, stall_s + asynchronous.save_s),
    )


@dataclass(frozen=True, slots=True)
class RecoveryPhases:
    """One recovery of mean length, in seconds, the failure at 0.

    The last complete save was made `lost_s` of work before; then come detection, restart and
    loading, and the lost work again.
    """

    lost_s: float
    detection_s: float
    restart_s: float
    load_s: float

    @property
    def total_s(self) -> float:
        """Seconds from the failure until the job is where it was."""
        return self.detection_s + self.restart_s + self.load_s + self.lost_s


def recovery_phases(protection: Protection) -> RecoveryPhases:
    """Return the recovery from a failure halfway through an interval, no node being waited for.

    Parameters
    ----------
    protection
        What the job has.
    """
    return RecoveryPhases(
        protection.interval_s / 2 + protection.cost.save_s,
        protection.detection_s,
        protection.restart_s,
        protection.cost.load_s,
    )
