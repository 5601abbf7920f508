"""The what-if slide of page 7: more tenants, longer slices, a cap on the noisy one."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import MUTED, SERIES, USEFUL, WASTE
from gpudeck.figures.what_if import (
    Line,
    State,
    WhatIf,
    percent_slider,
    quantity_slider,
    readable,
    what_if_frame,
)
from gpudeck.models.sharing.gpu.latency_grid import LatencyGrid

_LOOKS = {
    "exclusive": (MUTED, "2 4"),
    "time_slicing": (WASTE, "10 4"),
    "mps": (USEFUL, ""),
    "hami": (SERIES[5].colour, "6 3"),
    "mig": (SERIES[0].colour, "12 3 2 3"),
}


def sharing_what_if(grid: LatencyGrid, page: Captioned, tenants: int = 4) -> WhatIf:
    """Return the explorer: tail latency by the number of tenants, one line a way.

    Parameters
    ----------
    grid : LatencyGrid
        From `latency_grid`.
    page : Captioned
        The slide that shows it.
    tenants : int
        The number of tenants that the readout is about, one of the grid's.
    """
    place = grid.tenants.index(tenants)

    def look_up(slice_ms: float, cap_pct: int) -> State:
        curves = np.array([grid.p99_ms[slice_ms, cap_pct, way] for way in _LOOKS])
        words = {
            way: readable(float(curve[place]), "ms", page.lang, 0)
            for way, curve in zip(_LOOKS, curves, strict=True)
        }
        words["tenants"] = readable(tenants, "tenant", page.lang, 0)
        return State(np.array(grid.tenants, float), curves, words)

    sliders = (
        quantity_slider("slice_ms", page.label("length"), grid.slice_ms, 2.0, "ms", page.lang),
        percent_slider("cap_pct", page.label("cap"), grid.cap_pct, min(grid.cap_pct)),
    )
    lines = tuple(Line(page.label(way), colour, dash) for way, (colour, dash) in _LOOKS.items())
    high = max(float(curve.max()) for curve in grid.p99_ms.values())
    # whole numbers on the axis need room for the one before the first
    limits = (float(grid.tenants[0] - 1), float(grid.tenants[-1]))
    frame = what_if_frame(page, limits, (0, 50 * np.ceil(high / 50)))
    return WhatIf(frame, lines, sliders, look_up)
