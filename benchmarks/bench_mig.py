"""Speed of the MIG model: ``python benchmarks/bench_mig.py [--quick]``.

Times are of one core after compilation, the best of a few runs. Asked: a heuristic partition of
10,000 requests over 1,000 GPUs in 0.2 s. Growth multiplies requests and GPUs alike.
"""

import argparse
import time
from collections.abc import Callable

import numpy as np

from gpudeck.models.sharing import mig

GEOMETRY = "A100-80G"
NAMES = ("1g.10gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb")
SHARES = (0.6, 0.2, 0.1, 0.08, 0.02)
ASKED_S = 0.2


def best_s(call: Callable[[], object], repeats: int = 3) -> float:
    """Time a call, the shortest of several."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def bench_partition(scales: list[int]) -> None:
    print(f"heuristic, 10,000 requests over 1,000 GPUs: asked {ASKED_S} s at scale 1")
    print(f"  {'requests':>9} {'GPUs':>7} {'heuristic s':>12} {'optimal s':>10} {'gap %':>7}")
    for scale in scales:
        rng = np.random.default_rng(0)
        requests = rng.choice(NAMES, 10_000 * scale, p=SHARES).tolist()
        fixed_s = best_s(
            lambda r=requests, g=1_000 * scale: mig.partition(r, GEOMETRY, g, "heuristic")
        )
        optimal_s = best_s(lambda r=requests: mig.partition(r, GEOMETRY))
        fast, best = (mig.partition(requests, GEOMETRY, method=m) for m in ("heuristic", "optimal"))
        gap_pct = 100 * (fast.gpus_used / best.gpus_used - 1)
        size = f"{len(requests):9} {1_000 * scale:7}"
        print(f"  {size} {fixed_s:12.4f} {optimal_s:10.4f} {gap_pct:7.2f}")


def bench_streams(scales: list[int]) -> None:
    print("streams over a day at load 0.9, by policy")
    print(
        f"  {'GPUs':>6} {'requests':>9}" + "".join(f" {name + ' s':>14}" for name in mig.POLICIES)
    )
    mix = dict(zip(NAMES[:4], (1, 2, 3, 6), strict=True))
    for scale in scales:
        plan = mig.PoolPlan(gpus=32 * scale)
        stream = mig.draw_stream(mix, GEOMETRY, plan, 0)
        times = [
            best_s(lambda s=stream, g=plan.gpus, p=policy: mig.simulate_stream(s, g, p), 1)
            for policy in mig.POLICIES
        ]
        print(f"  {plan.gpus:6} {len(stream):9}" + "".join(f" {t:14.4f}" for t in times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="without the largest scale")
    scales = [1, 10] if parser.parse_args().quick else [1, 10, 100]
    for method in mig.METHODS:
        mig.partition(NAMES, GEOMETRY, method=method)
    for policy in mig.POLICIES:
        stream = mig.Stream.build(GEOMETRY, list(NAMES), [0] * 5, [1] * 5)
        mig.simulate_stream(stream, 9, policy, horizon_s=9)
    bench_partition(scales)
    bench_streams(scales)


if __name__ == "__main__":
    main()
