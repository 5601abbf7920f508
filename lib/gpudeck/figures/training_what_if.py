"""The what-if slide of page 21: a GPU's tokens by accumulation, for degrees and precision."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import SERIES, USEFUL, WASTE
from gpudeck.figures.what_if import Line, Slider, State, WhatIf, readable, what_if_frame
from gpudeck.models.training.grid import STAGES, StepGrid, start_degrees

_STYLES = ((USEFUL, ""), (SERIES[0].colour, "10 4"), (WASTE, "3 4"))


def training_what_if(grid: StepGrid, precision: str, page: Captioned) -> WhatIf:
    """Return the explorer of degrees, precision and accumulation; what does not fit is a gap.

    Parameters
    ----------
    grid : StepGrid
        From `step_grid`.
    precision : str
        The one to start with.
    page : Captioned
        The slide.
    """
    x = np.array(grid.rounds, dtype=float)

    def look_up(tensor: int, pipeline: int, precision: str) -> State:
        place = tensor, pipeline, precision
        words = {}
        for row, stage in enumerate(STAGES):
            memory = float(grid.memory_gb[place][row, -1])
            words[f"memory_{stage}"] = readable(memory, "GB", page.lang, 0)
            best = grid.mfu_pct[place][row, -1]
            words[f"mfu_{stage}"] = page.label("over") if np.isnan(best) else f"{best:.0f}%"
        words["usable"] = readable(grid.usable_gb, "GB", page.lang, 0)
        return State(x, _tokens(grid, place), words)

    start = start_degrees(grid, precision)
    sliders = (
        _slider("tensor", page.label("tensor"), grid.tensor, grid.tensor.index(start[0])),
        _slider("pipeline", page.label("pipeline"), grid.pipeline, grid.pipeline.index(start[1])),
        _slider(
            "precision", page.label("precision"), grid.precision,
            grid.precision.index(precision) if precision in grid.precision else 0,
        ),
    )  # fmt: skip
    lines = tuple(
        Line(f"ZeRO-{stage}", colour, dash)
        for stage, (colour, dash) in zip(STAGES, _STYLES, strict=True)
    )
    top = max(float(np.nan_to_num(_tokens(grid, place)).max()) for place in grid.tokens_s)
    frame = what_if_frame(page, (0, float(x[-1])), (0, 1.08 * max(top, 1.0)), rows=2)
    return WhatIf(frame, lines, sliders, look_up)


def _tokens(grid: StepGrid, place: tuple[int, int, str]) -> NDArray[np.float64]:
    """Return the tokens a second of one GPU, shape (stages, rounds), NaN where it does not fit."""
    tokens = grid.tokens_s[place] / grid.gpus
    return np.where(np.isnan(grid.mfu_pct[place]), np.nan, tokens)


def _slider(name: str, label: str, values: tuple[int | str, ...], start: int) -> Slider:
    shown = tuple(str(value).upper() for value in values)
    return Slider(name, label, values, shown, start)
