"""The diagrams of page 17: the bounce path and the direct path, drawn from the model's hops."""

from __future__ import annotations

from collections.abc import Mapping

from gpudeck.figures.caption import Captioned
from gpudeck.figures.geometry import Box, Point
from gpudeck.figures.shapes import Canvas, Tone, bytes_width_px
from gpudeck.figures.sheet import formula_sheet
from gpudeck.figures.style import MUTED, PANEL, RULE, USEFUL, WASTE
from gpudeck.models.storage import Hop, IoPath, IoStudy
from gpudeck.units import format_quantity

# one byte is this wide; a copy, which reads and writes each byte, twice as much
_BYTE_PX = 18.0


def draw_paths(study: IoStudy, page: Captioned) -> tuple[str, str]:
    """Draw the bounce path and the direct path side by side, arrows as wide as their bytes.

    Parameters
    ----------
    study : IoStudy
        From `study_paths`.
    page : Captioned
        The page that shows both.
    """
    return _draw_path(study, "bounce", page), _draw_path(study, "direct", page)


def _draw_path(study: IoStudy, route: str, page: Captioned) -> str:
    canvas = Canvas(page.slot.width_px, page.slot.height_px)
    path, words = study.paths[route], page.label
    places = _places(Box(0, 0, canvas.width_px, canvas.height_px).grown(-2))
    canvas.text(places["title"].x, places["title"].centre[1], words(route), 20, weight=700)
    host = canvas.node(places["host"], words("host"), tone="quiet")
    used = {hop.source for hop in path.hops} | {hop.target for hop in path.hops}
    for name in ("page_cache", "pinned_buffer"):
        tone: Tone = "waste" if name in used else "plain"
        text = "" if name in used else words("unused")
        canvas.box(
            _inside(host, name), words(name), text, tone=tone, dashed=name not in used, size_px=18
        )
    for name in ("storage", "switch"):
        canvas.box(places[name], words(name), words(f"{name}_detail"), size_px=20)
    canvas.box(places["gpu"], words("gpu"), words("gpu_detail"), tone="useful", size_px=20)
    ends = {**places, **{n: _inside(host, n) for n in ("page_cache", "pinned_buffer")}}
    for hop in path.hops:
        _draw_hop(canvas, hop, ends, page, direct=route == "direct")
    _draw_reading(canvas, study, path, places["reading"], page)
    return canvas.svg(f"{page.key}-{route}", page.title, page.alt)


def _places(room: Box) -> dict[str, Box]:
    """Return where each part stands: storage, switch and GPU below, host memory above."""
    title, reading = 34.0, 62.0
    upper = Box(room.x + 0.2 * room.width, room.y + title + 6, 0.8 * room.width, 146)
    low = room.bottom - reading - 122
    width = 0.235 * room.width
    step = (room.width - width) / 2
    lower = [Box(room.x + place * step, low, width, 106) for place in range(3)]
    return {
        "title": Box(room.x, room.y, room.width, title),
        "host": upper,
        "storage": lower[0],
        "switch": lower[1],
        "gpu": lower[2],
        "reading": Box(room.x, room.bottom - reading, room.width, reading),
    }


def _inside(host: Box, name: str) -> Box:
    """Return a buffer's place in the host's memory."""
    width = 0.39 * host.width
    left = host.x if name == "page_cache" else host.right - width
    return Box(left, host.y, width, host.height)


def _draw_hop(
    canvas: Canvas, hop: Hop, ends: Mapping[str, Box], page: Captioned, *, direct: bool
) -> None:
    """Draw one hop with the bytes that pass for each byte that the GPU gets."""
    start, stop = ends[hop.source], ends[hop.target]
    width = bytes_width_px(hop.bytes_per_byte, 1, _BYTE_PX)
    copied = hop.mover == "cpu"
    colour = USEFUL if direct else WASTE if copied else MUTED
    text = page.label("copy" if copied else "dma").replace("[n]", f"{hop.bytes_per_byte:g}")
    if start.y == stop.y or abs(start.centre[1] - stop.centre[1]) < 1:
        y = start.centre[1]
        canvas.arrow([(start.right, y), (stop.x, y)], width_px=width, colour=colour)
        middle: Point = ((start.right + stop.x) / 2, start.y - 16 if copied else y - width - 14)
        canvas.label(*middle, text, colour=colour)
        return
    up = stop.y < start.y
    column = start if up else stop
    other = stop if up else start
    x = min(max(column.centre[0], other.x + 24), other.right - 24)
    points = [(x, start.y if up else start.bottom), (x, stop.bottom if up else stop.y)]
    canvas.arrow(points, width_px=width, colour=colour)
    side = x - width - 6
    canvas.label(side, (column.y + other.bottom) / 2 + 18, text, anchor="end", colour=colour)


def _draw_reading(canvas: Canvas, study: IoStudy, path: IoPath, room: Box, page: Captioned) -> None:
    """Write what a path costs: bytes over host memory, and cores, at the common bandwidth."""
    gb_s = study.common_gb_s
    numbers = (
        ("traffic", format_quantity(gb_s * path.memory_passes, "GB/s", page.lang, digits=3)),
        ("cores", format_quantity(study.cores(path.route, gb_s), "count", page.lang, decimals=1)),
    )
    half = room.width / 2
    for place, (name, value) in enumerate(numbers):
        x = room.x + place * half
        colour = USEFUL if path.route == "direct" else "#A64900"
        shown = canvas.text(x, room.y + 44, value, 26, weight=700, colour=colour)
        canvas.text(shown.right + 10, room.y + 45, page.label(name), 16, colour=MUTED)


def draw_remote_paths(study: IoStudy, page: Captioned) -> str:
    """Draw the ways from a drive in the network: RDMA into the GPU, TCP through host memory.

    Parameters
    ----------
    study : IoStudy
        From `study_paths`.
    page : Captioned
        The page that shows both.
    """
    canvas = Canvas(page.slot.width_px, page.slot.height_px)
    half = (canvas.height_px - 30) / 2
    for place, name in enumerate(("rdma", "tcp")):
        room = Box(2, 2 + place * (half + 26), canvas.width_px - 4, half)
        _draw_chain(canvas, study, name, room, page)
    return canvas.svg(page.key, page.title, page.alt)


def _draw_chain(canvas: Canvas, study: IoStudy, name: str, room: Box, page: Captioned) -> None:
    """Draw one transport as a chain of boxes, one for each end of a hop."""
    remote, words = study.remote_paths[name], page.label
    canvas.rect(room, PANEL, RULE, radius_px=12, width_px=1.5)
    canvas.text(room.x + 18, room.y + 24, words(name), 20, weight=700)
    canvas.text(room.right - 18, room.y + 24, words(f"{name}_added"), 18, anchor="end")
    hops = remote.path.hops
    names = [hops[0].source, *(hop.target for hop in hops)]
    gap = 62.0
    width = (room.width - 36 - gap * (len(names) - 1)) / len(names)
    top, height = room.y + 64, room.height - 92
    boxes = {}
    for place, part in enumerate(names):
        box = Box(room.x + 18 + place * (width + gap), top, width, height)
        host = part in ("page_cache", "pinned_buffer")
        tone: Tone = "waste" if host else "useful" if part == "gpu" else "plain"
        boxes[part] = canvas.box(box, words(part), words(f"{part}_detail"), tone=tone)
    direct = name == "rdma"
    for hop in hops:
        start, stop = boxes[hop.source], boxes[hop.target]
        colour = USEFUL if direct else WASTE if hop.mover == "cpu" else MUTED
        y = start.centre[1]
        width_px = bytes_width_px(hop.bytes_per_byte, 1, 0.5 * _BYTE_PX)
        canvas.arrow([(start.right, y), (stop.x, y)], width_px=width_px, colour=colour)
        if hop.source == "target":
            canvas.label((start.right + stop.x) / 2, y - 26, words("wire"), colour=colour)


def draw_path_formulas(page: Captioned) -> str:
    """Set the formulas of the paths, each beside what it says."""
    rows = (
        ("bounce", r"B_{bounce} = \min(\, n\,b_{NVMe},\;\; b_{root},\;\; b_{mem}/4\,)"),
        ("direct", r"B_{direct} = \min(\, n\,b_{NVMe},\;\; b_{switch}\,)"),
        ("latency", r"L(S) = t_{0} + \sum_{h}\; S\,/\,b_{h}"),
        ("little", r"X = \min(\, Q/L,\;\; X_{max},\;\; B/S\,),\quad L' = Q/X"),
        ("cpu", r"c(S) = t_{req}/S + t_{B} + n_{copy}/b_{copy}"),
        ("remote", r"L_{remote} = L + [\,t_{low},\; t_{high}\,]"),
    )
    return formula_sheet(page.key, [(page.label(name), tex) for name, tex in rows])
