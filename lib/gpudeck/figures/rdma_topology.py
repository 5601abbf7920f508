"""The network diagrams of page 15, drawn from the graphs of the model: fat tree, rails, RoCE."""

from __future__ import annotations

from collections.abc import Set as AbstractSet
from itertools import pairwise

from gpudeck.figures.architecture import Block, Group, architecture
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.geometry import Box, Point
from gpudeck.figures.routing import Edge
from gpudeck.figures.shapes import TONES, Canvas
from gpudeck.figures.style import INK, MUTED, PANEL, PAPER, RULE, SERIES, USEFUL, WASTE, tint
from gpudeck.models.fabric.topology import Topology, find_way

_GPU_PX = 22
_NAME_PX = 150  # room at the left for the name of a row
_ROWS = ("spine", "aggregation", "leaf", "host")
_WIRE = "#9AA5B1"
_OTHER = SERIES[2].colour


def draw_fat_tree(topology: Topology, page: Captioned) -> str:
    """Draw a fat tree row by row, with a way between the first and the last host."""
    width, height = page.slot.width_px, page.slot.height_px
    canvas = Canvas(width, height)
    pitch = (height - 48) / (len(_ROWS) - 1)
    places: dict[str, Point] = {}
    for row, kind in enumerate(_ROWS):
        names = topology.of_kind(kind)
        step = (width - _NAME_PX - 20) / len(names)
        for index, name in enumerate(names):
            places[name] = (_NAME_PX + step * (index + 0.5), 24 + row * pitch)
    hosts = topology.of_kind("host")
    way = find_way(topology, hosts[0], hosts[-1])
    _draw_pods(canvas, topology, places)
    _draw_wires(canvas, topology, places, _pairs(way))
    for kind in _ROWS:
        for name in topology.of_kind(kind):
            _draw_vertex(canvas, places[name], kind, USEFUL if name in way else "")
    for row, kind in enumerate(_ROWS):
        y = 24 + row * pitch
        canvas.text(0, y - 11, page.label(kind), 18, weight=700)
        canvas.text(
            0, y + 11, page.label("count").format(len(topology.of_kind(kind))), colour=MUTED
        )
    return canvas.svg(page.key, page.title, page.alt)


def draw_rails(topology: Topology, page: Captioned) -> str:
    """Draw nodes, rails and spines: a way on one rail, and one that changes rails over NVLink."""
    width, height = page.slot.width_px, page.slot.height_px
    canvas = Canvas(width, height)
    leaves, gpus = topology.of_kind("leaf"), topology.of_kind("gpu")
    places = _place_rails(topology, width, height)
    step = (width - _NAME_PX) / len(topology.of_kind("nvswitch"))
    for switch in topology.of_kind("nvswitch"):
        x, y = places[switch]
        panel = Box(x - step / 2 + 8, y - 98, step - 16, 122)
        canvas.rect(panel, PANEL, RULE, radius_px=12)
        for name in topology.graph[switch]:
            canvas.line(places[name], (places[name][0], y - 14), _WIRE, 1.25)
    rail, last = min(2, len(leaves) - 1), gpus[-1].split("-")[1]
    same = [f"gpu-0-{rail}", leaves[rail], f"gpu-{last}-{rail}"]
    source, turn = f"gpu-0-{len(leaves) - 1}", f"gpu-0-{max(0, len(leaves) - 3)}"
    across = [turn, *find_way(topology, turn, turn.replace("-0-", f"-{last}-"))[1:]]
    tops = {name: (x, y - _GPU_PX / 2) for name, (x, y) in places.items() if name in gpus}
    _draw_wires(canvas, topology, places | tops, _pairs(same), skip="nvlink", other=_pairs(across))
    _draw_turn(canvas, places[source], places[turn], places["nvswitch-0"][1])
    for name in (*topology.of_kind("spine"), *leaves):
        colour = USEFUL if name in same else _OTHER if name in across else ""
        _draw_vertex(canvas, places[name], "leaf", colour)
    for name in gpus:
        x, y = places[name]
        colour = USEFUL if name in same else _OTHER if name in (source, *across) else PAPER
        box = Box(x - _GPU_PX / 2, y - _GPU_PX / 2, _GPU_PX, _GPU_PX)
        canvas.rect(box, colour, INK, radius_px=2)
    for switch in topology.of_kind("nvswitch"):
        x, y = places[switch]
        canvas.rect(Box(x - step / 2 + 20, y - 14, step - 40, 28), PAPER, "#6E7781", radius_px=6)
        canvas.text(x, y, page.label("nvswitch"), anchor="middle")
    for name, example in (("spine", "spine-0"), ("leaf", leaves[0]), ("gpu", gpus[0])):
        y = places[example][1]
        canvas.text(0, y - 11, page.label(name), 18, weight=700)
        canvas.text(0, y + 11, page.label(f"{name}_detail"), colour=MUTED)
    return canvas.svg(page.key, page.title, page.alt)


def _place_rails(topology: Topology, width: float, height: float) -> dict[str, Point]:
    """Return the middle of every vertex: spines above leaves above the GPUs of each node."""
    places: dict[str, Point] = {}
    room = width - _NAME_PX
    for kind, y in (("spine", 24.0), ("leaf", 0.36 * height), ("nvswitch", height - 26)):
        names = topology.of_kind(kind)
        step = room / len(names)
        places |= {n: (_NAME_PX + step * (i + 0.5), y) for i, n in enumerate(names)}
    switches = topology.of_kind("nvswitch")
    node = room / len(switches) - 16
    for switch in switches:
        left = places[switch][0] - node / 2
        fellows = list(topology.graph[switch])
        step = node / len(fellows)
        places |= {n: (left + step * (i + 0.5), height - 104) for i, n in enumerate(fellows)}
    return places


def _draw_turn(canvas: Canvas, source: Point, turn: Point, y: float) -> None:
    """Draw the way of a message down to the NVSwitch and up to a GPU of another rail."""
    for x, top in (source, turn):
        canvas.line((x, top), (x, y - 14), _OTHER, 4, dashed=True)


def _pairs(way: list[str]) -> set[frozenset[str]]:
    return {frozenset(pair) for pair in pairwise(way)}


def draw_roce_stack(page: Captioned) -> str:
    """Draw the layers of RoCE on both hosts, and who tells whom to slow down."""
    words = page.label
    blocks = [
        Block("send_nccl", words("nccl"), 0, 0, words("nccl_detail")),
        Block("send_verbs", words("verbs"), 0, 1, words("verbs_detail")),
        Block("send_card", words("sender"), 0, 2, words("sender_detail"), rows=3, tone="useful"),
        Block(
            "buffer",
            words("buffer"),
            1,
            0,
            rows=2,
            kind="node",
            tone="plain",
            content=lambda canvas, room: _draw_buffer(canvas, room, page),
        ),
        Block("pfc", words("pfc"), 1, 2, words("pfc_detail"), tone="waste"),
        Block("queue", words("ecn"), 1, 3, words("ecn_detail"), tone="useful"),
        Block("control", words("control"), 1, 4, words("control_detail")),
        Block("get_nccl", words("nccl"), 2, 0, words("nccl_detail")),
        Block("get_verbs", words("verbs"), 2, 1, words("verbs_detail")),
        Block("get_card", words("receiver"), 2, 2, words("receiver_detail"), rows=3, tone="useful"),
    ]
    groups = [
        Group(words("host_a"), ("send_nccl", "send_verbs", "send_card")),
        Group(words("switch"), ("buffer", "pfc", "queue", "control")),
        Group(words("host_b"), ("get_nccl", "get_verbs", "get_card")),
    ]
    edges = [
        Edge("send_nccl", "send_verbs", exit="bottom", enter="top"),
        Edge("send_verbs", "send_card", exit="bottom", enter="top"),
        Edge("pfc", "send_card", words("pause"), colour=WASTE, dashed=True, exit="left"),
        Edge("send_card", "queue", words("data"), 6, USEFUL, exit="right", enter="left"),
        Edge("queue", "get_card", words("marked"), 6, USEFUL, exit="right", enter="left"),
        Edge("get_card", "control", words("cnp"), colour=USEFUL, dashed=True, exit="left"),
        Edge("control", "send_card", words("cnp"), colour=USEFUL, dashed=True, exit="left"),
        Edge("get_card", "get_verbs", exit="top", enter="bottom"),
        Edge("get_verbs", "get_nccl", exit="top", enter="bottom"),
    ]
    return architecture(
        blocks, edges, groups, **describe(page), gutter_x_px=150, gutter_y_px=20, margin_px=4
    )


def _draw_buffer(canvas: Canvas, room: Box, page: Captioned) -> None:
    """Draw a queue that fills from the left, past the low threshold and short of the high one."""
    bar = Box(room.x, room.y + 26, room.width, room.height - 52)
    low, full, high = (bar.x + share * bar.width for share in (0.35, 0.5, 0.8))
    canvas.rect(bar, PAPER)
    canvas.rect(Box(bar.x, bar.y, full - bar.x, bar.height), tint(USEFUL, 0.55))
    canvas.rect(Box(high, bar.y, bar.right - high, bar.height), tint(WASTE, 0.2))
    for x, colour in ((low, USEFUL), (high, WASTE)):
        canvas.line((x, bar.y - 4), (x, bar.bottom + 4), colour, 3, dashed=True)
    canvas.rect(bar, stroke="#6E7781")
    canvas.label(low, bar.y - 16, page.label("low"), colour=USEFUL)
    canvas.label(high, bar.bottom + 16, page.label("high"), colour=WASTE)


def _draw_pods(canvas: Canvas, topology: Topology, places: dict[str, Point]) -> None:
    """Draw a panel behind the leaves, aggregation switches and hosts of each pod."""
    pods: dict[int, list[Point]] = {}
    for name in topology.of_kind("aggregation", "host"):
        pods.setdefault(topology.graph.nodes[name]["place"][0], []).append(places[name])
    for points in pods.values():
        left, right = min(x for x, _ in points), max(x for x, _ in points)
        top, bottom = min(y for _, y in points), max(y for _, y in points)
        canvas.rect(
            Box(left - 28, top - 28, right - left + 56, bottom - top + 50), PANEL, radius_px=12
        )


def _draw_wires(
    canvas: Canvas,
    topology: Topology,
    places: dict[str, Point],
    marked: AbstractSet[frozenset[str]],
    skip: str = "",
    other: AbstractSet[frozenset[str]] = frozenset(),
) -> None:
    """Draw every link, those of a way last and in colour, those of another way dashed."""
    wires = [(a, b) for a, b, told in topology.graph.edges(data=True) if told["kind"] != skip]
    for a, b in sorted(wires, key=lambda pair: frozenset(pair) in marked | other):
        if frozenset((a, b)) in marked:
            canvas.line(places[a], places[b], USEFUL, 4)
        elif frozenset((a, b)) in other:
            canvas.line(places[a], places[b], _OTHER, 4, dashed=True)
        else:
            canvas.line(places[a], places[b], _WIRE, 1.25)


def _draw_vertex(canvas: Canvas, place: Point, kind: str, colour: str = "") -> None:
    """Draw a switch as a flat box, a host as a rounded one; filled where a way passes."""
    x, y = place
    width, height, radius = (32, 24, 8) if kind == "host" else (44, 20, 3)
    fill = colour or (PAPER if kind != "host" else tint(USEFUL, 0.1))
    box = Box(x - width / 2, y - height / 2, width, height)
    canvas.rect(box, fill, colour or TONES["plain"][1], radius_px=radius)
