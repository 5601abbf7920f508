"""The what-if slide of page 6: GPUs needed if no pod may ask for more than a cap."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import MUTED, USEFUL, WASTE
from gpudeck.figures.what_if import (
    Line,
    Slider,
    State,
    WhatIf,
    percent_slider,
    readable,
    what_if_frame,
)
from gpudeck.models.sharing.mig import CapGrid
from gpudeck.workload.pod import GPU_MILLI


def mig_what_if(grid: CapGrid, page: Captioned) -> WhatIf:
    """Return the explorer of a grid's caps over the GPU and the scale of all requests."""
    caps_pct = 100 * grid.caps_milli / GPU_MILLI

    def look_up(gpu: str, scale_pct: int) -> State:
        needed = grid.mig_gpus[gpu, scale_pct].astype(float)
        divisible = grid.divisible_gpus[scale_pct]
        alone = np.full(len(needed), float(grid.pods))
        words = {
            "gpu": gpu,
            "scale": readable(scale_pct, "%", page.lang, decimals=0),
            "open": readable(int(needed[-1]), "GPU", page.lang, decimals=0),
            "tight": readable(int(needed[0]), "GPU", page.lang, decimals=0),
            "cap": readable(float(caps_pct[0]), "%", page.lang, decimals=0),
        }
        return State(caps_pct.astype(float), np.array([needed, divisible, alone]), words)

    sliders = (
        Slider("gpu", page.label("gpu"), grid.gpus, grid.gpus),
        percent_slider("scale_pct", page.label("scale"), grid.scales_pct, grid.scales_pct[-1]),
    )
    lines = (
        Line(page.label("mig"), USEFUL),
        Line(page.label("divisible"), MUTED, "3 5"),
        Line(page.label("alone"), WASTE, "10 4"),
    )
    frame = what_if_frame(page, (float(caps_pct[0]), 100), (0, grid.pods * 1.05))
    return WhatIf(frame, lines, sliders, look_up)
