"""The validated description of a fleet, its demand and its tenants."""

from gpudeck.scenario.cluster import Cluster
from gpudeck.scenario.describe import describe_fleet
from gpudeck.scenario.read import list_scenarios, read_scenario, write_template
from gpudeck.scenario.schema import Scenario

__all__ = [
    "Cluster",
    "Scenario",
    "describe_fleet",
    "list_scenarios",
    "read_scenario",
    "write_template",
]
