"""Speed of the packing model: ``python benchmarks/bench_packing.py [--quick]``.

Times are of one core after compilation, the best of a few runs where a run is short. The large
cluster grows at a constant load per node, so that time per event shows what one event costs there.
"""

import argparse
import resource
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np

from gpudeck.hardware import Nodes
from gpudeck.models.scheduling import (
    POLICIES,
    fill,
    fill_curves,
    random_orders,
    replay,
    typical_pods,
)
from gpudeck.workload import openb_nodes, openb_pods

LIFE_S = 1000.0


def best_s(call: Callable[[], object], repeats: int) -> float:
    """Time a call, the shortest of several."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def bench_experiment(repeats: int) -> None:
    nodes, pods = openb_nodes(), openb_pods()
    order, rank = random_orders(pods, nodes, 1.3, seed=0)
    typical = typical_pods(pods)
    print(f"one experiment: {len(nodes)} nodes, {nodes.gpu_count} GPUs, {len(order)} arrivals")
    for policy in POLICIES:
        call = lambda p=policy: fill(nodes, pods, order, rank, p, typical=typical)  # noqa: E731
        print(f"  {policy:16} {best_s(call, repeats):8.4f} s")
    elapsed = best_s(lambda: fill_curves(nodes, pods), 1)
    print(f"8 policies x 10 seeds, with orders and curves: {elapsed:.2f} s")
    six = [p for p in POLICIES if not p.endswith("_allocated")]
    elapsed = best_s(lambda: fill_curves(nodes, pods, six, 1.3, range(10)), 1)
    print(f"the paper's 1,020 runs, from 60 of them: {elapsed / 60 * 1020:.0f} s")


def bench_growth(scales: list[float]) -> None:
    pods = openb_pods()
    typical = typical_pods(pods)
    mean_milli = pods.gpu_demand_milli.mean()
    print("arrivals and departures, fgd, 8 GPUs a node, load 0.95 of the capacity")
    print(f"  {'nodes':>7} {'GPUs':>7} {'arrivals':>9} {'s':>8} {'us/event':>9} {'peak GiB':>9}")
    for scale in scales:
        count, arrivals = int(10_000 * scale), int(1_000_000 * scale)
        nodes = Nodes.from_types([96_000], [786_432], [8], ["G2"], [count])
        rng = np.random.default_rng(0)
        rate = 0.95 * 8000 * count / mean_milli / LIFE_S
        arrival_s = np.cumsum(rng.exponential(1 / rate, arrivals))
        times = {
            "order": rng.integers(len(pods), size=arrivals),
            "arrival_s": arrival_s,
            "departure_s": arrival_s + rng.exponential(LIFE_S, arrivals),
        }
        rank = rng.permutation(count)
        start = time.perf_counter()
        result = replay(nodes, pods, rank, "fgd", **times, typical=typical)
        elapsed = time.perf_counter() - start
        peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"  {count:7} {8 * count:7} {arrivals:9} {elapsed:8.2f}"
            f" {elapsed / len(result.time_s) * 1e6:9.2f} {peak_gib:9.2f}"
        )


def bench_start() -> None:
    code = (
        "import time; t = time.perf_counter();"
        "from gpudeck.models.scheduling import fill;"
        "from gpudeck.workload import openb_nodes, openb_pods;"
        "fill(openb_nodes(), openb_pods(), [0], range(1213), 'fgd');"
        "print(f'{time.perf_counter() - t:.2f}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    print(f"import and first call in a new process, compiled code cached: {done.stdout.strip()} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller clusters, under 20 s")
    quick = parser.parse_args().quick
    nodes, pods = openb_nodes().take([0]), openb_pods(2)
    fill(nodes, pods, [0], [0], "fgd")
    bench_start()
    bench_experiment(repeats=2 if quick else 5)
    bench_growth([0.01, 0.1] if quick else [0.01, 0.1, 1.0])


if __name__ == "__main__":
    main()
