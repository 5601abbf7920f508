"""Speed of the simulated day: ``python benchmarks/bench_day.py [--quick]``.

Times are of one core after compilation. Fleet and pods grow together, so that the load stays; a
job's place is looked for among all nodes, so a day of ten times the fleet may take more than ten
times as long.
"""

import argparse
import time
from itertools import pairwise

from gpudeck.journey import attribute_day, run_days, run_stage1
from gpudeck.journey.day import measure_gpus, simulate_day
from gpudeck.journey.session import draw_sessions
from gpudeck.journey.use import draw_use
from gpudeck.scenario import read_scenario
from gpudeck.scenario.cluster import resize_fleet
from gpudeck.workload import openb_nodes, openb_pods

SCENARIO = read_scenario("default")
ASKED_S = 2.0


def bench_page() -> None:
    cluster = SCENARIO.cluster_tables(0)
    run_stage1(SCENARIO, cluster, 0)
    run_days.cache_clear()  # compiled, but not computed
    start = time.perf_counter()
    run_stage1(SCENARIO, cluster, 0)
    elapsed = time.perf_counter() - start
    print(
        f"page 9, {SCENARIO.runs} days without and with sharing: {elapsed:.2f} s (asked: {ASKED_S})"
    )


def bench_growth(scales: list[float]) -> None:
    nodes, pods = openb_nodes(), openb_pods()
    print(f"  {'nodes':>7} {'jobs':>8} {'grain':>6} {'draw s':>8} {'place s':>8} {'book s':>8}")
    for scale in scales:
        fleet = resize_fleet(nodes, round(len(nodes) * scale), 0)
        asking = openb_pods(round(len(pods) * scale))
        for grain in ("whole", "share"):
            times = [time.perf_counter()]
            pod_use = draw_use(asking, SCENARIO.tenants, SCENARIO.use, 0)
            sessions = draw_sessions(pod_use, SCENARIO.use, 0)
            times.append(time.perf_counter())
            day = simulate_day(fleet, asking, pod_use, sessions, grain, 0)
            times.append(time.perf_counter())
            attribute_day(day, 0.02)
            measure_gpus(day)
            times.append(time.perf_counter())
            spent = " ".join(f"{b - a:8.3f}" for a, b in pairwise(times))
            print(f"  {len(fleet):7} {len(sessions):8} {grain:>6} {spent}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="no fleet above the trace's")
    quick = parser.parse_args().quick
    bench_page()
    bench_growth([0.1, 1.0] if quick else [0.1, 1.0, 10.0])


if __name__ == "__main__":
    main()
