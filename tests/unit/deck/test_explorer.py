"""What-if slides: each state is the model's, nothing breaks out, and the kernel answers."""

import html
import json
import re

import numpy as np
import pytest

from gpudeck.deck import explore, explore_live, open_deck
from gpudeck.deck.explorer import answer
from gpudeck.deck.outline import find_page
from gpudeck.deck.page import Page, Setting
from gpudeck.deck.text import SlideText, read_page_text
from gpudeck.errors import InputError
from gpudeck.fact import function_name
from gpudeck.figures.packing_what_if import packing_live, run_live
from gpudeck.figures.plot_frame import PlotFrame
from gpudeck.figures.what_if import Line, Slider, State, WhatIf

FRAME = PlotFrame("<svg><g/></svg>", 50, 10, 100, 200, (0, 10), (0, 100))


def make_page(readout: str = "[a]") -> Page:
    text = SlideText("here.md", "zh", "标题", labels={"readout": readout})
    words = read_page_text("deck", "zh").slide.labels
    return Page(find_page("binpack"), text, Setting("zh", 0, "场景", words), {})


def make_what_if(word: str = "值") -> WhatIf:
    def compute(a: int, b: int) -> State:
        x = np.array([0.0, 10.0])
        return State(x, np.array([[a, b], [np.nan, a + b]], dtype=float), {"a": f"{word}{a}{b}"})

    sliders = (
        Slider("a", "甲", (0, 50), ("零", "五十"), 1),
        Slider("b", "乙", (0, 25), ("0", "25")),
    )
    return WhatIf(FRAME, (Line("一", "#0072B2"), Line("二", "#D55E00", "4 2")), sliders, compute)


def payload(shown: str) -> dict:
    found = re.search(r'<script type="application/json">(.*?)</script>', shown, re.S)
    assert found is not None
    return json.loads(found[1])


def test_the_page_carries_every_state_in_row_major_order_of_the_sliders() -> None:
    data = payload(explore(make_page(), make_what_if()))
    assert [state["readout"] for state in data["states"]] == ["值00", "值025", "值500", "值5025"]
    assert data["x"] == [50, 150]
    # y runs down in pixels: 100 of 100 is the top at 10, 0 the bottom at 210; NaN is a gap
    assert data["states"][0]["y"] == [[210, 210], [None, 210]]
    assert data["states"][3]["y"][0] == [110, 160]


def test_the_default_state_is_drawn_so_that_print_shows_it() -> None:
    shown = explore(make_page(), make_what_if())
    assert 'points="50,110 150,210"' in shown
    assert '<p class="dk-readout" aria-live="polite">值500</p>' in shown


def test_words_cannot_break_out_of_the_script() -> None:
    shown = explore(make_page(), make_what_if("</script><img onerror=x>"))
    assert "</script><img" not in shown
    assert payload(shown)["states"][0]["readout"] == "</script><img onerror=x>00"


def test_a_slider_needs_a_word_for_each_value() -> None:
    with pytest.raises(InputError, match="'a'"):
        Slider("a", "甲", (1, 2), ("一",))
    with pytest.raises(InputError, match="start 2"):
        Slider("a", "甲", (1, 2), ("一", "二"), 2)


def test_the_kernel_answers_with_what_the_model_says() -> None:
    call = (function_name(run_live), "small", "en", 0, [56, 34, 900, 300], [0, 160, 0, 100])
    template = "[load] [allocated] [fragmented] [failed]"
    reply = answer(*call, template, {"policy": "fgd", "load_pct": 100})
    bundle = reply._repr_mimebundle_()["application/json"]
    state = run_live(open_deck("small").scenario, 0, "en", policy="fgd", load_pct=100)
    assert bundle["readout"].startswith(f"100% {state.words['allocated']}")
    assert len(bundle["x"]) == 101
    json.dumps(bundle)


def test_the_kernel_runs_nothing_but_gpudeck() -> None:
    with pytest.raises(InputError, match=r"os\.system"):
        answer("os.system", "small", "en", 0, [0, 0, 1, 1], [0, 1, 0, 1], "", {})


def test_a_live_slide_names_a_function_that_can_be_imported() -> None:
    deck = open_deck("small", "en", 0)
    page = deck.page("binpack").detail("live")
    data = payload(explore_live(page, deck, packing_live(page)))
    assert data["arguments"][:4] == [function_name(run_live), "small", "en", 0]
    assert len(data["states"]) == 1


def test_a_control_reads_aloud_what_it_shows() -> None:
    shown = html.unescape(explore(make_page(), make_what_if()))
    assert 'aria-valuetext="五十"' in shown
