"""Text is measured in the deck's own font, wraps as Chinese and Latin demand, and fits or fails."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextToPath

from gpudeck.errors import InputError
from gpudeck.figures.lettering import fit, font_path, text_width_px, wrap

WORDS = st.sampled_from(
    [*"集群调度公平控制器", "，", "。", "（", "）", "GPU ", "pods ", "：", "“", "”"]
)


@pytest.mark.parametrize("weight", [400, 700])
@pytest.mark.parametrize("text", ["集群调度", "queue length 0.95", "−µ₂³…×"])
def test_width_is_the_one_that_matplotlib_measures(text, weight):
    font = FontProperties(fname=str(font_path(weight)), size=20)
    expected, _, _ = TextToPath().get_text_width_height_descent(text, font, ismath=False)
    assert text_width_px(text, 20, weight) == pytest.approx(expected, rel=0.04)


def test_a_gap_stands_between_chinese_and_latin():
    apart = text_width_px("块", 16) + text_width_px("GPU", 16)
    assert text_width_px("块GPU", 16) == pytest.approx(apart + 2)


@given(st.lists(WORDS, min_size=1, max_size=40), st.integers(120, 400))
def test_lines_fit_and_keep_punctuation_in_its_place(words, width_px):
    text = "".join(words).strip()
    try:
        lines = wrap(text, width_px, 16)
    except InputError:
        return  # a run of punctuation wider than the line
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(text_width_px(line, 16) <= width_px + 0.1 for line in lines)
    assert not any(line[0] in "，。）：”" for line in lines[1:])
    assert not any(line[-1] in "（“" for line in lines[:-1])


def test_the_last_line_is_not_one_character():
    lines = wrap("最小碎片梯度下降调度", 9 * 16, 16)
    assert len(lines) == 2
    assert min(map(len, lines)) >= 4


def test_latin_words_stay_whole_and_newlines_break():
    assert wrap("least growth of\nfragmentation", 140, 16) == ("least growth of", "fragmentation")
    with pytest.raises(InputError, match="'fragmentation' is wider than 60 px"):
        wrap("fragmentation", 60, 16)


def test_fit_sets_smaller_but_never_below_16_px():
    assert fit("调度器", 100, 40, 20).size_px == 20
    assert fit("调度器", 55, 26, 20).size_px == 18
    with pytest.raises(InputError, match="does not fit 40 by 20 px at 16 px"):
        fit("调度器", 40, 20, 20)


def test_a_character_without_a_glyph_is_named():
    with pytest.raises(InputError, match=r"U\+1F600"):
        text_width_px("😀", 16)
