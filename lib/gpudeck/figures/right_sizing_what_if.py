"""The what-if slide of page 8: the loop with another percentile, margin or half-life."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import INK, USEFUL
from gpudeck.figures.what_if import (
    Line,
    State,
    WhatIf,
    percent_slider,
    quantity_slider,
    readable,
    what_if_frame,
)
from gpudeck.models.sharing.right_sizing import LoopGrid


def loop_what_if(grid: LoopGrid, page: Captioned) -> WhatIf:
    """Return the explorer of the loop: one pod's use and request, and what all its pods see.

    Parameters
    ----------
    grid : LoopGrid
        From `loop_grid`.
    page : Captioned
        The slide; its sliders start at Kubernetes' defaults where the grid has them.
    """

    def look_up(percentile_pct: int, margin_pct: int, half_life_h: int) -> State:
        cell = grid.cells[percentile_pct, margin_pct, half_life_h]
        words = {
            "saved": readable(cell.saved_pct, "%", page.lang),
            "kills": readable(cell.kills, "count", page.lang, decimals=0),
            "resizes": readable(cell.resizes, "count", page.lang),
        }
        return State(grid.day, 100 * np.array([grid.use, cell.request]), words)

    top = 100 * max(grid.use.max(), *(cell.request.max() for cell in grid.cells.values()))
    sliders = (
        percent_slider("percentile_pct", page.label("percentile"), grid.percentiles_pct, 90),
        percent_slider("margin_pct", page.label("margin"), grid.margins_pct, 15),
        quantity_slider(
            "half_life_h", page.label("half_life"), grid.half_lives_h, 24, "h", page.lang
        ),
    )
    lines = (Line(page.label("use"), INK, "", 2), Line(page.label("request"), USEFUL, "10 4", 4))
    frame = what_if_frame(page, (0, float(grid.day[-1])), (0, 1.05 * top), rows=2)
    return WhatIf(frame, lines, sliders, look_up)
