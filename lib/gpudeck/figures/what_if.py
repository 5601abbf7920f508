"""What a what-if slide is made of: axes, lines, sliders, and a model to ask."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.figures.caption import Captioned
from gpudeck.figures.plot_frame import PlotFrame, draw_plot_frame
from gpudeck.scenario import Cluster, Scenario
from gpudeck.units import format_quantity

# one row of controls above and one line of readout below; each further row of controls
_CONTROLS_PX, _ROW_PX = 82, 42


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


def quantity_slider(
    name: str, label: str, values: tuple[float, ...], start: float, unit: str, lang: str
) -> Slider:
    """Return a control over numbers of one unit that starts at one of them."""
    shown = tuple(format_quantity(value, unit, lang) for value in values)
    return Slider(name, label, values, shown, values.index(start))


def percent_slider(name: str, label: str, values: tuple[int, ...], start: int) -> Slider:
    """Return a control over percentages that starts at one of them."""
    return Slider(name, label, values, tuple(f"{v}%" for v in values), values.index(start))


def readable(value: float, unit: str, lang: str, decimals: int = 1) -> str:
    """Write a number of a state's readout with its unit."""
    return format_quantity(value, unit, lang, decimals=decimals)


def what_if_frame(
    page: Captioned,
    x: tuple[float, float],
    y: tuple[float, float],
    rows: int = 1,
    x_ticks: Mapping[float, str] | None = None,
) -> PlotFrame:
    """Draw the axes of a what-if slide, named by its labels `x` and `y`, to these limits.

    `rows` says how many rows its sliders take: three sliders take two. `x_ticks` are as of
    `draw_plot_frame`.
    """
    height_px = page.slot.height_px - _CONTROLS_PX - (rows - 1) * _ROW_PX
    size_px = (page.slot.width_px, height_px)
    names = (page.label("x"), page.label("y"))
    return draw_plot_frame(page.key, page.title, page.alt, size_px, x, y, names, x_ticks)


@cache
def live_cluster(scenario: Scenario, seed: int) -> Cluster:
    """Return the cluster that live slides compute on; the kernel reads it at their first question.

    Parameters
    ----------
    scenario, seed
        What the deck was opened with.
    """
    return scenario.cluster_tables(seed)
