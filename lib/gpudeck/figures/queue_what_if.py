"""The what-if slides of page 12: another load and gangs, precomputed; another policy, live."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.queues import BACKFILLED, URGENT, delay_words
from gpudeck.figures.style import USEFUL, WASTE
from gpudeck.figures.what_if import (
    Line,
    Slider,
    State,
    WhatIf,
    live_cluster,
    percent_slider,
    readable,
    what_if_frame,
)
from gpudeck.models.scheduling.queue import STEPS, QueueGrid, run_one
from gpudeck.models.scheduling.queue.grid import BACKFILLS, DAYS
from gpudeck.scenario import Scenario
from gpudeck.workload.arrivals import DAY_S

COLOURS = {"none": WASTE, "easy": USEFUL, "greedy": BACKFILLED}
DASHES = {"none": "10 4", "easy": "", "greedy": "3 3"}
LIVE_LOADS_PCT = (60, 70, 80, 90, 100, 110)
LIVE_HOURS = 12


def queue_what_if(grid: QueueGrid, page: Captioned) -> WhatIf:
    """Return the explorer: allocated GPUs over two days by load and share of gangs."""

    def look_up(load_pct: int, gang_pct: int) -> State:
        curves = [grid.allocated_pct[load_pct, gang_pct, name] for name in BACKFILLS]
        words = {
            name: delay_words(grid.summary[load_pct, gang_pct, name].delay_mean_s, page.lang)
            for name in BACKFILLS
        }
        return State(grid.hour[1:], np.array(curves)[:, 1:], words)

    sliders = (
        percent_slider("load_pct", page.label("load"), grid.load_pct, grid.load_pct[-1]),
        percent_slider("gang_pct", page.label("gang"), grid.gang_pct, grid.gang_pct[1]),
    )
    lines = tuple(Line(page.label(name), COLOURS[name], DASHES[name]) for name in BACKFILLS)
    frame = what_if_frame(page, (0, float(grid.hour[-1])), (0, 100))
    return WhatIf(frame, lines, sliders, look_up)


def queue_live(page: Captioned) -> WhatIf:
    """Return the live slide: how long jobs wait under a policy at a load, run by the kernel."""
    names = tuple(page.label(step) for step in STEPS)
    sliders = (
        Slider("policy", page.label("policy"), STEPS, names, STEPS.index("gang")),
        percent_slider("load_pct", page.label("load"), LIVE_LOADS_PCT, 80),
    )
    lines = (Line(page.label("all"), USEFUL), Line(page.label("urgent"), URGENT, "10 4"))
    return WhatIf(what_if_frame(page, (0, LIVE_HOURS), (0, 100)), lines, sliders, run_live)


def run_live(scenario: Scenario, seed: int, lang: str, *, policy: str, load_pct: int) -> State:
    """Run the scenario's queue under a policy at a load; return which share waits at most how long.

    Parameters
    ----------
    scenario, seed, lang
        What the deck was opened with.
    policy : str
        One of the steps of the ladder.
    load_pct : int
        GPU-hours asked for, in % of the capacity.
    """
    result = run_one(scenario, live_cluster(scenario, seed), seed, policy, load_pct)
    hours = np.linspace(0, LIVE_HOURS, 49)
    done, priority = result.status == "done", result.jobs.priority
    assert priority is not None, "Jobs fills it"
    chosen = (done, done & (priority == priority[done].max()))
    y = [100 * (result.waiting_s[rows][:, None] / 3600 <= hours).mean(axis=0) for rows in chosen]
    summary = result.summary(0.0, DAYS * DAY_S)
    words = {
        "mean": delay_words(summary.delay_mean_s, lang),
        "p99": delay_words(summary.delay_p99_s, lang),
        "used": readable(summary.utilisation_pct, "%", lang),
        "preempted": readable(summary.preemptions, "preemption", lang, decimals=0),
    }
    return State(hours, np.array(y), words)
