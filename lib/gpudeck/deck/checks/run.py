"""All checks of the deck, from its sources to what a browser shows."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from gpudeck.deck.browser import HINT, find_browser, launch
from gpudeck.deck.build import EXPORT, FACTS
from gpudeck.deck.checks.claims import check_claims, check_pages, compare_facts
from gpudeck.deck.checks.finding import Finding
from gpudeck.deck.checks.layout import check_layout
from gpudeck.deck.checks.notebooks import check_notebooks
from gpudeck.deck.checks.texts import check_texts
from gpudeck.deck.publish import HTML
from gpudeck.scenario import read_scenario


def run_checks(
    scenario: str, langs: Sequence[str], *, browser: bool, out: Path | None = None
) -> list[Finding]:
    """Check notebooks, texts and a built deck, and return what is wrong or still pending.

    Parameters
    ----------
    scenario : str
        Name or path of the scenario whose build is checked.
    langs : sequence of str
        The languages whose build is checked; notebooks and texts are always checked in all.
    browser : bool
        Whether to look for overflow in a real browser.
    out : Path, optional
        The folder that the deck was built into; `export/<scenario>` without it.
    """
    scenario_id = read_scenario(scenario).id
    folder = out or EXPORT / scenario_id
    findings = [*check_notebooks(), *check_texts()]
    built = {
        lang: folder / lang
        for lang in langs
        if all((folder / lang / name).is_file() for name in (HTML, FACTS))
    }
    for lang in langs:
        if lang not in built:
            message = f"is not built; run gpudeck build --scenario {scenario} --lang {lang}"
            findings.append(Finding("pages", str(folder / lang), message))
    records: dict[str, list[dict[str, Any]]] = {}
    for lang, place in built.items():
        records[lang] = json.loads((place / FACTS).read_text(encoding="utf-8"))["pages"]
        html = (place / HTML).read_text(encoding="utf-8")
        findings += check_pages(html, records[lang], lang)
        findings += check_claims(records[lang], lang, scenario_id)
    if len(records) > 1:
        findings += compare_facts(records["zh"], records["en"])
    findings += _look(built) if browser and built else []
    return list(dict.fromkeys(findings))  # a page is pending in both languages, but once


def _look(built: Mapping[str, Path]) -> list[Finding]:
    executable = find_browser()
    if executable is None:
        return [Finding("layout", "browser", HINT)]
    with launch(executable) as started:
        return [
            finding
            for lang, place in built.items()
            for finding in check_layout(started, place / HTML, lang)
        ]
