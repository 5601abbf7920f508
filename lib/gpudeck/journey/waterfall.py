"""Where the GPU-hours of a day go: every one of them to one cause, and the causes sum exactly.

Each hour is booked by direct accounting, from the outside in: what no pod holds, what a pod holds
and nobody asked for, what was asked for and lies idle, what is used and lost. Amounts are whole
numbers of 10⁻⁹ GPU-hours, so that nothing is lost to rounding.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.journey.day import Day
from gpudeck.journey.use import PPM
from gpudeck.workload.pod import GPU_MILLI

NANO = GPU_MILLI * PPM
# what becomes of a GPU-hour, in the order of booking
PARTS = (
    "unneeded",  # free, and nobody waits
    "stranded",  # free, and pods wait that find no place on it
    "grain",  # part of a whole GPU that its pod did not ask for
    "oversized",  # asked for, and more than the pod uses in its own peak hour
    "off_peak",  # needed in the peak hour only
    "shared",  # lost to the overhead of sharing
    "failed",  # used by jobs that fail
    "useful",
)


@dataclass(frozen=True, slots=True, eq=False)
class Waterfall:
    """GPU-hours of a day by cause and hour.

    ``nano[part]`` has shape (24,), in 10⁻⁹ GPU-hours; in every hour the parts sum to
    ``capacity_nano``. ``waiting_nano``, shape (24,), is what waiting pods would hold: it is outside
    the fleet and no part of the sum.
    """

    nano: dict[str, NDArray[np.int64]]
    capacity_nano: int
    waiting_nano: NDArray[np.int64]

    def part(self, *names: str) -> Fraction:
        """Return some causes' part of the day's GPU-hours, exactly."""
        total = sum(int(self.nano[name].sum()) for name in names)
        return Fraction(total, self.capacity_nano * len(self.waiting_nano))

    def percent(self, *names: str) -> float:
        """Return some causes' part of the day's GPU-hours, in percent."""
        return float(100 * self.part(*names))

    def hourly_pct(self, *names: str) -> NDArray[np.float64]:
        """Return some causes' part of each hour, in percent, shape (24,)."""
        total = np.sum([self.nano[name] for name in names], axis=0)
        return 100 * total / self.capacity_nano

    @property
    def gpu_hours(self) -> float:
        """GPU-hours of the day, all that is paid for."""
        return self.capacity_nano * len(self.waiting_nano) / NANO

    @property
    def waiting_gpu_hours(self) -> float:
        """GPU-hours that waiting pods would have held."""
        return float(self.waiting_nano.sum() / NANO)


def attribute_day(day: Day, sharing_loss: float = 0.0) -> Waterfall:
    """Book all GPU-hours of a day to their causes.

    Free GPU counts as stranded up to what waiting pods ask for, and as unneeded beyond that.

    Parameters
    ----------
    day : Day
        A simulated day.
    sharing_loss : float
        Part of a sharing pod's work that sharing costs, 0 to 1; only with the grain "share".

    Raises
    ------
    InputError
        The loss is out of range.
    """
    if not 0 <= sharing_loss <= 1:
        msg = f"sharing_loss is {sharing_loss}; allowed is 0 to 1"
        raise InputError(msg)
    capacity, placed = day.capacity_milli * PPM, day.placed
    held = day.per_hour(day.held_milli * PPM, placed)
    waiting = day.per_hour(day.held_milli * PPM, ~placed)
    asked = day.per_hour(day.asked_milli * PPM, placed)
    loss_ppm = round(sharing_loss * PPM) if day.grain == "share" else 0
    peak, used, lost, failed = _book_use(day, loss_ppm)
    free = capacity - held
    stranded = np.minimum(free, waiting)
    nano = {
        "unneeded": free - stranded,
        "stranded": stranded,
        "grain": held - asked,
        "oversized": asked - peak,
        "off_peak": peak - used,
        "shared": lost,
        "failed": failed,
        "useful": used - lost - failed,
    }
    return Waterfall(nano, capacity, waiting)


def _book_use(day: Day, loss_ppm: int) -> tuple[NDArray[np.int64], ...]:
    """Sum over the placed jobs, by hour: peak need, use, use lost to sharing, use of failing jobs.

    Python's whole numbers carry the products, which leave 64 bits on a fleet of thousands.
    """
    pod, use = day.sessions.pod, day.pod_use
    kind, need = use.kind[pod], day.asked_milli * use.peak_ppm[pod]
    shares = day.asked_milli < GPU_MILLI
    booked = np.zeros((4, len(use.course_ppm[0])), dtype=object)
    for place, course in enumerate(use.course_ppm.tolist()):
        mine = day.placed & (kind == place)
        peak = day.per_hour(need, mine).tolist()
        shared = day.per_hour(need, mine & shares).tolist()
        failing = int(use.failed_ppm[place])
        for hour, now in enumerate(course):
            used = peak[hour] * now // PPM
            lost = shared[hour] * now // PPM * loss_ppm // PPM
            booked[:, hour] += [peak[hour], used, lost, (used - lost) * failing // PPM]
    return tuple(row.astype(np.int64) for row in booked)
