"""The deck as a PDF: one page a slide, tagged, with an outline, printed by Chromium."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Error

from gpudeck.deck.browser import HINT, find_browser, launch
from gpudeck.deck.notebook import write
from gpudeck.errors import BuildError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

READY = "html[data-deck-ready]"
_TIMEOUT_MS = 60_000

# reveal.js hides the slides that are not on screen from readers, and a tagged PDF leaves out
# what is hidden: the alternative texts of all slides but one
_UNHIDE = """() => document.querySelectorAll('.slides [hidden], .slides [aria-hidden]').forEach(
  element => { if (element.matches('section, .pdf-page'))
    { element.removeAttribute('hidden'); element.removeAttribute('aria-hidden'); } })"""


def export_pdf(html: Path, path: Path, browser: Browser | None = None) -> int:
    """Print an exported deck and return the number of its pages.

    Parameters
    ----------
    html : Path
        The deck as `export_html` writes it.
    path : Path
        The PDF to write.
    browser : Browser, optional
        A Chromium that is running already; without it one is found and started.

    Raises
    ------
    BuildError
        When there is no Chromium, or it cannot print.
    """
    if browser is not None:
        return _print(html, path, browser)
    executable = find_browser()
    if executable is None:
        raise BuildError(HINT)
    with launch(executable) as started:
        return _print(html, path, started)


def _print(html: Path, path: Path, browser: Browser) -> int:
    page = browser.new_page()
    try:
        page.goto(f"{html.resolve().as_uri()}?print-pdf", timeout=_TIMEOUT_MS)
        page.wait_for_selector(READY, state="attached", timeout=_TIMEOUT_MS)
        page.wait_for_selector(".pdf-page", state="attached", timeout=_TIMEOUT_MS)
        page.evaluate(_UNHIDE)
        count = page.locator(".pdf-page").count()
        content = page.pdf(
            prefer_css_page_size=True, print_background=True, tagged=True, outline=True
        )
    except Error as error:
        msg = f"Chromium cannot print {html.name}: {error.message.splitlines()[0]}"
        raise BuildError(msg) from None
    finally:
        page.close()
    write(path, content)
    return count
