"""The architecture of a Lustre file system, drawn from its parts, and its tables and formulas."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from gpudeck.figures.caption import Captioned
from gpudeck.figures.geometry import Box
from gpudeck.figures.lettering import TEXT_MIN_PX, text_width_px
from gpudeck.figures.shapes import Canvas, bytes_width_px
from gpudeck.figures.sheet import formula_sheet, table_sheet
from gpudeck.figures.style import MUTED, PANEL, RULE, SERIES, USEFUL, tint
from gpudeck.hardware.storage_device import find_storage_device
from gpudeck.models.storage import FileSystemMap, FileSystemStudy, MeasuredCopy, SavedModel
from gpudeck.models.storage.components import PartKind
from gpudeck.units import format_quantity

_PAD_PX = 16.0
# what flows when all clients read, over all arrows of a row
_FLOW_PX = 42.0
_BESIDE = 0.87


def draw_file_system(plan: FileSystemMap, gpus_per_node: int, page: Captioned) -> str:
    """Draw clients, LNet and servers; the width of a blue arrow is bytes when all clients read.

    Parameters
    ----------
    plan : FileSystemMap
        From `map_file_system`.
    gpus_per_node : int
        GPUs of a client, drawn as squares.
    page : Captioned
        The page that shows it.
    """
    canvas = Canvas(page.slot.width_px, page.slot.height_px)
    words, room = page.label, Box(0, 0, canvas.width_px, canvas.height_px).grown(-2)
    upper, lower, gap = 0.3 * room.height, 0.4 * room.height, 0.09 * room.height
    clients = Box(room.x, room.y, room.width, upper)
    lnet = Box(room.x, clients.bottom + gap, room.width, room.height - upper - lower - 2 * gap)
    split = 0.4 * room.width
    metadata = Box(room.x, lnet.bottom + gap, split - 12, lower)
    servers = Box(room.x + split + 12, metadata.y, room.width - split - 12, lower)
    titles = (clients, words("clients_group"), True), (servers, words("servers_group"), False)
    for panel, title, above in (*titles, (metadata, words("metadata_group"), False)):
        _draw_panel(canvas, panel, title, above=above)
    canvas.box(lnet, words("lnet"), words("lnet_detail"), tone="quiet")
    gpus = partial(_draw_gpus, count=gpus_per_node)
    nodes = _draw_row(canvas, plan, "client", clients, page, gpus, above=True)
    _flow(canvas, nodes, plan, "lnet", from_y=lnet.y, to_y=clients.bottom - _PAD_PX)
    osts = plan.part("ost").count // plan.part("oss").count
    targets = partial(_draw_targets, count=osts, text="OST")
    nodes = _draw_row(canvas, plan, "oss", servers, page, targets, above=False)
    _flow(canvas, nodes, plan, "oss", from_y=servers.y + _PAD_PX, to_y=lnet.bottom)
    _draw_metadata(canvas, plan, metadata, lnet.bottom, page)
    return canvas.svg(page.key, page.title, page.alt)


def _draw_panel(canvas: Canvas, panel: Box, title: str, *, above: bool) -> None:
    """Draw a container; its title stands on the side where no arrow passes."""
    canvas.rect(panel, PANEL, RULE, radius_px=12, width_px=1.5)
    y = panel.y + 21 if above else panel.bottom - 21
    canvas.text(panel.x + _PAD_PX, y, title, 16, weight=700)


def _draw_row(
    canvas: Canvas,
    plan: FileSystemMap,
    kind: PartKind,
    panel: Box,
    page: Captioned,
    content: Callable[[Canvas, Box, int], None],
    *,
    above: bool,
) -> list[Box]:
    """Draw the first two nodes of a kind and the last, with dots between; return where they are."""
    count = plan.part(kind).count
    numbers = sorted({1, min(2, count), count})
    inner = _inside(panel, above=above)
    pitch = inner.width / len(numbers)
    places = []
    for place, number in enumerate(numbers):
        box = Box(inner.x + place * pitch + 14, inner.y, pitch - 28, inner.height)
        room = canvas.node(box, f"{page.label(kind)} {number}", tone="plain")
        content(canvas, room, number - 1)
        places.append(box)
        if place and number - numbers[place - 1] > 1:
            canvas.text(box.x - 14, box.centre[1], "…", 20, colour=MUTED, anchor="middle")
    return places


def _inside(panel: Box, *, above: bool) -> Box:
    """Return the room for nodes in a panel, beside its title."""
    top = panel.y + (40 if above else _PAD_PX)
    bottom = panel.bottom - (_PAD_PX if above else 40)
    return Box(panel.x + 4, top, panel.width - 8, bottom - top)


def _flow(
    canvas: Canvas,
    nodes: Sequence[Box],
    plan: FileSystemMap,
    source: PartKind,
    *,
    from_y: float,
    to_y: float,
) -> None:
    """Draw the bytes of each node, all arrows of a row together as wide as what flows."""
    wire = next(wire for wire in plan.wires if wire.source == source)
    width = bytes_width_px(wire.gb_s / len(nodes), wire.gb_s, _FLOW_PX)
    for box in nodes:
        # an only node lies above or below LNet's words: its arrow passes beside them
        x = box.centre[0] if len(nodes) > 1 else box.x + _BESIDE * box.width
        canvas.arrow([(x, from_y), (x, to_y)], width_px=width, colour=USEFUL)


def _draw_metadata(
    canvas: Canvas, plan: FileSystemMap, panel: Box, lnet_y: float, page: Captioned
) -> None:
    """Draw the management server and the metadata servers with their targets."""
    inner = _inside(panel, above=False)
    mgs = Box(inner.x + 12, inner.y, 0.34 * inner.width, inner.height)
    mds = Box(mgs.right + 28, inner.y, inner.right - 12 - mgs.right - 28, inner.height)
    canvas.box(mgs, page.label("mgs"), page.label("mgs_detail"))
    room = canvas.node(mds, f"{page.label('mds')} × {plan.part('mds').count}", tone="plain")
    _draw_targets(canvas, room, 0, count=plan.part("mdt").count, text="MDT")
    green = SERIES[0].colour
    lines = ((mgs, "configuration", MUTED, True), (mds, "metadata", green, False))
    for box, name, colour, dashed in lines:
        x = box.centre[0]
        canvas.arrow([(x, box.y), (x, lnet_y)], colour=colour, dashed=dashed)
        canvas.label(
            x + 12, (panel.y + lnet_y) / 2, page.label(name), anchor="start", colour=colour
        )


def _draw_gpus(canvas: Canvas, room: Box, _: int, *, count: int) -> None:
    """Draw the GPUs of a client in one row."""
    size = min(room.height, (room.width + 6) / count - 6)
    for number in range(count):
        canvas.gpu(room.x + number * (size + 6), room.y, size)


def _draw_targets(canvas: Canvas, room: Box, server: int, *, count: int, text: str) -> None:
    """Draw the targets of a server, at most four, numbered on through all servers."""
    shown = min(4, count)
    columns = min(shown, 2)
    rows = -(-shown // columns)
    gap = 8.0
    width = (room.width - gap * (columns - 1)) / columns
    height = min(44.0, (room.height - gap * (rows - 1)) / rows)
    for number in range(shown):
        row, column = divmod(number, columns)
        box = Box(room.x + column * (width + gap), room.y + row * (height + gap), width, height)
        colour = USEFUL if text == "OST" else SERIES[0].colour
        canvas.rect(box, tint(colour, 0.12), colour, radius_px=4)
        last = number == shown - 1 and count > shown
        place = server * count + (count if last else number + 1)
        name = f"… {place}" if last else f"{place}"
        named = f"{text} {name}"
        fits = width > max(76, text_width_px(named, TEXT_MIN_PX) + 8)
        canvas.text(*box.centre, named if fits else name, anchor="middle")


def draw_formulas(page: Captioned) -> str:
    """Set the file system's formulas, each beside what it says."""
    rows = (
        ("stripe", r"B_1 = \min(\,s\,b_{OST},\;\; \phi\,N_c,\;\; C\,)"),
        ("used", r"u = \min(\,n_{OST},\;\; s\,F\,),\quad v = \min(\,u,\; n_{OSS})"),
        (
            "many",
            r"B = \min(\,u\,b_{OST},\; v\,b_{OSS},\; v\,\phi N_s,\; k\,\phi N_c,\; k\,C\,)",
        ),
        ("meta", r"R = \min(\,m\,r_{MDT},\;\; k\,\min(q,\, f m)\,/\,t_{open}\,)"),
        (
            "small",
            r"X = \min(\,R,\;\; k\,q\,/\,(t_{open} + S/b_{OST}),\;\; B/S\,)",
        ),
        ("cross", r"S^{*} = B\,/\,R"),
        ("save", r"T = 14\,P\,/\,B_{write}"),
    )
    return formula_sheet(page.key, [(page.label(name), tex) for name, tex in rows])


def draw_copies(copies: Sequence[MeasuredCopy], page: Captioned) -> str:
    """Set what a local drive and a mounted file system took to open and to copy files.

    Parameters
    ----------
    copies : sequence of MeasuredCopy
        From `read_measured_copies`.
    page : Captioned
        The page that shows it.
    """
    words = page.label

    def time(seconds: float) -> str:
        for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
            if seconds * factor >= 1 or unit == "us":
                return format_quantity(seconds * factor, unit, page.lang, digits=3)
        return ""

    rows = [
        [words("open"), *(time(copy.open_s) for copy in copies)],
        [words("missing"), *(time(copy.missing_s) for copy in copies)],
        [words("copy"), *(time(copy.copy_s) for copy in copies)],
        [words("opens"), *(time(copy.opens_s) for copy in copies)],
        [words("share"), *(format_quantity(copy.opens_pct, "%", page.lang) for copy in copies)],
    ]
    header = ("", *(words(copy.name) for copy in copies))
    return table_sheet(page.title, header, rows, marked=2)


def draw_checkpoints(models: Sequence[SavedModel], page: Captioned) -> str:
    """Set the checkpoint of each model: published, by the rule, and the time to save and load it.

    Parameters
    ----------
    models : sequence of SavedModel
        From `study_checkpoints`.
    page : Captioned
        The page that shows it.
    """
    lang = page.lang
    rows = [
        [
            model.name,
            f"{model.published_gib:,.0f}" if model.published_gib else "–",
            f"{model.gib:,.0f}",
            format_quantity(model.checkpoint.save_s, "s", lang, decimals=1),
            format_quantity(model.checkpoint.load_s, "s", lang, decimals=1),
        ]
        for model in models
    ]
    header = [page.label(name) for name in ("name", "published", "rule", "save", "load")]
    own = next((n for n, m in enumerate(models) if m.name == page.label("own")), None)
    return table_sheet(page.title, header, rows, marked=own)


def draw_manual(study: FileSystemStudy, page: Captioned) -> str:
    """Set the manual's limits, practical and known in production, beside the scenario's own.

    Parameters
    ----------
    study : FileSystemStudy
        From `study_file_system`.
    page : Captioned
        The page that shows it.
    """
    practical = find_storage_device("Lustre-practical").number
    production = find_storage_device("Lustre-production").number
    lustre = study.lustre
    share = lustre.network_share
    server = min(share * lustre.oss_network_gb_s, lustre.osts_per_oss * lustre.ost_read_gb_s)
    read = f"{production('oss_read_gb_s'):,.0f} / {production('oss_write_gb_s'):,.0f}"
    rows = [
        ("oss", f"{practical('oss_gb_s'):,.0f}", read, f"{min(server, lustre.oss_read_gb_s):,.0f}"),
        (
            "aggregate",
            f"{1000 * practical('aggregate_tb_s'):,.0f}",
            f"{1000 * production('aggregate_tb_s'):,.0f}",
            f"{study.read.gb_s:,.0f}",
        ),
        (
            "client",
            f"{practical('client_network_share'):.0f}%",
            f"{production('client_gb_s'):,.0f}",
            f"{study.one_read[-1]:,.1f}",
        ),
        (
            "create",
            f"{practical('mds_create_per_s'):,.0f}",
            f"{production('mds_create_per_s'):,.0f}",
            f"{lustre.create_per_s:,.0f}",
        ),
        (
            "stat",
            f"{practical('mds_stat_per_s'):,.0f}",
            f"{production('mds_stat_per_s'):,.0f}",
            f"{lustre.open_per_s:,.0f}",
        ),
        (
            "mds",
            f"{practical('mds_count'):,.0f}",
            f"{production('mds_count'):,.0f}",
            f"{lustre.mdt_count:,.0f}",
        ),
    ]
    table = [(page.label(name), *cells) for name, *cells in rows]
    header = ("", *(page.label(name) for name in ("practical", "production", "scenario")))
    return table_sheet(page.title, header, table, marked=1)
