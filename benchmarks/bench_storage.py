"""Speed of the storage models: ``python benchmarks/bench_storage.py [--quick]``.

Times are of one core, the best of a few runs. A grid is one call over arrays, so that the time of
a point falls as the grid grows; beside it stands the time of one answer, asked for alone.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from gpudeck.models import storage
from gpudeck.scenario import read_scenario

ASKED_S = 0.25  # a page's own cells, all studies together


def best_s(call: Callable[[], object], repeats: int) -> float:
    """Time a call, the shortest of several."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def bench_grid(lustre: storage.Lustre, repeats: int) -> None:
    one = best_s(lambda: storage.read_bandwidth(lustre, 128, 8), 50 * repeats)
    print(f"one answer, with its limits: {one * 1e6:.1f} us")
    print("a grid of stripe counts x clients")
    print(f"  {'points':>9} {'s':>9} {'ns/point':>9}")
    for scale in (1, 10, 100):
        stripes = np.arange(1, 81)
        clients = np.arange(1, 100 * scale + 1)
        elapsed = best_s(lambda s=stripes, c=clients: storage.bandwidth_grid(lustre, s, c), repeats)
        points = len(stripes) * len(clients)
        print(f"  {points:9,} {elapsed:9.4f} {elapsed / points * 1e9:9.1f}")


def bench_pages(repeats: int) -> None:
    scenario = read_scenario("default")
    nodes = scenario.training.gpus // scenario.training.gpus_per_node
    calls = {
        "file system": lambda: storage.study_file_system(scenario.storage, nodes),
        "metadata": lambda: storage.study_metadata(scenario.storage, nodes),
        "paths": lambda: storage.study_paths(scenario.storage, scenario.training.gpus_per_node),
    }
    total = 0.0
    for name, call in calls.items():
        elapsed = best_s(call, repeats)
        total += elapsed
        print(f"  {name:12} {elapsed * 1e3:8.1f} ms")
    print(f"studies of pages 16 and 17: {total:.3f} s, asked {ASKED_S} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repeats")
    repeats = 2 if parser.parse_args().quick else 5
    bench_grid(storage.build_lustre(read_scenario("default").storage), repeats)
    bench_pages(repeats)


if __name__ == "__main__":
    main()
