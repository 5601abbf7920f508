"""The what-if slide of page 15: GPUs, network port and oversubscription, by size of the buffer."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.rdma import TRANSPORT_STYLE, write_bytes
from gpudeck.figures.what_if import (
    Line,
    Slider,
    State,
    WhatIf,
    quantity_slider,
    readable,
    what_if_frame,
)
from gpudeck.hardware.link import find_link
from gpudeck.models.fabric.report import start_cell
from gpudeck.models.fabric.study import FabricGrid
from gpudeck.units import format_quantity

DASHES = {"tcp": "9 5", "rocev2": "3 3", "infiniband": ""}
_TICK_BITS = (12, 16, 20, 24, 28, 32)


def rdma_what_if(grid: FabricGrid, page: Captioned) -> WhatIf:
    """Return the explorer of bus bandwidth over the buffer's size, by cluster and network."""
    bits = np.log2(grid.size_bytes)
    gpus, link, ratio = start_cell(grid)
    top = max(float(cell.max()) for cell in grid.bus_gb_s.values())

    def look_up(gpus: float, link: str, ratio: float) -> State:
        cell = grid.bus_gb_s[int(gpus), link, ratio]
        words = {
            name: readable(float(row[-1]), "GB/s", page.lang, 0)
            for name, row in zip(grid.transports, cell, strict=True)
        }
        return State(bits, cell, words)

    ports = tuple(8 * find_link(name).direction_gb_s for name in grid.links)
    shown = tuple(format_quantity(port, "Gbit/s", page.lang) for port in ports)
    sliders = (
        quantity_slider("gpus", page.label("gpus"), grid.gpus, gpus, "count", page.lang),
        Slider("link", page.label("link"), grid.links, shown, grid.links.index(link)),
        Slider(
            "ratio",
            page.label("ratio"),
            grid.ratios,
            tuple(f"1:{value:g}" for value in grid.ratios),
            grid.ratios.index(ratio),
        ),
    )
    lines = tuple(
        Line(page.label(name), TRANSPORT_STYLE[name][0], DASHES[name]) for name in grid.transports
    )
    ticks = {float(bit): write_bytes(2.0**bit) for bit in _TICK_BITS}
    limits = (float(bits[0]), float(bits[-1]))
    return WhatIf(what_if_frame(page, limits, (0, 1.05 * top), 2, ticks), lines, sliders, look_up)
