"""Readers of load over time: requests a second from a file, or a day's profile from its summary."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.tables import read_table

MINUTE_S = 60.0
HOURS = 24
MAX_MINUTES = 527_040  # of a leap year
_GENTD26_PERIOD_S = 57.0
_COLUMNS = (("time", "qps"), ("timestamp_anon", "value"))


@dataclass(frozen=True, slots=True, eq=False)
class LoadSeries:
    """Requests a second, minute by minute, shape (minutes,), and where they come from."""

    rate_per_s: NDArray[np.float64]
    source: str

    @property
    def days(self) -> float:
        """Length of the series in days."""
        return len(self.rate_per_s) / (HOURS * 60)


@dataclass(frozen=True, slots=True, eq=False)
class DiurnalProfile:
    """A day's load by the hour over that of the peak hour, shape (24,), and the spread about it.

    `cv` is the spread of a minute about its half hour, `correlation` that of one minute with the
    next.
    """

    level: NDArray[np.float64]
    cv: float
    correlation: float
    source: str

    def at_minutes(self, minutes: int) -> NDArray[np.float64]:
        """Return the profile minute by minute from hour 0, linear between the middles of hours."""
        hours = np.arange(minutes) / 60.0 % HOURS
        middles = np.arange(-1, HOURS + 1) + 0.5
        around = np.concatenate([self.level[-1:], self.level, self.level[:1]])
        return np.interp(hours, middles, around)


@cache
def read_diurnal_profile(name: str = "gentd26") -> DiurnalProfile:
    """Read a day's profile from ``data/diurnal_load.csv``; hours without a row are interpolated.

    Parameters
    ----------
    name
        Id of a trace in the table.

    Raises
    ------
    InputError
        The table has no such id, or no hour of it.

    Source: Alibaba, GenTD26, ``qps.csv``.

    >>> profile = read_diurnal_profile()
    >>> float(profile.level.max()), profile.level.shape
    (1.0, (24,))
    """
    rows = read_table("diurnal_load").of(name)
    known = [hour for hour in range(HOURS) if f"level@{hour}" in rows]
    if not known:
        msg = f"{name} in data/diurnal_load.csv has no level@hour; allowed is one or more"
        raise InputError(msg)
    levels = [rows[f"level@{hour}"].number for hour in known]
    level = np.interp(np.arange(HOURS), known, levels, period=HOURS)
    source = rows[f"level@{known[0]}"].sources[0]
    return DiurnalProfile(level, rows["cv"].number, rows["correlation"].number, source)


def read_load_series(path: str | Path) -> LoadSeries:
    """Read requests a second from a CSV file, and average them minute by minute.

    Two forms: ``time, qps`` with times in seconds, one row a sample; and GenTD26's ``qps.csv``
    (``timestamp_anon, value``), where the samples of all containers in 57 s are summed. A minute
    without a sample takes the line between its neighbours; in GenTD26 it has no requests.

    Parameters
    ----------
    path
        The file; rows in any order.

    Raises
    ------
    InputError
        The file is missing, has neither form, fewer than two rows, a number that is not finite or
        is negative, or a span of less than two minutes or more than a year.
    """
    path = Path(path)
    columns, cells = _read_cells(path)
    times, values = _numbers(path, cells)
    order = np.argsort(times, kind="stable")
    times, values = times[order] - times[order][0], values[order]
    if not 2 * MINUTE_S <= times[-1] <= MAX_MINUTES * MINUTE_S:
        msg = f"{path} spans {times[-1]:g} s; allowed is from two minutes to a year"
        raise InputError(msg)
    if columns == _COLUMNS[1]:
        period = np.round(times / _GENTD26_PERIOD_S).astype(np.int64)
        sums = np.bincount(period, values)
        minutes = _by_minute(np.arange(len(sums)) * _GENTD26_PERIOD_S, sums)
        return LoadSeries(minutes, path.name)
    return LoadSeries(_by_minute(times, values), path.name)


def _read_cells(path: Path) -> tuple[tuple[str, str], list[tuple[str, str]]]:
    if not path.is_file():
        msg = f"{path} is not there; allowed is a CSV file with the columns time and qps"
        raise InputError(msg)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file, strict=True))
    except (csv.Error, UnicodeDecodeError) as error:
        msg = f"{path}: {error}; allowed is CSV in UTF-8"
        raise InputError(msg) from error
    if len(rows) < 2:
        msg = f"{path} has {len(rows)} rows; allowed are two or more"
        raise InputError(msg)
    for columns in _COLUMNS:
        if set(columns) <= rows[0].keys():
            return columns, [(row[columns[0]], row[columns[1]]) for row in rows]
    msg = f"{path} has the columns {', '.join(map(str, rows[0]))}; allowed are time and qps"
    raise InputError(msg)


def _numbers(
    path: Path, cells: list[tuple[str, str]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    for line, (time, value) in enumerate(cells, start=2):
        try:
            right = np.isfinite(float(time)) and 0 <= float(value) < np.inf
        except (TypeError, ValueError):
            right = False
        if not right:
            msg = f"{path}, line {line}: {time!r}, {value!r}; allowed are a time and a rate from 0"
            raise InputError(msg)
    numbers = np.array(cells, dtype=np.float64)
    return numbers[:, 0], numbers[:, 1]


def _by_minute(times_s: ArrayLike, values: ArrayLike) -> NDArray[np.float64]:
    minute = (np.asarray(times_s) // MINUTE_S).astype(np.int64)
    counts = np.bincount(minute)
    means = np.bincount(minute, values) / np.maximum(counts, 1)
    known = np.flatnonzero(counts)
    return np.interp(np.arange(len(counts)), known, means[known])
