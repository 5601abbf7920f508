"""What-if slides: sliders over a precomputed grid, or over a model that the kernel runs live.

Both draw lines into a `PlotFrame` with one script. `explore` carries every state of the grid in
the page and needs no kernel. `explore_live` carries the default state and asks the notebook's
kernel for any other; in the exported file it stays at the default and says so.
"""

from __future__ import annotations

import html
import importlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gpudeck.deck.deck import Deck, open_deck
from gpudeck.deck.page import Page
from gpudeck.errors import InputError
from gpudeck.fact import function_name
from gpudeck.figures.plot_frame import PlotFrame
from gpudeck.figures.style import text_colour

_SCRIPTS = Path(__file__).with_name("scripts")


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
    """How one line of an explorer is drawn and named."""

    label: str
    colour: str
    dash: str = ""
    width_px: float = 3


@dataclass(frozen=True)
class State:
    """What an explorer shows at one setting of its sliders.

    `x` has shape (points,), `y` (lines, points), in the units of the frame's axes; NaN is a gap.
    `readout` is one line of text.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    readout: str


def explore(
    page: Page,
    frame: PlotFrame,
    lines: Sequence[Line],
    sliders: Sequence[Slider],
    compute: Callable[..., State],
) -> str:
    """Return the HTML of a what-if slide whose states are all computed now.

    Parameters
    ----------
    page : Page
        The detail slide that shows it.
    frame : PlotFrame
        The axes.
    lines : sequence of Line
        One for each row of a state's `y`.
    sliders : sequence of Slider
        Two or three; the grid is the product of their values.
    compute : callable
        Called with one value of each slider by name; returns the `State`. All states share `x`.
    """
    names = [slider.name for slider in sliders]
    grid = product(*(slider.values for slider in sliders))
    states = [compute(**dict(zip(names, values, strict=True))) for values in grid]
    start = int(
        np.ravel_multi_index([s.start for s in sliders], [len(s.values) for s in sliders])
    )
    data = {"states": [_pixels(state, frame) for state in states]}
    return _box(page, frame, lines, sliders, states[start], data, "dk-explorer")


def explore_live(
    page: Page,
    deck: Deck,
    frame: PlotFrame,
    lines: Sequence[Line],
    sliders: Sequence[Slider],
    compute: Callable[..., State],
) -> str:
    """Return the HTML of a what-if slide whose other states the kernel computes when asked.

    `compute` is a function of `gpudeck` that can be imported; it is called as
    `compute(scenario, seed, lang, **values)`. The other parameters are those of `explore`.
    """
    values = {slider.name: slider.values[slider.start] for slider in sliders}
    state = compute(deck.scenario, deck.seed, deck.lang, **values)
    data = {
        "call": f"__import__('{__name__}',fromlist=['answer']).answer",
        "arguments": [function_name(compute), str(deck.scenario_name), deck.lang, deck.seed],
        "frame": [
            *(frame.left_px, frame.top_px, frame.width_px, frame.height_px),
            *(*frame.x_limits, *frame.y_limits),
        ],
        "words": {name: page.setting.words[f"live_{name}"] for name in ("waiting", "done")},
        "states": [_pixels(state, frame)],
    }
    return _box(page, frame, lines, sliders, state, data, "dk-explorer dk-live")


@dataclass(frozen=True)
class Answer:
    """The kernel's answer to a live slide, as JSON for its script."""

    data: dict[str, Any]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {"application/json": self.data, "text/plain": self.data["readout"]}


def answer(
    function: str,
    scenario: str,
    lang: str,
    seed: int,
    frame: Sequence[float],
    values: dict[str, Any],
) -> Answer:
    """Compute one state for a live slide; its script calls this in the notebook's kernel.

    Raises
    ------
    InputError
        When the function is none of gpudeck's.
    """
    start_s = time.perf_counter()
    module, _, name = function.rpartition(".")
    if not module.startswith("gpudeck."):
        msg = f"live slide: function {function!r} is not one of gpudeck's"
        raise InputError(msg)
    compute = getattr(importlib.import_module(module), name)
    state = compute(_opened(scenario, lang, seed).scenario, seed, lang, **values)
    axes = PlotFrame("", *frame[:4], tuple(frame[4:6]), tuple(frame[6:8]))  # type: ignore[arg-type]
    elapsed_ms = round(1000 * (time.perf_counter() - start_s))
    return Answer(_pixels(state, axes) | {"kernel_ms": elapsed_ms})


@cache
def _opened(scenario: str, lang: str, seed: int) -> Deck:
    return open_deck(scenario, lang, seed)


def _pixels(state: State, frame: PlotFrame) -> dict[str, Any]:
    # None for NaN: JSON has no NaN, and the script leaves a gap there
    y = frame.y_px(state.y).astype(object)
    y[np.isnan(state.y)] = None
    return {"x": frame.x_px(state.x).tolist(), "y": y.tolist(), "readout": state.readout}


def _box(
    page: Page,
    frame: PlotFrame,
    lines: Sequence[Line],
    sliders: Sequence[Slider],
    state: State,
    data: dict[str, Any],
    css_class: str,
) -> str:
    controls = "".join(_control(slider) for slider in sliders)
    live = "dk-live" in css_class
    note = html.escape(page.setting.words["live_offline"]) if live else ""
    x = data["states"][0].pop("x") if not live else data["states"][0]["x"]
    for other in data["states"][1:]:
        other.pop("x")
    data = {"x": x, "right": frame.left_px + frame.width_px, **data}
    # </script> inside a string would end the element
    payload = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    drawn = "".join(_draw(line, row, frame, state.x) for line, row in zip(lines, state.y, strict=True))
    svg = frame.svg.replace("</svg>", f'<g class="dk-lines">{drawn}</g></svg>')
    script = (_SCRIPTS / "explorer.js").read_text(encoding="utf-8")
    return (
        f'<div class="{css_class}" data-key="{page.key}"><div class="dk-controls">{controls}'
        f'<span class="dk-state" role="status">{note}</span></div>{svg}'
        f'<p class="dk-readout" aria-live="polite">{html.escape(state.readout)}</p>'
        f'<script type="application/json">{payload}</script><script>{script}</script></div>'
    )


def _control(slider: Slider) -> str:
    label = html.escape(slider.label)
    shown = html.escape(json.dumps(slider.shown, ensure_ascii=False))
    values = html.escape(json.dumps(slider.values, ensure_ascii=False))
    return (
        f'<label>{label} <input type="range" min="0" max="{len(slider.values) - 1}" step="1" '
        f'value="{slider.start}" name="{slider.name}" aria-label="{label}" '
        f'aria-valuetext="{html.escape(slider.shown[slider.start])}" '
        f'data-shown="{shown}" data-values="{values}">'
        f"<output>{html.escape(slider.shown[slider.start])}</output></label>"
    )


def _draw(line: Line, y: NDArray[np.float64], frame: PlotFrame, x: NDArray[np.float64]) -> str:
    kept = ~np.isnan(y)
    points = zip(frame.x_px(x[kept]), frame.y_px(y[kept]), strict=True)
    path = " ".join(f"{px:g},{py:g}" for px, py in points)
    end_px = float(frame.y_px(y[kept][-1])) if kept.any() else frame.top_px
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    return (
        f'<polyline fill="none" stroke="{line.colour}" stroke-width="{line.width_px:g}"'
        f'{dash} points="{path}"/><text font-size="18" fill="{text_colour(line.colour)}" '
        f'x="{frame.left_px + frame.width_px + 12:g}" y="{end_px + 6:g}">'
        f"{html.escape(line.label)}</text>"
    )
