"""Speed of the fabric model: ``python benchmarks/bench_fabric.py [--quick]``.

Times are of one core, the best of a few runs. A search over layouts asks for collectives of many
groups at once, so their time per group is what counts; graphs grow with their hosts.
"""

import argparse
import resource
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from gpudeck.models.fabric.collectives import build_collectives
from gpudeck.models.fabric.congestion import hash_flows
from gpudeck.models.fabric.published import compute_published
from gpudeck.models.fabric.study import fabric_grid
from gpudeck.models.fabric.topology import count_parts, fat_tree
from gpudeck.tables import read_table

OPERATIONS = ("all_reduce_s", "reduce_scatter_s", "all_gather_s", "all_to_all_s")


def best_s(call: Callable[[], object], repeats: int) -> float:
    """Time a call, the shortest of several."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def bench_groups(counts: list[int], repeats: int) -> None:
    cluster = build_collectives()
    draw = np.random.default_rng(0)
    print("collectives, many groups at once, as a search over layouts asks for them")
    print(f"  {'groups':>9} {'operation':>18} {'s':>9} {'us/group':>9}")
    for count in counts:
        per_node = 2 ** draw.integers(0, 4, count)
        ranks = per_node * 2 ** draw.integers(0, 12, count)
        size = 10 ** draw.uniform(3, 11, count)
        for name in OPERATIONS:
            call = partial(getattr(cluster, name), size, ranks, per_node)
            elapsed = best_s(call, repeats)
            print(f"  {count:9} {name:>18} {elapsed:9.4f} {elapsed / count * 1e6:9.2f}")
    one = best_s(lambda: cluster.all_reduce_s(1e9, 1024, 8), 20)
    built = best_s(lambda: build_collectives(link="IB-HDR", protocol="rocev2"), 20)
    print(f"one group alone: {one * 1e6:.0f} us; a cluster built: {built * 1e6:.0f} us")


def bench_graphs(ports: list[int]) -> None:
    print("fat trees as graphs, built; and counted with their bisection by maximal flow")
    print(
        f"  {'k':>4} {'hosts':>7} {'switches':>9} {'built s':>9} {'counted s':>10} {'peak GiB':>9}"
    )
    for k in ports:
        built = best_s(lambda k=k: fat_tree(k), 1)
        topology = fat_tree(k)
        start = time.perf_counter()
        counts = count_parts(topology)
        elapsed = time.perf_counter() - start
        peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print(
            f"  {k:4} {counts.hosts:7} {counts.switches:9} {built:9.3f} {elapsed:10.3f}"
            f" {peak_gib:9.2f}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer groups, smaller trees")
    quick = parser.parse_args().quick
    bench_groups([1_000, 10_000] if quick else [1_000, 10_000, 100_000], 2 if quick else 5)
    bench_graphs([8, 16] if quick else [8, 16, 24])
    elapsed = best_s(lambda: fabric_grid("H100-SXM"), 2)
    print(f"explorer grid, 96 cells of 3 transports and 23 sizes: {elapsed:.3f} s")
    elapsed = best_s(lambda: hash_flows(1024, 1024, (1, 16), 200), 1)
    print(f"200 draws of 1,024 flows, 1 and 16 connections: {elapsed:.3f} s")
    elapsed = best_s(lambda: compute_published(read_table("published/fabric").rows), 3)
    print(f"all published rows: {elapsed:.3f} s")


if __name__ == "__main__":
    main()
