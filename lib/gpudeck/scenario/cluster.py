"""The nodes and pods of a scenario: from its trace where it has one, from its tables otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gpudeck.tables import data_dir

if TYPE_CHECKING:
    from gpudeck.hardware.node import Nodes
    from gpudeck.scenario.schema import Scenario
    from gpudeck.workload import Pods


@dataclass(frozen=True)
class Cluster:
    """A fleet and the pods that ask for it.

    `origin` is "measured" (a whole trace), "resampled" (a trace or a table at another size, or
    summary tables) or "scenario" (the reader's own tables); `source` is a key of
    `data/sources.csv`, or the file's name for the reader's own tables.
    """

    nodes: Nodes
    pods: Pods
    origin: str
    source: str


def table_path(table: str) -> Path:
    """Return the file of a table: `data/<name>.csv` for a name, or the .csv file itself."""
    return Path(table) if table.endswith(".csv") else data_dir() / f"{table}.csv"


def build_cluster(scenario: Scenario, seed: int) -> Cluster:
    """Return the nodes and pods that a scenario asks for (see `Scenario.cluster_tables`)."""
    from gpudeck.hardware.node import Nodes
    from gpudeck.workload import Pods, read_openb_nodes, read_openb_pods

    fleet, source = scenario.fleet, scenario.cluster
    if source.trace is None:
        nodes = Nodes.from_types(table_path(fleet.node_types), fleet.nodes)
        pods = Pods.from_specs(table_path(source.pods))
        return Cluster(nodes, pods, "resampled", "openb")
    folder = Path(source.trace)
    nodes = read_openb_nodes(folder / source.node_list)
    return Cluster(nodes, read_openb_pods(folder / source.pod_list), "measured", "openb")
