"""The PDF: a page for each slide, text that can be read and searched, no tofu, no bitmap fonts."""

import json
import re
import subprocess

import pytest

from gpudeck.deck import browser
from gpudeck.deck.pdf import export_pdf
from gpudeck.errors import BuildError, InputError

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium", "poppler")]


def read(program, *arguments):
    return subprocess.run([program, *arguments], capture_output=True, text=True, check=True).stdout


@pytest.fixture(scope="module", params=["zh", "en"])
def deck(request, built):
    return built[request.param]


def test_a_page_for_each_slide(deck):
    slides = json.loads(deck.facts.read_text(encoding="utf-8"))["pages"]
    about = dict(line.split(":", 1) for line in read("pdfinfo", deck.pdf).splitlines())
    assert int(about["Pages"]) == len(slides)
    assert about["Tagged"].strip() == "yes"
    width, height = map(float, re.findall(r"[\d.]+", about["Page size"])[:2])
    assert width / height == pytest.approx(16 / 9, abs=0.01)


def test_every_headline_can_be_searched(deck):
    slides = json.loads(deck.facts.read_text(encoding="utf-8"))["pages"]
    pages = read("pdftotext", deck.pdf, "-").split("\f")
    for slide, page in zip(slides, pages, strict=False):
        # a gap between Chinese and Latin, or a new line, is the layout's
        assert "".join(slide["headline"].split()) in "".join(page.split())


def test_fonts_are_embedded_truetype(deck):
    rows = read("pdffonts", deck.pdf).splitlines()[2:]
    assert rows
    for row in rows:
        assert "TrueType" in row, row
        assert "Type 3" not in row, row
        assert re.search(r"yes yes (yes|no)", row), row  # embedded, subset
        assert "NotoSansSC" in row, row


def test_alternative_texts_of_all_figures_are_in_the_tags(deck):
    html = deck.html.read_text(encoding="utf-8")
    figures = len(re.findall(r'<svg[^>]*role="img"', html))
    tags = read("pdfinfo", "-struct-text", deck.pdf)
    assert tags.count("Figure") >= figures


def test_a_chromium_that_is_named_but_missing(monkeypatch):
    monkeypatch.setenv(browser.VARIABLE, "no-such-chromium")
    with pytest.raises(InputError, match="GPUDECK_CHROMIUM is 'no-such-chromium'"):
        browser.find_browser()


def test_a_program_that_is_no_chromium(chromium):
    with pytest.raises(InputError, match="does not start as a Chromium"):
        with browser.launch(chromium.parent / "false"):
            pass


def test_no_chromium_at_all_says_what_to_do(monkeypatch, tmp_path, built):
    monkeypatch.delenv(browser.VARIABLE, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path))
    assert browser.find_browser() is None
    with pytest.raises(BuildError, match="playwright install chromium"):
        export_pdf(built["zh"].html, tmp_path / "deck.pdf")
