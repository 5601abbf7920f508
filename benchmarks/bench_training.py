"""Speed of the layout search: ``python benchmarks/bench_training.py [--quick]``.

Times are of one core, the best of a few runs. Asked is a search over the layouts of Llama 3 405B on
16,384 GPUs in one second. The cost grows with the number of layouts that divide the job.
"""

import argparse
import time
from collections.abc import Callable

from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.fabric.collectives import build_collectives
from gpudeck.models.training import Job, estimate_steps, search_layouts
from gpudeck.models.training.grid import step_grid
from gpudeck.models.training.search import list_layouts
from gpudeck.models.training.techniques import climb_techniques
from gpudeck.workload.model import find_model

ASKED_S = 1.0
REPEATS = 3


def best_s(call: Callable[[], object], repeats: int) -> float:
    """Time a call, the shortest of several."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return min(times)


def llama(gpus: int, sequences: int) -> Job:
    """Llama 3 405B on H100."""
    return Job(find_model("llama-3-405b"), find_gpu("H100-SXM"), gpus, 8, 8192, sequences)


def bench_asked(repeats: int) -> None:
    job, net = llama(16_384, 2048), build_collectives()
    seconds = best_s(lambda: search_layouts(job, net), repeats)
    best = search_layouts(job, net)
    print("layout search, Llama 3 405B on 16,384 H100")
    print(f"  asked {ASKED_S:.0f} s, measured {seconds:.4f} s: {ASKED_S / seconds:.0f} x faster")
    print(f"  {len(list_layouts(job))} layouts divide the job, {len(best.step_s)} fit")
    print(f"  best: {best.layouts.at(0)}, {best.step_s[0]:.2f} s, MFU {best.mfu_pct[0]:.1f} %")


def bench_growth(repeats: int) -> None:
    print("growth with the number of layouts (all timed, whether they fit or not)")
    print(f"  {'layouts':>9} {'s':>8} {'us/layout':>10}")
    net, job = build_collectives(), llama(16_384, 2048)
    once = list_layouts(job)
    for times in (1, 10, 100):
        many = once.take(list(range(len(once))) * times)
        seconds = best_s(lambda many=many: estimate_steps(job, many, net), repeats)
        print(f"  {len(many):9} {seconds:8.4f} {seconds / len(many) * 1e6:10.2f}")


def bench_page(repeats: int) -> None:
    job = Job(find_model("llama-3-70b"), find_gpu("H100-SXM"), 1024, 8, 8192, 512)
    net = build_collectives()
    print("page 21, Llama 3 70B on 1,024 H100")
    for name, call in (("ladder", climb_techniques), ("grid", step_grid)):
        print(f"  {name:8} {best_s(lambda call=call: call(job, net), repeats):8.3f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one run of each")
    repeats = 1 if parser.parse_args().quick else REPEATS
    bench_asked(repeats)
    bench_growth(repeats)
    bench_page(repeats)


if __name__ == "__main__":
    main()
