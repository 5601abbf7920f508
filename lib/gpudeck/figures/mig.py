"""The pictures of page 6: how MIG cuts a GPU, what a demand needs, what is lost over a day."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from gpudeck.figures.caption import Captioned
from gpudeck.figures.geometry import polyline
from gpudeck.figures.mig_slices import by_name, compute_shares, draw_slices, gpu_slices, short_name
from gpudeck.figures.shapes import Box, Canvas
from gpudeck.figures.sheet import table_sheet
from gpudeck.figures.style import (
    INK,
    MUTED,
    PAPER,
    SERIES,
    USEFUL,
    WAITING,
    WASTE,
    LineEnd,
    bar_style,
    label_line_ends,
    name_axes,
    new_figure,
    svg_text,
    text_colour,
)
from gpudeck.hardware.mig import Placement, find_mig_profiles
from gpudeck.interval import band_of
from gpudeck.models.sharing.mig import (
    COMPARED_GPUS,
    MigDemand,
    PartitionResult,
    PhysicalSplit,
    StreamStudy,
    mixed_instances,
    place_in_order,
    split_gpu,
    trapped_pairs,
)
from gpudeck.tables import read_table
from gpudeck.units import format_number, format_quantity

_POLICY_LOOK: dict[str, dict[str, object]] = {
    "static": {"color": WASTE, "linestyle": (0, (5, 2)), "linewidth": 3},
    "dynamic": {"color": SERIES[0].colour, "linestyle": SERIES[0].linestyle, "linewidth": 2.5},
    "repartition": {"color": USEFUL, "linestyle": "-", "linewidth": 3.5},
}
_CARDS = 5


def draw_partition(demand: MigDemand, best: PartitionResult, page: Captioned) -> str:
    """Draw the GPUs that the shared pods need, one each and with MIG, and below how each is cut.

    Parameters
    ----------
    demand : MigDemand
        The pods that share.
    best : PartitionResult
        All of them served.
    page : Captioned
        The page that shows it.
    """
    canvas = Canvas(page.slot.width_px, page.slot.height_px)
    label_px, value_px, bar_px, gap_px = 140, 90, 70, 18
    scale = (canvas.width_px - label_px - value_px) / len(demand.pod)
    configurations = list(best.configurations().items())
    rows = (("whole", len(demand.pod)), ("mig", best.gpus_used))
    for row, (name, count) in enumerate(rows):
        y = 8 + row * (bar_px + gap_px)
        canvas.text(0, y + bar_px / 2, page.label(name), 18, weight=700)
        bar = Box(label_px, y, count * scale, bar_px)
        if name == "whole":
            canvas.rect(bar, WAITING)
        else:
            _stack(canvas, bar, [gpus for _, gpus in configurations], page.lang)
            saved = Box(bar.right, y, (len(demand.pod) - count) * scale, bar_px)
            less = format_quantity(
                len(demand.pod) - count, "GPU", page.lang, decimals=0, scale="plain"
            )
            canvas.job(saved, page.label("saved").replace("[n]", less), USEFUL, hollow=True)
        shown = format_number(count, page.lang, decimals=0, scale="plain")
        colour = text_colour(USEFUL) if name == "mig" else INK
        canvas.text(
            canvas.width_px, y + bar_px / 2, shown, 24, weight=700, colour=colour, anchor="end"
        )  # fmt: skip
    top = 2 * (bar_px + gap_px) + 34
    _draw_cards(canvas, top, configurations, best, page)
    return canvas.svg(page.key, page.title, page.alt)


def _stack(canvas: Canvas, bar: Box, parts: Sequence[int], lang: str) -> None:
    """Draw a bar of parts, each with its number where that fits."""
    x = bar.x
    for count in parts:
        width = bar.width * count / sum(parts)
        text = format_number(count, lang, decimals=0, scale="plain")
        canvas.job(Box(x, bar.y, width, bar.height), text, USEFUL)
        x += width


def _draw_cards(
    canvas: Canvas,
    top: float,
    configurations: Sequence[tuple[tuple[Placement, ...], int]],
    best: PartitionResult,
    page: Captioned,
) -> None:
    """Draw the most frequent ways of cutting a GPU, each with the number of GPUs cut so."""
    label_px, strip_px, head_px = 140, 28, 34
    shown = configurations[:_CARDS]
    rest = sum(gpus for _, gpus in configurations[_CARDS:])
    pitch = (canvas.width_px - label_px) / _CARDS
    size_px = min(pitch - 18, canvas.height_px - top - head_px - strip_px - 12)
    y = top + head_px
    canvas.text(0, y + size_px / 2, page.label("compute"))
    canvas.text(0, y + size_px / 2 + 26, page.label("idle"), colour=text_colour(WASTE))
    canvas.text(0, y + size_px + 8 + strip_px / 2, page.label("memory"))
    compute, memory = gpu_slices(best.geometry)
    cell = size_px / memory
    profiles = by_name(best.geometry)
    for number, (held, gpus) in enumerate(shown):
        x = label_px + number * pitch
        count = format_quantity(gpus, "GPU", page.lang, decimals=0, scale="plain")
        canvas.text(x, top + 10, count, 20, weight=700)
        shares = compute_shares(held, best.geometry)
        canvas.gpu(x, y, size_px, shares, slices=compute, upright=False)
        for one in held[1:]:
            at = x + one.start * size_px / compute
            canvas.path(polyline((at, y + 1), (at, y + size_px - 1)), stroke=PAPER)
        strip = y + size_px + 8
        taken = {
            s for h in held for s in range(h.start, h.start + profiles[h.profile].memory_slices)
        }
        for index in set(range(memory)) - taken:
            canvas.job(Box(x + index * cell, strip, cell, strip_px), "", WASTE)
        for one in held:
            width = profiles[one.profile].memory_slices * cell
            canvas.rect(
                Box(x + one.start * cell, strip, width, strip_px).grown(-1), USEFUL, radius_px=3
            )
    if rest:
        words = page.label("rest").replace("[n]", format_number(rest, page.lang, scale="plain"))
        canvas.text(canvas.width_px, top + 10, words, anchor="end", colour=MUTED)


def draw_geometry(split: PhysicalSplit, page: Captioned) -> str:
    """Draw every profile of a GPU at every start that the driver allows."""
    profiles = find_mig_profiles(split.profiles[0].geometry)[::-1]
    canvas = Canvas(page.slot.width_px, page.slot.height_px)
    name_px, note_px, head_px = 168, 236, 56
    grid = Box(name_px, head_px, canvas.width_px - name_px - note_px, canvas.height_px - head_px)
    cell = grid.width / split.memory_slices
    for index in range(split.memory_slices):
        x = grid.x + (index + 0.5) * cell
        canvas.text(x, 42, str(index), anchor="middle", colour=MUTED)
    canvas.text(grid.x, 12, page.label("slices"), colour=MUTED)
    columns = [grid.right + at for at in (58, 128, 236)]
    for x, name in zip(columns, ("most", "sms", "memory"), strict=True):
        canvas.text(x, 42, page.label(name), anchor="end", colour=MUTED)
    if any(profile.unverified for profile in profiles):
        canvas.text(canvas.width_px, 12, page.label("unverified"), anchor="end", colour=MUTED)
    pitch = grid.height / len(profiles)
    for row, profile in enumerate(profiles):
        y = grid.y + row * pitch
        star = "*" if profile.unverified else ""
        canvas.text(0, y + pitch / 2, profile.name + star, 18, weight=700)
        for start in profile.starts:
            lane = Box(grid.x, y + 4, grid.width, pitch - 10)
            _draw_start(canvas, lane, cell, start, profile.compute_slices, profile.memory_slices)
        sms = "–" if profile.sm_count is None else str(profile.sm_count)
        memory = "–" if profile.memory_gib is None else f"{profile.memory_gib:g} GiB"
        for x, note in zip(columns, (str(profile.max_instances), sms, memory), strict=True):
            canvas.text(x, y + pitch / 2, note, anchor="end")
    return canvas.svg(page.key, page.title, page.alt)


def _draw_start(
    canvas: Canvas, lane: Box, cell: float, start: int, compute: int, memory: int
) -> None:
    """Draw one legal placement: compute slices above, memory slices below."""
    x = lane.x + start * cell
    upper = Box(x, lane.y, compute * cell, lane.height * 0.6).grown(-1.5)
    lower = Box(x, lane.y + lane.height * 0.6, memory * cell, lane.height * 0.4).grown(-1.5)
    canvas.rect(upper, USEFUL, radius_px=3)
    canvas.rect(lower, SERIES[3].colour, radius_px=3)
    canvas.text(*upper.centre, f"@{start}", colour=PAPER, weight=700, anchor="middle")


def draw_split(split: PhysicalSplit, page: Captioned) -> str:
    """Draw SMs, L2 cache and memory of one GPU to scale, cut for one set of instances."""
    geometry = split.profiles[0].geometry
    held = mixed_instances(geometry)
    profiles = by_name(geometry)
    canvas = Canvas(page.slot.width_px, page.slot.height_px)
    sms = [profiles[h.profile].sm_count or 0 for h in held]
    slices = [profiles[h.profile].memory_slices for h in held]
    total_gb, l2_mib = split.gpu.memory_gb, split.gpu.l2_mib
    lanes = []
    if split.gpu.sm_count and all(sms):
        lanes.append(("sm", "SM", float(split.gpu.sm_count), [float(n) for n in sms]))
    if l2_mib:
        lanes.append(("l2", "MiB", l2_mib, [n * l2_mib / split.memory_slices for n in slices]))
    lanes.append(("hbm", "GB", total_gb, [n * split.slice_memory_gb for n in slices]))
    label_px, pitch = 150, canvas.height_px / len(lanes)
    for row, (name, unit, total, parts) in enumerate(lanes):
        y = row * pitch
        canvas.text(0, y + 30 + 34, page.label(name), 20, weight=700)
        whole = format_quantity(total, unit, page.lang, decimals=0)
        canvas.text(0, y + 30 + 62, whole, colour=MUTED)
        bar = Box(label_px, y + 30, canvas.width_px - label_px - 8, min(108, pitch - 62))
        x = bar.x
        for one, part in zip(held, parts, strict=True):
            width = bar.width * part / total
            amount = format_quantity(part, unit, page.lang, digits=3)
            canvas.rect(Box(x, bar.y, width, bar.height).grown(-1.5), USEFUL, radius_px=3)
            centre = x + width / 2
            canvas.text(
                centre, bar.y + bar.height / 2, short_name(one.profile), 20, weight=700,
                colour=PAPER, anchor="middle",
            )  # fmt: skip
            canvas.text(centre, bar.bottom + 16, amount, anchor="middle")
            x += width
        if total - sum(parts) > 1e-9:
            lost = Box(x, bar.y, bar.right - x, bar.height)
            canvas.job(lost.grown(-1.5), "", WASTE)
            amount = format_quantity(total - sum(parts), unit, page.lang, digits=3)
            note = page.label("nobody").replace("[n]", amount)
            colour = text_colour(WASTE)
            canvas.text(bar.right, bar.y - 14, note, 18, weight=700, colour=colour, anchor="end")
    return canvas.svg(page.key, page.title, page.alt)


def draw_demand(demand: MigDemand, page: Captioned) -> str:
    """Draw how many pods need each profile; those that take the whole GPU are marked."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    names = list(demand.counts)
    for place, (name, count) in enumerate(demand.counts.items()):
        whole = name == demand.whole
        axes.bar(place, count, width=0.62, **bar_style(WASTE if whole else USEFUL))  # type: ignore[arg-type]
        axes.annotate(
            format_number(count, page.lang, decimals=0, scale="plain"), (place, count), (0, 6),
            textcoords="offset points", ha="center", fontsize=18, fontweight=700,
            color=text_colour(WASTE if whole else USEFUL),
        )  # fmt: skip
    axes.set_xticks(range(len(names)), names)
    axes.set_ylim(0, max(demand.counts.values()) * 1.12)
    name_axes(axes, page.label("profile"), page.label("pods"))
    return svg_text(figure, f"{page.key}-demand", page.title, page.alt)


def draw_gap(gaps: NDArray[np.float64], page: Captioned) -> str:
    """Draw how many GPUs more than the optimum the heuristic takes, random demands sorted."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    share = 100 * np.arange(1, len(gaps) + 1) / len(gaps)
    axes.plot(share, np.sort(gaps), "o", color=USEFUL, markersize=7)
    axes.set(xlim=(0, 102), ylim=(0, max(float(gaps.max()) * 1.15, 1.0)))
    axes.axhline(float(gaps.mean()), color=MUTED, linewidth=1.5, linestyle=(0, (4, 3)))
    axes.annotate(
        page.label("mean"), (2, float(gaps.mean())), (0, 8), textcoords="offset points",
        color=MUTED,
    )  # fmt: skip
    name_axes(axes, page.label("demands"), page.label("surplus"))
    return svg_text(figure, f"{page.key}-gap", page.title, page.alt)


def draw_trap(split: PhysicalSplit, page: Captioned, rule: str) -> str:
    """Draw the first pair that the lowest start blocks, placed by one rule: two steps, one GPU."""
    geometry = split.profiles[0].geometry
    pair = next(iter(trapped_pairs(geometry, split.profiles)), None)
    pair = pair or (split.profiles[0].name, split.profiles[-2].name)
    placed = place_in_order(pair, geometry, rule=rule)
    canvas = Canvas(page.slot.width_px, page.slot.height_px)
    canvas.text(0, 14, page.label(rule), 20, weight=700)
    top = 56
    pitch = (canvas.height_px - top) / 2
    compute, _ = gpu_slices(geometry)
    profiles = by_name(geometry)
    for step, name in enumerate(pair):
        y = top + step * pitch
        words = page.label("step").replace("[profile]", short_name(name))
        canvas.text(0, y + 8, words, 18)
        held = [found for found in placed[: step + 1] if found is not None]
        found = placed[step]
        strip = Box(0, y + 30, canvas.width_px - 4, pitch - 60)
        draw_slices(canvas, strip, held, geometry, useless=found is None)
        free = compute - sum(profiles[one.profile].compute_slices for one in held)
        verdict = page.label("refused") if found is None else page.label("placed")
        verdict = verdict.replace("[n]", str(free))
        verdict = verdict.replace("[start]", "" if found is None else str(found.start))
        colour = text_colour(WASTE if found is None else USEFUL)
        canvas.text(
            canvas.width_px, y + 8, verdict, 18, weight=700, colour=colour, anchor="end"
        )  # fmt: skip
    return canvas.svg(f"{page.key}-{rule}", page.title, page.alt)


def draw_fragmentation(study: StreamStudy, page: Captioned) -> str:
    """Draw the slices that are free and useless to those who wait, over time, by policy."""
    figure = new_figure(page.slot.width_px, page.slot.height_px)
    axes = figure.subplots()
    edge_h = study.results["static"][0].edge_s / 3600
    middle = (edge_h[:-1] + edge_h[1:]) / 2
    ends = []
    for policy, look in _POLICY_LOOK.items():
        band = band_of(study.fragmented_pct(policy))
        axes.fill_between(
            middle, np.maximum(band.low, 0), band.high, color=look["color"], alpha=0.14, lw=0
        )
        axes.plot(middle, band.mean, **look)  # type: ignore[arg-type]
        whole = float(np.mean([result.fragmented_pct for result in study.results[policy]]))
        text = f"{page.label(policy)}  {whole:.1f}%"
        ends.append(LineEnd(float(middle[-1]), float(band.mean[-1]), text, str(look["color"]), 700))
    axes.set(xlim=(0, edge_h[-1]), ylim=(0, None))
    axes.set_xticks(np.arange(0, edge_h[-1] + 1e-9, edge_h[-1] / 6))
    name_axes(axes, page.label("x"), page.label("y"))
    label_line_ends(axes, ends, size_px=17)
    return svg_text(figure, page.key, page.title, page.alt)


def isolation_table(page: Captioned) -> str:
    """Return what MIG, MPS and time slicing keep apart, as a table in the page's words."""
    table = read_table("isolation")
    rows = (
        "partition", "max_partitions", "sm_isolation", "memory_protection", "bandwidth_qos",
        "fault_isolation", "reconfigure",
    )  # fmt: skip

    def cell(mechanism: str, attribute: str) -> str:
        row = table.of(mechanism).get(attribute)
        if row is None:
            return page.label("not_stated")
        return f"{row.number:g}" if row.unit == "count" else page.label(f"is_{row.value}")

    header = ["", *(page.label(mechanism) for mechanism in table.ids)]
    body = [
        [page.label(name), *(cell(mechanism, name) for mechanism in table.ids)] for name in rows
    ]
    return table_sheet(page.title, header, body, rows.index("fault_isolation"), words=True)


def profile_table(gpu_id: str, page: Captioned) -> str:
    """Return the classic profiles of one GPU of each geometry; a star marks what is unverified."""
    rows = []
    splits = [split_gpu(name) for name in COMPARED_GPUS]
    for split in splits:
        smallest, gpu = split.profiles[0], split.gpu
        star = "*" if "starts" in smallest.unverified else ""
        parts = Counter(p.compute_slices for p in split.profiles)
        memory = " / ".join(p.name.split(".")[1].removesuffix("gb") for p in split.profiles)
        sms = "–" if smallest.sm_count is None else str(smallest.sm_count)
        lost = "–" if split.lost_sms is None else f"{split.lost_sms} / {gpu.sm_count}"
        cells = ["/".join(f"{n}g" for n in sorted(parts)), memory, str(smallest.max_instances)]
        rows.append([f"{gpu.id}{star}", *cells, sms, lost])
    header = [page.label(f"column_{number}") for number in range(1, 7)]
    geometry = split_gpu(gpu_id).profiles[0].geometry
    marked = [split.profiles[0].geometry for split in splits].index(geometry)
    return table_sheet(page.title, header, rows, marked)
