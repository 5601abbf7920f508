"""A page: headline, words, evidence and source line on a canvas of 1280 × 720 pixels."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from gpudeck.deck import outline
from gpudeck.deck.citation import cite_facts
from gpudeck.deck.outline import PageEntry
from gpudeck.deck.text import HTML_LANGUAGE, SlideText, fill, fill_html, read_page_text
from gpudeck.errors import InputError
from gpudeck.fact import Fact, index_facts
from gpudeck.figures.lettering import text_width_px, wrap

WIDTH_PX, HEIGHT_PX = 1280, 720
MARGIN_PX = 56
GUTTER_PX = 24
HEADLINE_PX = 36

# vertical room, in pixels, that rise.css gives to what surrounds the evidence
_TOP_PX = 66  # padding, kicker
_HEADLINE_LINE_PX = 44
_LEAD_PX = 42
_COVER_PX = 300
_BOTTOM_PX = 78  # gap, source line, footer, padding
_SOURCE_PX, _SOURCE_LINE_PX = 14, 20


@dataclass(frozen=True)
class Slot:
    """The room, in pixels, that one piece of evidence is drawn for."""

    width_px: int
    height_px: int


@dataclass(frozen=True)
class Setting:
    """What all pages of one deck have in common."""

    lang: str
    seed: int
    scenario_title: str
    words: Mapping[str, str]


@dataclass(frozen=True)
class Page:
    """One slide: a page of the outline, or one of its detail slides.

    `slot` says how large its evidence is drawn, `label` and `alt` give the words for it, and
    `show` returns the page with its evidence, ready to be displayed by a notebook.
    """

    entry: PageEntry
    text: SlideText
    setting: Setting
    facts: Mapping[str, Fact]
    detail_id: str | None = None
    detail_place: str = ""
    evidence: tuple[str, ...] = ()
    pending: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Return the id that no other slide of the deck has."""
        return f"{self.entry.id}-{self.detail_id}" if self.detail_id else self.entry.id

    @property
    def lang(self) -> str:
        """Return the language of the page."""
        return self.text.lang

    @property
    def headline(self) -> str:
        """Return the headline with its placeholders filled; a pending page has its title."""
        if self.pending or not self.text.headline:
            return self.text.title
        return fill(self.text.headline, self.facts, self.lang, self.text.where)

    @property
    def title(self) -> str:
        """Return a short name of the evidence, for those who cannot see it."""
        return f"{self.text.title} {self.detail_place}".strip()

    @property
    def alt(self) -> str:
        """Return what the evidence shows, for those who cannot see it."""
        return fill(self.text.alt, self.facts, self.lang, self.text.where)

    def label(self, name: str) -> str:
        """Return one word or phrase of the evidence, its placeholders filled.

        Raises
        ------
        InputError
            When the text has no such label.
        """
        if name not in self.text.labels:
            msg = f"{self.text.where}: label {name!r} of slide {self.key!r} is missing"
            raise InputError(msg)
        return fill(self.text.labels[name], self.facts, self.lang, self.text.where)

    @property
    def source(self) -> str:
        """Return the line below the evidence that says where the page's facts come from."""
        facts = tuple(self.facts.values())
        return cite_facts(facts, self.setting.seed, self.setting.words, self.lang)

    @property
    def slot(self) -> Slot:
        """Return the room for one piece of evidence in the page's layout."""
        if self.text.layout == "cover":
            return Slot(WIDTH_PX - 2 * MARGIN_PX, _COVER_PX)
        lines = count_headline_lines(self.headline)
        height = HEIGHT_PX - _TOP_PX - _BOTTOM_PX - lines * _HEADLINE_LINE_PX
        height -= (count_source_lines(self.source) - 1) * _SOURCE_LINE_PX
        if self.text.lead and self.text.layout not in ("split", "code"):
            height -= _LEAD_PX
        columns = {"split": 8, "pair": 6, "code": 6}.get(self.text.layout, 12)
        column_px = (WIDTH_PX - 2 * MARGIN_PX - 11 * GUTTER_PX) / 12
        return Slot(int(columns * column_px + (columns - 1) * GUTTER_PX), height)

    def detail(self, detail_id: str, facts: tuple[Fact, ...] = ()) -> Page:
        """Return a detail slide below this page; it knows the page's facts and its own.

        Raises
        ------
        InputError
            When the text has no such detail slide.
        """
        details = read_page_text(self.entry.id, self.lang).details
        if detail_id not in details:
            msg = f"{self.text.where}: detail {detail_id!r} has no text; write `=== {detail_id}`"
            raise InputError(msg)
        place = f"{list(details).index(detail_id) + 1}/{len(details)}"
        return replace(
            self,
            text=details[detail_id],
            facts={**self.facts, **index_facts(facts)},
            detail_id=detail_id,
            detail_place=place,
            evidence=(),
            pending=False,
        )

    def show(self, *evidence: str) -> Page:
        """Return the page with its evidence: SVG or HTML made by `gpudeck.figures`."""
        return replace(self, evidence=evidence)

    def html(self) -> str:
        """Return the slide as one HTML article."""
        number = "" if self.entry.number is None else str(self.entry.number)
        layout = "full" if self.pending else self.text.layout
        return (
            f'<article class="dk dk-{layout}" id="{self.key}" lang="{HTML_LANGUAGE[self.lang]}"'
            f' data-page="{number}" data-detail="{self.detail_id or ""}"'
            f' data-stage="{self.entry.stage}">'
            f"{self._header()}{self._body()}{self._footer()}{self._notes()}</article>"
        )

    def record(self) -> dict[str, Any]:
        """Return what facts.json and the checks keep of the page."""
        return {
            "page": self.entry.id,
            "number": self.entry.number,
            "detail": self.detail_id,
            "section": self.entry.section,
            "lang": self.lang,
            "title": self.text.title,
            "headline": self.headline,
            "pending": self.pending,
            "facts": [fact.to_dict() for fact in self.facts.values()],
        }

    def plain(self) -> str:
        """Return the page as text: its place, its headline, its facts."""
        place = f"{self.entry.number}/{len(outline.PAGES)}" if self.entry.number else "+"
        head = f"{self.key} {place}: {self.headline}"
        state = ["(pending)"] if self.pending else []
        return "\n".join([head, *state, *(fact.plain() for fact in self.facts.values())])

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        return {"text/plain": self.plain(), "text/html": self.html()}, {"gpudeck": self.record()}

    def _fill(self, text: str) -> str:
        return fill_html(text, self.facts, self.lang, self.text.where)

    def _header(self) -> str:
        stage = self.setting.words[f"stage_{self.entry.stage}"] if self.entry.stage else ""
        mark = f'<span class="dk-stage">{html.escape(stage)}</span>' if stage else ""
        headline = html.escape(self.text.title) if self.pending else self._fill(self.text.headline)
        title = "" if self.pending else html.escape(self.text.title)
        if self.text.layout == "cover":
            mark, title = "", ""
        return f'<header><p class="dk-kicker">{mark}{title}</p><h2>{headline}</h2></header>'

    def _body(self) -> str:
        if self.pending:
            word = html.escape(self.setting.words["not_yet_computed"])
            question = self._fill(self.text.lead)
            return (
                f'<div class="dk-pending"><p>{word}</p><p class="dk-question">{question}</p></div>'
            )
        lead = f'<p class="dk-lead">{self._fill(self.text.lead)}</p>' if self.text.lead else ""
        points = "".join(f"<li>{self._fill(bullet)}</li>" for bullet in self.text.bullets)
        words = f'<div class="dk-words">{lead}{f"<ul>{points}</ul>" if points else ""}</div>'
        pieces = "".join(f"<figure>{piece}</figure>" for piece in self.evidence)
        return f'{words}<div class="dk-evidence">{pieces}</div>'

    def _footer(self) -> str:
        words = self.setting.words
        rail = "".join(
            f"<i{' class=dk-here' if stage == self.entry.stage else ''}></i>"
            for stage in range(1, outline.STAGES + 1)
        )
        if self.entry.number is None:
            place = html.escape(words["appendix"])
        else:
            place = f"{self.entry.number} / {len(outline.PAGES)}"
        if self.detail_place:
            place += f" <small>{html.escape(words['detail'])} {self.detail_place}</small>"
        section = html.escape(words[f"section_{self.entry.section}"])
        return (
            f'<footer><p class="dk-source">{html.escape(self.source)}</p><div class="dk-foot">'
            f'<span class="dk-rail" aria-hidden="true">{rail}</span>'
            f'<span class="dk-section">{section}</span>'
            f'<span class="dk-scenario">{html.escape(self.setting.scenario_title)}</span>'
            f'<span class="dk-number">{place}</span></div></footer>'
        )

    def _notes(self) -> str:
        if not self.text.notes:
            return ""
        paragraphs = (part for part in self.text.notes.split("\n\n") if part.strip())
        body = "".join(f"<p>{self._fill(' '.join(part.split()))}</p>" for part in paragraphs)
        return f'<aside class="notes">{body}</aside>'


def count_headline_lines(headline: str) -> int:
    """Return how many lines a headline takes at the deck's width and headline size."""
    return len(wrap(headline, WIDTH_PX - 2 * MARGIN_PX, HEADLINE_PX, weight=700))


def count_source_lines(source: str) -> int:
    """Return how many lines the source line takes below the evidence, at least one."""
    # lines break between words and authors, so they are not filled to their end
    filled = text_width_px(source, _SOURCE_PX) / (0.98 * (WIDTH_PX - 2 * MARGIN_PX))
    return max(1, math.ceil(filled))
