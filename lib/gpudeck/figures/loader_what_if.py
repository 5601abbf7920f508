"""The what-if slide of page 18: GPUs that step together, workers, and prefetched batches."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import INK, USEFUL
from gpudeck.figures.what_if import Line, State, WhatIf, quantity_slider, readable, what_if_frame
from gpudeck.models.storage.loader.sweep import SUPPLY, LoaderGrid


def loader_what_if(grid: LoaderGrid, page: Captioned) -> WhatIf:
    """Return the explorer of utilisation over the supply of bandwidth, beside the closed form."""
    x = 100 * SUPPLY

    def look_up(gpus: int, workers: int, prefetch: int) -> State:
        curve = grid.found[gpus, prefetch, workers]
        lost = 100 * (grid.bound[grid.exact] - curve[grid.exact])
        words = {
            "utilisation": readable(100 * float(curve[grid.exact]), "%", page.lang, 0),
            "lost": readable(float(lost), "point", page.lang, 0),
        }
        return State(x, 100 * np.array([grid.bound, curve]), words)

    sliders = (
        quantity_slider("gpus", page.label("gpus"), grid.gpus, grid.gpus[-1], "count", page.lang),
        quantity_slider(
            "workers", page.label("workers"), grid.workers, grid.workers[0], "count", page.lang
        ),
        quantity_slider(
            "prefetch", page.label("prefetch"), grid.prefetch, grid.prefetch[0], "count", page.lang
        ),
    )
    lines = (Line(page.label("bound"), INK, "9 5", 2), Line(page.label("simulated"), USEFUL))
    return WhatIf(
        what_if_frame(page, (0, 100 * float(SUPPLY[-1])), (0, 105), 2), lines, sliders, look_up
    )
