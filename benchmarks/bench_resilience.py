"""Speed of the failure simulation: ``python benchmarks/bench_resilience.py [--quick]``.

Times are CPU seconds of one core after compilation. Asked: a run of 54 days on 16,384 GPUs with
1,000 seeds in 5 s.
"""

import argparse
import time

from gpudeck.models.resilience.checkpoint import CheckpointCost
from gpudeck.models.resilience.checkpoint_interval import best_interval
from gpudeck.models.resilience.failure import DAY_S, read_failure_rates
from gpudeck.models.resilience.recovery import Protection, StorageFallback
from gpudeck.models.resilience.replicas import survivability_table
from gpudeck.models.resilience.simulate import TrainingRun, simulate_runs
from gpudeck.rng import spawn_seeds

ASKED_S = 5.0
GPUS, DAYS, SEEDS = 16_384, 54, 1000


def protections(run: TrainingRun) -> dict[str, Protection]:
    """Return the least and the most that can be simulated: storage only, and everything."""
    interval_s = best_interval(60, run.mtbf_s)
    plain = Protection("synchronous", CheckpointCost(60, 0, 60), interval_s, 600, 3600, 0.8)
    interval_s = best_interval(6, run.mtbf_s)
    spares = run.nodes // 100
    full = Protection(
        "memory", CheckpointCost(6, 1, 1), interval_s, 30, 300, 0.2, spares, 0.9, 2,
        StorageFallback(1 + int(60 / interval_s), 60, 60),
    )  # fmt: skip
    return {"synchronous": plain, "memory, spares, elastic": full}


def measure(gpus: int, days: float, seeds: int) -> None:
    """Print what each protection takes at one size."""
    run = TrainingRun(
        gpus // 8, 8, read_failure_rates(), float("inf"), days * DAY_S, 4, 7200.0, 0.05, 4
    )
    for name, protection in protections(run).items():
        # once per size: the probabilities that copies survive are kept
        simulate_runs(run, protection, spawn_seeds(0, 1))
        start = time.process_time()
        result = simulate_runs(run, protection, spawn_seeds(0, seeds))
        elapsed = time.process_time() - start
        failures = int(result.failures.sum())
        print(
            f"  {gpus:8,} {days:6.0f} {seeds:7,} {failures:11,} {elapsed:8.3f}"
            f" {elapsed / max(failures, 1) * 1e9:10.0f}  {name}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the seeds")
    seeds = SEEDS // 10 if parser.parse_args().quick else SEEDS
    header = f"  {'GPUs':>8} {'days':>6} {'seeds':>7} {'failures':>11} {'s':>8} {'ns/failure':>10}"
    print(f"asked: {DAYS} days, {GPUS:,} GPUs, {SEEDS:,} seeds in {ASKED_S:g} s\n{header}")
    measure(GPUS, DAYS, seeds)
    print("growth with the number of seeds, of days and of GPUs")
    for times in (1, 10, 100):
        measure(GPUS, DAYS, max(1, seeds * times // 100))
    for times in (1, 10, 100):
        measure(GPUS, DAYS * times / 100, seeds)
    for times in (1, 10, 100):
        measure(1024 * times, DAYS, seeds)
    start = time.process_time()
    survivability_table(16_384, 2, 96)
    print(f"copies of 16,384 nodes, up to 96 lost: {time.process_time() - start:.3f} s")


if __name__ == "__main__":
    main()
