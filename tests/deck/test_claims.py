"""Every number of the built deck is a fact that can be traced; each gap is found."""

import json

import pytest

from gpudeck.deck.checks import run_checks
from gpudeck.deck.checks.claims import check_claims, check_pages, compare_facts
from gpudeck.deck.outline import APPENDIX, PAGES
from gpudeck.deck.text import read_page_text

FACT = {
    "key": "fleet",
    "value": 8,
    "unit": "count",
    "kind": "computed",
    "source": "model:packing",
    "function": "gpudeck.fact.function_name",
}


def record(**changes):
    asked = sorted(read_page_text("title", "en").slide.placeholders())
    facts = [{**FACT, **changes}, *({**FACT, "key": key} for key in asked)]
    return {"page": "title", "detail": None, "pending": False, "facts": facts}


def complaints(findings):
    return " | ".join(finding.message for finding in findings)


def test_the_built_deck_passes_every_check_without_a_browser(built):
    folder = built["zh"].folder.parent
    findings = run_checks("default", ("zh", "en"), browser=False, out=folder)
    errors = [finding for finding in findings if finding.severity == "error"]
    assert errors == []


def test_facts_of_the_built_deck_are_the_same_in_both_languages(built):
    zh, en = (json.loads(built[lang].facts.read_text())["pages"] for lang in ("zh", "en"))
    assert sum(len(page["facts"]) for page in zh) > 20
    assert compare_facts(zh, en) == []


def test_a_deck_that_is_not_built_is_found(tmp_path):
    findings = run_checks("default", ("en",), browser=False, out=tmp_path)
    assert "is not built; run gpudeck build --scenario default --lang en" in complaints(findings)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"source": "nobody-2020"}, "is no row of data/sources.csv"),
        ({"source": ""}, "is no row of data/sources.csv"),
        ({"function": "gpudeck.fact.no_such_function"}, "there is no function"),
        ({"function": "gpudeck.no_such_module.f"}, "there is no function"),
        ({"function": "os.getcwd"}, "there is no function"),
    ],
)
def test_a_fact_that_cannot_be_traced_is_found(change, complaint):
    assert complaint in complaints(check_claims([record(**change)], "en", "default"))


@pytest.mark.parametrize("source", ["model:packing", "default"])
def test_a_model_and_the_scenario_are_sources(source):
    assert check_claims([record(source=source)], "en", "default") == []


def test_a_file_of_the_reader_is_a_source_of_what_the_scenario_says():
    mine = record(source="log.csv", kind="scenario")
    assert check_claims([mine], "en", "default") == []
    computed = record(source="log.csv")
    assert "is no row of data/sources.csv" in complaints(check_claims([computed], "en", "default"))


def test_a_placeholder_without_a_fact_is_found():
    page = {**record(), "page": "binpack"}
    assert "placeholders without a fact: " in complaints(check_claims([page], "zh", "default"))


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"value": 9}, "facts differ: fleet"),
        ({"unit": "%"}, "facts differ: fleet"),
        ({"function": "gpudeck.fact.index_facts"}, "facts differ: fleet"),
        ({"key": "other"}, "facts differ: fleet, other"),
    ],
)
def test_facts_that_differ_between_languages_are_found(change, complaint):
    assert complaint in complaints(compare_facts([record()], [record(**change)]))


def test_names_may_differ_between_languages():
    zh, en = (record(value=name) for name in ("默认", "default"))
    assert compare_facts([zh], [en]) == []


def test_a_slide_in_one_language_only_is_found():
    assert "missing in the English deck" in complaints(compare_facts([record()], []))
    assert "missing in the Chinese deck" in complaints(compare_facts([], [record()]))


def article(page_id, number, detail=""):
    number = number or ""
    return (
        f'<article class="dk dk-wide" id="{page_id}" lang="en" data-page="{number}"'
        f' data-detail="{detail}" data-stage="1"></article>'
    )


def test_pages_are_counted_against_the_outline():
    whole = [article(entry.id, entry.number) for entry in (*PAGES, APPENDIX)]
    detail = article("mig-more", 6, "more")
    assert check_pages("".join([*whole, detail]), [], "en") == []
    assert "missing: title" in complaints(check_pages("".join(whole[1:]), [], "en"))
    swapped = [whole[1], whole[0], *whole[2:]]
    assert "in its order" in complaints(check_pages("".join(swapped), [], "en"))


def test_a_pending_page_is_listed_and_no_error():
    (finding,) = [
        finding
        for finding in check_pages("", [{**record(), "pending": True}], "en")
        if finding.severity == "pending"
    ]
    assert finding.where == "title"
