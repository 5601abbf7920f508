"""The facts of page 11: what each way to batch carries within both objectives."""

from __future__ import annotations

import numpy as np

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.serving.load_curve import ENGINES, STATIC_BATCH, LoadCurve, sweep_load

MODEL = "model:serving"


def report_load(curve: LoadCurve) -> tuple[Fact, ...]:
    """Return what a load curve says.

    Parameters
    ----------
    curve : LoadCurve
        From `sweep_load`, two seeds or more.

    Returns
    -------
    tuple of Fact
        For each engine `<engine>` (highest rate within both objectives, requests/s),
        `ttft_<engine>` (s) and `tbt_<engine>` (ms), p99 at the middle rate `load`; the objectives
        `ttft_objective` and `tbt_objective`; `runs`, `static_batch`, `peak`, `cap_low`, `cap_high`.
    """
    by = function_name(sweep_load)
    middle = len(curve.rates_per_s) // 2
    facts = []
    for name in ENGINES:
        ttft, tbt = curve.ttft_p99_s[name][:, middle], 1000 * curve.tbt_p99_s[name][:, middle]
        facts.append(mean_fact(name, curve.sustained_per_s[name], "request/s", MODEL, by))
        facts.append(mean_fact(f"ttft_{name}", ttft, "s", MODEL, by))
        facts.append(mean_fact(f"tbt_{name}", tbt, "ms", MODEL, by, decimals=0))
    cap = curve.trace.cap
    settings: tuple[tuple[str, float | int, str, str, int], ...] = (
        ("load", float(curve.rates_per_s[middle]), "request/s", "simulated", 1),
        ("peak", float(curve.rates_per_s[-1]), "request/s", "simulated", 1),
        ("ttft_objective", curve.ttft_objective_s, "s", "scenario", 1),
        ("tbt_objective", 1000 * curve.tbt_objective_s, "ms", "scenario", 0),
        ("runs", len(curve.ttft_p99_s["static"]), "count", "scenario", 0),
        ("static_batch", STATIC_BATCH, "count", "computed", 0),
        ("cap_low", int(np.min(cap)), "count", "simulated", 0),
        ("cap_high", int(np.max(cap)), "count", "simulated", 0),
    )
    facts += [
        Fact(key, value, unit, kind, MODEL, by, decimals=decimals)
        for key, value, unit, kind, decimals in settings
    ]
    return tuple(facts)
