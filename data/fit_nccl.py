# noqa: INP001 - a script beside the table that it makes
"""Fit the constants of ``nccl_fit.csv`` to measured times of NCCL's collectives in one node.

Run ``python data/fit_nccl.py FILE`` with the JSON file of AIConfigurator's NCCL measurements:
milliseconds by library, operation, number of GPUs and elements of two bytes.

For each GPU and operation a protocol is a line (`ProtocolLine` of `models/fabric`; LL has
two, for few and for all channels). Which protocol is taken is NCCL's choice by its own constants
and not fitted; an all-to-all takes the fastest. All sizes and all of 2, 4 and 8 GPUs are fitted at
once: least squares in relative error with a soft loss, from several starts of a fixed seed. Only
NCCL 2.27.3 is fitted; NCCL 2.29.2 and 2.23 on H100 were never seen by the fit. Residuals in percent
are in the table as well: of all points, by number of GPUs, and of the two other versions. In a fit
with every second size left out (`unseen`), the residuals are those of the sizes left out.
"""

import csv
import json
import sys
from dataclasses import fields
from datetime import date
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from gpudeck.models.fabric.nccl import node_times_us
from gpudeck.models.fabric.node_lines import (
    FITTED_LINES,
    OPERATIONS,
    NodeLines,
    Operation,
    ProtocolLine,
    SwitchLine,
    tuner_limits,
)
from gpudeck.tables import ROW_COLUMNS

BYTES_OF_ELEMENT = 2
FITTED = {
    "A100-80G-SXM": "a100_sxm_comm_nccl_2.27.3",
    "H100-SXM": "h100_sxm_comm_nccl_2.27.3",
}
OTHERS = {"H100-SXM": ("h100_sxm_comm_nccl_2.29.2", "h100_sxm_comm_nccl_2.23")}
SWITCHED = {"H100-SXM"}
NAMES = {name: "alltoall" if name == "all_to_all" else name for name in OPERATIONS}
RING_GB_S = {"A100-80G-SXM": 230.0, "H100-SXM": 370.0}  # where the search for bandwidth begins
STARTS = 8
# start, low, high of base µs, hop µs, share of the bandwidth, copy GB/s
BOUNDS = {
    "ll": ((5, 0, 30), (0.8, 0, 20), (0.1, 0.02, 0.5), (300, 40, 10000)),
    "ll_wide": ((8, 0, 40), (1.2, 0, 20), (0.5, 0.1, 0.97), (300, 40, 10000)),
    "ll128": ((15, 0, 60), (2, 0, 20), (0.8, 0.2, 1.0), (300, 40, 10000)),
    "simple": ((20, 0, 80), (3, 0, 20), (1.0, 0.7, 1.25), (900, 100, 10000)),
    "nvls": ((40, 0, 80), (0.5, 0, 1), (0.8, 0.5, 1.25)),
}
Points = np.ndarray  # columns: GPUs, bytes, microseconds


def read_points(measured: dict, library: str, operation: Operation) -> Points:
    """Return the measurements of an operation, shape (points, 3)."""
    return np.array(
        [
            (int(gpus), BYTES_OF_ELEMENT * int(size), 1e3 * milliseconds)
            for gpus, times in measured.get(library, {}).get(NAMES[operation], {}).items()
            for size, milliseconds in times.items()
        ]
    )


def lines_of(values: np.ndarray, gpu_id: str, operation: Operation) -> NodeLines:
    """Return the lines that the numbers of a fit stand for."""
    scale = RING_GB_S[gpu_id]
    lines = {}
    for index, name in enumerate(FITTED_LINES):
        base, hop, share, copy = values[4 * index : 4 * index + 4]
        lines[name] = ProtocolLine(base, hop, scale * share, copy)
    rest = values[4 * len(FITTED_LINES) :]
    switch = SwitchLine(rest[0], rest[1], scale * rest[2]) if len(rest) else None
    return NodeLines(gpu_id, {operation: lines}, switch, "fit", *tuner_limits(gpu_id))


def relative_errors(lines: NodeLines, operation: Operation, points: Points) -> np.ndarray:
    """Return predicted over measured time, less 1, of each point."""
    ranks, size, measured = points.T
    times = node_times_us(operation, lines, size, ranks)
    return np.min(np.array(list(times.values())), axis=0) / measured - 1


def fit_lines(gpu_id: str, operation: Operation, points: Points) -> NodeLines:
    """Fit the lines of an operation, and keep the best of several starts."""
    switched = gpu_id in SWITCHED and operation == "all_reduce"
    names = (*FITTED_LINES, "nvls") if switched else FITTED_LINES
    start, low, high = np.array([bound for name in names for bound in BOUNDS[name]], float).T

    def errors(values: np.ndarray) -> np.ndarray:
        return np.log1p(relative_errors(lines_of(values, gpu_id, operation), operation, points))

    draw = np.random.default_rng(0)
    found = [
        least_squares(
            errors,
            np.clip(start * draw.uniform(0.5, 1.6, len(start)), low + 1e-6, high - 1e-6),
            bounds=(low, high),
            loss="soft_l1",
            f_scale=0.1,
            max_nfev=800,
        )
        for _ in range(STARTS)
    ]
    best = min(found, key=lambda result: result.cost).x
    return lines_of(best, gpu_id, operation)


def constants(lines: NodeLines, operation: Operation) -> dict[str, float]:
    """Return the numbers of the lines by attribute, rounded to four digits."""
    found = {
        f"{name}_{field.name}": getattr(line, field.name)
        for name, line in lines.lines[operation].items()
        for field in fields(ProtocolLine)
    }
    if lines.switch is not None:
        switch = lines.switch
        found |= {f"nvls_{f.name}": getattr(switch, f.name) for f in fields(SwitchLine)}
    return {name: round(float(f"{value:.4g}"), 4) for name, value in found.items()}


def residuals(
    measured: dict, gpu_id: str, operation: Operation, lines: NodeLines, points: Points
) -> dict[str, float]:
    """Return median and worst absolute errors in percent, by what they are of."""
    errors = {"error": relative_errors(lines, operation, points)}
    for gpus in (2, 4, 8):
        errors[f"error_{gpus}_gpus"] = errors["error"][points[:, 0] == gpus]
    for library in OTHERS.get(gpu_id, ()):
        other = read_points(measured, library, operation)
        if len(other):
            version = library.rpartition("_")[2].replace(".", "_")
            errors[f"error_nccl_{version}"] = relative_errors(lines, operation, other)
    sizes = np.unique(points[:, 1])
    kept = np.isin(points[:, 1], sizes[::2])
    half = fit_lines(gpu_id, operation, points[kept])
    errors["unseen_error"] = relative_errors(half, operation, points[~kept])
    return {
        f"{name}_{told}": float(f"{measure(100 * np.abs(values)):.3g}")
        for name, values in errors.items()
        for told, measure in (("median", np.median), ("worst", np.max))
    }


def table_rows(measured: dict, accessed: str) -> list[tuple[object, ...]]:
    """Return the rows of the table: constants and residuals of every GPU and operation."""
    rows: list[tuple[object, ...]] = []
    for gpu_id, library in FITTED.items():
        for operation in OPERATIONS:
            points = read_points(measured, library, operation)
            lines = fit_lines(gpu_id, operation, points)
            told = f"fit_nccl.py: {library}, 2, 4 and 8 GPUs, least squares in relative error"
            for name, value in constants(lines, operation).items():
                unit = "us" if name.endswith("_us") else "GB/s"
                rows.append(_row(gpu_id, operation, name, value, unit, told, accessed))
            told = "fit_nccl.py: absolute relative error"
            for name, value in residuals(measured, gpu_id, operation, lines, points).items():
                rows.append(_row(gpu_id, operation, name, value, "%", told, accessed))
    return rows


def _row(
    gpu_id: str, operation: Operation, name: str, value: float, unit: str, told: str, accessed: str
) -> tuple[object, ...]:
    row_id = f"{gpu_id}/{operation}"
    return (row_id, name, f"{value:g}", unit, "", "", "derived", "aiconfigurator", told, accessed)


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3}:
        sys.exit("usage: python data/fit_nccl.py FILE [DATE OF ACCESS]")
    when = sys.argv[2] if len(sys.argv) > 2 else date.today().isoformat()
    read = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    with Path(__file__).with_name("nccl_fit.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(ROW_COLUMNS)
        writer.writerows(table_rows(read, when))
