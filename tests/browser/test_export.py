"""The exported deck in a real browser: it fits, asks nobody for anything, and follows the keys."""

import json

import pytest

from gpudeck.deck.checks.layout import SIZES_PX, visit_slides
from gpudeck.deck.outline import APPENDIX, PAGES

pytestmark = pytest.mark.browser

PRESENT = "() => document.querySelector('section.present:not(.stack) .dk').id"
EXPLORER = ".present .dk-explorer:not(.dk-live)"


@pytest.fixture(params=["zh", "en"])
def deck(request, built):
    return built[request.param]


def shown(page):
    return page.evaluate(PRESENT)


def place(page):
    return page.locator("section.present:not(.stack) .dk-number").inner_text()


def go(page, key):
    page.evaluate(
        """(key) => { const section = document.getElementById(key).closest('section');
        const {h, v} = Reveal.getIndices(section); Reveal.slide(h, v); }""",
        key,
    )


def test_every_slide_fits_and_nothing_is_asked_or_complained_of(browser, deck):
    slides = len(json.loads(deck.facts.read_text())["pages"])
    for size_px, visit in visit_slides(browser, deck.html, SIZES_PX):
        assert (visit.slides, visit.faults, visit.noise) == (slides, (), ()), size_px


def test_the_outline_runs_from_left_to_right(open_deck_html, page, deck):
    open_deck_html(deck.html)
    seen = [shown(page)]
    for _ in range(len(PAGES)):
        page.keyboard.press("ArrowRight")
        seen.append(shown(page))
    assert seen == [entry.id for entry in (*PAGES, APPENDIX)]


def test_space_and_page_down_go_through_the_details_too(open_deck_html, page, deck):
    keys = [
        f"{row['page']}-{row['detail']}" if row["detail"] else row["page"] for row in facts(deck)
    ]
    open_deck_html(deck.html)
    seen = [shown(page)]
    for number in range(len(keys) - 1):
        page.keyboard.press("Space" if number % 2 else "PageDown")
        seen.append(shown(page))
    assert seen == keys
    page.keyboard.press("PageUp")
    assert shown(page) == keys[-2]


def facts(deck):
    return json.loads(deck.facts.read_text())["pages"]


def test_an_address_names_a_page_and_its_details(open_deck_html, page, deck):
    open_deck_html(deck.html, "#/10")
    assert shown(page) == "binpack"
    assert place(page) == "10 / 31"
    page.keyboard.press("ArrowDown")
    details = [row["detail"] for row in facts(deck) if row["page"] == "binpack" and row["detail"]]
    assert shown(page) == f"binpack-{details[0]}"
    assert place(page).startswith("10 / 31")
    assert place(page).endswith(f"1/{len(details)}")
    page.wait_for_url("**#/10/2")  # reveal.js writes it a moment later


def test_sliders_of_an_explorer_answer_the_keys(open_deck_html, page, deck):
    open_deck_html(deck.html)
    go(page, "binpack-explorer")
    lines = f"{EXPLORER} polyline >> nth=0"
    before = page.locator(f"{EXPLORER} .dk-readout").inner_text()
    drawn = page.locator(lines).get_attribute("points")
    sliders = page.locator(f"{EXPLORER} input[type=range]")
    assert sliders.count() >= 2
    for index in range(sliders.count()):
        slider = sliders.nth(index)
        slider.focus()
        at = slider.input_value()
        slider.press("ArrowRight" if at != slider.get_attribute("max") else "ArrowLeft")
        assert slider.input_value() != at
        assert shown(page) == "binpack-explorer", "the arrow key moved the slide as well"
    assert page.locator(f"{EXPLORER} .dk-readout").inner_text() != before
    assert page.locator(lines).get_attribute("points") != drawn


def test_a_live_slide_says_that_the_file_has_no_kernel(open_deck_html, page, deck):
    noise = open_deck_html(deck.html)
    go(page, "binpack-live")
    note = page.locator(".present .dk-live .dk-state")
    said = note.inner_text()
    assert said
    page.locator(".present .dk-live input[type=range]").first.press("ArrowRight")
    page.wait_for_timeout(300)
    assert note.inner_text() == said
    assert noise == []
