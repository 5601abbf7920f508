"""Speed of the search for a capacity: ``python benchmarks/bench_capacity.py [--quick]``.

Times are of one core after compilation, the best of a few runs.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from gpudeck.models.serving.capacity import Capacity, find_capacity, find_disaggregated_capacity
from gpudeck.models.serving.engine import Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.rng import generator
from gpudeck.workload.request import RequestTable

ENGINES = (Engine("paged"), Engine("chunked"))
OBJECTIVES = {"ttft_objective_s": 0.5, "tbt_objective_s": 0.03}
POOLS = {"prefill_replicas": 2, "decode_replicas": 2, "link_gb_s": 50.0}


def make_requests(count: int) -> RequestTable:
    rng = generator(0, "bench", count)
    prompt = np.clip(rng.lognormal(6.5, 0.8, count), 1, 4000).astype(int)
    output = np.clip(rng.lognormal(4.9, 0.7, count), 1, 1000).astype(int)
    return RequestTable(np.cumsum(rng.exponential(1.0, count)), prompt, output)


def best_of(search: Callable[[], Capacity], repeats: int) -> tuple[Capacity, float]:
    """Time a search, the shortest of several."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        found = search()
        times.append(time.perf_counter() - start)
    return found, min(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1,000 requests only")
    quick = parser.parse_args().quick
    replica = Replica("H100-SXM", "llama-2-7b")
    find_capacity(make_requests(50), ENGINES[0], replica, **OBJECTIVES)  # compiles
    print("asked: 0.3 s a search with 1,000 requests")
    print(f"  {'requests':>8} {'fleet':24} {'req/s':>7} {'runs':>5} {'s':>7}")
    for count in (1000,) if quick else (1000, 10_000, 100_000):
        table = make_requests(count)
        repeats = 3 if count == 1000 else 1
        for engine in ENGINES:
            searches = {
                f"{engine.policy}, 4 together": lambda e=engine, t=table: find_capacity(
                    t, e, replica, replicas=4, **OBJECTIVES
                ),
                f"{engine.policy}, 2 and 2": lambda e=engine, t=table: find_disaggregated_capacity(
                    t, e, replica, **POOLS, **OBJECTIVES
                ),
            }
            for name, search in searches.items():
                found, elapsed = best_of(search, repeats)
                rate = found.rate_per_s
                print(f"  {count:8,} {name:24} {rate:7.2f} {found.runs:5} {elapsed:7.3f}")


if __name__ == "__main__":
    main()
