"""What a scenario says of itself, as facts for the cover."""

from __future__ import annotations

from pathlib import Path

from gpudeck.fact import Fact, function_name
from gpudeck.scenario.cluster import Cluster
from gpudeck.scenario.schema import Scenario


def describe_fleet(scenario: Scenario, cluster: Cluster, lang: str) -> tuple[Fact, ...]:
    """Return title, origin, size and date of a scenario, and how many tenants share it.

    Parameters
    ----------
    scenario : Scenario
        What the reader chose.
    cluster : Cluster
        Its nodes and pods, from `scenario.cluster_tables`.
    lang : str
        Language of title and origin, "zh" or "en".
    """
    demand = scenario.cluster
    origin = scenario.origin.note.in_language(lang)
    if demand.trace is not None:
        # the note was written for the tables: a trace speaks for itself
        size = "" if cluster.origin == "measured" else f" → {len(cluster.nodes)}"
        origin = f"{Path(demand.node_list).stem}{size}, {Path(demand.pod_list).stem}"
    values: dict[str, tuple[int | str, str]] = {
        "scenario": (scenario.title.in_language(lang), ""),
        "origin": (origin, ""),
        "gpus": (cluster.nodes.gpu_count, "count"),
        "nodes": (len(cluster.nodes), "count"),
        "pods": (len(cluster.pods), "count"),
        "tenants": (len(scenario.tenants), "count"),
        "date": (scenario.date.isoformat(), ""),
    }
    made_by = function_name(describe_fleet)
    return tuple(
        Fact(key, value, unit, "scenario", scenario.id, made_by)
        for key, (value, unit) in values.items()
    )
