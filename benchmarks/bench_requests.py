"""Speed of tables, logs and prefixes: ``python benchmarks/bench_requests.py [--quick]``.

Times are of one core after compilation, the best of a few runs. What grows does so 1×, 10×, 100×,
so that the time per row shows whether it stays linear.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from gpudeck.workload.prefix import Sessions, draw_sessions, prefix_reuse
from gpudeck.workload.request import RequestTable
from gpudeck.workload.request_log import read_requests
from gpudeck.workload.request_resample import resample_requests


def best_s(call: Callable[[], object], repeats: int = 3) -> float:
    """Time a call, the shortest of several."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def bench_table() -> None:
    arrival_s = np.arange(1_000_000.0)
    tokens = np.arange(1_000_000) + 1
    elapsed = best_s(lambda: RequestTable(arrival_s, tokens, tokens))
    print(f"a table of 1,000,000 rows: {elapsed * 1e3:.1f} ms, asked 50 ms")


def bench_log(folder: Path) -> None:
    path = folder / "log.csv"
    times = np.datetime64("2023-11-16T00:00:00", "ms") + np.arange(20_000)
    lines = [f"{str(one).replace('T', ' ')},1000,100" for one in times]
    path.write_text("\n".join(["TIMESTAMP,ContextTokens,GeneratedTokens", *lines]))
    elapsed = best_s(lambda: read_requests(path))
    print(f"a log of 20,000 rows in Azure's format: {elapsed * 1e3:.0f} ms, asked 200 ms")


def bench_growth(scales: tuple[int, ...]) -> None:
    heads = ("sessions", "requests", "blocks", "draw s", "cache s", "ns/block")
    print("  " + " ".join(f"{head:>9}" for head in heads))
    for scale in scales:
        count = 1000 * scale
        drawn_s = best_s(lambda n=count: draw_sessions(Sessions(), n, 5.0), 1)
        requests = draw_sessions(Sessions(), count, 5.0)
        blocks = len(requests.hashes)
        cache_s = best_s(lambda one=requests, n=blocks: prefix_reuse(one, 16, n // 10))
        print(
            f"  {count:9} {len(requests):9} {blocks:9} {drawn_s:9.3f} {cache_s:9.3f}"
            f" {cache_s / blocks * 1e9:9.0f}"
        )
    for scale in scales:
        count = 10_000 * scale
        elapsed = best_s(lambda n=count: resample_requests("azure-conversation-2023", n))
        print(f"  {count:9} resampled: {elapsed:.3f} s, {elapsed / count * 1e9:.0f} ns a request")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="no 100×")
    quick = parser.parse_args().quick
    bench_table()
    with tempfile.TemporaryDirectory() as folder:
        bench_log(Path(folder))
    bench_growth((1, 10) if quick else (1, 10, 100))


if __name__ == "__main__":
    main()
