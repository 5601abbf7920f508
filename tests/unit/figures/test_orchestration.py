"""The architecture of page 10 is drawn for a fleet of any size."""

from dataclasses import dataclass

import pytest

from gpudeck.deck.page import Slot
from gpudeck.figures.orchestration import draw_packing_architecture
from gpudeck.models.scheduling import NodeSnapshot


@dataclass(frozen=True)
class Slide:
    """A slide whose words are their own names."""

    key: str = "slide"
    lang: str = "en"
    title: str = "title"
    alt: str = "what is seen"

    @property
    def slot(self) -> Slot:
        return Slot(1168, 532)

    def label(self, name: str) -> str:
        return name.replace("_", " ")


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_small_fleet_fills_the_diagram(count: int) -> None:
    nodes = [NodeSnapshot(f"node-{i}", "T4", (1.0, 0.5), 0.9, 0.4) for i in range(count)]
    svg = draw_packing_architecture(nodes, Slide())
    assert [f"node-{i} · T4" in svg for i in range(4)] == [i < count for i in range(4)]
