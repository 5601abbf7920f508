"""Charts: contrast of colours, labels that do not overlap, and SVG that can stand among others."""

import re
from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib import rcParams
from matplotlib.figure import Figure

from gpudeck.errors import InputError
from gpudeck.figures import style
from gpudeck.figures.style import LineEnd, contrast, text_colour, text_on


def draw(key: str) -> str:
    figure = style.new_figure(640, 320)
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], **style.SERIES[0].line())
    left.set_xlim(0, 1)
    left.set_ylim(-1, 1)
    style.name_axes(left, "时间（µs）", "利用率（%）")
    style.label_line_ends(left, [LineEnd(1, 1, "甲", style.WASTE), LineEnd(1, 0.99, "乙")])
    right.bar([0, 1], [2, 3], **style.bar_style(style.WASTE))
    right.set_yscale("log")
    return style.svg_text(figure, key, "标题 <1>", "说明 & 更多")


def ids(svg: str) -> set[str]:
    return set(re.findall(r'\bid="([^"]+)"', svg))


def test_the_same_figure_gives_the_same_bytes():
    assert draw("page") == draw("page")


def test_ids_carry_the_key_and_references_point_to_them():
    svg = draw("page")
    assert all(name.startswith("page-") for name in ids(svg))
    references = re.findall(r'(?:href="#|url\(#|labelledby=")([^")\s]+)', svg)
    assert len(references) > 3
    assert set(references) <= ids(svg)


def test_two_figures_on_a_page_share_no_id():
    assert not ids(draw("one")) & ids(draw("two"))


def test_the_svg_is_one_line_of_valid_xml_with_alternative_text():
    svg = draw("page")
    root = ElementTree.fromstring(svg)
    space = "{http://www.w3.org/2000/svg}"
    assert "\n" not in svg
    assert "<style" not in svg
    assert "metadata" not in svg
    assert root.attrib["role"] == "img"
    assert root.attrib["viewBox"] == "0 0 640 320"
    assert (root.attrib["width"], root.attrib["height"]) == ("640", "320")
    assert root.find(f"{space}title").text == "标题 <1>"
    assert root.find(f"{space}desc").text == "说明 & 更多"


def test_text_stays_text_in_the_decks_only_family():
    svg = draw("page")
    assert "时间（µs）" in svg
    assert "−1.0" in svg
    families = re.findall(r"font-family: ?([^;\"]+)", svg)
    fonts = re.findall(r"font: ([^;\"]+)", svg)
    assert families + fonts
    assert all("Noto Sans SC" in name and "," not in name for name in families + fonts)


def test_a_picture_without_a_title_or_with_a_bad_key_is_refused():
    with pytest.raises(InputError, match="title"):
        style.svg_text(style.new_figure(80, 80), "page", " ", "")
    with pytest.raises(InputError, match="key = '1 page'"):
        style.svg_text(style.new_figure(80, 80), "1 page", "title", "")


def test_the_style_may_be_set_twice():
    style.use_style()
    before = dict(rcParams)
    style.use_style()
    assert dict(rcParams) == before


def test_a_figure_has_the_size_of_its_slot_and_stays_unknown_to_pyplot():
    pyplot = pytest.importorskip("matplotlib.pyplot")
    figure = style.new_figure(1168, 440)
    assert isinstance(figure, Figure)
    assert tuple(figure.get_size_inches() * 72) == (1168, 440)
    assert not pyplot.get_fignums()


def test_contrast_is_that_of_the_guideline():
    assert contrast("#767676") == pytest.approx(4.54, abs=0.01)
    assert contrast("#FFFFFF", "#000000") == contrast("#000000", "#FFFFFF") == pytest.approx(21)


@pytest.mark.parametrize(
    "colour",
    [style.USEFUL, style.WASTE, style.WAITING, style.MEASURED, *(s.colour for s in style.SERIES)],
)
def test_labels_of_every_colour_reach_the_contrast(colour):
    assert contrast(text_colour(colour)) >= 4.5
    assert contrast(text_on(colour), colour) >= 4.5


def test_ink_and_muted_text_read_on_white_and_on_panels():
    for ink in (style.INK, style.MUTED):
        assert contrast(ink, style.PAPER) >= 4.5
        assert contrast(ink, style.PANEL) >= 4.5


def test_series_differ_by_more_than_hue():
    assert len({repr(series.linestyle) for series in style.SERIES}) == len(style.SERIES)
    assert len({series.marker for series in style.SERIES}) == len(style.SERIES)


@given(st.lists(st.tuples(st.floats(0, 400), st.floats(10, 40)), min_size=1, max_size=8))
def test_spread_labels_keep_order_and_bounds_and_do_not_overlap(labels):
    centres, heights = zip(*labels, strict=True)
    placed = style.spread(centres, heights, 0, 400)
    order = np.argsort(centres, kind="stable")
    for upper, lower in pairwise(order):
        gap = placed[lower] - placed[upper]
        assert gap >= (heights[lower] + heights[upper]) / 2 - 1e-6
    assert min(p - h / 2 for p, h in zip(placed, heights, strict=True)) >= -1e-6
    assert max(p + h / 2 for p, h in zip(placed, heights, strict=True)) <= 400 + 1e-6


def test_labels_with_room_stay_where_they_are():
    assert style.spread([50, 100, 20], [10, 10, 10], 0, 200) == [50, 100, 20]


def test_labels_at_line_ends_stay_inside_the_figure_and_apart():
    figure = style.new_figure(600, 300)
    axes = figure.subplots()
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    names = ["最佳适配", "MostAllocated", "随机"]
    ends = [LineEnd(1, 0.5 + i / 1000, name, style.USEFUL) for i, name in enumerate(names)]
    style.label_line_ends(axes, ends)
    figure.draw_without_rendering()
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text()]
    assert len(boxes) == 3
    assert max(box.x1 for box in boxes) <= 600
    middles = sorted((box.y0 + box.y1) / 2 for box in boxes)
    assert min(np.diff(middles)) >= 16
    with pytest.raises(InputError, match="at least 16 px"):
        style.label_line_ends(axes, ends, size_px=12)
