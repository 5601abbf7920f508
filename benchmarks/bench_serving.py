"""Speed of the serving simulator: ``python benchmarks/bench_serving.py [--quick]``.

Times are CPU seconds of one core after compilation, the best of a few runs where a run is short.
Requests arrive at three quarters of what the replica serves, so that all engines keep up; a static
batch, which does not, has more iterations.
"""

import argparse
import subprocess
import sys
import time

import numpy as np

from gpudeck.models.serving import Adaptive, Engine, Replica, RequestTable, simulate
from gpudeck.models.serving.disaggregation import simulate_disaggregated
from gpudeck.workload.request import BlockHashes

RATE_PER_S = 8.0
ENGINES = {
    "static": Engine("static"),
    "dynamic": Engine("dynamic"),
    "bucketed": Engine("dynamic", buckets=(256, 512, 1024, 4096)),
    "continuous": Engine("continuous", reservation="oracle"),
    "paged": Engine("paged"),
    "chunked": Engine("chunked"),
    "adaptive": Engine("chunked", adaptive=Adaptive(0.05)),
    "prefix cache": Engine("chunked", prefix_cache=True),
    "disaggregated": Engine("paged"),
}
ASKED_S = {2_000: 0.02, 100_000: 0.6, 1_000_000: 10.0}
CACHE_FACTOR = 3
SESSION = 4  # requests whose prompts begin alike


def make_requests(count: int, hashed: bool = False) -> RequestTable:
    """Poisson arrivals, log-normal lengths: prompts of 900 tokens and answers of 170, in the mean.

    Hashed, half of each prompt is that of the three before or after it.
    """
    rng = np.random.default_rng(0)
    prompt = np.clip(rng.lognormal(6.5, 0.8, count), 1, 4000).astype(int)
    output = np.clip(rng.lognormal(4.9, 0.7, count), 1, 1000).astype(int)
    arrival = np.cumsum(rng.exponential(1 / RATE_PER_S, count))
    if not hashed:
        return RequestTable(arrival, prompt, output)
    blocks = prompt // 16
    ends = np.concatenate([[0], np.cumsum(blocks)])
    # whole numbers of 32 bits, for the hashes of a million requests are 56 million
    row = np.repeat(np.arange(count, dtype=np.int32), blocks)
    place = np.arange(ends[-1], dtype=np.int32)
    place -= ends[:-1].astype(np.int32)[row]
    family = np.where(place < (blocks // 2).astype(np.int32)[row], row // SESSION, count + row)
    flat = family.astype(np.int64)
    flat *= 1000
    flat += place
    hashes = BlockHashes(ends, flat)
    return RequestTable(arrival, prompt, output, hashes)


def serve(name: str, requests: RequestTable) -> int:
    """Run one engine; return its iterations."""
    replica = Replica("H100-SXM", "llama-2-7b")
    if name != "disaggregated":
        return simulate(requests, ENGINES[name], replica).iterations
    run = simulate_disaggregated(
        requests, ENGINES[name], replica, prefill_replicas=1, decode_replicas=1, link_gb_s=50.0
    )
    return run.prefill.iterations + run.decode.iterations


def bench(count: int, repeats: int, names: tuple[str, ...] = tuple(ENGINES)) -> None:
    plain = make_requests(count)
    hashed = make_requests(count, hashed=True) if "prefix cache" in names else plain
    for name in names:
        requests = hashed if name == "prefix cache" else plain
        times = []
        for _ in range(repeats):
            start = time.process_time()
            iterations = serve(name, requests)
            times.append(time.process_time() - start)
        best = min(times)
        asked = ASKED_S[count] * (CACHE_FACTOR if name == "prefix cache" else 1)
        print(
            f"  {count:9,} {name:14} {best:8.4f} {asked:7.2f} {'yes' if best <= asked else 'NO':>4}"
            f" {count / best:11,.0f} {iterations / best:12,.0f} {iterations:11,}"
        )


def bench_memory(count: int, names: tuple[str, ...]) -> None:
    """Peak memory of a run in a process of its own; without requests, that of the process."""
    code = (
        "import resource, sys; sys.path.insert(0, 'benchmarks');"
        "import bench_serving as b; n = int(sys.argv[2]);"
        "b.serve(sys.argv[1], b.make_requests(n, sys.argv[1] == 'prefix cache'));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)"
    )
    print(f"peak memory of {count:,} requests, GiB; asked: 2 for {max(ASKED_S):,}")
    for name in names:
        command = [sys.executable, "-c", code, name]
        peaks = [
            float(subprocess.run([*command, str(n)], capture_output=True, check=True).stdout)
            for n in (1, count)
        ]
        print(f"  {name:14} {peaks[1]:5.2f} ({peaks[0]:.2f} of them before it)")


def bench_start() -> None:
    code = (
        "import time; t = time.perf_counter();"
        "from gpudeck.models.serving import Engine, Replica, RequestTable, simulate;"
        "u = time.perf_counter();"
        "simulate(RequestTable([0.0], [9], [9]), Engine('paged'), Replica());"
        "print(f'{u - t:.2f} + {time.perf_counter() - u:.2f}')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    print(
        "import and first call in a new process, compiled code cached; asked: the call below 1 s:"
        f" {done.stdout.strip()} s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="up to 100,000 requests, under 30 s")
    quick = parser.parse_args().quick
    for name in ENGINES:
        serve(name, make_requests(8, hashed=True))  # compiles
    bench_start()
    # first, for a new process counts the largest size that this one has had as its own
    bench_memory(100_000 if quick else 1_000_000, ("static", "chunked", "prefix cache"))
    print(
        f"  {'requests':>9} {'engine':14} {'s':>8} {'asked':>7} {'met':>4} {'requests/s':>11}"
        f" {'iterations/s':>12} {'iterations':>11}"
    )
    bench(2_000, 5)
    bench(100_000, 2)
    if not quick:
        bench(1_000_000, 1)


if __name__ == "__main__":
    main()
