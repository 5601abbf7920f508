"""Checks of the whole deck: thin notebooks, texts, claims, pages, layout in a real browser."""

from gpudeck.deck.checks.finding import Finding
from gpudeck.deck.checks.run import run_checks

__all__ = ["Finding", "run_checks"]
