"""The what-if slide of page 23: another cold start, margin or warm pool, precomputed."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import MEASURED, USEFUL, WASTE
from gpudeck.figures.what_if import (
    Line,
    Slider,
    State,
    WhatIf,
    quantity_slider,
    readable,
    what_if_frame,
)
from gpudeck.models.resilience.autoscaling import LeadGrid


def autoscaling_what_if(grid: LeadGrid, page: Captioned) -> WhatIf:
    """Return the explorer of a day's replicas over cold start, margin z and warm pool."""

    def look_up(cold: int, z: float, pool: int) -> State:
        cell = cold, z, pool
        late, hours = grid.late_pct[cell], grid.gpu_hours[cell]
        words = {
            "late": readable(late[0], "%", page.lang),
            "late_reactive": readable(late[1], "%", page.lang),
            "hours": readable(hours[0], "GPU-hour", page.lang, decimals=0),
            "hours_reactive": readable(hours[1], "GPU-hour", page.lang, decimals=0),
        }
        lines = np.vstack([grid.ready[cell], grid.offered])
        return State(grid.hour, np.round(lines, 1), words)

    colds, margins, pools = (
        tuple(sorted({cell[place] for cell in grid.ready})) for place in range(3)
    )
    sliders = (
        quantity_slider("cold", page.label("cold"), colds, colds[1], "min", page.lang),
        Slider("z", page.label("z"), margins, tuple(f"{z:g}" for z in margins), 2),
        Slider("pool", page.label("pool"), pools, tuple(str(p) for p in pools), 1),
    )
    lines = (
        Line(page.label("predictive"), USEFUL),
        Line(page.label("reactive"), WASTE, "9 5"),
        Line(page.label("load"), MEASURED, "", 1.5),
    )
    top = 1.05 * max(float(held.max()) for held in grid.ready.values())
    return WhatIf(what_if_frame(page, (0, 24), (0, top), rows=2), lines, sliders, look_up)
