"""Speed of the queue simulator: ``python benchmarks/bench_queue.py [--quick]``.

Times are CPU seconds of one core after compilation. The cluster grows with the jobs at a constant
load, so that time per decision shows what one decision costs there.
"""

import argparse
import resource
import time

from gpudeck.models.scheduling.queue import GpuPool, Preemption, QueuePolicy, simulate_queue
from gpudeck.workload.arrivals import DAY_S, Durations, Submitter, draw_jobs
from gpudeck.workload.job import Jobs

ASKED_S = 5.0
ASKED_GIB = 2.0
SUBMITTERS = [Submitter("a", 0.45, 10), Submitter("b", 0.4, 0), Submitter("c", 0.15, -10)]
PHILLY = Durations(18_006.055, 874.0)
POLICIES = {
    "fifo, gang": QueuePolicy(),
    "fifo, pod by pod": QueuePolicy(gang=False),
    "priority, gang, backfill": QueuePolicy("priority", backfill="easy"),
    "  with preemption": QueuePolicy("priority", backfill="easy", preemption=Preemption()),
}


def draw(count: int, pool: GpuPool) -> Jobs:
    """Draw about so many jobs at 95 % load; every fifth job is a gang, pods have 1 to 8 GPUs."""
    sizes = [1] * 7 + [2, 4, 8]
    days, jobs = 1.0, None
    for _ in range(4):
        jobs = draw_jobs(
            pool.gpus, sizes, SUBMITTERS, PHILLY, load=0.95, days=days, gang_share=0.2,
            over_estimate=2.0, diurnal=0.5,
        )  # fmt: skip
        days *= count / len(jobs)
    assert jobs is not None
    return jobs.take(slice(count))


def bench_growth(scales: list[float]) -> None:
    for name, policy in POLICIES.items():
        print(name)
        print(
            f"  {'GPUs':>7} {'jobs':>8} {'days':>6} {'s':>7} {'decisions/s':>12}"
            f" {'us/decision':>12} {'preempted':>10} {'peak GiB':>9}"
        )
        for scale in scales:
            pool = GpuPool.uniform(round(1250 * scale), 8)
            jobs = draw(round(100_000 * scale), pool)
            start = time.process_time()
            result = simulate_queue(jobs, pool, policy)
            elapsed = time.process_time() - start
            peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
            days = float(jobs.arrival_s.max()) / DAY_S
            print(
                f"  {pool.total:7} {len(jobs):8} {days:6.1f} {elapsed:7.2f}"
                f" {result.decisions / elapsed:12,.0f} {elapsed / result.decisions * 1e6:12.1f}"
                f" {result.preemptions:10} {peak_gib:9.2f}"
            )
    print(
        f"asked: 100,000 jobs on 10,000 GPUs with gang, backfill and preemption in {ASKED_S:g} s"
        f" and {ASKED_GIB:g} GiB"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="up to a tenth of the jobs")
    quick = parser.parse_args().quick
    warm = draw(100, GpuPool.uniform(4, 8))
    for policy in POLICIES.values():
        simulate_queue(warm, GpuPool.uniform(4, 8), policy)
    bench_growth([0.01, 0.1] if quick else [0.01, 0.1, 1.0])


if __name__ == "__main__":
    main()
