"""The what-if slide of page 13: another policy, borrowing limit or weight, precomputed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import SERIES, USEFUL
from gpudeck.figures.tenant_name import tenant_names
from gpudeck.figures.what_if import (
    Line,
    Slider,
    State,
    WhatIf,
    percent_slider,
    readable,
    what_if_frame,
)
from gpudeck.models.scheduling.quota import ShareGrid
from gpudeck.scenario.schema import Tenant

_DASHES = ("", "9 5", "3 4", "12 3 3 3", "6 3", "2 2")
TENANTS_SHOWN = len(_DASHES)


def fairness_what_if(grid: ShareGrid, tenants: Sequence[Tenant], page: Captioned) -> WhatIf:
    """Return the explorer of a day of tenant shares over policy, borrowing limit and weight."""

    def look_up(policy: str, borrow_pct: int, factor: float) -> State:
        result = grid.result[policy, borrow_pct, factor]
        words = {
            "useful": readable(result.useful_pct, "%", page.lang),
            "jain": readable(result.jain, "1", page.lang, decimals=3),
            "kept": readable(result.guarantee_kept_pct, "%", page.lang),
            "lost": readable(result.lost_pct, "%", page.lang, decimals=2),
        }
        held = grid.held_pct[policy, borrow_pct, factor][:TENANTS_SHOWN]
        return State(grid.hour, np.round(held, 1), words)

    policies = tuple(page.label(policy) for policy in grid.policies)
    names = tenant_names(tenants, page.lang)
    limits, factors = grid.borrow_pct, grid.factors
    sliders = (
        Slider("policy", page.label("policy"), grid.policies, policies, 0),
        percent_slider("borrow_pct", page.label("borrow"), limits, limits[-1]),
        Slider(
            "factor",
            page.label("factor").replace("[tenant]", names[grid.tenants[0]]),
            factors,
            tuple(f"× {factor:g}" for factor in factors),
            factors.index(1.0),
        ),
    )
    colours = (USEFUL, *(series.colour for series in SERIES))
    lines = tuple(
        Line(names[name], colours[place], _DASHES[place])
        for place, name in enumerate(grid.tenants[:TENANTS_SHOWN])
    )
    most = max(float(shares.max()) for shares in grid.held_pct.values())
    top = min(100, 10 * int(np.ceil(most / 10)))
    frame = what_if_frame(page, (0, float(grid.hour[-1])), (0, top), rows=2)
    return WhatIf(frame, lines, sliders, look_up)
