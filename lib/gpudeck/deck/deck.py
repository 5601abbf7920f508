"""The deck as a notebook sees it: opened for a scenario and a language, it makes pages."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from gpudeck.deck.outline import find_page
from gpudeck.deck.page import Page, Setting
from gpudeck.deck.text import LANGUAGES, read_page_text
from gpudeck.errors import InputError
from gpudeck.fact import Fact, index_facts
from gpudeck.scenario import Cluster, Scenario, read_scenario


@dataclass(frozen=True)
class Deck:
    """A scenario, a language and a seed, from which every page is made."""

    scenario: Scenario
    scenario_name: str
    lang: str
    seed: int

    @cached_property
    def setting(self) -> Setting:
        """What all pages have in common."""
        words = read_page_text("deck", self.lang).slide.labels
        return Setting(self.lang, self.seed, self.scenario.title.in_language(self.lang), words)

    @cached_property
    def cluster(self) -> Cluster:
        """The scenario's nodes and pods, read once for all pages of a notebook."""
        return self.scenario.cluster_tables(self.seed)

    def page(self, page_id: str, facts: tuple[Fact, ...] = ()) -> Page:
        """Return a page of the outline with its words and facts; `show` gives it its evidence.

        Raises
        ------
        InputError
            When the page or its text is unknown, or two facts share a key.
        """
        entry = find_page(page_id)
        text = read_page_text(entry.id, self.lang).slide
        return Page(entry, text, self.setting, index_facts(facts))

    def pending(self, page_id: str) -> Page:
        """Return a page whose model is still to come: its title, and that it is not computed."""
        entry = find_page(page_id)
        text = read_page_text(entry.id, self.lang).slide
        return Page(entry, text, self.setting, {}, pending=True)


def open_deck(scenario: str = "default", lang: str = "zh", seed: int = 0) -> Deck:
    """Open the deck for a scenario.

    Parameters
    ----------
    scenario : str
        Name of a scenario in `data/scenarios`, or path of a YAML file.
    lang : str
        Language of the pages, "zh" or "en".
    seed : int
        Non-negative seed from which all randomness is spawned.

    Raises
    ------
    InputError
        When one of the three is not allowed.
    """
    if lang not in LANGUAGES:
        msg = f"lang is {lang!r}; allowed are {' and '.join(LANGUAGES)}"
        raise InputError(msg)
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        msg = f"seed is {seed!r}; allowed are whole numbers from 0"
        raise InputError(msg)
    return Deck(read_scenario(scenario), scenario, lang, seed)
