"""A page fills its words, escapes what it is given, and says how large its evidence is drawn."""

from dataclasses import replace
from pathlib import Path

import pytest

from gpudeck.deck import text as text_module
from gpudeck.deck.outline import APPENDIX, PAGES, SECTIONS, find_page
from gpudeck.deck.page import (
    HEIGHT_PX,
    Page,
    Setting,
    count_headline_lines,
    count_source_lines,
)
from gpudeck.deck.text import SlideText, fill, fill_html, read_page_text
from gpudeck.errors import InputError
from gpudeck.fact import Fact
from gpudeck.interval import Interval


def make_fact(key: str, value: float | str, unit: str = "%", **more: object) -> Fact:
    return Fact(key, value, unit, "simulated", "model:packing", "gpudeck.fact.Fact", **more)  # type: ignore[arg-type]


def make_page(lang: str = "zh", **changes: object) -> Page:
    words = read_page_text("deck", lang).slide.labels
    slide = {
        "where": "here.md",
        "lang": lang,
        "title": "标题",
        "headline": "分配率{rate:0}",
        "lead": "导语",
        "labels": {"x": "横轴{rate:n1}"},
        "alt": "图",
        "notes": "第一段。\n\n第二段{rate:0}。",
    }
    text = SlideText(**(slide | changes))  # type: ignore[arg-type]
    setting = Setting(lang, 0, "<b>场景</b>", words)
    return Page(find_page("binpack"), text, setting, {"rate": make_fact("rate", 95.39)})


def test_the_outline_has_31_pages_in_nine_sections_and_an_appendix() -> None:
    assert [entry.number for entry in PAGES] == list(range(1, 32))
    assert len({entry.id for entry in (*PAGES, APPENDIX)}) == 32
    assert len(SECTIONS) == 10


@pytest.mark.parametrize("name", ["binpck", 0, 32, "", "10.0", "-1"])
def test_an_unknown_page_is_refused_with_what_is_allowed(name: str | int) -> None:
    with pytest.raises(InputError, match="1 to 31"):
        find_page(name)


def test_near_misses_are_named() -> None:
    with pytest.raises(InputError, match="did you mean binpack"):
        find_page("binpck")


@pytest.mark.parametrize(
    ("template", "lang", "shown"),
    [
        ("{rate}", "zh", "95%"),
        ("{rate:1}", "zh", "95.4%"),
        ("{rate:n1}", "en", "95.4"),
        ("{rate:band1}", "zh", "95.2%～95.6%"),
        ("{rate:band1}", "en", "95.2–95.6%"),
        ("{count}", "zh", "12万"),
        ("{count}", "en", "123,456"),
    ],
)
def test_placeholders_read_the_way_the_language_wants(template: str, lang: str, shown: str) -> None:
    facts = {
        "rate": make_fact("rate", 95.39, interval=Interval(95.39, 95.2, 95.58)),
        "count": make_fact("count", 123456, "count"),
    }
    assert fill(template, facts, lang, "here") == shown


def test_a_placeholder_without_a_fact_names_file_key_and_what_there_is() -> None:
    with pytest.raises(InputError, match=r"here\.md: placeholder \{missing\}.*rate"):
        make_page(headline="{missing}").html()


def test_a_band_without_an_interval_is_refused() -> None:
    with pytest.raises(InputError, match="interval"):
        fill("{rate:band}", {"rate": make_fact("rate", 1.0)}, "zh", "here")


def test_a_scenarios_strings_are_escaped_and_never_markdown() -> None:
    facts = {"name": make_fact("name", "<img src=x onerror=alert(1)> **b** `c`", "text")}
    shown = fill_html("**{name}**", facts, "zh", "here")
    assert shown == "<strong>&lt;img src=x onerror=alert(1)&gt; **b** `c`</strong>"
    assert "<b>场景</b>" not in make_page().html()


def test_a_missing_language_and_a_missing_file_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InputError, match=r"'fr'.*zh and en"):
        read_page_text("binpack", "fr")
    monkeypatch.setattr(text_module, "NOTEBOOKS", tmp_path / "notebooks")
    read_page_text.cache_clear()
    with pytest.raises(InputError, match=r"'binpack' is missing in 'zh'.*binpack\.md"):
        read_page_text("binpack", "zh")
    read_page_text.cache_clear()


@pytest.mark.parametrize(
    ("source", "named"),
    [
        ("no head", "line 1"),
        ("---\ntitle: t\nfoo: 1\n---\n", "line 3.*foo"),
        ("---\nlayout: wide\n---\n", "title"),
        ("---\ntitle: t\nlayout: round\n---\n", "round"),
        ("---\ntitle: t\n---\n# h\n## labels\nno colon\n", "no colon"),
    ],
)
def test_a_malformed_text_is_refused_by_file_and_line(
    source: str, named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "notebooks" / "text" / "zh"
    folder.mkdir(parents=True)
    (folder / "binpack.md").write_text(source, encoding="utf-8")
    monkeypatch.setattr(text_module, "NOTEBOOKS", tmp_path / "notebooks")
    read_page_text.cache_clear()
    with pytest.raises(InputError, match=named):
        read_page_text("binpack", "zh")
    read_page_text.cache_clear()


def test_html_holds_headline_evidence_notes_and_place() -> None:
    page = make_page().show("<svg></svg>")
    html = page.html()
    assert "<h2>分配率95%</h2>" in html
    assert "<figure><svg></svg></figure>" in html
    assert "<p>第二段95%。</p>" in html
    assert "10 / 31" in html
    assert 'lang="zh-CN"' in html


def test_plain_text_lists_the_facts_that_nbval_compares() -> None:
    assert make_page().plain() == "binpack 10/31: 分配率95%\nrate = 95.39 % (simulated)"


def test_evidence_gets_less_room_under_a_headline_of_two_lines() -> None:
    one, two = make_page(headline="短"), make_page(headline="很长的标题" * 8)
    assert count_headline_lines("很长的标题" * 8) == 2
    assert two.slot.height_px < one.slot.height_px < HEIGHT_PX


def test_evidence_gets_less_room_above_a_source_of_two_lines() -> None:
    assert count_source_lines("来源：模拟") == 1
    page = make_page()
    cited = {
        f"f{i}": Fact(f"f{i}", i, "count", "scenario", "名字很长的表" * 5, "f") for i in range(3)
    }
    own = [replace(fact, source=f"{fact.source}{i}.csv") for i, fact in enumerate(cited.values())]
    longer = replace(page, facts={**page.facts, **{fact.key: fact for fact in own}})
    assert count_source_lines(longer.source) == 2
    assert longer.slot.height_px == page.slot.height_px - 20


def test_a_label_or_detail_that_is_not_written_is_named() -> None:
    with pytest.raises(InputError, match="label 'y'"):
        make_page().label("y")
    with pytest.raises(InputError, match="=== nothing"):
        make_page().detail("nothing")
    assert make_page().label("x") == "横轴95.4"


def test_a_pending_page_says_so_and_has_no_facts() -> None:
    words = read_page_text("deck", "zh").slide.labels
    text = read_page_text("challenge", "zh").slide
    page = Page(find_page("challenge"), text, Setting("zh", 0, "场景", words), {}, pending=True)
    assert words["not_yet_computed"] in page.html()
    assert page.record()["pending"] is True
    assert page.headline == text.title
