"""The layout check finds each way in which a slide can fail to fit, and passes one that fits."""

import nbformat
import pytest

from gpudeck.deck.checks.layout import check_layout
from gpudeck.deck.export import export_html

pytestmark = pytest.mark.browser

HEAD = "<header><p class='dk-kicker'>kicker</p><h2>A headline of one line</h2></header>"
FOOT = (
    "<footer><p class='dk-source'>Source</p><div class='dk-foot'><span>1 / 31</span></div></footer>"
)
FIGURE = (
    '<svg role="img" aria-label="what it shows" width="800" height="400" viewBox="0 0 800 400">'
    "{}</svg>"
)


def article(key, evidence="", head=HEAD, words=""):
    return (
        f'<article class="dk dk-wide" id="{key}" lang="en" data-page="1" data-detail="">{head}'
        f'<div class="dk-words">{words}</div>'
        f'<div class="dk-evidence"><figure>{evidence}</figure></div>{FOOT}</article>'
    )


def figure(drawn):
    return FIGURE.format(drawn)


def text(words, x=100, y=200, size=18, more=""):
    return f'<text font-size="{size}" x="{x}" y="{y}" {more}>{words}</text>'


FINE = {
    "plain": article(
        "plain", figure(text("one") + text("two", y=230)), words="<p class='dk-lead'>Lead</p>"
    ),
    "turned": article(
        "turned", figure(text("an axis' name", 20, 200, more='transform="rotate(-90 20 200)"'))
    ),
    "halo": article("halo", figure(text("same", more='stroke="#fff"') + text("same"))),
    "small": article("small", figure(text("tick", size=12, more='class="dk-small"'))),
    "two-lines": article(
        "two-lines", head="<header><h2>" + "A headline of two lines " * 4 + "</h2></header>"
    ),
}
FAULTY = {
    "tall": (article("tall", "<div style='height:900px'></div>"), "larger than its room"),
    "wide": (
        article("wide", "<div style='width:1400px;height:9px'></div>"),
        "overflows its canvas",
    ),
    "beyond": (article("beyond", figure(text("far right", x=780))), "leaves its figure"),
    "outside": (article("outside", figure(text("far", x=1300))), "leaves the slide"),
    "overlap": (
        article("overlap", figure(text("label one") + text("label two", 130, 205))),
        "overlap by",
    ),
    "collide": (
        article(
            "collide",
            "<div style='position:absolute;top:30px;left:60px;font-size:20px'>x y z</div>",
        ),
        "overlap by",
    ),
    "tiny": (article("tiny", figure(text("tick", size=12))), "is 12.0 px; allowed are 16"),
    "scaled": (
        article(
            "scaled",
            figure(text("tick")).replace('width="800" height="400"', 'width="400" height="200"'),
        ),
        "is scaled to 400 px",
    ),
    "lead": (
        article("lead", words="<p class='dk-lead' style='font-size:18px'>Lead</p>"),
        "allowed are 24–30",
    ),
    "headline": (
        article("headline", head="<header><h2>" + "words " * 60 + "</h2></header>"),
        "headline takes",
    ),
    "widow": (
        article("widow", head="<header><h2 style='text-wrap:wrap'>" + "字" * 33 + "</h2></header>"),
        "a single character",
    ),
    "blank": (article("blank", head="<header></header>"), "has no headline"),
    "mute": (
        article(
            "mute", figure("").replace('aria-label="what it shows"', 'aria-labelledby="no-such-id"')
        ),
        "no alternative text",
    ),
    "double": (article("double") + article("double-2"), "holds 2 pages"),
}


@pytest.fixture(scope="module")
def findings(browser, tmp_path_factory):
    html = tmp_path_factory.mktemp("layout") / "deck.html"
    pages = [*FINE.values(), *(page for page, _ in FAULTY.values())]
    cells = []
    for page in pages:
        output = nbformat.v4.new_output("execute_result", {"text/html": page})
        cell = nbformat.v4.new_code_cell("page", outputs=[output])
        cell.metadata["slideshow"] = {"slide_type": "slide"}
        cells.append(cell)
    export_html(nbformat.v4.new_notebook(cells=cells), html, title="t", lang="en")
    found = {}
    for finding in check_layout(browser, html, "en"):
        key = finding.where.split()[1]
        found.setdefault(key, []).append(f"{finding.message} ({finding.where})")
    return found


@pytest.mark.parametrize("key", FINE)
def test_a_slide_that_fits_passes(findings, key):
    assert findings.get(key, []) == []


@pytest.mark.parametrize("key", FAULTY)
def test_a_slide_that_does_not_fit_is_found(findings, key):
    said = " | ".join(findings.get(key, []))
    assert FAULTY[key][1] in said
    assert "1280×720 and 1920×1080" in said


def test_a_request_and_a_script_error_are_heard(browser, tmp_path):
    html = tmp_path / "deck.html"
    output = nbformat.v4.new_output("execute_result", {"text/html": article("one")})
    cell = nbformat.v4.new_code_cell("page", outputs=[output])
    cell.metadata["slideshow"] = {"slide_type": "slide"}
    export_html(nbformat.v4.new_notebook(cells=[cell]), html, title="t", lang="en")
    loud = "<script>setTimeout(() => { throw new Error('oops') }); new Image().src = 'http://127.0.0.1:9/x'</script>"
    before, _, after = html.read_text().rpartition("</body>")
    html.write_text(f"{before}{loud}</body>{after}".replace("img-src data: blob:", "img-src *"))
    messages = " | ".join(finding.message for finding in check_layout(browser, html, "en"))
    assert "script error: oops" in messages
    assert "asks the network for http://127.0.0.1:9/x" in messages
