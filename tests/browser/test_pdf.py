"""The PDF: one page a slide, its text can be read, its fonts are the deck's own and embedded."""

import json
import re
import subprocess

import pytest

from gpudeck.deck.outline import PAGES

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium", "poppler")]


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module", params=["zh", "en"])
def deck(request, built):
    return built[request.param]


@pytest.fixture(scope="module")
def pages(deck):
    """The text of each page, without white space: lines may break anywhere."""
    text = run("pdftotext", "-enc", "UTF-8", str(deck.pdf), "-")
    return [re.sub(r"\s", "", page) for page in text.split("\f")[:-1]]


@pytest.fixture(scope="module")
def slides(deck):
    return json.loads(deck.facts.read_text())["pages"]


def test_pages_are_the_slides_in_their_order(pages, slides):
    assert sum(1 for slide in slides if slide["detail"] is None) == len(PAGES) + 1
    assert len(pages) == len(slides)
    for page, slide in zip(pages, slides, strict=True):
        assert re.sub(r"[\s*`]", "", slide["headline"]) in page, slide["page"]
        if slide["number"]:
            assert f"{slide['number']}/{len(PAGES)}" in page


def test_a_page_has_the_shape_of_the_canvas(deck):
    info = run("pdfinfo", str(deck.pdf))
    width, height = map(float, re.search(r"Page size: +([\d.]+) x ([\d.]+)", info).groups())
    assert width / height == pytest.approx(16 / 9, rel=0.005)
    assert re.search(r"Tagged: +yes", info)


def test_chinese_can_be_searched_and_copied(deck, pages):
    if deck.lang == "zh":
        assert "碎片" in pages[9]
    assert not any("\ufffd" in page or "□" in page for page in pages)


def test_every_font_is_the_decks_own_and_embedded(deck):
    """A character that the deck's font lacks would bring in a font of the machine's."""
    rows = run("pdffonts", str(deck.pdf)).splitlines()[2:]
    assert rows
    for row in rows:
        name = row.split()[0]
        assert "NotoSansSC" in name, row
        assert re.search(r"(TrueType|CID TrueType) +\S+ +yes ", row), row
