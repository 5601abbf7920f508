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
    readable,
    what_if_frame,
)
from gpudeck.models.serving.batch_grid import PERCENTILES, BatchGrid

MOST_S = 20.0


def batching_what_if(grid: BatchGrid, page: Captioned) -> WhatIf:
    """Return the explorer: quantiles of TTFT, dynamic beside continuous; above the axis, a gap."""

    def look_up(rate: float, cap: int, delay: int) -> State:
        curves = np.array([grid.dynamic[rate, cap, delay], grid.continuous[rate, cap]])
        names = ("dynamic", "continuous")
        words = {
            name: readable(float(curve[-1]), "s", page.lang)
            for name, curve in zip(names, curves, strict=True)
        }
        return State(PERCENTILES, np.where(curves <= MOST_S, curves, np.nan), words)

    sliders = (
        quantity_slider(
            "rate",
            page.label("rate"),
            grid.rates_per_s,
            grid.rates_per_s[1],
            "request/s",
            page.lang,
        ),
        quantity_slider("cap", page.label("cap"), grid.caps, grid.caps[1], "count", page.lang),
        quantity_slider("delay", page.label("delay"), grid.delays_ms, 100, "ms", page.lang),
    )
    lines = (
        Line(page.label("dynamic"), str(ENGINE_STYLE["dynamic"]["color"]), "9 5"),
        Line(page.label("continuous"), str(ENGINE_STYLE["continuous"]["color"])),
    )
    return WhatIf(what_if_frame(page, (0, 100), (0, MOST_S), 2), lines, sliders, look_up)
