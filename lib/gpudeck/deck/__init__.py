"""Pages, their words, and the ways in which they are built, shown and checked."""

from gpudeck.deck.deck import Deck, open_deck
from gpudeck.deck.explorer import explore, explore_live

__all__ = ["Deck", "explore", "explore_live", "open_deck"]
