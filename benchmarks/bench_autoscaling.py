"""Speed of autoscaling: ``python benchmarks/bench_autoscaling.py [--quick]``.

A week at one-minute steps for 1,000 services, on one core after compilation: forecasts fitted on
three days of history and made at every minute, and the services scaled by them. What the load is
drawn in is timed apart. Services go in parts of 50, so that the memory stays small.
"""

import argparse
import resource
import time

import numpy as np

from gpudeck.models.resilience.autoscaling import Rule, Service, predict, simulate_scaling
from gpudeck.workload.diurnal_load import Spread, count_arrivals, draw_load
from gpudeck.workload.load_series import read_diurnal_profile

ASKED_S, PART = 5.0, 50
HISTORY, WEEK = 3, 7


def scale(services: int) -> tuple[float, float]:
    """Draw and scale; return the seconds of each."""
    profile, service, rule = read_diurnal_profile(), Service(warm_pool=4), Rule()
    spread = Spread(profile.cv, profile.correlation, 0.1)
    drawn_s = scaled_s = 0.0
    for first in range(0, services, PART):
        seeds = list(range(first, min(first + PART, services)))
        start = time.perf_counter()
        rate = draw_load(profile, 10.0, HISTORY + WEEK, spread, seeds)
        counts = count_arrivals(rate, seeds)
        middle = time.perf_counter()
        made = predict(counts, service, rule, HISTORY)
        result = simulate_scaling(
            rate, counts, service, "hybrid", rule, history_days=HISTORY, forecast=made
        )
        assert np.isfinite(result.gpu_hours).all()
        scaled_s += time.perf_counter() - middle
        drawn_s += middle - start
    return drawn_s, scaled_s


def main() -> None:
    """Print speed asked and measured, and how it grows."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    scale(1)
    print(f"a week of minutes after {HISTORY} days of history; asked: 1,000 services {ASKED_S} s")
    print(f"  {'services':>8} {'drawn s':>8} {'scaled s':>9} {'us/service-hour':>16}")
    for services in (10, 100) if quick else (10, 100, 1000):
        drawn_s, scaled_s = scale(services)
        each_us = scaled_s / services / (WEEK * 24) * 1e6
        print(f"  {services:8} {drawn_s:8.2f} {scaled_s:9.2f} {each_us:16.1f}")
    peak_gib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak_gib:.2f} GiB")


if __name__ == "__main__":
    main()
