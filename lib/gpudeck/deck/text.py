"""The words of the pages: one Markdown file a page and language, with placeholders for facts.

A file holds the page and, after lines `=== <detail id>`, its detail slides. Each slide has

    # headline            with {placeholders} filled from facts
    lead                  one line
    - bullets
    ## labels             `name: text` lines, the words in its figures
    ## alt                what the evidence shows, for those who cannot see it
    ## notes              what the presenter says

A placeholder is `{key}`, `{key:n}` (number without unit), `{key:band}` (its interval) or
`{key:1}`, `{key:n1}`, `{key:band1}` with that many decimals.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from markdown_it import MarkdownIt

from gpudeck.deck.outline import NOTEBOOKS
from gpudeck.errors import InputError
from gpudeck.fact import Fact
from gpudeck.interval import Interval
from gpudeck.units import format_number, format_quantity

LANGUAGES = ("zh", "en")
LAYOUTS = ("wide", "split", "pair", "full", "table", "cover", "code")
HTML_LANGUAGE = {"zh": "zh-CN", "en": "en"}

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)(?::(n|band)?(\d)?)?\}")
_DETAIL = re.compile(r"^=== +([a-z0-9-]+) *$", re.M)
_PART = re.compile(r"^## +(labels|alt|notes) *$", re.M)
_MARKDOWN = MarkdownIt("zero").enable(["emphasis", "backticks"])


@dataclass(frozen=True)
class SlideText:
    """The words of one slide, placeholders not yet filled."""

    where: str
    lang: str
    title: str
    layout: str = "wide"
    headline: str = ""
    lead: str = ""
    bullets: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    alt: str = ""
    notes: str = ""

    def placeholders(self) -> frozenset[str]:
        """Return the keys of all facts that the slide asks for."""
        words = (self.headline, self.lead, self.alt, self.notes, *self.bullets)
        found = (_PLACEHOLDER.findall(text) for text in (*words, *self.labels.values()))
        return frozenset(key for matches in found for key, *_ in matches)


@dataclass(frozen=True)
class PageText:
    """The words of one page: the slide itself and its detail slides, in order."""

    slide: SlideText
    details: Mapping[str, SlideText]
    minutes: float
    translated_from: str | None


def text_path(page_id: str, lang: str) -> Path:
    """Return the path of the file with a page's words."""
    if lang not in LANGUAGES:
        msg = f"language {lang!r} is unknown: allowed are {' and '.join(LANGUAGES)}"
        raise InputError(msg)
    return NOTEBOOKS / "text" / lang / f"{page_id}.md"


@cache
def read_page_text(page_id: str, lang: str) -> PageText:
    """Read the words of a page in one language.

    Raises
    ------
    InputError
        When the file is missing or malformed: the message names file and line.
    """
    path = text_path(page_id, lang)
    if not path.is_file():
        msg = f"the text of page {page_id!r} is missing in {lang!r}: write {_short(path)}"
        raise InputError(msg)
    source = path.read_text(encoding="utf-8")
    head, body = _read_head(source, path)
    pieces = _DETAIL.split(body)
    slide = _parse_slide(pieces[0], head["title"], head.get("layout", "wide"), lang, path)
    details: dict[str, SlideText] = {}
    for detail_id, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        layout, rest = _take_layout(piece)
        details[detail_id] = _parse_slide(rest, head["title"], layout, lang, path)
    return PageText(slide, details, float(head.get("minutes", 0)), head.get("translated-from"))


def source_hash(page_id: str, lang: str = "zh") -> str:
    """Return the fingerprint of a text, which its translation remembers."""
    text = text_path(page_id, lang).read_text(encoding="utf-8")
    return hashlib.sha256(text.strip().encode()).hexdigest()[:12]


def fill(text: str, facts: Mapping[str, Fact], lang: str, where: str) -> str:
    """Return plain text with each placeholder replaced by its fact.

    Raises
    ------
    InputError
        When a placeholder has no fact: the message names both.
    """
    return _PLACEHOLDER.sub(lambda match: _show_fact(match, facts, lang, where), text)


def fill_html(text: str, facts: Mapping[str, Fact], lang: str, where: str) -> str:
    """Return HTML of one line of Markdown (emphasis and code) with its placeholders filled.

    Values are escaped and never read as Markdown: a scenario's strings come from anywhere.
    """
    values: list[str] = []

    def park(match: re.Match[str]) -> str:
        values.append(_show_fact(match, facts, lang, where))
        return f"\ue000{len(values) - 1}\ue001"

    rendered = _MARKDOWN.renderInline(_PLACEHOLDER.sub(park, text))
    return re.sub(
        "\ue000(\\d+)\ue001", lambda match: html.escape(values[int(match.group(1))]), rendered
    )


def _show_fact(match: re.Match[str], facts: Mapping[str, Fact], lang: str, where: str) -> str:
    key, form, digits = match.groups()
    if key not in facts:
        known = ", ".join(sorted(facts)) or "none"
        msg = f"{where}: placeholder {{{key}}} has no fact; the page's facts are: {known}"
        raise InputError(msg)
    fact = facts[key]
    if isinstance(fact.value, str):
        return fact.value
    decimals = int(digits) if digits else fact.decimals
    if form == "band":
        if fact.interval is None:
            msg = f"{where}: placeholder {{{key}:band}} asks for an interval that the fact lacks"
            raise InputError(msg)
        return format_interval(fact.interval, fact.unit, lang, decimals=decimals)
    if form == "n":
        return format_number(fact.value, lang, decimals=decimals)
    return format_quantity(fact.value, fact.unit, lang, decimals=decimals)


def format_interval(interval: Interval, unit: str, lang: str, decimals: int | None = None) -> str:
    """Return an interval the way a reader of the language expects it.

    >>> format_interval(Interval(95.4, 95.3, 95.5), "%", "zh", decimals=1)
    '95.3%～95.5%'
    >>> format_interval(Interval(95.4, 95.3, 95.5), "%", "en", decimals=1)
    '95.3–95.5%'
    """
    high = format_quantity(interval.high, unit, lang, decimals=decimals)
    if lang == "zh":
        return f"{format_quantity(interval.low, unit, lang, decimals=decimals)}～{high}"
    return f"{format_number(interval.low, lang, decimals=decimals)}–{high}"


def _read_head(source: str, path: Path) -> tuple[dict[str, str], str]:
    match = re.match(r"---\n(.*?)\n---\n", source, re.S)
    if match is None:
        msg = f"{_short(path)} line 1: a text begins with a head between two lines of ---"
        raise InputError(msg)
    head: dict[str, str] = {}
    allowed = ("title", "layout", "minutes", "translated-from")
    for number, line in enumerate(match.group(1).splitlines(), start=2):
        name, colon, value = line.partition(":")
        if not colon or name.strip() not in allowed:
            msg = f"{_short(path)} line {number}: {line!r}; allowed are {', '.join(allowed)}"
            raise InputError(msg)
        head[name.strip()] = value.strip()
    if "title" not in head:
        msg = f"{_short(path)}: the head lacks `title:`"
        raise InputError(msg)
    return head, source[match.end() :]


def _take_layout(piece: str) -> tuple[str, str]:
    match = re.match(r"\s*layout: *(\w+) *\n", piece)
    return (match.group(1), piece[match.end() :]) if match else ("wide", piece)


def _parse_slide(piece: str, title: str, layout: str, lang: str, path: Path) -> SlideText:
    if layout not in LAYOUTS:
        msg = f"{_short(path)}: layout {layout!r} is unknown; allowed are {', '.join(LAYOUTS)}"
        raise InputError(msg)
    first, *rest = _PART.split(piece)
    parts = dict(zip(rest[::2], rest[1::2], strict=True))
    lines = [line.strip() for line in first.strip().splitlines() if line.strip()]
    headline = " ".join(line[2:] for line in lines if line.startswith("# "))
    bullets = tuple(line[2:] for line in lines if line.startswith("- "))
    # Chinese lines join without a gap, English ones with a space
    glue = "" if lang == "zh" else " "
    lead = glue.join(line for line in lines if not line.startswith(("# ", "- ")))
    labels: dict[str, str] = {}
    for line in parts.get("labels", "").strip().splitlines():
        name, colon, value = line.partition(":")
        if not colon:
            msg = f"{_short(path)}: label {line!r} is not of the form `name: text`"
            raise InputError(msg)
        labels[name.strip()] = value.strip().replace("\\n", "\n")
    return SlideText(
        where=_short(path),
        lang=lang,
        title=title,
        layout=layout,
        headline=headline,
        lead=lead,
        bullets=bullets,
        labels=labels,
        alt=" ".join(parts.get("alt", "").split()),
        notes=parts.get("notes", "").strip(),
    )


def _short(path: Path) -> str:
    return str(path.relative_to(NOTEBOOKS.parent))
