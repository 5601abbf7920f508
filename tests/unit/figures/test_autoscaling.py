"""Page 23's pictures of the small scenario: they draw, say what they are, and show the numbers."""

from dataclasses import dataclass

import pytest

from gpudeck.figures import autoscaling as figures
from gpudeck.figures.autoscaling_spot import draw_spot
from gpudeck.figures.autoscaling_what_if import autoscaling_what_if
from gpudeck.models.resilience import autoscaling
from gpudeck.scenario import read_scenario


@dataclass(frozen=True)
class Slot:
    width_px: int = 576
    height_px: int = 480


@dataclass(frozen=True)
class Slide:
    """A slide whose words are the names of its labels."""

    key: str = "slide"
    lang: str = "en"
    title: str = "Title"
    alt: str = "What it shows"
    slot: Slot = Slot()

    def label(self, name):
        return name


@pytest.fixture(scope="module")
def section():
    return read_scenario("small").autoscaling.model_copy(update={"days": 1})


@pytest.fixture(scope="module")
def study(section):
    return autoscaling.study_elasticity(section, 2, 0)


def test_frontier_names_each_policy_with_its_number(study):
    svg = figures.draw_frontier(study, Slide())
    for policy, result in study.calm.items():
        assert f"{policy}  {result.late_pct.mean():.1f}%" in svg


def test_labels_at_the_same_height_are_moved_apart():
    lifts = figures._lift_labels({"predictive": 0.3, "hybrid": 0.2}, 10.0)
    assert abs((3 + lifts["predictive"]) - (2 + lifts["hybrid"])) >= 24


def test_table_has_a_row_a_policy(study):
    table = figures.draw_policy_table(study, Slide())
    assert table.count("<tr") == 1 + len(study.calm)
    assert f"{study.calm['static'].gpu_hours.mean():.0f}" in table


def test_every_other_picture_draws(study, section):
    mix = autoscaling.plan_clouds(study, section)
    pieces = [
        figures.draw_day(study, Slide()),
        figures.draw_accuracy(autoscaling.measure_accuracy(study, (1, 30)), Slide()),
        figures.draw_pools(autoscaling.study_pools(study, (0, 2)), Slide()),
        figures.draw_clouds(mix, Slide(slot=Slot(1168, 480))),
        draw_spot(mix, section.stall_s, study.start.cold_s, Slide()),
    ]
    assert all("What it shows" in piece for piece in pieces)


def test_explorer_reads_its_grid(study):
    grid = autoscaling.lead_grid(study)
    what_if = autoscaling_what_if(grid, Slide(slot=Slot(1168, 480)))
    state = what_if.compute(cold=4, z=2.0, pool=0)
    assert state.y.shape == (3, len(grid.hour))
    assert state.words["late"] == f"{grid.late_pct[4, 2.0, 0][0]:.1f}%"
    assert len(what_if.sliders) == 3
