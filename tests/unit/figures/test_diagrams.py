"""The diagram grammar and its templates: all text fits, nothing crosses it, ids never collide."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from gpudeck.errors import InputError
from gpudeck.figures.architecture import Block, Group, architecture
from gpudeck.figures.flowchart import Step, flowchart
from gpudeck.figures.formula import formula_svg
from gpudeck.figures.geometry import Box, stroke_box
from gpudeck.figures.lettering import text_width_px
from gpudeck.figures.pseudocode import pseudocode
from gpudeck.figures.routing import Edge, End, route
from gpudeck.figures.shapes import Canvas, Share, bytes_width_px
from gpudeck.figures.style import USEFUL, WASTE
from gpudeck.figures.timeline import Bar, Marker, timeline

SPACE = "{http://www.w3.org/2000/svg}"


def draw_architecture(key: str) -> str:
    def gpus(canvas: Canvas, room: Box) -> None:
        canvas.gpu(room.x, room.y, 32, [Share(0.5, USEFUL), Share(0.25, WASTE)], slices=4)

    blocks = [
        Block("queue", "待调度队列", 0, 0, "Pod 按优先级排序", tone="waiting"),
        Block("filter", "过滤", 1, 0, "三种资源都够"),
        Block("score", "Score", 2, 0, "least growth wins", tone="useful"),
        Block("node", "节点 1", 1, 1, columns=2, kind="node", content=gpus),
    ]
    edges = [
        Edge("queue", "filter", "出队"),
        Edge("filter", "score", "可行"),
        Edge("score", "node", "放置", colour=USEFUL),
    ]
    groups = [Group("调度器", ("filter", "score"))]
    return architecture(
        blocks, edges, groups, key=key, title="架构", description="", gutter_y_px=96
    )


def draw_flowchart(key: str) -> str:
    steps = [
        Step("start", "任务到达", 0, 0, "start", tone="dark"),
        Step("fits", "放得下？", 1, 0, "decision"),
        Step("data", "读取快照", 1, 1, "data"),
        Step("place", "放到碎片增长最少的节点上", 2, 0),
        Step("end", "等待", 2, 1, "end"),
    ]
    edges = [
        Edge("start", "fits"),
        Edge("fits", "place", "是"),
        Edge("fits", "data", "否"),
        Edge("data", "end"),
    ]
    return flowchart(steps, edges, key=key, title="流程", description="一步一步")


def draw_timeline(key: str) -> str:
    bars = [
        Bar("GPU 0", 0, 24, "A", span=2),
        Bar("GPU 0", 24, 52, "B 成组", colour=WASTE),
        Bar("GPU 1", 24, 30, "短", hollow=True),
        Bar("GPU 1", 30, 30.1, "放不下的名字"),
    ]
    markers = [Marker(24, "开始"), Marker(25, "故障", WASTE)]
    return timeline(
        ["GPU 0", "GPU 1"],
        bars,
        markers,
        key=key,
        title="时间线",
        description="",
        unit="时间（s）",
    )


def draw_formula(key: str) -> str:
    return formula_svg(r"\frac{a_n}{\sqrt{b}}", key, 28, "a over root b")


TEMPLATES = [draw_architecture, draw_flowchart, draw_timeline, draw_formula]


@pytest.mark.parametrize("draw", TEMPLATES)
def test_every_template_is_deterministic_valid_and_its_own(draw):
    svg = draw("one")
    root = ElementTree.fromstring(svg)
    assert svg == draw("one")
    assert root.attrib["role"] == "img"
    assert root.find(f"{SPACE}title").text
    names = set(re.findall(r' id="([^"]+)"', svg))
    assert all(name.startswith("one-") for name in names)
    assert not names & set(re.findall(r' id="([^"]+)"', draw("two")))
    assert set(re.findall(r"url\(#([^)]+)\)", svg)) <= names


@pytest.mark.parametrize("draw", TEMPLATES[:3])
def test_every_text_is_at_least_16_px_and_inside_the_picture(draw):
    root = ElementTree.fromstring(draw("one"))
    width, height = float(root.attrib["width"]), float(root.attrib["height"])
    texts = list(root.iter(f"{SPACE}text"))
    assert len(texts) >= 5
    for text in texts:
        size = float(text.attrib["font-size"])
        length = text_width_px(text.text, size, int(text.attrib.get("font-weight", 400)))
        share = {"start": 0, "middle": 0.5, "end": 1}[text.attrib.get("text-anchor", "start")]
        left = float(text.attrib["x"]) - share * length
        assert size >= 16
        assert -1 <= left <= left + length <= width + 1
        assert size / 2 <= float(text.attrib["y"]) <= height


def test_the_canvas_refuses_a_line_through_text():
    canvas = Canvas(200, 100)
    canvas.text(20, 50, "利用率")
    canvas.line((0, 50), (200, 50))
    with pytest.raises(InputError, match="a line crosses the text '利用率'"):
        canvas.svg("k", "t", "")


def test_the_canvas_refuses_texts_that_overlap_or_leave_it():
    canvas = Canvas(200, 100)
    canvas.text(20, 50, "利用率")
    canvas.text(40, 55, "吞吐")
    with pytest.raises(InputError, match="overlap"):
        canvas.svg("k", "t", "")
    canvas = Canvas(40, 100)
    canvas.text(20, 50, "利用率")
    with pytest.raises(InputError, match="leaves the canvas"):
        canvas.svg("k", "t", "")


def test_small_type_and_text_that_does_not_fit_are_refused():
    canvas = Canvas(200, 100)
    with pytest.raises(InputError, match="at least 16 px"):
        canvas.text(0, 50, "小", 12)
    with pytest.raises(InputError, match="does not fit"):
        canvas.box(Box(0, 0, 60, 40), "一段怎么也放不进去的长文字")


def test_a_gpu_is_filled_by_its_shares_and_by_no_more_than_the_whole():
    canvas = Canvas(100, 100)
    canvas.gpu(10, 10, 80, [Share(0.25, USEFUL), Share(0.5, WASTE)])
    rects = ElementTree.fromstring(canvas.svg("k", "t", "")).iter(f"{SPACE}rect")
    heights = {rect.attrib["fill"]: rect.attrib["height"] for rect in rects}
    assert heights[USEFUL] == "20"
    assert heights[f"url(#k-hatch-{WASTE[1:]})"] == "40"
    with pytest.raises(InputError, match="from 0 to 1 together"):
        canvas.gpu(10, 10, 80, [Share(0.7), Share(0.6)])


def test_the_width_of_an_arrow_is_in_proportion_to_bytes():
    assert bytes_width_px(30, 60) == bytes_width_px(60, 60) / 2
    assert bytes_width_px(0, 60) == 1.5


def test_arrows_go_round_boxes_with_right_angles():
    source, wall, target = Box(0, 80, 60, 40), Box(120, 60, 60, 80), Box(240, 80, 60, 40)
    points = route(End(source), End(target), [wall], [], bounds=Box(0, 0, 300, 200))
    assert len(points) > 2
    for start, end in pairwise(points):
        assert start[0] == end[0] or start[1] == end[1]
        assert not stroke_box(start, end, 2).overlaps(wall)


def test_an_arrow_with_no_way_is_refused():
    wall = Box(120, 0, 60, 200)
    with pytest.raises(InputError, match="without crossing another"):
        route(
            End(Box(0, 80, 60, 40)),
            End(Box(240, 80, 60, 40)),
            [wall],
            [],
            bounds=Box(0, 0, 300, 200),
        )


def test_unknown_and_repeated_names_are_refused():
    with pytest.raises(InputError, match="no box 'b'"):
        architecture([Block("a", "甲", 0, 0)], [Edge("a", "b")], key="k", title="t", description="")
    with pytest.raises(InputError, match="two steps have the id 'a'"):
        flowchart(
            [Step("a", "甲", 0, 0), Step("a", "乙", 1, 0)], [], key="k", title="t", description=""
        )
    with pytest.raises(InputError, match="lane 'GPU 9'"):
        timeline(["GPU 0"], [Bar("GPU 9", 0, 1)], key="k", title="t", description="", unit="s")


def test_bars_stand_where_their_times_are():
    svg = timeline(
        ["甲"], [Bar("甲", 25, 75)], key="k", title="t", description="", unit="s", end=100
    )
    strip, bar = list(ElementTree.fromstring(svg).iter(f"{SPACE}rect"))
    left, width = float(strip.attrib["x"]), float(strip.attrib["width"])
    assert float(bar.attrib["x"]) == pytest.approx(left + width / 4, abs=0.02)
    assert float(bar.attrib["width"]) == pytest.approx(width / 2, abs=0.02)


def test_a_formula_stands_on_the_baseline_of_its_line():
    low, high = formula_svg("g_j", "a", 24, "g"), formula_svg("x", "b", 24, "x")
    drop = [float(re.search(r"vertical-align:-([\d.]+)px", svg)[1]) for svg in (low, high)]
    assert drop[0] > drop[1] >= 0
    assert "<text" not in low
    with pytest.raises(InputError, match="mathtext"):
        formula_svg(r"\frac{a", "c", 24)


def test_pseudocode_is_escaped_indented_and_marked():
    lines = ["for each n in N", "    if Δ < 0 & ok then return n  # 找到 <n>"]
    html = pseudocode(lines, key="fgd", title='FGD "fast"', marked=[2])
    root = ElementTree.fromstring(html)
    first, second = root
    assert root.attrib["aria-label"] == 'FGD "fast"'
    assert "".join(first.itertext()) == "for each n in N"
    assert "".join(second.itertext()) == lines[1].strip()
    assert [word.text for word in first.iter("b")] == ["for", "each", "in"]
    assert next(second.iter("i")).text == "# 找到 <n>"
    assert second.attrib == {"class": "dk-mark", "style": "--dk-indent:1"}
    with pytest.raises(InputError, match="indent by 4"):
        pseudocode(["  x"], key="k", title="t")
    with pytest.raises(InputError, match="marked lines"):
        pseudocode(["x"], key="k", title="t", marked=[2])
