"""Speed of the sharing model: ``python benchmarks/bench_sharing.py [--quick]``.

Times are of one core after compilation. Asked: the page's comparison, five ways over ten seeds with
and without the noisy neighbour, in one second. Growth: ten and a hundred times the simulated time,
and more tenants, for which each event looks at all of them.
"""

import argparse
import time

from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.sharing.gpu import WAYS, Tenant, read_token_bucket, share
from gpudeck.models.sharing.gpu.comparison import compare_ways, memory_of, options_of
from gpudeck.models.sharing.gpu.core_split import split_cores
from gpudeck.models.sharing.gpu.mix import build_mix

GPU = find_gpu("A100-80G-SXM")


def clock_s(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def bench_comparison() -> None:
    elapsed = clock_s(lambda: compare_ways(GPU, 4, runs=10))
    print(f"five ways x 10 seeds x 2, 4 tenants: {elapsed:.2f} s (asked: 1 s)")


def bench_growth(scales: list[int]) -> None:
    tenants = build_mix(4, memory_of(GPU))
    options = options_of(GPU, tenants, 2.0, 50.0)
    print("simulated seconds a second of computing, 4 tenants")
    print(f"  {'simulated s':>12}" + "".join(f"{way:>14}" for way in WAYS))
    for scale in scales:
        cells = []
        for way in WAYS:
            timed = {**options, "duration_s": 60.0 * scale}
            call = lambda w=way, o=timed: share(tenants, w, **o)  # noqa: E731
            cells.append(60 * scale / clock_s(call))
        print(f"  {60 * scale:12}" + "".join(f"{cell:14.0f}" for cell in cells))


def bench_tenants(counts: list[int]) -> None:
    print("60 simulated s of MPS and time slicing by the number of tenants, 10 requests/s each")
    for count in counts:
        tenants = [
            Tenant(f"t{n:03}", kernel_ms=0.5, kernels=10, sm=0.3, bandwidth=0.2, rate_hz=10.0)
            for n in range(count)
        ]
        for way in ("time_slicing", "mps"):
            call = lambda t=tenants, w=way: share(  # noqa: E731
                t, w, gpu_memory_gib=80, duration_s=60.0, clients_at_most=1000
            )
            print(f"  {count:4} tenants  {way:14}{clock_s(call):8.3f} s")


def bench_bucket() -> None:
    bucket = read_token_bucket(108)
    elapsed = clock_s(lambda: split_cores(bucket, duration_s=60, runs=1))
    print(
        f"token bucket, 60 s of 0.1 ms kernels: {elapsed:.3f} s, {600_000 / elapsed:.3g} kernels/s"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter runs, under 10 s")
    quick = parser.parse_args().quick
    compare_ways(GPU, 2, runs=2, duration_s=1)
    split_cores(read_token_bucket(108), duration_s=1, runs=1)
    bench_comparison()
    bench_bucket()
    bench_growth([1, 10] if quick else [1, 10, 100])
    bench_tenants([1, 10] if quick else [1, 10, 48])


if __name__ == "__main__":
    main()
