"""The what-if slide of page 19: block size and spread of the lengths against used KV memory."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import SERIES, USEFUL, WASTE
from gpudeck.figures.what_if import (
    Line,
    State,
    WhatIf,
    quantity_slider,
    readable,
    what_if_frame,
)
from gpudeck.models.serving.kv_study import WasteGrid
from gpudeck.models.serving.kv_waste import SCHEMES

LINES = {
    "max": (WASTE, "10 4"),
    "pow2": (SERIES[1].colour, "9 5"),
    "oracle": (SERIES[0].colour, "3 3"),
    "paged": (USEFUL, ""),
}


def waste_what_if(grid: WasteGrid, page: Captioned) -> WhatIf:
    """Return the explorer of a grid: used memory by spread, for a block size and an output."""
    spread = 100 * np.array(grid.spread)

    def look_up(block_size: int, output_mean: int) -> State:
        curves = [grid.used_pct[scheme, block_size, output_mean] for scheme in SCHEMES]
        # the readout speaks of lengths that spread as much as their mean
        at = int(np.argmin(np.abs(spread - 100)))
        words = {
            scheme: readable(float(curve[at]), "%", page.lang)
            for scheme, curve in zip(SCHEMES, curves, strict=True)
        }
        words["spread"] = readable(float(spread[at]), "%", page.lang, decimals=0)
        words["waste"] = readable(100 - float(curves[-1][at]), "%", page.lang, decimals=2)
        return State(spread, np.array(curves), words)

    sliders = (
        quantity_slider(
            "block_size", page.label("block"), grid.block_size, grid.start[0], "token", page.lang
        ),
        quantity_slider(
            "output_mean", page.label("output"), grid.output_mean, grid.start[1], "token", page.lang
        ),
    )
    lines = tuple(Line(page.label(scheme), *LINES[scheme]) for scheme in SCHEMES)
    frame = what_if_frame(page, (0, float(spread[-1])), (0, 100))
    return WhatIf(frame, lines, sliders, look_up)
