"""The network diagrams of page 15, drawn from the graphs of the model: fat tree, rails, RoCE."""

from __future__ import annotations

from itertools import pairwise

import networkx as nx

from gpudeck.figures.architecture import Block, Group, architecture
from gpudeck.figures.caption import Captioned, describe
from gpudeck.figures.geometry import Box, Point
from gpudeck.figures.routing import Edge
from gpudeck.figures.shapes import TONES, Canvas
from gpudeck.figures.style import INK, MUTED, PANEL, PAPER, RULE, SERIES, USEFUL, WASTE, tint
from gpudeck.models.fabric.topology import Topology

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
    way = nx.shortest_path(topology.graph, hosts[0], hosts[-1])
    marked = {frozenset(pair) for pair in pairwise(way)}
    _draw_pods(canvas, topology, places, pitch)
    _draw_wires(canvas, topology, places, marked)
    for kind in _ROWS:
        for name in topology.of_kind(kind):
            _draw_vertex(canvas, places[name], kind, on_way=name in way)
    for row, kind in enumerate(_ROWS):
        y = 24 + row * pitch
        canvas.text(0, y - 11, page.label(kind), 18, weight=700)
        canvas.text(
            0, y + 11, page.label("count").format(len(topology.of_kind(kind))), colour=MUTED
        )
    return canvas.svg(page.key, page.title, page.alt)


def draw_rails(topology: Topology, page: Captioned) -> str:
    """Draw nodes, rails and spines, with a way on one rail and one between rails over NVLink."""
    width, height = page.slot.width_px, page.slot.height_px
    canvas = Canvas(width, height)
    leaves, spines = topology.of_kind("leaf"), topology.of_kind("spine")
    switches = topology.of_kind("nvswitch")
    places: dict[str, Point] = {}
    room = width - _NAME_PX
    for names, y in ((spines, 24.0), (leaves, 0.40 * height)):
        step = room / len(names)
        places |= {n: (_NAME_PX + step * (i + 0.5), y) for i, n in enumerate(names)}
    node_step = room / len(switches)
    gpu_y, node_top = 0.80 * height, 0.80 * height - 26
    for index, switch in enumerate(switches):
        left = _NAME_PX + node_step * index + 8
        fellows = [n for n in topology.graph[switch] if topology.graph.nodes[n]["kind"] == "gpu"]
        step = (node_step - 16) / len(fellows)
        places |= {n: (left + step * (i + 0.5), gpu_y) for i, n in enumerate(fellows)}
        places[switch] = (left + (node_step - 16) / 2, height - 26)
        canvas.rect(
            Box(left, node_top, node_step - 16, height - node_top - 2), PANEL, RULE, radius_px=12
        )
    gpus, rail = topology.of_kind("gpu"), min(2, len(leaves) - 1)
    same = nx.shortest_path(topology.graph, f"gpu-0-{rail}", f"gpu-{len(switches) - 1}-{rail}")
    marked = {frozenset(pair) for pair in pairwise(same)}
    _draw_wires(canvas, topology, places, marked, skip="nvlink")
    for name in (*spines, *leaves):
        _draw_vertex(canvas, places[name], "leaf", on_way=name in same)
    for name in gpus:
        x, y = places[name]
        canvas.gpu(x - 11, y - 11, 22, stroke=USEFUL if name in same else INK)
        if name in same:
            canvas.rect(Box(x - 11, y - 11, 22, 22), USEFUL, radius_px=2)
    for switch in switches:
        x, y = places[switch]
        box = Box(x - node_step / 2 + 20, y - 14, node_step - 40, 28)
        canvas.rect(box, PAPER, TONES["plain"][1], radius_px=6)
        canvas.text(x, y, page.label("nvswitch"), anchor="middle")
    for y, name in (
        (24.0, "spine"),
        (0.40 * height, "leaf"),
        (gpu_y, "gpu"),
    ):
        canvas.text(0, y - 11, page.label(name), 18, weight=700)
        canvas.text(0, y + 11, page.label(f"{name}_detail"), colour=MUTED)
    return canvas.svg(page.key, page.title, page.alt)


def draw_roce_stack(page: Captioned) -> str:
    """Draw the layers of RoCE on both hosts, and who tells whom to slow down."""
    words = page.label
    blocks = [
        Block("send_nccl", words("nccl"), 0, 0, words("nccl_detail")),
        Block("send_verbs", words("verbs"), 0, 1, words("verbs_detail")),
        Block("send_card", words("sender"), 0, 2, words("sender_detail"), rows=2, tone="useful"),
        Block("pfc", words("pfc"), 1, 0, words("pfc_detail"), tone="waste"),
        Block("ecn", words("ecn"), 1, 1, words("ecn_detail"), tone="useful"),
        Block("queue", words("queue"), 1, 2, words("queue_detail"), tone="waiting"),
        Block("control", words("control"), 1, 3, words("control_detail")),
        Block("get_nccl", words("nccl"), 2, 0, words("nccl_detail")),
        Block("get_verbs", words("verbs"), 2, 1, words("verbs_detail")),
        Block("get_card", words("receiver"), 2, 2, words("receiver_detail"), rows=2, tone="useful"),
    ]
    groups = [
        Group(words("host_a"), ("send_nccl", "send_verbs", "send_card")),
        Group(words("switch"), ("ecn", "pfc", "queue", "control")),
        Group(words("host_b"), ("get_nccl", "get_verbs", "get_card")),
    ]
    edges = [
        Edge("send_nccl", "send_verbs", exit="bottom", enter="top"),
        Edge("send_verbs", "send_card", exit="bottom", enter="top"),
        Edge("send_card", "queue", words("data"), 6, USEFUL, exit="right", enter="left"),
        Edge("queue", "get_card", words("marked"), 6, USEFUL, exit="right", enter="left"),
        Edge("get_card", "get_verbs", exit="top", enter="bottom"),
        Edge("get_verbs", "get_nccl", exit="top", enter="bottom"),
        Edge("ecn", "queue", exit="bottom", enter="top", colour=USEFUL),
        Edge("get_card", "control", words("cnp"), colour=USEFUL, dashed=True, exit="left"),
        Edge("control", "send_card", words("cnp"), colour=USEFUL, dashed=True, exit="left"),
        Edge("pfc", "send_card", words("pause"), colour=WASTE, dashed=True, exit="left"),
    ]
    return architecture(
        blocks, edges, groups, **describe(page), gutter_x_px=150, gutter_y_px=26, margin_px=4
    )


def _draw_pods(canvas: Canvas, topology: Topology, places: dict[str, Point], pitch: float) -> None:
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
    marked: set[frozenset[str]],
    skip: str = "",
) -> None:
    """Draw every link, those of a way last and in colour."""
    wires = [(a, b) for a, b, told in topology.graph.edges(data=True) if told["kind"] != skip]
    for a, b in sorted(wires, key=lambda pair: frozenset(pair) in marked):
        on_way = frozenset((a, b)) in marked
        canvas.line(places[a], places[b], USEFUL if on_way else _WIRE, 4 if on_way else 1.25)


def _draw_vertex(canvas: Canvas, place: Point, kind: str, *, on_way: bool) -> None:
    """Draw a switch as a flat box, a host as a rounded one; filled on the way."""
    x, y = place
    width, height, radius = (32, 24, 8) if kind == "host" else (44, 20, 3)
    stroke = USEFUL if on_way else TONES["plain"][1]
    fill = USEFUL if on_way else PAPER if kind != "host" else tint(USEFUL, 0.1)
    canvas.rect(Box(x - width / 2, y - height / 2, width, height), fill, stroke, radius_px=radius)
