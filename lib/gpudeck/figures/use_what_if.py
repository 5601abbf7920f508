"""The what-if slide of page 4: pods that use more, or less, of what they ask for."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.baseline import ALLOCATED
from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import USEFUL
from gpudeck.figures.what_if import (
    Line,
    State,
    WhatIf,
    percent_slider,
    readable,
    what_if_frame,
)
from gpudeck.journey.use_grid import RANKS_PCT, UseGrid
from gpudeck.scenario import Scenario


def use_what_if(grid: UseGrid, scenario: Scenario, page: Captioned) -> WhatIf:
    """Return the explorer of a grid over the SM activity of training and of inference.

    Parameters
    ----------
    grid : UseGrid
        The days.
    scenario : Scenario
        Its price of a GPU-hour.
    page : Captioned
        The slide that shows it.
    """
    usd = scenario.cost.central_usd_per_gpu_h

    def look_up(training_pct: int, inference_pct: int) -> State:
        cell = training_pct, inference_pct
        useful = grid.useful_pct[cell]
        words = {
            "useful": readable(useful, "%", page.lang),
            "cost": readable(100 * usd / useful, "USD/GPU-hour", page.lang),
        }
        return State(RANKS_PCT.astype(float), np.array([grid.held_pct, grid.sm_pct[cell]]), words)

    training, inference = grid.start
    sliders = (
        percent_slider("training_pct", page.label("training"), grid.training_pct, training),
        percent_slider("inference_pct", page.label("inference"), grid.inference_pct, inference),
    )
    lines = (
        Line(page.label("held"), ALLOCATED, "9 4"),
        Line(page.label("sm"), USEFUL),
    )
    return WhatIf(what_if_frame(page, (0, 100), (0, 100)), lines, sliders, look_up)
