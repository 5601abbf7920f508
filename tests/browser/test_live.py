"""The live show in both RISEs: opened as a presenter opens it, gone through by key."""

import shutil
from urllib.parse import urlsplit

import pytest

from gpudeck.deck import notebook as nb_tools
from gpudeck.deck.live import serve
from gpudeck.deck.outline import NOTEBOOKS, find_page
from gpudeck.deck.text import read_page_text

pytestmark = pytest.mark.browser

OPEN_MS = 60_000
# the slide that stands in the middle of the window, as the audience sees it
SEEN = "() => document.elementFromPoint(innerWidth / 2, innerHeight / 2)?.closest('.dk')?.id"


@pytest.fixture(scope="module")
def show(built):
    """The built deck, served by JupyterLab; Jupyter reaches only what is below the repository."""
    folder = NOTEBOOKS.parent / "export" / "test-live"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(built["zh"].folder, folder)
    notebook = folder / built["zh"].notebook.name
    nb_tools.sign(notebook)
    with serve(notebook) as addresses:
        yield addresses
    shutil.rmtree(folder)


@pytest.fixture
def complaints(page):
    """What the deck's own scripts and styles complain of.

    Jupyter's bundles come from /static/. It asks for a stylesheet named like the notebook and for
    widgets, is refused both, and says so.
    """
    heard = []

    def hear(said):
        place = urlsplit(said.location.get("url", "")).path
        ours = place.startswith(("/rise/", "/nbclassic/notebooks/"))
        if said.type == "error" and ours and not said.text.startswith("Refused to"):
            heard.append(said.text)

    def hear_error(error):
        if "/static/" not in (error.stack or ""):
            heard.append(error.message)

    page.on("console", hear)
    page.on("pageerror", hear_error)
    return heard


@pytest.fixture(params=["lab", "classic"])
def slideshow(request, show, page, complaints):
    """The show on its first slide, in one of the two RISEs."""
    if request.param == "lab":
        page.goto(show.slideshow, timeout=OPEN_MS)
    else:
        page.goto(show.classic, timeout=OPEN_MS)
        page.wait_for_function(
            "() => window.Jupyter?.notebook?.kernel?.is_connected()", timeout=OPEN_MS
        )
        page.locator("#RISE").click(timeout=OPEN_MS)
    # before reveal.js is ready the first slide shows already, but keys are lost
    page.wait_for_selector(".reveal.ready", timeout=OPEN_MS)
    await_slide(page, "title")
    return page


def await_slide(page, key, timeout_ms=10_000):
    page.wait_for_function(f"(key) => ({SEEN})() === key", arg=key, timeout=timeout_ms)


def walk(page, *keys, to):
    """Press each key once the slide before it has come, as a presenter does."""
    for key in keys:
        before = page.evaluate(SEEN)
        page.keyboard.press(key)
        page.wait_for_function(f"(before) => ![before, undefined].includes(({SEEN})())", arg=before)
    await_slide(page, to)


def test_page_ten_is_reached_by_key_and_reads_as_it_should(slideshow, complaints):
    walk(slideshow, *["ArrowRight"] * 9, to="binpack")
    slide = slideshow.locator("#binpack")
    headline = slide.locator("h2")
    assert headline.is_visible()
    assert headline.inner_text().strip()
    assert slide.locator(".dk-number").inner_text() == "10 / 31"
    box = slide.bounding_box()
    assert (round(box["width"]), round(box["height"])) == (1280, 720)
    for code in (".jp-Cell-inputWrapper", ".jp-InputPlaceholder", "div.input"):
        assert not any(found.is_visible() for found in slideshow.locator(code).all()), code
    assert complaints == []


def test_space_and_page_keys_go_on_and_back(slideshow):
    walk(slideshow, "Space", "PageDown", "PageDown", to="bare-metal")
    walk(slideshow, "PageUp", "ArrowLeft", to="challenge")


@pytest.mark.parametrize("name", ["binpack", "cluster-scheduling"])
def test_the_live_slide_computes_in_the_kernel(slideshow, complaints, name):
    key = f"{name}-live"
    walk(slideshow, *["ArrowRight"] * (find_page(name).number - 1), to=name)
    details = read_page_text(name, "zh").details
    walk(slideshow, *["PageDown"] * (list(details).index("live") + 1), to=key)
    live = slideshow.locator(f"#{key} .dk-live")
    before = live.locator(".dk-readout").inner_text()
    slider = live.locator("input[type=range]").last
    at = slider.input_value()
    slider.focus()
    slideshow.keyboard.press("ArrowRight" if at == "0" else "ArrowLeft")
    slideshow.wait_for_function(
        f"(before) => document.querySelector('#{key} .dk-readout').innerText !== before",
        arg=before,
        timeout=OPEN_MS,
    )
    assert slideshow.evaluate(SEEN) == key, "the arrow key moved the slide as well"
    assert complaints == []
