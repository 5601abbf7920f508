"""The architecture of page 10 is drawn for a fleet of any size."""

from functools import partial

import pytest

from gpudeck.figures.orchestration import draw_packing_architecture
from gpudeck.models.scheduling import NodeSnapshot
from slide import Slide as AnySlide

Slide = partial(AnySlide, height_px=532)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_a_small_fleet_fills_the_diagram(count: int) -> None:
    nodes = [NodeSnapshot(f"node-{i}", "T4", (1.0, 0.5), 0.9, 0.4) for i in range(count)]
    svg = draw_packing_architecture(nodes, Slide())
    assert [f"node-{i} · T4" in svg for i in range(4)] == [i < count for i in range(4)]
