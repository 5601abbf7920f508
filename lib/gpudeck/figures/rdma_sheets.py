"""The map and the tables of page 15: the fastest algorithm, residuals, published bandwidths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gpudeck.fact import Fact
from gpudeck.figures.caption import Captioned
from gpudeck.figures.geometry import Box
from gpudeck.figures.lettering import TEXT_MIN_PX, text_width_px
from gpudeck.figures.rdma import write_bytes
from gpudeck.figures.shapes import Canvas
from gpudeck.figures.sheet import table_sheet
from gpudeck.figures.style import MUTED, SERIES, USEFUL, WAITING, tint
from gpudeck.figures.validation import Compared
from gpudeck.models.fabric.study import ScaleStudy
from gpudeck.units import format_number

FIT_ROWS = (
    "all_reduce",
    "all_gather",
    "reduce_scatter",
    "all_to_all",
    "counts",
    "sizes",
    "version",
)


def draw_choices(scale: ScaleStudy, page: Captioned) -> str:
    """Draw which algorithm and protocol is fastest, a row for each number of GPUs."""
    canvas = Canvas(page.slot.width_px, page.slot.height_px)
    left, top = 72.0, 32.0
    column = (canvas.width_px - left - 2) / len(scale.size_bytes)
    row = (canvas.height_px - top - 56) / len(scale.gpus)
    canvas.text(0, 10, page.label("gpus"), colour=MUTED)
    for index, gpus in enumerate(reversed(scale.gpus)):
        y = top + index * row
        canvas.text(left - 8, y + row / 2, f"{gpus:,}", colour=MUTED, anchor="end")
        names = [of[len(scale.gpus) - 1 - index] for of in scale.best]
        for name, first, count in _runs(names):
            field = Box(left + first * column, y, count * column - 2, row - 3)
            canvas.rect(field, _choice_colour(name))
            words = page.label(name.replace("-", "_"))
            if text_width_px(words, TEXT_MIN_PX) <= field.width:
                canvas.text(*field.centre, words, anchor="middle")
    below = top + len(scale.gpus) * row + 14
    for index, size in enumerate(scale.size_bytes):
        middle = left + (index + 0.5) * column
        canvas.text(middle, below, write_bytes(size), colour=MUTED, anchor="middle")
    end = canvas.width_px - 2
    canvas.text(end, below + 24, page.label("size"), colour=MUTED, anchor="end")
    return canvas.svg(page.key, page.title, page.alt)


def _runs(names: Sequence[str]) -> list[tuple[str, int, int]]:
    """Return runs of equal names: the name, where it begins, how long it is.

    >>> _runs(["a", "a", "b"])
    [('a', 0, 2), ('b', 2, 1)]
    """
    runs: list[tuple[str, int, int]] = []
    for place, name in enumerate(names):
        if runs and runs[-1][0] == name:
            runs[-1] = (name, runs[-1][1], runs[-1][2] + 1)
        else:
            runs.append((name, place, 1))
    return runs


def _choice_colour(name: str) -> str:
    """Return the colour of an algorithm, the stronger the more of the bandwidth it uses."""
    plain = {"nvls": tint(USEFUL, 0.6), "nvls-tree": tint(SERIES[0].colour, 0.6)}
    if name in plain:
        return plain[name]
    kind, _, protocol = name.partition("-")
    colour = {"ring": WAITING, "tree": SERIES[2].colour}[kind]
    return tint(colour, {"ll": 0.18, "ll128": 0.38, "simple": 0.6}[protocol])


def draw_fit(facts: Mapping[str, Fact], page: Captioned) -> str:
    """Set the residuals in a table, in percent; a dash where nothing was measured."""
    columns = [f"{gpu}_{told}" for gpu in ("a100", "h100") for told in ("median", "worst")]
    header = [page.label("operation"), *(page.label(name) for name in columns)]
    rows = []
    for name in FIT_ROWS:
        cells = []
        for column in columns:
            gpu, _, told = column.partition("_")
            fact = facts.get(f"{gpu}_{name}_{told}")
            cells.append(f"{float(fact.value):.1f}%" if fact else "–")
        rows.append((page.label(name), *cells))
    return table_sheet(page.title, header, rows, marked=0)


def draw_published(results: Sequence[Compared], page: Captioned) -> str:
    """Set published and computed bus bandwidths side by side; what is missed is marked."""
    rows = []
    for result in results:
        decimals = 0 if result.published >= 10 else 1
        published, tolerance, computed, error = (
            format_number(value, page.lang, decimals=decimals)
            for value in (result.published, result.tolerance, result.computed, result.error)
        )
        verdict = page.label("met" if result.ok else "missed")
        rows.append((page.label(result.id), f"{published} ± {tolerance}", computed, error, verdict))
    header = [page.label(n) for n in ("what", "published", "computed", "error", "verdict")]
    missed = next((row for row, result in enumerate(results) if not result.ok), None)
    return table_sheet(page.title, header, rows, marked=missed)
