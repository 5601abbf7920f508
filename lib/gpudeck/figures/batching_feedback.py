"""The feedback of page 11 at work: its decisions one by one, and fixed caps beside it."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import (
    INK,
    MUTED,
    USEFUL,
    WAITING,
    WASTE,
    LineEnd,
    label_line_ends,
    name_axes,
    new_figure,
    spread,
    svg_text,
    text_colour,
)
from gpudeck.interval import Interval, interval_of
from gpudeck.models.serving.cap_feedback import ADD, CASE, CUT, KEEP, Overload, find_windows
from gpudeck.units import format_quantity

# decisions that are drawn one by one
SHOWN = 40
_LOOKS = {ADD: (USEFUL, "^", "add"), KEEP: (WAITING, "o", "keep"), CUT: (WASTE, "v", "cut")}


def draw_windows(overload: Overload, page: Captioned) -> str:
    """Draw the first decisions: each window's mean gap against the target, and the cap it leads to.

    Parameters
    ----------
    overload : Overload
        From `study_overload`; its `trace` is drawn.
    page : Captioned
        The page that shows it.
    """
    windows = find_windows(overload.trace)
    count = min(SHOWN, len(windows.gap_s))
    number = np.arange(1, count + 1)
    gap_ms, action = 1000 * windows.gap_s[:count], windows.action[:count]
    target_ms = 1000 * float(overload.targets_s[CASE])
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    upper, lower = figure.subplots(2, 1, sharex=True)
    upper.vlines(number, target_ms, gap_ms, color=MUTED, linewidth=1)
    upper.axhline(target_ms, color=INK, linewidth=1.5, linestyle=(0, (2, 3)))
    for code, (colour, marker, _) in _LOOKS.items():
        chosen = action == code
        upper.plot(number[chosen], gap_ms[chosen], marker, color=colour, markersize=10, zorder=4)
    lower.step(
        np.r_[number - 0.5, count + 0.5],
        np.r_[windows.before[:count], windows.after[count - 1]],
        where="post",
        color=USEFUL,
        linewidth=3,
    )
    lower.plot(number, windows.running[:count], ".", color=MUTED, markersize=8)
    # the line of the target stays in the lower half, below the names of the marks
    upper.set(xlim=(0, count + 1), ylim=(0, max(1.15 * float(gap_ms.max()), 2.4 * target_ms)))
    lower.set(ylim=(0, 1.3 * float(windows.before[:count].max())))
    name_axes(upper, "", page.label("gap"))
    name_axes(lower, page.label("window"), page.label("requests"))
    label_line_ends(upper, [LineEnd(count + 1, target_ms, page.label("target"), INK)], size_px=17)
    _name_marks(upper, page)
    label_line_ends(
        lower,
        [
            LineEnd(count + 0.5, float(windows.after[count - 1]), page.label("cap"), USEFUL, 700),
            LineEnd(count + 0.5, float(windows.running[count - 1]), page.label("running"), MUTED),
        ],
        size_px=17,
    )
    return svg_text(figure, page.key, page.title, page.alt)


def _name_marks(axes: Axes, page: Captioned) -> None:
    """Say at the right what each kind of mark stands for."""
    for row, (colour, marker, name) in enumerate(_LOOKS.values()):
        height = 0.95 - 0.17 * row
        axes.plot(
            [1.015],
            [height],
            marker,
            color=colour,
            markersize=10,
            transform=axes.transAxes,
            clip_on=False,
        )
        axes.annotate(
            page.label(name),
            (1.015, height),
            (12, 0),
            xycoords="axes fraction",
            textcoords="offset points",
            va="center",
            fontsize=17,
            color=text_colour(colour),
            annotation_clip=False,
        )


def draw_overload(overload: Overload, page: Captioned) -> str:
    """Draw throughput over the mean gap: fixed caps as a line, the feedback's targets as dots."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    fixed_ms, fixed = 1000 * overload.fixed_gap_s.mean(axis=0), overload.fixed_tokens_s.mean(axis=0)
    axes.plot(fixed_ms, fixed, "o-", color=MUTED, linewidth=2.5, markersize=8)
    for cap, x, y in zip(overload.caps, fixed_ms, fixed, strict=True):
        last = cap == overload.caps[-1]
        # caps that are never reached all stand where the largest does
        if not last and x > 0.97 * fixed_ms[-1]:
            continue
        axes.annotate(
            str(cap),
            (x, y),
            (0 if last else 8, -6),
            textcoords="offset points",
            ha="right" if last else "left",
            va="top",
            fontsize=17,
            color=MUTED,
        )
    loops = [
        (interval_of(1000 * gaps), interval_of(tokens))
        for gaps, tokens in zip(overload.loop_gap_s.T, overload.loop_tokens_s.T, strict=True)
    ]
    for gap, tokens in loops:
        axes.errorbar(
            gap.mean,
            tokens.mean,
            tokens.half_width,
            gap.half_width,
            fmt="D",
            color=USEFUL,
            markersize=10,
            capsize=4,
            zorder=5,
        )
    axes.set(ylim=(0, 1.15 * float(fixed.max())), xlim=(0, None))
    name_axes(axes, page.label("gap"), page.label("tokens"))
    end = LineEnd(float(fixed_ms[-1]), float(fixed[-1]), page.label("fixed"), MUTED)
    label_line_ends(axes, [end], size_px=17)
    _name_targets(axes, overload, loops, page)
    return svg_text(figure, page.key, page.title, page.alt)


def _name_targets(
    axes: Axes, overload: Overload, loops: list[tuple[Interval, Interval]], page: Captioned
) -> None:
    """Name the target at the left of each dot, one above the other; axes have to be final."""
    at = [axes.transData.transform((gap.low, tokens.mean)) for gap, tokens in loops]
    bottom, top = axes.get_window_extent().y0, axes.get_window_extent().y1
    placed = spread([y + 14 for _, y in at], [25.0] * len(at), bottom, top)
    for index, ((gap, tokens), (_, old), new) in enumerate(zip(loops, at, placed, strict=True)):
        case = index == CASE
        target = format_quantity(1000 * float(overload.targets_s[index]), "ms", page.lang)
        axes.annotate(
            page.label("aim").format(target),
            (gap.low, tokens.mean),
            (-12, new - float(old)),
            textcoords="offset points",
            ha="right",
            va="center",
            fontsize=19 if case else 17,
            fontweight=700 if case else 400,
            color=text_colour(USEFUL),
        )
