"""The pictures of the input pipeline: starving GPUs on a timeline, and over the bandwidth."""

from __future__ import annotations

import numpy as np

from gpudeck.figures.caption import Captioned
from gpudeck.figures.style import (
    INK,
    MUTED,
    RULE,
    SERIES,
    USEFUL,
    WAITING,
    WASTE,
    LineEnd,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
)
from gpudeck.figures.timeline import Bar, timeline
from gpudeck.interval import band_of
from gpudeck.models.storage.loader import LoaderResult
from gpudeck.models.storage.loader.sweep import BandwidthSweep

STEPS = 3  # of the slower run on the timeline


def draw_pipelines(runs: tuple[LoaderResult, LoaderResult], page: Captioned) -> str:
    """Draw the same batches on the first GPU before and after: read, computed, waited for.

    Parameters
    ----------
    runs : (LoaderResult, LoaderResult)
        Before and after.
    page : Captioned
        Its labels name the lanes and what a bar means.
    """
    lanes, bars = [], []
    end_s = max(_window(run)[1] for run in runs)
    for name, run in zip(("before", "after"), runs, strict=True):
        start_s, _ = _window(run)
        read, compute = f"{page.label(name)}：{page.label('read')}", page.label("compute")
        if page.lang == "en":
            read = f"{page.label(name)}: {page.label('read')}"
        compute = read.replace(page.label("read"), compute)
        lanes += [read, compute]
        bars += _reads(run, read, start_s, end_s)
        bars += _steps(run, compute, start_s, end_s, page.label("starves"))
    return timeline(
        lanes,
        bars,
        key=page.key,
        title=page.title,
        description=page.alt,
        unit=page.label("time"),
        width_px=page.slot.width_px,
        height_px=page.slot.height_px,
        end=end_s,
    )


def _window(run: LoaderResult) -> tuple[float, float]:
    """Return where the first step after the warm-up may begin, and how long `STEPS` take."""
    start_s = float(run.end_s[run.warm_up - 1])
    return start_s, float(run.end_s[run.warm_up + STEPS - 1]) - start_s


def _reads(run: LoaderResult, lane: str, start_s: float, end_s: float) -> list[Bar]:
    """Return a bar for each batch on the first GPU's link, numbered from the first step shown."""
    bars = []
    for step in range(run.warm_up, run.ready_s.shape[1]):
        done_s = float(run.read_end_s[0, step]) - start_s
        began_s = done_s - float(run.read_s[0, step])
        if began_s >= end_s:
            break
        if done_s > 0:
            text = str(step - run.warm_up + 1)
            bars.append(Bar(lane, max(began_s, 0.0), min(done_s, end_s), text, WAITING))
    return bars


def _steps(run: LoaderResult, lane: str, start_s: float, end_s: float, word: str) -> list[Bar]:
    """Return a bar for each step, and a hollow one for each wait before a step."""
    bars = []
    for step in range(run.warm_up, run.ready_s.shape[1]):
        free_s = float(run.end_s[step - 1]) - start_s
        begin_s, done_s = (float(t[step]) - start_s for t in (run.begin_s, run.end_s))
        if begin_s > free_s and free_s < end_s:
            bars.append(Bar(lane, free_s, min(begin_s, end_s), word, WASTE, hollow=True))
        if begin_s >= end_s:
            break
        bars.append(Bar(lane, begin_s, min(done_s, end_s), str(step - run.warm_up + 1), USEFUL))
    return bars


def draw_bandwidth(sweep: BandwidthSweep, page: Captioned) -> str:
    """Draw utilisation over the bandwidth of a GPU: closed form, one GPU, many; with 95 % bands.

    Parameters
    ----------
    sweep : BandwidthSweep
        From `sweep_bandwidth`.
    page : Captioned
        The page that shows it.
    """
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    x, job = sweep.gpu_gb_s, sweep.job
    axes.plot(x, 100 * sweep.bound, color=INK, linewidth=2, linestyle=(0, (6, 3)))
    ends = [LineEnd(float(x[-1]), 102, page.label("bound"), INK)]
    looks = (
        (sweep.alone, "alone", SERIES[0].colour, "s"),
        (sweep.together, "together", USEFUL, "o"),
    )
    for place, (samples, name, colour, marker) in enumerate(looks):
        band = band_of(100 * samples)
        axes.errorbar(
            x,
            band.mean,
            [band.mean - band.low, band.high - band.mean],
            color=colour,
            marker=marker,
            capsize=4,
            linewidth=0 if place == 0 else 2.5,
            elinewidth=1.5,
        )
        ends.append(LineEnd(float(x[-1]), 97 - 5 * place, page.label(name), colour, 700))
    axes.axvline(job.need_gb_s, color=RULE, linewidth=2, zorder=0)
    axes.annotate(
        page.label("need"), (job.need_gb_s, 4), (8, 0), textcoords="offset points", color=MUTED
    )
    axes.axhline(job.target_pct, color=WASTE, linewidth=1.5, linestyle=(0, (2, 3)), zorder=0)
    axes.annotate(
        page.label("target"),
        (float(x[0]), job.target_pct),
        (0, 6),
        textcoords="offset points",
        color=MUTED,
    )
    axes.set(xlim=(0, 1.02 * float(np.max(x))), ylim=(0, 108), yticks=range(0, 101, 25))
    name_axes(axes, page.label("bandwidth"), page.label("utilisation"))
    label_line_ends(axes, ends, size_px=18)
    return svg_text(figure, page.key, page.title, page.alt)
