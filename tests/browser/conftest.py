"""One Chromium for the tests of a file, and the built deck opened in it."""

import pytest

from gpudeck.deck.browser import launch
from gpudeck.deck.checks.layout import READY_MS, listen


@pytest.fixture(scope="module")
def browser(chromium):
    with launch(chromium) as started:
        yield started


@pytest.fixture
def page(browser):
    opened = browser.new_page(viewport={"width": 1280, "height": 720})
    yield opened
    opened.close()


@pytest.fixture
def open_deck_html(page):
    """Return a function that opens an exported deck; its `noise` is what it said or asked for."""

    def open_file(html, fragment=""):
        noise = listen(page)
        page.goto(html.resolve().as_uri() + fragment)
        page.wait_for_selector("html[data-deck-ready]", state="attached", timeout=READY_MS)
        return noise

    return open_file
