"""Texts: the same in both languages, short, well set, no typed number; each fault is found."""

from dataclasses import replace

import pytest

from gpudeck.deck.checks.texts import check_parity, check_slide_text, check_texts, count_words
from gpudeck.deck.text import SlideText, read_page_text, source_hash


def slide(lang="zh", **words):
    return SlideText(where="here", lang=lang, title="t", **words)


def complaints(text, **options):
    return " | ".join(finding.message for finding in check_slide_text(text, **options))


def test_all_texts_are_clean():
    assert check_texts() == []


@pytest.mark.parametrize(
    ("lang", "words", "complaint"),
    [
        ("zh", {"headline": "字" * 29}, "headline has 29 characters"),
        ("en", {"headline": "word " * 15}, "headline has 15 words"),
        ("zh", {"lead": "字" * 40, "bullets": ("字" * 21,)}, "body has 61 characters"),
        ("en", {"lead": "word " * 30, "bullets": ("word " * 11,)}, "body has 41 words"),
        ("zh", {"headline": "分配率升到90%"}, "the number 90% is typed"),
        ("en", {"lead": "It needs 80GB of memory"}, "the number 80 is typed"),
        ("en", {"bullets": ("3.5 times faster",)}, "the number 3.5 is typed"),
        ("zh", {"alt": "到达量130%时的曲线"}, "the number 130% is typed"),
        ("zh", {"lead": "分配率,碎片"}, "half-width punctuation"),
        ("zh", {"lead": "分配率:高"}, "half-width punctuation"),
        ("zh", {"lead": "分配率(高)"}, "half-width punctuation"),
        ("zh", {"lead": "每张 GPU"}, "a typed space"),
        ("zh", {"lead": "升到{fgd} 左右"}, "a typed space"),
        ("zh", {"labels": {"x": "到达 需求"}}, "a space between Chinese characters"),
        ("zh", {"notes": "先猜\n，再算"}, "begins with punctuation"),
        ("zh", {"notes": "先猜 ，再算"}, "a space before punctuation"),
    ],
)
def test_a_fault_of_a_text_is_found(lang, words, complaint):
    assert complaint in complaints(slide(lang, **words))


@pytest.mark.parametrize(
    ("lang", "words"),
    [
        ("zh", {"headline": "只换打分策略，GPU分配率从{random:0}升到{fgd:0}"}),
        ("zh", {"lead": "A100与H200的`9 GB`切片；色带为95%区间；阶段2，第10页"}),
        ("en", {"lead": "A100, H200 and p99 on page 10; bands are 95% intervals (stage 2)"}),
        ("zh", {"labels": {"code": "for each n in 节点 do  # CPU、内存"}}),
        ("zh", {"notes": "假设：只到达、不离开。\n\n先猜再算：把{load:0}降到100%。"}),
    ],
)
def test_a_clean_text_passes(lang, words):
    assert complaints(slide(lang, **words)) == ""


def test_details_may_have_a_longer_body():
    text = slide(lead="字" * 90)
    assert "body" in complaints(text)
    assert complaints(text, limited=False) == ""


def test_a_placeholder_counts_as_the_number_that_it_becomes():
    assert count_words("升到{a_long_name:band1}", "zh") == 5
    assert count_words("**Allocation** rises to {a_long_name:1}", "en") == 4


@pytest.fixture
def pair():
    zh, en = read_page_text("binpack", "zh"), read_page_text("binpack", "en")
    assert check_parity("binpack", zh, en) == []
    return zh, en


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"headline": "{random:0} {fgd:0} {more}"}, "only English ['more']"),
        ({"labels": {}}, "labels differ"),
        ({"layout": "split"}, "layout differ"),
        ({"bullets": ("one more",)}, "lead or bullets stand in one language only"),
        ({"lead": ""}, "lead or bullets stand in one language only"),
    ],
)
def test_a_difference_between_the_languages_is_found(pair, change, complaint):
    zh, en = pair
    changed = replace(en, slide=replace(en.slide, **change))
    assert any(complaint in each.message for each in check_parity("binpack", zh, changed))


def test_a_missing_detail_is_found(pair):
    zh, en = pair
    fewer = dict(list(en.details.items())[1:])
    (finding,) = check_parity("binpack", zh, replace(en, details=fewer))
    assert "has detail slides" in finding.message


def test_a_translation_of_an_older_text_is_found(pair):
    zh, en = pair
    (finding,) = check_parity("binpack", zh, replace(en, translated_from="0123456789ab"))
    assert source_hash("binpack") in finding.message


def test_a_missing_language_and_a_stray_file_are_found(monkeypatch, tmp_path):
    for lang in ("zh", "en"):
        (tmp_path / "text" / lang).mkdir(parents=True)
    (tmp_path / "text" / "zh" / "no-such-page.md").write_text("---\ntitle: x\n---\n")
    monkeypatch.setattr("gpudeck.deck.text.NOTEBOOKS", tmp_path)
    read_page_text.cache_clear()
    found = {(finding.where, finding.message.split(":")[0]) for finding in check_texts()}
    read_page_text.cache_clear()
    assert ("mig en", "the text of page 'mig' is missing in 'en'") in found
    assert ("text/zh/no-such-page.md", "belongs to no page of the outline") in found
