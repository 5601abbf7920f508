"""What page 20 tunes: the scenario's requests, once a seed, its engine and its replica."""

from __future__ import annotations

from dataclasses import dataclass

from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.rng import spawn_seeds
from gpudeck.scenario import Scenario
from gpudeck.scenario.serving import read_serving_requests
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
    serving = scenario.serving
    tables = []
    for drawn in spawn_seeds(seed, scenario.runs):
        whole = read_serving_requests(scenario, RATE_PER_S, drawn)
        tables.append(whole.take(slice(0, REQUESTS)))
    engine = Engine(
        "chunked",
        max_batch=serving.max_batch,
        chunk_tokens=serving.chunk_tokens,
        block_size=serving.block_size,
        step_overhead_s=serving.step_overhead_ms / 1e3,
    )
    replica = Replica(
        serving.gpu,
        serving.model,
        serving.tensor_parallel,
        serving.precision,
    )
    return Tuning(tuple(tables), engine, replica)
