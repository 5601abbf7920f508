"""The exported file: whole, small, and with nothing in it that asks for something outside."""

import json
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook, new_output

from gpudeck.deck import notebook as nb_tools
from gpudeck.deck.export import POLICY, export_html

LIMIT_BYTES = 8_000_000  # some 190 slides with their pictures, and 1.5 MB of fonts


@pytest.fixture(scope="module", params=["zh", "en"])
def deck(request, built):
    return built[request.param]


@pytest.fixture(scope="module")
def html(deck):
    return deck.html.read_text(encoding="utf-8")


def export(tmp_path, *cells, **options):
    path = tmp_path / "deck.html"
    options = {"title": "t", "lang": "en", **options}
    export_html(new_notebook(cells=list(cells)), path, **options)
    return path.read_text(encoding="utf-8")


def shows(markup, slide_type="slide", mime="text/html"):
    output = new_output("execute_result", {mime: markup}, execution_count=1)
    metadata = {"slideshow": {"slide_type": slide_type}}
    return new_code_cell("secret_source()", metadata=metadata, outputs=[output])


def test_nothing_in_the_file_names_a_host(html):
    outside = re.findall(r"(?:src|href|srcset|action|poster)\s*=\s*[\"']?(https?:|//)", html)
    styles = "".join(re.findall(r"<style>.*?</style>", html, re.S))
    assert outside == []
    assert re.findall(r"url\((?!data:|[\"']?data:|[\"']?#)[^)]*\)", styles) == []
    assert "@import" not in styles
    assert "<link" not in html


def test_the_policy_comes_first_and_lets_nothing_be_fetched(html):
    head = html[: html.index("<style>")]
    assert f'http-equiv="Content-Security-Policy" content="{POLICY}"' in head
    assert POLICY.startswith("default-src 'none'")
    assert "http" not in POLICY
    assert "connect-src" not in POLICY


def test_both_weights_of_the_font_are_in_the_file(html):
    assert len(re.findall(r"@font-face\{[^}]*url\(data:font/woff2;base64,", html)) == 2


def test_the_file_is_small(deck):
    assert deck.html.stat().st_size <= LIMIT_BYTES


def test_all_slides_in_order_with_language_and_names(deck, html):
    facts = json.loads(deck.facts.read_text(encoding="utf-8"))
    language = {"zh": "zh-CN", "en": "en"}[deck.lang]
    assert f'<html lang="{language}">' in html
    slides = re.findall(r'<section aria-label="([^"]*)"><article [^>]*data-page="(\d*)"', html)
    assert [number for _, number in slides] == [str(p["number"] or "") for p in facts["pages"]]
    assert all(name.strip(" —") for name, _ in slides)


def test_no_code_is_shown(html, tmp_path):
    assert "open_deck(" not in html
    assert "secret_source" not in export(tmp_path, shows("<article></article>"))


def test_what_a_script_or_a_title_holds_cannot_end_it(tmp_path):
    text = export(tmp_path, shows("<p>x</p>"), title="</title><script>alert(1)</script>")
    assert "<title>&lt;/title&gt;&lt;script&gt;" in text
    assert text.count("</script>") == 3


def test_details_stand_below_their_page_and_skipped_cells_nowhere(tmp_path):
    text = export(
        tmp_path,
        shows("<i>skipped</i>", "skip"),
        shows("<i>one</i>"),
        shows("<i>one.detail</i>", "subslide"),
        shows("<i>two</i>"),
        shows("&<b>plain</b>", "-", "text/plain"),
    )
    body = re.sub(r"\s+", " ", text[text.index('<div class="slides">') : text.index("<script>")])
    assert "skipped" not in body
    page, detail = '<section><section aria-label=""><i>one</i>', "<i>one.detail</i>"
    assert body.index(page) < body.index(detail) < body.index("<i>two</i>")
    assert body.count("<section>") == 2
    assert "<pre>&amp;&lt;b&gt;plain&lt;/b&gt;</pre>" in body


def test_a_removed_cell_is_not_exported(tmp_path):
    hidden = shows("<i>hidden</i>")
    hidden.metadata.tags = [nb_tools.REMOVE]
    assert "<i>hidden</i>" not in export(tmp_path, hidden, shows("<i>shown</i>"))


def test_the_same_notebook_gives_the_same_bytes(deck, tmp_path):
    notebook = nbformat.read(deck.notebook, as_version=4)
    again = tmp_path / "again.html"
    export_html(notebook, again, title=notebook.metadata.title, lang=deck.lang)
    assert again.read_bytes() == deck.html.read_bytes()
