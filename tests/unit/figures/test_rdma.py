"""Pictures of page 15: drawn for clusters of every size, from the model's own objects."""

from dataclasses import dataclass, field

import pytest

from gpudeck.deck.page import Slot
from gpudeck.figures.rdma import write_bytes
from gpudeck.figures.rdma_sheets import draw_choices, draw_published
from gpudeck.figures.rdma_topology import draw_fat_tree, draw_rails, draw_roce_stack
from gpudeck.models.fabric.job import FabricJob
from gpudeck.models.fabric.study import study_scale
from gpudeck.models.fabric.topology import drawn_rails, fat_tree


@dataclass(frozen=True)
class Slide:
    """A slide whose labels are their own names."""

    key: str = "slide"
    lang: str = "en"
    title: str = "title"
    alt: str = "alt"
    slot: Slot = field(default_factory=lambda: Slot(1168, 480))

    def label(self, name):
        return name


@dataclass(frozen=True)
class Result:
    """A published result beside the computed one."""

    published: float
    ok: bool
    id: str = "busbw@x"
    computed: float = 40.0
    error: float = 1.0
    tolerance: float = 2.0
    unit: str = "GB/s"
    kind: str = "target"


@pytest.mark.parametrize(
    ("size", "words"), [(1, "1 B"), (1536, "1.5 KiB"), (2**20, "1 MiB"), (2.0**34, "16 GiB")]
)
def test_bytes_are_written_by_powers_of_two(size, words):
    assert write_bytes(size) == words


@pytest.mark.parametrize("k", [2, 4])
def test_a_fat_tree_draws_each_of_its_links_once(k):
    topology = fat_tree(k)
    svg = draw_fat_tree(topology, Slide())
    vertices = topology.of_kind("host", "leaf", "aggregation", "spine")
    # a panel for each pod; a box for each vertex
    assert svg.count("<rect") == len(vertices) + k
    assert svg.count("<path") == topology.graph.number_of_edges()


@pytest.mark.parametrize("gpus", [1, 2, 3, 8, 72])
def test_rails_of_every_size_are_drawn(gpus):
    svg = draw_rails(drawn_rails(gpus), Slide())
    assert svg.count(">nvswitch<") == 4


def test_the_stack_of_roce_tells_both_ways_to_slow_down():
    svg = draw_roce_stack(Slide())
    assert svg.count(">cnp<") == 2
    assert svg.count(">pause<") == 1


@pytest.mark.parametrize("per_node", [1, 2, 8, 72])
def test_the_map_fits_whatever_wins(per_node):
    job = FabricJob("llama-3-8b", "B200", "IB-XDR", 1024, per_node, 1e9)
    assert ">tree_ll<" in draw_choices(study_scale(job), Slide())


def test_a_missed_result_is_marked():
    table = draw_published([Result(41.0, ok=True), Result(3.2, ok=False)], Slide())
    assert table.count("dk-mark") == 1
    assert "3.2 ± 2.0" in table
    assert "missed" in table
