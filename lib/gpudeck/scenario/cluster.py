"""The nodes and pods of a scenario: from its trace where it has one, from its tables otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gpudeck.errors import InputError
from gpudeck.fact import Fact
from gpudeck.hardware.node import Nodes, apportion
from gpudeck.rng import generator
from gpudeck.tables import data_dir, read_columns
from gpudeck.workload import Pods, read_openb_nodes, read_openb_pods

if TYPE_CHECKING:
    from gpudeck.scenario.schema import Scenario

SOURCE = "openb"
NODE_COLUMNS = ("cpu_milli", "memory_mib", "gpu", "model", "count")
POD_COLUMNS = ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli", "gpu_spec", "count")
MAX_DIGITS = 12
MAX_ROWS = 10_000_000
_WORDS = ("model", "gpu_spec")


@dataclass(frozen=True)
class Cluster:
    """A fleet and the pods that ask for it.

    `origin` is "measured" (every node of a trace), "resampled" (the summary tables in data/, or a
    trace at another size) or "scenario" (the reader's own tables); `source` is a key of
    `data/sources.csv`, or the names of the reader's own tables.
    """

    nodes: Nodes
    pods: Pods
    origin: str
    source: str

    def facts(self) -> tuple[Fact, ...]:
        """Return where the workload comes from, as a fact that the source line of a page cites."""
        kind = {"measured": "published-measurement", "resampled": "derived"}.get(
            self.origin, "scenario"
        )
        by = f"{__name__}.build_cluster"
        return (Fact("pods", len(self.pods), "pod", kind, self.source, by, decimals=0),)


def build_cluster(scenario: Scenario, seed: int) -> Cluster:
    """Return the nodes and pods that a scenario asks for (see `Scenario.cluster_tables`)."""
    fleet, demand = scenario.fleet, scenario.cluster
    if demand.trace is not None:
        folder = Path(demand.trace)
        trace = read_openb_nodes(folder / demand.node_list)
        nodes = resize_fleet(trace, fleet.nodes, seed)
        pods = read_openb_pods(folder / demand.pod_list)
        origin = "measured" if len(nodes) == len(trace) else "resampled"
        where, source = str(folder), SOURCE
    else:
        nodes = _read_types(table_path(fleet.node_types), fleet.nodes)
        pods = _read_specs(table_path(demand.pods))
        own = [Path(table).name for table in (fleet.node_types, demand.pods) if _is_path(table)]
        origin, source = ("scenario", ", ".join(own)) if own else ("resampled", SOURCE)
        where = f"{fleet.node_types}, {demand.pods}"
    _check_demand(nodes, pods, where)
    return Cluster(nodes, pods, origin, source)


def resize_fleet(nodes: Nodes, count: int, seed: int) -> Nodes:
    """Return a fleet of `count` nodes with the same mix of node types.

    Parameters
    ----------
    nodes : Nodes
        The fleet to resize.
    count : int
        Nodes wanted. Fewer are drawn from each type without replacement and keep their names and
        order; more are made anew, type by type.
    seed : int
        Chooses which nodes of a type stay.
    """
    if count == len(nodes):
        return nodes
    rows: dict[tuple[int, int, int, str], list[int]] = {}
    columns = (nodes.cpu_milli, nodes.memory_mib, nodes.gpus, nodes.model)
    for row, kind in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
        rows.setdefault(kind, []).append(row)
    shares = apportion([len(of_type) for of_type in rows.values()], count)
    if count > len(nodes):
        cpu_milli, memory_mib, gpus, model = zip(*rows, strict=True)
        return Nodes.from_types(cpu_milli, memory_mib, gpus, model, shares)
    rng = generator(seed, "fleet")
    kept = [
        rng.choice(of_type, share, replace=False)
        for of_type, share in zip(rows.values(), shares, strict=True)
    ]
    return nodes.take(np.sort(np.concatenate(kept)))


def table_path(table: str) -> Path:
    """Return the file of a table: `data/<name>.csv` for a name, or the .csv file itself."""
    return Path(table) if _is_path(table) else data_dir() / f"{table}.csv"


def _is_path(table: str) -> bool:
    return table.endswith(".csv")


def _read_types(path: Path, count: int) -> Nodes:
    cells = _read_cells(path, NODE_COLUMNS)
    return Nodes.from_types(
        cells["cpu_milli"],
        cells["memory_mib"],
        cells["gpu"],
        cells["model"],
        apportion(cells["count"], count),
    )


def _read_specs(path: Path) -> Pods:
    cells = _read_cells(path, POD_COLUMNS)
    return Pods.from_specs(
        cells["cpu_milli"],
        cells["memory_mib"],
        cells["num_gpu"],
        cells["gpu_milli"],
        cells["gpu_spec"],
        cells["count"],
    )


def _read_cells(path: Path, names: tuple[str, ...]) -> dict[str, list[Any]]:
    """Read the named columns of a table of counts: words as they are, the rest whole numbers."""
    columns = read_columns(path)
    if missing := [name for name in names if name not in columns]:
        msg = f"{path} has no column {', '.join(missing)}; needed are {', '.join(names)}"
        raise InputError(msg)
    cells: dict[str, list[Any]] = {}
    for name in names:
        numeric = name not in _WORDS
        for line, cell in enumerate(columns[name], start=2):
            if numeric and not (cell.isascii() and cell.isdigit() and len(cell) <= MAX_DIGITS):
                msg = f"{path} line {line}: {name} is {cell!r}; allowed are whole numbers from 0"
                raise InputError(msg)
        cells[name] = [int(cell) for cell in columns[name]] if numeric else list(columns[name])
    if not 1 <= sum(cells["count"]) <= MAX_ROWS:
        msg = f"{path}: the counts sum to {sum(cells['count'])}; allowed are 1 to {MAX_ROWS}"
        raise InputError(msg)
    return cells


def _check_demand(nodes: Nodes, pods: Pods, where: str) -> None:
    if nodes.gpu_count == 0 or not pods.gpu_demand_milli.any():
        what = "the fleet has no GPU" if nodes.gpu_count == 0 else "no pod asks for a GPU"
        msg = f"{where}: {what}; allowed are nodes and pods with at least one"
        raise InputError(msg)
