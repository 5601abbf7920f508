"""The scenario in a few facts: what the cover says of the fleet."""

from __future__ import annotations

from gpudeck.fact import Fact, function_name
from gpudeck.scenario.cluster import Cluster
from gpudeck.scenario.schema import Scenario


def describe_fleet(scenario: Scenario, cluster: Cluster, lang: str) -> tuple[Fact, ...]:
    """Return name, origin, date and size of the scenario's fleet.

    Parameters
    ----------
    scenario : Scenario
        The scenario.
    cluster : Cluster
        Its nodes and pods, from `scenario.cluster_tables`.
    lang : str
        "zh" or "en", the language of the names.

    Returns
    -------
    tuple of Fact
        `scenario`, `origin`, `date` (text); `nodes`, `gpus`, `pods`, `tenants` (counts).
    """
    values: dict[str, str | int] = {
        "scenario": scenario.title.in_language(lang),
        "origin": scenario.origin.note.in_language(lang),
        "date": scenario.date.isoformat(),
        "nodes": len(cluster.nodes),
        "gpus": int(cluster.nodes.gpus.sum()),
        "pods": len(cluster.pods),
        "tenants": len(scenario.tenants),
    }
    made_by = function_name(describe_fleet)
    return tuple(
        Fact(
            key,
            value,
            "text" if isinstance(value, str) else "count",
            "scenario",
            scenario.id,
            made_by,
            decimals=0,
        )
        for key, value in values.items()
    )
