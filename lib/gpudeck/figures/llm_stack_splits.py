"""Goodput by the ratio of prefill to decode replicas: a chart of page 19, and its what-if slide."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import (
    USEFUL,
    WASTE,
    LineEnd,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
)
from gpudeck.figures.what_if import Line, Slider, State, WhatIf, readable, what_if_frame
from gpudeck.interval import band_of
from gpudeck.models.serving.disaggregation_study import SplitGrid, SplitStudy


def draw_splits(study: SplitStudy, page: Captioned) -> str:
    """Draw goodput per GPU by the number of prefill replicas, and all replicas together.

    Parameters
    ----------
    study : SplitStudy
        From `compare_splits`, two runs or more.
    page : Captioned
        The slide.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    splits = np.arange(1, study.replicas)
    ends = []
    for name, samples, colour, line in (
        ("apart", study.apart, USEFUL, "o-"),
        ("together", np.repeat(study.together[:, None], len(splits), axis=1), WASTE, "--"),
    ):
        band = band_of(samples)
        axes.fill_between(splits, band.low, band.high, color=colour, alpha=0.22, lw=0)
        axes.plot(splits, band.mean, line, color=colour, linewidth=3)
        ends.append(LineEnd(float(splits[-1]), float(band.mean[-1]), page.label(name), colour, 700))
    axes.set(ylim=(0, None), xticks=splits)
    axes.set_xticklabels([f"{n}:{study.replicas - n}" for n in splits])
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=18)
    return svg_text(figure, page.key, page.title, page.alt)


def splits_what_if(grid: SplitGrid, page: Captioned) -> WhatIf:
    """Return the explorer of goodput over the split, for a rate of arrival and of the link."""
    first = next(iter(grid.studies.values()))
    splits = np.arange(1.0, first.replicas)
    top = max(max(s.apart.max(), s.together.max()) for s in grid.studies.values())

    def look_up(rate_per_s: float, link_gb_s: float) -> State:
        study = grid.studies[rate_per_s, link_gb_s]
        both = np.repeat(study.together.mean(), len(splits))
        best = study.best_prefill
        words = {
            "split": f"{best}:{study.replicas - best}",
            "apart": readable(float(study.apart.mean(axis=0)[best - 1]), "1", page.lang, 2),
            "together": readable(float(both[0]), "1", page.lang, 2),
        }
        return State(splits, np.array([study.apart.mean(axis=0), both]), words)

    sliders = tuple(
        Slider(name, page.label(label), values, tuple(f"{v:g} {unit}" for v in values), start)
        for name, label, values, unit, start in (
            ("rate_per_s", "rate", grid.rate_per_s, "/s", len(grid.rate_per_s) // 2),
            ("link_gb_s", "link", grid.link_gb_s, "GB/s", len(grid.link_gb_s) // 2),
        )
    )
    lines = (Line(page.label("apart"), USEFUL), Line(page.label("together"), WASTE, "10 4"))
    frame = what_if_frame(page, (1, float(splits[-1])), (0, 1.1 * float(top)))
    return WhatIf(frame, lines, sliders, look_up)
