# noqa: INP001 - a script beside the table that it makes
"""Derive ``diurnal_load.csv`` from the request rates of the GenTD26 trace.

Run ``python data/derive_diurnal.py FOLDER`` with the folder of ``qps.tar.gz`` or ``qps.csv``.
Only a normalised profile by the hour and the spread about it are kept. Rates of all containers are
summed for each sampling period of 57 s; hours count from the first sample, because the trace's
times are shifted by its publisher. The trace ends before the last hour: no row is made for it.
"""

import csv
import io
import sys
import tarfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import numpy as np

from gpudeck.tables import ROW_COLUMNS

SOURCE, TRACE = "gentd26", "qps.csv"
PERIOD_S, HOUR_S = 57, 3600
SMOOTH_PERIODS = 33  # half an hour
BUSY = 0.2  # of the peak: below it a handful of requests make the spread


def read_rates(folder: Path) -> np.ndarray:
    """Sum the rate of all containers for each sampling period from the first sample on."""
    times, values = [], []
    for row in csv.DictReader(_open(folder)):
        times.append(float(row["timestamp_anon"]))
        values.append(float(row["value"]))
    period = np.round((np.array(times) - min(times)) / PERIOD_S).astype(int)
    return np.bincount(period, values)


def _open(folder: Path) -> io.TextIOBase:
    if (folder / TRACE).is_file():
        return (folder / TRACE).open(encoding="utf-8", newline="")
    with tarfile.open(folder / "qps.tar.gz") as archive:
        member = archive.extractfile(TRACE)
        assert member is not None, f"the archive holds no {TRACE}"
        return io.StringIO(member.read().decode())


def summarise(rates: np.ndarray) -> Iterator[tuple[str, float, str]]:
    """Give the profile by the hour over its peak, and spread and correlation about it."""
    hour = np.arange(len(rates)) * PERIOD_S // HOUR_S
    means = np.bincount(hour, rates) / np.bincount(hour)
    for number, level in enumerate(means / means.max()):
        how = "hour counted from the first sample, mean of all containers' sum over the peak hour"
        yield f"level@{number}", level, how
    pad = SMOOTH_PERIODS // 2
    smooth = np.convolve(np.pad(rates, pad, "edge"), np.full(SMOOTH_PERIODS, 1 / SMOOTH_PERIODS))
    smooth = smooth[2 * pad : 2 * pad + len(rates)]
    busy = smooth > BUSY * smooth.max()
    ratio = rates[busy] / smooth[busy]
    about = "sums of 57 s over their moving mean of half an hour, above a fifth of the peak"
    yield "cv", ratio.std(), f"standard deviation of {about}"
    lagged = np.corrcoef(ratio[:-1], ratio[1:])[0, 1]
    yield "correlation", lagged, f"lag of one period, of {about}"


def write_table(folder: Path, target: Path, accessed: str) -> None:
    """Write the table."""
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(ROW_COLUMNS)
        for attribute, value, how in summarise(read_rates(folder)):
            number = np.format_float_positional(round(float(value), 4), trim="-")
            cells = (
                "gentd26",
                attribute,
                number,
                "1",
                "",
                "",
                "derived",
                SOURCE,
                f"{TRACE}: {how}",
            )
            writer.writerow([*cells, accessed])


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3}:
        sys.exit("usage: python data/derive_diurnal.py FOLDER [DATE OF ACCESS]")
    when = sys.argv[2] if len(sys.argv) > 2 else date.today().isoformat()
    write_table(Path(sys.argv[1]), Path(__file__).parent / "diurnal_load.csv", when)
