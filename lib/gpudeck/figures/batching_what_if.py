"""The what-if slide of page 11: rate of arrival, batch cap and maximum delay."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.batching import ENGINE_STYLE
from gpudeck.figures.caption import Captioned
from gpudeck.figures.what_if import (
    Line,
    State,
    WhatIf,
    quantity_slider,
    readable_seconds,
    what_if_frame,
)
from gpudeck.models.serving.batch_grid import PERCENTILES, BatchGrid

# shortest and longest that is drawn
LEAST_S, MOST_S = 0.01, 1000.0


def batching_what_if(grid: BatchGrid, page: Captioned) -> WhatIf:
    """Return the explorer: quantiles of TTFT, dynamic beside continuous, on a logarithmic axis."""

    def look_up(rate: float, cap: int, delay: int) -> State:
        curves = np.array([grid.dynamic[rate, cap, delay], grid.continuous[rate, cap]])
        words = {
            name: readable_seconds(float(curve[-1]), page.lang)
            for name, curve in zip(("dynamic", "continuous"), curves, strict=True)
        }
        return State(PERCENTILES, np.clip(curves, LEAST_S, MOST_S), words)

    rate, cap, delay = grid.start
    sliders = (
        quantity_slider("rate", page.label("rate"), grid.rates_per_s, rate, "request/s", page.lang),
        quantity_slider("cap", page.label("cap"), grid.caps, cap, "count", page.lang),
        quantity_slider("delay", page.label("delay"), grid.delays_ms, delay, "ms", page.lang),
    )
    lines = (
        Line(page.label("dynamic"), str(ENGINE_STYLE["dynamic"]["color"]), "9 5"),
        Line(page.label("continuous"), str(ENGINE_STYLE["continuous"]["color"])),
    )
    every = [curve for curves in (grid.dynamic, grid.continuous) for curve in curves.values()]
    decades = np.log10(np.clip([np.min(every), np.max(every)], LEAST_S, MOST_S))
    limits = (10 ** float(np.floor(decades[0])), 10 ** float(np.ceil(decades[1])))
    return WhatIf(what_if_frame(page, (0, 100), limits, 2, y_log=True), lines, sliders, look_up)
