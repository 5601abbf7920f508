"""Speed of the quota models: ``python benchmarks/bench_quota.py [--quick]``.

Times are of one core after compilation, the best of three. Tenants over time grow in jobs at a
constant pool, and in pool and jobs together; the rules grow in queues and in workloads.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from gpudeck.models.scheduling import quota
from gpudeck.scenario import read_scenario

ASKED_STUDY_S = 2.0


def best_s(call: Callable[[], object], repeats: int = 3) -> float:
    """Time a call, the shortest of several."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def bench_study() -> None:
    scenario = read_scenario("default")
    gpus = scenario.cluster_tables(0).nodes.gpu_count
    pool = quota.pool_of(scenario, gpus)
    elapsed = best_s(lambda: quota.compare_policies(pool, scenario.runs))
    count = len(quota.POLICIES) * scenario.runs
    print(f"study of page 13, {count} runs: {elapsed:.2f} s, asked {ASKED_STUDY_S} s a page")
    grid = best_s(lambda: quota.share_grid(pool))
    print(f"explorer of page 13: {grid:.2f} s")


def bench_tenants(scales: list[int]) -> None:
    tenants = [quota.TenantDemand(f"t{i}", 1, i) for i in range(3)]
    print("tenants over time, three tenants, microseconds a job")
    print(f"  {'grows':>8} {'GPUs':>7} {'jobs':>8}" + "".join(f"{p:>14}" for p in quota.POLICIES))
    for name in ("days", "GPUs"):
        # the time of fair sharing goes with the square of what runs at once: 10 x shows it
        for scale in scales if name == "days" else scales[:2]:
            gpus = 1000 * (scale if name == "GPUs" else 1)
            days = 3.0 * (scale if name == "days" else 1)
            # gangs stay small where the pool grows, so that more run at once
            drawn = quota.draw_tenant_jobs(tenants, 1000, 0, load_pct=100 * gpus / 1000, days=days)
            quotas = [quota.TenantQuota(t.tenant, gpus * 3 // 10) for t in tenants]
            times = [
                best_s(
                    lambda p=policy, d=drawn, q=quotas, g=gpus: quota.simulate_tenants(
                        d, q, g, p, checkpoint_s=1800, grace_s=60
                    ),
                    1 if scale > 10 else 3,
                )
                for policy in quota.POLICIES
            ]
            cells = "".join(f"{t / len(drawn) * 1e6:14.2f}" for t in times)
            print(f"  {name:>8} {gpus:7} {len(drawn):8}{cells}")


def bench_rules(scales: list[int]) -> None:
    rng = np.random.default_rng(0)
    print("rules, milliseconds a call")
    names = ("water", "KAI", "DRF shares", "classic", "fair")
    print(f"  {'queues':>7}" + "".join(f"{name:>12}" for name in names))
    for scale in scales:
        count = 10 * scale
        queues = [
            quota.KaiQueue(f"q{i}", 4, float(rng.integers(1, 5)), float(rng.integers(0, 20)))
            for i in range(count)
        ]
        demand = {q.name: q.request for q in queues}
        tasks = {q.name: {"gpu": q.weight, "cpu": 1.0} for q in queues}
        capacity = {"gpu": 100.0 * count, "cpu": 50.0 * count}
        owned = [
            quota.ClusterQueue(q.name, {"gpu": 4}, "all", within="lower", reclaim="any")
            for q in queues
        ]
        ledger = quota.Ledger(owned)
        for i in range(4 * count):
            # the first half of the queues borrows all that the second half does not use
            ledger.add(quota.Workload(f"w{i}", f"q{i % (count // 2)}", {"gpu": 1}, 0, 0, i))
        incoming = quota.Workload("in", f"q{count - 1}", {"gpu": 4})
        calls: list[Callable[[], object]] = [
            lambda d=demand, c=count: quota.fill_water(6 * c, d),  # type: ignore[misc]
            lambda q=queues, c=count: quota.divide_kai(6 * c, q),  # type: ignore[misc]
            lambda c=capacity, t=tasks: quota.fill_shares(c, t),  # type: ignore[misc]
            lambda g=ledger, w=incoming: quota.find_victims(g, w),  # type: ignore[misc]
            lambda g=ledger, w=incoming: quota.find_fair_victims(g, w),  # type: ignore[misc]
        ]
        cells = "".join(f"{1000 * best_s(call, 2 if scale < 100 else 1):12.2f}" for call in calls)
        print(f"  {count:7}{cells}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="up to 10 x, under 30 s")
    scales = [1, 10] if parser.parse_args().quick else [1, 10, 100]
    bench_study()
    bench_tenants(scales)
    bench_rules(scales)


if __name__ == "__main__":
    main()
