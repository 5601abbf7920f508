"""The source line below a page's evidence, generated from the facts that the page shows."""

from __future__ import annotations

from collections.abc import Mapping

from gpudeck.fact import Fact
from gpudeck.tables import read_sources

MODEL = "model:"
TITLE_LENGTH = 40


def cite_facts(facts: tuple[Fact, ...], seed: int, words: Mapping[str, str], lang: str) -> str:
    """Return one line: for each kind of fact, who made it.

    Parameters
    ----------
    facts : tuple of Fact
        The facts of one page.
    seed : int
        Seed of the simulations.
    words : mapping
        The deck's own words in `lang` (`kind_<kind>`, `source`, `model_seed`, …).
    lang : str
        "zh" or "en".
    """
    colon, comma, stop = ("：", "、", "；") if lang == "zh" else (": ", ", ", "; ")
    by_kind: dict[str, list[str]] = {}
    for fact in facts:
        names = by_kind.setdefault(fact.kind, [])
        name = _cite(fact, seed, words)
        if name not in names:
            names.append(name)
    parts = [f"{words[f'kind_{kind}']}{colon}{comma.join(by_kind[kind])}" for kind in by_kind]
    return f"{words['source']}{colon}{stop.join(parts)}" if parts else ""


def _cite(fact: Fact, seed: int, words: Mapping[str, str]) -> str:
    if fact.source.startswith(MODEL):
        name = fact.source.removeprefix(MODEL)
        if fact.kind == "simulated":
            return words["model_seed"].format(model=name, seed=seed)
        return words["model"].format(model=name)
    if fact.kind == "scenario":
        return words["scenario_file"].format(name=fact.source)
    source = read_sources().get(fact.source)
    if source is None:  # the reader's own table
        return fact.source
    # the line has to hold several: author, year, and the title up to its subtitle
    title = source.title.split(":")[0].split("(")[0].strip()
    parts = (source.author, source.year, title if len(title) <= TITLE_LENGTH else "")
    return " ".join(str(part) for part in parts if part)
