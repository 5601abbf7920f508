"""What every picture asks of the page that shows it."""

from __future__ import annotations

from typing import Protocol, TypedDict


class Slot(Protocol):
    """Room for one picture, in pixels."""

    @property
    def width_px(self) -> int:
        """Width."""

    @property
    def height_px(self) -> int:
        """Height."""


class Captioned(Protocol):
    """A slide: it gives a picture its id, its words, its description and its room."""

    @property
    def key(self) -> str:
        """Prefix of all ids."""

    @property
    def lang(self) -> str:
        """Language of the words."""

    @property
    def title(self) -> str:
        """Name of the picture, for those who cannot see it."""

    @property
    def alt(self) -> str:
        """What the picture shows, for those who cannot see it."""

    @property
    def slot(self) -> Slot:
        """Room for the picture."""

    def label(self, name: str) -> str:
        """Return a word of the picture."""


class Description(TypedDict):
    """What every template of a diagram takes: id, words for those who cannot see it, and size."""

    key: str
    title: str
    description: str
    width_px: float
    height_px: float


def describe(page: Captioned) -> Description:
    """Return what a template needs to fill the room of a slide with one picture."""
    return Description(
        key=page.key,
        title=page.title,
        description=page.alt,
        width_px=page.slot.width_px,
        height_px=page.slot.height_px,
    )
