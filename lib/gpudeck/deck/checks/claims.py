"""Every number on a page is a fact with a source and a function, the same in both languages."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from functools import cache
from html.parser import HTMLParser
from typing import Any

from gpudeck.deck.checks.finding import Finding
from gpudeck.deck.citation import MODEL
from gpudeck.deck.outline import APPENDIX, PAGES
from gpudeck.deck.text import read_page_text
from gpudeck.tables import read_sources

Record = Mapping[str, Any]


class _Outline(HTMLParser):
    """Collects id and number of each page in an exported deck; details are left out."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.pages: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note a page where its article begins."""
        found = dict(attrs)
        is_slide = tag == "article" and "dk" in (found.get("class") or "").split()
        if is_slide and not found.get("data-detail"):
            self.pages.append((found.get("id") or "", found.get("data-page") or ""))


def check_pages(html: str, records: Sequence[Record], lang: str) -> list[Finding]:
    """Return how an exported deck differs from the outline, and which pages are pending."""
    findings = [
        Finding("pages", record["page"], "is not yet computed", "pending")
        for record in records
        if record["pending"]
    ]
    shown = _Outline(html).pages
    wanted = [(entry.id, str(entry.number or "")) for entry in (*PAGES, APPENDIX)]
    if shown != wanted:
        missing = [key for key, _ in wanted if key not in dict(shown)]
        message = (
            f"has {len(shown)} pages (missing: {', '.join(missing) or 'none'}); wanted are the "
            f"{len(PAGES)} of the outline, in its order, and the appendix"
        )
        findings.append(Finding("pages", f"{lang} deck.html", message))
    return findings


def check_claims(records: Sequence[Record], lang: str, scenario_id: str) -> list[Finding]:
    """Return the facts without a source or a function, and the words without a fact."""
    findings = []
    for record in records:
        where = f"{lang} {record['page']} {record['detail'] or ''}".strip()
        messages = [
            message for fact in record["facts"] for message in _judge_fact(fact, scenario_id)
        ]
        text = read_page_text(record["page"], lang)
        slide = text.details[record["detail"]] if record["detail"] else text.slide
        known = {fact["key"] for fact in record["facts"]}
        if not record["pending"] and (unfilled := slide.placeholders() - known):
            messages.append(f"placeholders without a fact: {', '.join(sorted(unfilled))}")
        findings += [Finding("claims", where, message) for message in messages]
    return findings


def compare_facts(zh: Sequence[Record], en: Sequence[Record]) -> list[Finding]:
    """Return where the English deck states other facts than the Chinese one."""
    findings = []
    chinese, english = _by_slide(zh), _by_slide(en)
    for key in [*chinese, *(key for key in english if key not in chinese)]:
        left, right = chinese.get(key), english.get(key)
        if left is None or right is None:
            language = "English" if right is None else "Chinese"
            findings.append(Finding("parity", key, f"is missing in the {language} deck"))
        elif left != right:
            differ = sorted(name for name in {*left, *right} if left.get(name) != right.get(name))
            findings.append(Finding("parity", key, f"facts differ: {', '.join(differ)}"))
    return findings


def _by_slide(records: Sequence[Record]) -> dict[str, dict[str, Any]]:
    # names are written in the deck's language; numbers, sources and functions are not
    return {
        f"{record['page']} {record['detail'] or ''}".strip(): {
            fact["key"]: {**fact, "value": None} if isinstance(fact["value"], str) else fact
            for fact in record["facts"]
        }
        | {"(pending)": record["pending"]}
        for record in records
    }


def _judge_fact(fact: Record, scenario_id: str) -> list[str]:
    messages = []
    source = str(fact.get("source", ""))
    known = source.startswith(MODEL) or source == scenario_id or source in read_sources()
    # a file that the scenario names, such as the reader's own table or log
    own = bool(source) and fact.get("kind") == "scenario"
    if not (known or own):
        messages.append(f"fact {fact['key']!r}: source {source!r} is no row of data/sources.csv")
    if not _exists(str(fact.get("function", ""))):
        messages.append(f"fact {fact['key']!r}: there is no function {fact.get('function')!r}")
    return messages


@cache
def _exists(function: str) -> bool:
    module, _, name = function.rpartition(".")
    if not module.startswith("gpudeck"):
        return False
    try:
        return callable(getattr(importlib.import_module(module), name, None))
    except ModuleNotFoundError:
        return False
