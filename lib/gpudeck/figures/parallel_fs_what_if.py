"""The what-if slide of page 16: stripes and servers, read and written by any number of clients."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import SERIES, USEFUL
from gpudeck.figures.what_if import (
    Line,
    State,
    WhatIf,
    quantity_slider,
    readable,
    what_if_frame,
)
from gpudeck.models.storage import FileSystemStudy, bandwidth_grid
from gpudeck.models.storage.lustre import ALL_OSTS


def striping_what_if(study: FileSystemStudy, page: Captioned) -> WhatIf:
    """Return the explorer of stripe counts and numbers of servers.

    Parameters
    ----------
    study : FileSystemStudy
        From `study_file_system`; servers go from a quarter of its own to four times.
    page : Captioned
        The slide that shows it.
    """
    own = study.lustre.oss_count
    servers = tuple(sorted({max(1, own // 4), max(1, own // 2), own, 2 * own, 4 * own}))
    stripes = _stripe_counts(study, servers[0])
    x = np.unique(np.linspace(1, study.clients, 65).round().astype(np.int64))
    # twice the scenario's own: at four times the servers the curve leaves the top
    top = 1.1 * float(bandwidth_grid(replace(study.lustre, oss_count=2 * own), -1, x).gb_s.max())

    def look_up(stripes: int, servers: int) -> State:
        lustre = replace(study.lustre, oss_count=servers)
        read, write = (
            bandwidth_grid(lustre, stripes, x, access=access).gb_s[0]
            for access in ("read", "write")
        )
        words = {
            "servers": readable(servers, "count", page.lang, decimals=0),
            "stripes": readable(stripes, "count", page.lang, decimals=0),
            "one": readable(float(read[0]), "GB/s", page.lang),
            "read": readable(float(read[-1]), "GB/s", page.lang, decimals=0),
            "write": readable(float(write[-1]), "GB/s", page.lang, decimals=0),
        }
        shown = np.array([read, write])
        return State(x.astype(float), np.where(shown <= top, shown, np.nan), words)

    start = study.stripe_count if study.stripe_count in stripes else stripes[-1]
    sliders = (
        quantity_slider("stripes", page.label("stripes"), stripes, start, "count", page.lang),
        quantity_slider("servers", page.label("servers"), servers, own, "count", page.lang),
    )
    lines = (
        Line(page.label("read"), USEFUL),
        Line(page.label("write"), SERIES[4].colour, "9 5"),
    )
    frame = what_if_frame(page, (1, max(float(x[-1]), 2)), (0, top))
    return WhatIf(frame, lines, sliders, look_up)


def _stripe_counts(study: FileSystemStudy, fewest_servers: int) -> tuple[int, ...]:
    """Return powers of two, the scenario's own count and all targets of the smallest system."""
    most = replace(study.lustre, oss_count=fewest_servers).stripes(ALL_OSTS)
    powers = {2**power for power in range(most.bit_length()) if 2**power <= most}
    own = {study.stripe_count} if study.stripe_count <= most else set()
    return tuple(sorted({*powers, *own, most}))
