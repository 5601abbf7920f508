"""Every slide of an exported deck fits, in a real browser, at two sizes of the window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page

from gpudeck.deck.checks.finding import Finding

SIZES_PX = ((1280, 720), (1920, 1080))
READY_MS = 30_000

_MEASURE = Path(__file__).with_name("layout.js")


@dataclass(frozen=True)
class Visit:
    """What one pass over all slides of a deck saw.

    `faults` holds pairs of slide key and message, `noise` what the console or the network said.
    """

    slides: int
    faults: tuple[tuple[str, str], ...]
    noise: tuple[str, ...]


def check_layout(browser: Browser, html: Path, lang: str) -> list[Finding]:
    """Return what does not fit in an exported deck, in whatever size of window.

    Parameters
    ----------
    browser : Browser
        A running Chromium.
    html : Path
        The exported `deck.html`.
    lang : str
        Its language, for the findings.
    """
    seen: dict[tuple[str, str], list[str]] = {}
    for size_px, visit in visit_slides(browser, html, SIZES_PX):
        for key, message in (*visit.faults, *(("deck", text) for text in visit.noise)):
            sizes = seen.setdefault((key, message), [])
            size = f"{size_px[0]}×{size_px[1]}"
            sizes += [size] if size not in sizes else []
    return [
        Finding("layout", f"{lang} {key} at {' and '.join(sizes)}", message)
        for (key, message), sizes in seen.items()
    ]


def visit_slides(
    browser: Browser, html: Path, sizes_px: Sequence[tuple[int, int]]
) -> list[tuple[tuple[int, int], Visit]]:
    """Show every slide once for each size of the window and return what was seen."""
    visits = []
    page = browser.new_page()
    try:
        noise = listen(page)
        page.goto(html.resolve().as_uri())
        page.wait_for_selector("html[data-deck-ready]", state="attached", timeout=READY_MS)
        for width_px, height_px in sizes_px:
            page.set_viewport_size({"width": width_px, "height": height_px})
            measured = page.evaluate(_MEASURE.read_text(encoding="utf-8"))
            faults = tuple((key, message) for key, message in measured["faults"])
            visits.append(((width_px, height_px), Visit(measured["slides"], faults, tuple(noise))))
            noise.clear()
    finally:
        page.close()
    return visits


def listen(page: Page) -> list[str]:
    """Return a list that fills with each console error and each request that leaves the file."""
    noise: list[str] = []

    def hear_request(url: str) -> None:
        if not url.startswith(("file:", "data:", "blob:")):
            noise.append(f"asks the network for {url}")

    page.on(
        "console",
        lambda said: noise.append(f"console: {said.text}") if said.type == "error" else None,
    )
    page.on("pageerror", lambda error: noise.append(f"script error: {error}"))
    page.on("request", lambda request: hear_request(request.url))
    return noise
