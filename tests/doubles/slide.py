"""A slide to draw on in tests: what a figure needs of a page, and nothing of the deck's texts."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from gpudeck.deck.page import Slot


@dataclass(frozen=True)
class Slide:
    """A slide whose words are their own names, but for those in `words`."""

    width_px: int = 1168
    height_px: int = 482
    words: Mapping[str, str] = field(default_factory=dict)
    key: str = "slide"
    lang: str = "en"
    title: str = "title"
    alt: str = "what is seen"

    @property
    def slot(self) -> Slot:
        return Slot(self.width_px, self.height_px)

    def label(self, name: str) -> str:
        return self.words.get(name, name.replace("_", " "))
