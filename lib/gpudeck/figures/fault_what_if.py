"""The what-if slide of page 24: rate of failures, cost of a save, and where saves go."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.duration import write_duration
from gpudeck.figures.style import USEFUL, WASTE
from gpudeck.figures.what_if import (
    Line,
    Slider,
    State,
    WhatIf,
    quantity_slider,
    readable,
    what_if_frame,
)
from gpudeck.models.resilience.fault_grid import FaultGrid
from gpudeck.units import format_quantity

_START_SAVE_S = 60.0


def fault_what_if(grid: FaultGrid, page: Captioned) -> WhatIf:
    """Return the explorer: efficiency by interval in the chosen mode, beside synchronous saves."""

    def look_up(gpus: int, storage_s: float, mode: str) -> State:
        keys = ((mode, gpus, storage_s), ("synchronous", gpus, storage_s))
        curves = np.array([grid.share_pct[key] for key in keys])
        interval_min, share_pct = grid.best[keys[0]]
        words = {
            "mtbf": readable(grid.mtbf_h[gpus], "h", page.lang),
            "best": write_duration(60 * interval_min, page.lang),
            "share": readable(share_pct, "%", page.lang),
            "plain": readable(grid.best[keys[1]][1], "%", page.lang),
        }
        return State(grid.interval_min, curves, words)

    sizes = tuple(
        format_quantity(gpus, "GPU", page.lang, decimals=0, scale="plain") for gpus in grid.gpus
    )
    sliders = (
        # it opens at the size of which the headline speaks
        Slider("gpus", page.label("gpus"), grid.gpus, sizes, len(grid.gpus) - 1),
        quantity_slider(
            "storage_s", page.label("save"), grid.storage_s, _START_SAVE_S, "s", page.lang
        ),
        Slider(
            "mode",
            page.label("mode"),
            grid.modes,
            tuple(page.label(mode) for mode in grid.modes),
            grid.modes.index("asynchronous"),
        ),
    )
    lines = (
        Line(page.label("chosen"), USEFUL),
        Line(page.label("synchronous"), WASTE, "9 5"),
    )
    last = float(grid.interval_min[-1])
    return WhatIf(what_if_frame(page, (0, last), (0, 100), 2), lines, sliders, look_up)
