"""What-if slides: sliders over a precomputed grid, or over a model that the kernel runs live.

Both draw lines into a `PlotFrame` with one script. `explore` carries every state of the grid in
the page and needs no kernel. `explore_live` carries the default state and asks the notebook's
kernel for any other; in the exported file it stays at the default and says so.
"""

from __future__ import annotations

import html
import importlib
import json
import re
import time
from collections.abc import Sequence
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
from gpudeck.figures.style import spread, text_colour
from gpudeck.figures.what_if import Line, Slider, State, WhatIf

_SCRIPTS = Path(__file__).with_name("scripts")
_LABEL_GAP_PX = 22


def explore(page: Page, what_if: WhatIf) -> str:
    """Return the HTML of a what-if slide whose states are all computed now.

    Parameters
    ----------
    page : Page
        The detail slide that shows it; its label `readout` says what a state means.
    what_if : WhatIf
        Two or three sliders; the grid is the product of their values. All states share `x`.
    """
    names = [slider.name for slider in what_if.sliders]
    grid = product(*(slider.values for slider in what_if.sliders))
    states = [what_if.compute(**dict(zip(names, values, strict=True))) for values in grid]
    start = int(
        np.ravel_multi_index(
            [slider.start for slider in what_if.sliders],
            [len(slider.values) for slider in what_if.sliders],
        )
    )
    template = page.label("readout")
    pixels = [_pixels(state, what_if.frame, template) for state in states]
    data = {"x": pixels[0]["x"], "states": [{**p, "x": None} for p in pixels]}
    return _box(page, what_if, states[start], data, "dk-explorer")


def explore_live(page: Page, deck: Deck, what_if: WhatIf) -> str:
    """Return the HTML of a what-if slide whose other states the kernel computes when asked.

    Parameters
    ----------
    page : Page
        The detail slide that shows it.
    deck : Deck
        The deck, whose scenario, seed and language the kernel opens again.
    what_if : WhatIf
        Its `compute` can be imported and takes scenario, seed and language first.
    """
    frame = what_if.frame
    values = {slider.name: slider.values[slider.start] for slider in what_if.sliders}
    state = what_if.compute(deck.scenario, deck.seed, deck.lang, **values)
    template = page.label("readout")
    data = {
        "call": f"__import__('{__name__}',fromlist=['answer']).answer",
        "arguments": [
            *(function_name(what_if.compute), deck.scenario_name, deck.lang, deck.seed),
            [frame.left_px, frame.top_px, frame.width_px, frame.height_px],
            [*frame.x_limits, *frame.y_limits],
            template,
        ],
        "words": {name: page.setting.words[f"live_{name}"] for name in ("waiting", "done")},
        "states": [_pixels(state, frame, template)],
    }
    return _box(page, what_if, state, data, "dk-explorer dk-live")


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
    box_px: Sequence[float],
    limits: Sequence[float],
    template: str,
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
    left, top, width, height = box_px
    axes = PlotFrame("", left, top, width, height, (limits[0], limits[1]), (limits[2], limits[3]))
    elapsed_ms = round(1000 * (time.perf_counter() - start_s))
    return Answer(_pixels(state, axes, template) | {"kernel_ms": elapsed_ms})


@cache
def _opened(scenario: str, lang: str, seed: int) -> Deck:
    return open_deck(scenario, lang, seed)


def _pixels(state: State, frame: PlotFrame, template: str) -> dict[str, Any]:
    # None for NaN: JSON has no NaN, and the script leaves a gap there
    y = frame.y_px(state.y).astype(object)
    y[np.isnan(state.y)] = None
    return {"x": frame.x_px(state.x).tolist(), "y": y.tolist(), "readout": _read(template, state)}


def _read(template: str, state: State) -> str:
    return re.sub(r"\[(\w+)\]", lambda match: state.words[match.group(1)], template)


def _box(page: Page, what_if: WhatIf, state: State, data: dict[str, Any], css_class: str) -> str:
    controls = "".join(_control(slider) for slider in what_if.sliders)
    note = html.escape(page.setting.words["live_offline"]) if "dk-live" in css_class else ""
    # </script> inside a string would end the element
    payload = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    lines = zip(what_if.lines, state.y, _label_heights(state.y, what_if.frame), strict=True)
    drawn = "".join(_draw(line, row, top, what_if.frame, state.x) for line, row, top in lines)
    svg = what_if.frame.svg.replace("</svg>", f'<g class="dk-lines">{drawn}</g></svg>')
    script = (_SCRIPTS / "explorer.js").read_text(encoding="utf-8")
    readout = html.escape(_read(page.label("readout"), state))
    return (
        f'<div class="{css_class}" data-key="{page.key}"><div class="dk-controls">{controls}</div>'
        f'{svg}<div class="dk-reading"><p class="dk-readout" aria-live="polite">{readout}</p>'
        f'<span class="dk-state" role="status">{note}</span></div>'
        f'<script type="application/json">{payload}</script><script>{script}</script></div>'
    )


def _control(slider: Slider) -> str:
    label, start = html.escape(slider.label), html.escape(slider.shown[slider.start])
    shown = html.escape(json.dumps(slider.shown, ensure_ascii=False))
    values = html.escape(json.dumps(slider.values, ensure_ascii=False))
    return (
        f'<label>{label} <input type="range" min="0" max="{len(slider.values) - 1}" step="1" '
        f'value="{slider.start}" name="{slider.name}" aria-label="{label}" '
        f'aria-valuetext="{start}" data-shown="{shown}" data-values="{values}">'
        f"<output>{start}</output></label>"
    )


def _label_heights(y: NDArray[np.float64], frame: PlotFrame) -> list[float]:
    """Return where each line's name stands, in pixels: at its last point, none on another."""
    ends = [frame.y_px(row[~np.isnan(row)][-1:]) for row in y]
    wanted = [float(end[0]) if len(end) else frame.top_px for end in ends]
    bottom_px = frame.top_px + frame.height_px
    return spread(wanted, [_LABEL_GAP_PX] * len(wanted), frame.top_px - 10, bottom_px + 10)


def _draw(
    line: Line, y: NDArray[np.float64], label_px: float, frame: PlotFrame, x: NDArray[np.float64]
) -> str:
    kept = ~np.isnan(y)
    points = zip(frame.x_px(x[kept]), frame.y_px(y[kept]), strict=True)
    path = " ".join(f"{px:g},{py:g}" for px, py in points)
    dash = f' stroke-dasharray="{line.dash}"' if line.dash else ""
    return (
        f'<polyline fill="none" stroke="{line.colour}" stroke-width="{line.width_px:g}"'
        f'{dash} points="{path}"/><text font-size="18" fill="{text_colour(line.colour)}" '
        f'x="{frame.left_px + frame.width_px + 12:g}" y="{label_px + 6:g}">'
        f"{html.escape(line.label)}</text>"
    )
