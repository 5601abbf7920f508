"""The pictures of section 1: the fleet itself."""

from __future__ import annotations

from html import escape
from math import ceil, floor, sqrt

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.lettering import text_width_px
from gpudeck.figures.style import INK, SERIES
from gpudeck.figures.svg import frame
from gpudeck.hardware.node import Nodes
from gpudeck.units import format_number

_LABELS_PX = 30
_LARGEST_PX = 26
# the largest type stays neutral: the colours with a role are for what is computed
_COLOURS = ("#8A97A3", *(style.colour for style in SERIES))


def draw_fleet(nodes: Nodes, page: Captioned) -> str:
    """Draw every GPU of the fleet as one square, coloured and named by its type.

    Types stand in order of size. A run of equal squares is a rectangle with a pattern, so that a
    fleet of any size is a few hundred bytes.
    """
    types, where = np.unique(nodes.model, return_inverse=True)
    counts = np.bincount(where, weights=nodes.gpus).astype(int)
    largest_first = [kind for kind in np.argsort(-counts, kind="stable") if counts[kind]]
    width_px, height_px = page.slot.width_px, page.slot.height_px
    room_px = height_px - _LABELS_PX
    pitch = min(_LARGEST_PX, max(2, floor(sqrt(width_px * room_px / counts.sum()) * 2) / 2))
    while ceil(counts.sum() / (width_px // pitch)) * pitch > room_px and pitch > 1:
        pitch -= 0.5
    columns = int(width_px // pitch)
    size = pitch * 0.78
    patterns, squares, names = [], [], []
    first, x = 0, 0.0
    for rank, kind in enumerate(largest_first):
        colour = _COLOURS[min(rank, len(_COLOURS) - 1)]
        patterns.append(
            f'<pattern id="p{rank}" width="{pitch:g}" height="{pitch:g}" '
            f'patternUnits="userSpaceOnUse"><rect width="{size:g}" height="{size:g}" '
            f'fill="{colour}"/></pattern>'
        )
        for left, top, wide, high in _runs(first, int(counts[kind]), columns):
            squares.append(
                f'<rect x="{left * pitch:g}" y="{top * pitch:g}" '
                f'width="{wide * pitch:g}" height="{high * pitch:g}" fill="url(#p{rank})"/>'
            )
        first += int(counts[kind])
        label = f"{types[kind]} {format_number(int(counts[kind]), page.lang)}"
        label_px = 20 + text_width_px(label, 16)
        if x + label_px <= width_px:
            names.append(
                f'<rect x="{x:g}" y="3" width="12" height="12" fill="{colour}"/>'
                f'<text x="{x + 18:g}" y="15" font-size="16" fill="{INK}">'
                f"{escape(label)}</text>"
            )
        x += label_px + 20
    # patterns tile from the origin of their group, so the whole field is shifted, not each run
    body = (
        f"<defs>{''.join(patterns)}</defs>"
        f'<g transform="translate(0 {_LABELS_PX})">{"".join(squares)}</g>{"".join(names)}'
    )
    return frame(body, page.key, page.title, page.alt, width_px, height_px)


def _runs(first: int, count: int, columns: int) -> list[tuple[int, int, int, int]]:
    """Cells first … first + count of a grid filled row by row, as up to three rectangles."""
    runs = []
    row, column = divmod(first, columns)
    if column:
        head = min(count, columns - column)
        runs.append((column, row, head, 1))
        count, row = count - head, row + 1
    if count >= columns:
        runs.append((0, row, columns, count // columns))
        row, count = row + count // columns, count % columns
    if count:
        runs.append((0, row, count, 1))
    return runs
