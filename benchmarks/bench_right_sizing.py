"""Speed of right-sizing: ``python benchmarks/bench_right_sizing.py [--quick]``.

Times are of one core after compilation. The question asked is 10,000 pods over 14 days at 5-minute
samples; it is answered for batches of pods, since pods do not depend on each other.
"""

import argparse
import resource
import time
from collections.abc import Callable

import numpy as np

from gpudeck.models.sharing import right_sizing as sizing

DEVICE_GIB = 78.5
DAYS, SAMPLE_MIN = 14, 5
ASKED_PODS = 10_000


def shape(days: int) -> sizing.UsageShape:
    return sizing.UsageShape(days, SAMPLE_MIN, 0.35, 0.25, 0.08, 0.25, 0.03, 0.1, 0.3)


def timed(call: Callable[[], object]) -> tuple[float, object]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def run(pods: int, days: int) -> tuple[float, ...]:
    ones = np.ones(pods)
    use_s, usage = timed(lambda: sizing.simulate_usage(shape(days), ones, ones, seed=0))
    policy = sizing.default_policy()
    loop_s, _ = timed(lambda: sizing.run_recommender(usage, policy, DEVICE_GIB))
    population = sizing.Population((usage,), 3, (0,))
    sweep_s, _ = timed(lambda: sizing.sweep_requests(population))
    return use_s, loop_s, sweep_s


def bench_growth(counts: list[int]) -> None:
    print(f"{DAYS} days at {SAMPLE_MIN}-minute samples, memory and compute")
    header = ("pods", "samples", "use s", "loop s", "sweep s", "ns/sample", "peak GiB")
    print("  " + " ".join(f"{name:>10}" for name in header))
    for pods in counts:
        seconds = run(pods, DAYS)
        samples = 2 * pods * shape(DAYS).steps
        peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        cells = (*(f"{s:10.2f}" for s in seconds), f"{sum(seconds) / samples * 1e9:10.1f}")
        print(f"  {pods:10} {samples:10} {' '.join(cells)} {peak_gib:10.2f}")
    factor = ASKED_PODS / counts[-1]
    print(f"asked {ASKED_PODS} pods, in {factor:.0f} batches: {factor * sum(seconds):.1f} s")


def bench_size(repeats: int) -> None:
    rng = np.random.default_rng(0)
    for count in (288, 2880, 28_800):
        samples = rng.exponential(size=count)
        elapsed, _ = timed(
            lambda s=samples: [sizing.size_request(s, 0.95, 0.2) for _ in range(repeats)]
        )
        print(f"size_request of {count:6} samples: {elapsed / repeats * 1e3:7.3f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer pods, under 20 s")
    quick = parser.parse_args().quick
    run(2, 4)
    bench_size(5 if quick else 50)
    bench_growth([10, 100] if quick else [10, 100, 1000])


if __name__ == "__main__":
    main()
