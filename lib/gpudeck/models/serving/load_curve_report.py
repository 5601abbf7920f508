"""The facts of page 11: what each way to batch carries within the scenario's objectives."""

from __future__ import annotations

from gpudeck.fact import Fact, function_name, mean_fact
from gpudeck.models.serving.load_curve import (
    ENGINES,
    TARGET_SHARE,
    WINDOW,
    LoadCurve,
    study_load,
)
from gpudeck.scenario import Scenario
from gpudeck.scenario.serving import report_requests

SOURCE = "model:serving"


def report_load(curve: LoadCurve, scenario: Scenario) -> tuple[Fact, ...]:
    """Return what a load curve says.

    Parameters
    ----------
    curve : LoadCurve
        From `study_load`, two seeds or more.
    scenario : Scenario
        What it was computed from.

    Returns
    -------
    tuple of Fact
        For each engine `<engine>` (highest rate within the objectives, requests/s, with its
        interval), `most_<engine>` (highest rate carried at any latency), and at the highest rate
        offered `ttft_<engine>` (s) and `tbt_<engine>` (ms); `loop_more` (what adaptive carries
        beyond continuous, paired by seed); the scenario's `ttft_objective`,
        `tbt_objective`, `percentile`, `max_batch`, `model`, `gpu`; `runs`, `count`,
        `static_batch`, `delay`, `opened`, `closed`; of the feedback `loop_target`, `target_share`,
        `increase`, `decrease`, `window`, `start`; and those of `report_requests`.
    """
    by = function_name(study_load)
    facts = []
    for name in ENGINES:
        facts += [
            mean_fact(name, curve.capacity_per_s[name], "request/s", SOURCE, by),
            mean_fact(
                f"most_{name}", curve.carried_per_s[name].max(axis=1), "request/s", SOURCE, by
            ),
            mean_fact(f"ttft_{name}", curve.ttft_s[name][:, -1], "s", SOURCE, by),
            mean_fact(f"tbt_{name}", 1000 * curve.tbt_s[name][:, -1], "ms", SOURCE, by, decimals=0),
        ]
    more = curve.capacity_per_s["adaptive"] - curve.capacity_per_s["continuous"]
    facts.append(mean_fact("loop_more", more, "request/s", SOURCE, by))
    return (*facts, *_settings(curve, scenario, by), *report_requests(scenario.serving))


def _settings(curve: LoadCurve, scenario: Scenario, by: str) -> tuple[Fact, ...]:
    serving, goal = scenario.serving, curve.goal
    whole = goal.percentile == round(goal.percentile)
    chosen: tuple[tuple[str, float | str, str, int | None], ...] = (
        ("ttft_objective", goal.ttft_s, "s", 1),
        ("tbt_objective", 1000 * goal.tbt_s, "ms", 0),
        ("percentile", goal.percentile, "1", 0 if whole else 1),
        ("max_batch", serving.max_batch, "count", 0),
        ("model", serving.model, "text", None),
        ("gpu", serving.gpu, "text", None),
    )
    runs, dynamic = curve.ttft_s["static"].shape[0], curve.engines["dynamic"]
    loop = curve.engines["adaptive"].adaptive
    assert loop is not None, "the adaptive engine has feedback"
    computed: tuple[tuple[str, float, str, int | None], ...] = (
        ("runs", runs, "count", 0),
        ("static_batch", curve.engines["static"].max_batch, "count", 0),
        ("delay", 1000 * dynamic.max_delay_s, "ms", 0),
        ("loop_target", 1000 * loop.objective_s, "ms", 0),
        ("increase", loop.increase, "count", 0),
        ("decrease", loop.decrease, "1", 2),
        ("window", loop.window, "count", 0),
        ("start", loop.start_batch, "count", 0),
        ("target_share", 100 * TARGET_SHARE, "%", 0),
        ("opened", 100 * WINDOW[0], "%", 0),
        ("closed", 100 * WINDOW[1], "%", 0),
    )
    return (
        *(
            Fact(key, value, unit, "scenario", scenario.id, by, decimals=digits)
            for key, value, unit, digits in chosen
        ),
        *(
            Fact(key, value, unit, "computed", SOURCE, by, decimals=digits)
            for key, value, unit, digits in computed
        ),
    )
