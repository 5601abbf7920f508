"""Texts say the same in both languages, briefly, in clean typography, with computed numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gpudeck.deck.checks.finding import Finding
from gpudeck.deck.outline import APPENDIX, PAGES
from gpudeck.deck.text import (
    LANGUAGES,
    PageText,
    SlideText,
    read_page_text,
    source_hash,
    text_path,
)
from gpudeck.errors import InputError

SHARED_WORDS = "deck"  # the words that all pages have in common
HEADLINE_LIMIT = {"zh": (28, "characters"), "en": (14, "words")}
BODY_LIMIT = {"zh": (60, "characters"), "en": (40, "words")}

_PLACEHOLDER = re.compile(r"\{[^{}]*\}")
_CJK = r"[\u3400-\u9fff]"
_CODE = re.compile(r"`[^`]*`")
_PUNCTUATION = "，。；：、！？）》」』”％"
_TYPOGRAPHY = (
    (re.compile(rf"{_CJK}[,.;:!?()]|[,;:!?()]{_CJK}"), "half-width punctuation beside Chinese"),
    (re.compile(rf"{_CJK} +[A-Za-z0-9{{]|[A-Za-z0-9%}}] +{_CJK}"), "a typed space beside Chinese"),
    (re.compile(rf"{_CJK} +{_CJK}"), "a space between Chinese characters"),
    (re.compile(rf" +[{_PUNCTUATION}]"), "a space before punctuation"),
    (re.compile(rf"^[{_PUNCTUATION}]", re.M), "a line that begins with punctuation"),
)
# numbers that are part of a name, not a claim: a page, a stage, the level of an interval
_NAMED_NUMBER = re.compile(
    r"第 ?\d+ ?页|阶段 ?\d|95% ?(?:置信)?区间"
    r"|\b(?:[Pp]ages?|[Ss]tages?) \d+(?:[–-]\d+)?|95% (?:confidence )?(?:interval|band)s?"
)
_TYPED_NUMBER = re.compile(r"(?<![A-Za-z0-9_.\-])\d[\d.,]*%?")


def check_texts() -> list[Finding]:
    """Return what is wrong with the texts of all pages, in both languages and between them."""
    findings: list[Finding] = []
    names = [entry.id for entry in (*PAGES, APPENDIX)]
    for name in (*names, SHARED_WORDS):
        texts: dict[str, PageText] = {}
        for lang in LANGUAGES:
            try:
                texts[lang] = read_page_text(name, lang)
            except InputError as error:
                findings.append(Finding("texts", f"{name} {lang}", str(error)))
        for text in texts.values():
            for slide in (text.slide, *text.details.values()):
                findings += check_slide_text(slide, limited=slide is text.slide)
        if len(texts) == len(LANGUAGES):
            findings += check_parity(name, texts["zh"], texts["en"])
    return [*findings, *_find_strays({*names, SHARED_WORDS})]


def check_slide_text(slide: SlideText, *, limited: bool = True) -> list[Finding]:
    """Return what is wrong with the words of one slide; `limited` asks for a short body, too."""
    messages = [*_judge_length(slide, limited=limited), *_judge_numbers(slide)]
    if slide.lang == "zh":
        messages += _judge_typography(slide)
    return [Finding("texts", slide.where, message) for message in messages]


def check_parity(name: str, zh: PageText, en: PageText) -> list[Finding]:
    """Return how the English text of a page differs in structure from the Chinese."""
    messages: list[str] = []
    if en.translated_from != source_hash(name):
        messages.append(
            f"was translated from another Chinese text ({en.translated_from}): read what changed, "
            f"then write translated-from: {source_hash(name)}"
        )
    if list(zh.details) != list(en.details):
        messages.append(f"has detail slides {[*en.details]}, the Chinese has {[*zh.details]}")
    pairs = [("", zh.slide, en.slide)]
    pairs += [
        (f" of {key}", zh.details[key], en.details[key]) for key in zh.details if key in en.details
    ]
    for place, chinese, english in pairs:
        for what, left, right in (
            ("placeholders", chinese.placeholders(), english.placeholders()),
            ("labels", set(chinese.labels), set(english.labels)),
            ("layout", {chinese.layout}, {english.layout}),
        ):
            if left != right:
                messages.append(
                    f"{what}{place} differ: only Chinese {sorted(left - right)}, "
                    f"only English {sorted(right - left)}"
                )
        if len(chinese.bullets) != len(english.bullets) or bool(chinese.lead) != bool(english.lead):
            messages.append(f"lead or bullets{place} stand in one language only")
    return [Finding("parity", en.slide.where, message) for message in messages]


def count_words(text: str, lang: str) -> int:
    """Return the length of a text: characters of Chinese, words of English.

    A placeholder counts as the number that it becomes: three characters, or one word.

    Examples
    --------
    >>> count_words("GPU分配率升到{fgd:0}", "zh")
    11
    >>> count_words("Allocation rises to {fgd:0}", "en")
    4
    """
    plain = _PLACEHOLDER.sub("00%", text).replace("**", "").replace("`", "")
    return len(plain.split()) if lang == "en" else len(re.sub(r"\s", "", plain))


def _judge_length(slide: SlideText, *, limited: bool) -> Iterator[str]:
    parts = [("headline", slide.headline, HEADLINE_LIMIT)]
    if limited:
        parts.append(("body", " ".join((slide.lead, *slide.bullets)), BODY_LIMIT))
    for part, text, limits in parts:
        limit, unit = limits[slide.lang]
        count = count_words(text, slide.lang)
        if count > limit:
            yield f"{part} has {count} {unit}; allowed are {limit}: {text}"


def _judge_numbers(slide: SlideText) -> Iterator[str]:
    for text in (slide.headline, slide.lead, *slide.bullets, slide.alt):
        bare = _NAMED_NUMBER.sub("", _CODE.sub("", _PLACEHOLDER.sub("", text)))
        for number in _TYPED_NUMBER.findall(bare):
            yield f"the number {number} is typed; fill it from a fact, by a placeholder: {text}"


def _judge_typography(slide: SlideText) -> Iterator[str]:
    # pseudocode is set in columns, its spaces are meant
    labels = [text for name, text in slide.labels.items() if name != "code"]
    for text in (slide.headline, slide.lead, *slide.bullets, *labels, slide.alt, slide.notes):
        bare = _CODE.sub("", text)
        for pattern, fault in _TYPOGRAPHY:
            match = pattern.search(bare)
            if match:
                around = bare[max(0, match.start() - 6) : match.end() + 6]
                yield f"{fault}: …{around}…"


def _find_strays(names: set[str]) -> list[Finding]:
    return [
        Finding("texts", f"text/{lang}/{path.name}", "belongs to no page of the outline")
        for lang in LANGUAGES
        for path in sorted(text_path(SHARED_WORDS, lang).parent.glob("*"))
        if path.suffix != ".md" or path.stem not in names
    ]
