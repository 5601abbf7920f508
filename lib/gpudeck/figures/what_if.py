"""What a what-if slide is made of: axes, lines, sliders, and a model to ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.figures.plot_frame import PlotFrame


@dataclass(frozen=True)
class Slider:
    """One control: its name, the values it steps through, how they read, where it starts."""

    name: str
    label: str
    values: tuple[float | str, ...]
    shown: tuple[str, ...]
    start: int = 0

    def __post_init__(self) -> None:
        if len(self.values) != len(self.shown) or not 0 <= self.start < len(self.values):
            msg = (
                f"slider {self.name!r}: {len(self.values)} values, {len(self.shown)} words, "
                f"start {self.start}; allowed is one word a value and a start among them"
            )
            raise InputError(msg)


@dataclass(frozen=True)
class Line:
    """How one line is drawn and named."""

    label: str
    colour: str
    dash: str = ""
    width_px: float = 3


@dataclass(frozen=True)
class State:
    """What is shown at one setting of the sliders.

    `x` has shape (points,), `y` (lines, points), in the units of the axes; NaN is a gap. `words`
    fill the `[name]` places of the slide's readout.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    words: Mapping[str, str]


@dataclass(frozen=True)
class WhatIf:
    """A what-if slide: `compute` takes one value of each slider by name and returns the state.

    For a slide that asks the kernel, `compute` is a function of gpudeck that can be imported, and
    it takes the scenario, the seed and the language before the sliders' values.
    """

    frame: PlotFrame
    lines: tuple[Line, ...]
    sliders: tuple[Slider, ...]
    compute: Callable[..., State]
