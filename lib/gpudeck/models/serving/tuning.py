"""What page 20 tunes: the scenario's requests, once a seed, its engine and its replica."""

from __future__ import annotations

from dataclasses import dataclass

from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.service import plan_engine, plan_replica
from gpudeck.scenario import Scenario
from gpudeck.scenario.serving import read_serving_runs
from gpudeck.workload.request import RequestTable

# enough for a 99th percentile of gaps (tens of thousands) in the time of one page
REQUESTS = 400
# any rate will do: the studies stretch arrivals to what the replica serves
RATE_PER_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class Tuning:
    """Requests, one list a seed, and the engine and replica that all studies begin with."""

    tables: tuple[RequestTable, ...]
    engine: Engine
    replica: Replica


def read_tuning(scenario: Scenario, seed: int = 0) -> Tuning:
    """Read what to tune from a scenario; each list has 400 requests at most.

    Parameters
    ----------
    scenario
        Its `serving` section gives requests, engine and replica, its `runs` the number of seeds.
    seed
        Seed of all draws.
    """
    tables = read_serving_runs(scenario, REQUESTS, seed, rate_per_s=RATE_PER_S)
    return Tuning(tables, plan_engine(scenario.serving), plan_replica(scenario.serving))
