"""Pages, their words, and the ways in which they are built, shown and checked."""

from gpudeck.deck.deck import Deck, open_deck

__all__ = ["Deck", "open_deck"]
