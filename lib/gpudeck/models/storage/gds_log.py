"""NVIDIA's GDS guide held against its own logs: Little's law finds what is misprinted."""

from __future__ import annotations

from dataclasses import dataclass

from gpudeck.errors import InputError
from gpudeck.hardware.storage_device import find_storage_device
from gpudeck.models.storage.io_path import little_latency_s

THREADS = (4, 8, 16, 32, 64, 128)


@dataclass(frozen=True, slots=True)
class LoggedRun:
    """One line of a log: requests in flight, requests a second, the latency that it prints."""

    name: str
    in_flight: int
    per_s: float
    logged_s: float

    @property
    def little_s(self) -> float:
        """The latency that follows: in flight over requests a second, s."""
        return little_latency_s(self.in_flight, self.per_s)

    @property
    def error_pct(self) -> float:
        """How far the printed latency is above what follows, %."""
        return 100 * (self.logged_s / self.little_s - 1)


@dataclass(frozen=True, slots=True)
class Misprint:
    """A number of the guide's text that its log contradicts, and what the log and the law say."""

    name: str
    printed: float
    logged: float
    follows: float
    unit: str


def read_local_runs() -> tuple[LoggedRun, ...]:
    """Read the random reads of 4 KiB on a DGX-2's own drives, by threads.

    Source: NVIDIA GDS guide, section 5.1.

    >>> max(abs(run.error_pct) for run in read_local_runs()) < 4
    True
    """
    number = find_storage_device("GDS-DGX-2").number
    return tuple(
        LoggedRun(
            f"local_{threads}",
            threads,
            number(f"random_4k_iops_{threads}_threads"),
            number(f"random_4k_latency_us_{threads}_threads") / 1e6,
        )
        for threads in THREADS
    )


def read_remote_runs() -> tuple[LoggedRun, ...]:
    """Read the runs on storage in the network, as their log lines count them.

    Source: NVIDIA GDS guide, section 6.1: operations over seconds, and average latency.

    >>> max(abs(run.error_pct) for run in read_remote_runs()) < 0.05
    True
    """
    device = find_storage_device("GDS-NFS")
    names = sorted({attribute.rsplit("__", 1)[0] for attribute in device.rows})
    return tuple(
        LoggedRun(
            name,
            int(device.number(f"{name}__threads")),
            device.number(f"{name}__operations") / device.number(f"{name}__seconds"),
            device.number(f"{name}__latency_us") / 1e6,
        )
        for name in names
    )


def find_run(name: str) -> LoggedRun:
    """Look one run on storage in the network up.

    Raises
    ------
    InputError
        There is no such run.
    """
    runs = {run.name: run for run in read_remote_runs()}
    if name not in runs:
        msg = f"run is {name!r}; allowed are {', '.join(runs)}"
        raise InputError(msg)
    return runs[name]


def audit_guide() -> tuple[Misprint, ...]:
    """Return what the guide's text says of its runs, what the log says, and what follows.

    `latency`: of the near random reads, µs. `rate`: near over far random writes, %. `threads`: of
    the large writes, by the command line and by the log. `slowdown`: latency of large reads far
    over near, whose requests were of two sizes; at one size it is the ratio of throughputs.
    `double`: latency of large reads from own drives, far over near.

    Source: NVIDIA GDS guide, sections 5.1 and 6.1.

    >>> [(m.name, round(m.follows, 1)) for m in audit_guide()]
    [('latency', 137.1), ('rate', 12.7), ('threads', 64.0), ('slowdown', 1.1), ('double', 1.7)]
    """
    text = find_storage_device("GDS-guide-text").number
    read, write, far_write = (find_run(n) for n in ("read_near", "write_near", "write_far"))
    large, big_near, big_far = (find_run(n) for n in ("large_write", "large_near", "large_far"))
    # the far run's requests are of 2 MiB, twice those of the near one
    sizes = text("large_far_request_mib") / text("large_near_request_mib")
    near, far = (find_storage_device(d).number for d in ("GDS-DGX-2", "GDS-DGX-2-far"))
    speeds, waits = (
        [device(f"sequential_{name}") for device in (near, far)] for name in ("gib_s", "latency_us")
    )
    return (
        Misprint(
            "latency",
            text("read_near_latency_us"),
            1e6 * read.logged_s,
            1e6 * read.little_s,
            "us",
        ),
        Misprint(
            "rate",
            text("write_rate_gain"),
            100 * (write.per_s / far_write.per_s - 1),
            100 * (far_write.little_s / write.little_s - 1),
            "%",
        ),
        Misprint(
            "threads",
            text("large_write_threads"),
            large.in_flight,
            large.per_s * large.logged_s,
            "count",
        ),
        Misprint(
            "slowdown",
            text("large_far_latency_ms") / text("large_near_latency_ms"),
            big_far.logged_s / big_near.logged_s,
            big_near.per_s / (big_far.per_s * sizes),
            "x",
        ),
        Misprint(
            "double", text("far_latency_times"), waits[1] / waits[0], speeds[0] / speeds[1], "x"
        ),
    )
