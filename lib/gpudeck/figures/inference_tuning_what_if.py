"""The what-if slide of page 20: the time between tokens by chunk budget and length of prompts."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import USEFUL, WASTE
from gpudeck.figures.what_if import (
    Line,
    State,
    WhatIf,
    percent_slider,
    quantity_slider,
    readable,
    readable_seconds,
    what_if_frame,
)
from gpudeck.models.serving.knobs import ChunkGrid


def tuning_what_if(grid: ChunkGrid, page: Captioned) -> WhatIf:
    """Return the explorer of chunk budget and length of prompts; whole prompts to compare with."""
    x = 100 * grid.share

    def look_up(chunk_tokens: int, length_pct: int) -> State:
        chunked, whole = ((length_pct, chunk) for chunk in (chunk_tokens, None))
        y = 1e3 * np.array([grid.tbt_s[chunked], grid.tbt_s[whole]])
        words = {}
        for name, key, curve in (("chunked", chunked, y[0]), ("whole", whole, y[1])):
            words[f"tbt_{name}"] = readable(float(curve[-1]), "ms", page.lang, 0)
            words[f"ttft_{name}"] = readable_seconds(grid.ttft_s[key], page.lang)
        return State(x, y, words)

    length, budget = grid.start
    sliders = (
        quantity_slider(
            "chunk_tokens", page.label("chunk"), grid.chunk_tokens, budget, "token", page.lang
        ),
        percent_slider("length_pct", page.label("length"), grid.length_pct, length),
    )
    top = 1e3 * max(float(curve[-1]) for curve in grid.tbt_s.values())
    lines = (Line(page.label("chunked"), USEFUL), Line(page.label("whole"), WASTE, "10 4"))
    frame = what_if_frame(page, (float(x[0]), float(x[-1])), (0, 1.05 * top))
    return WhatIf(frame, lines, sliders, look_up)
