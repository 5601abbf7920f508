"""The pictures of pages 16 and 17 say what the models say, for both scenarios."""

import re
from functools import partial

import numpy as np
import pytest

from gpudeck.figures import gpudirect, gpudirect_charts, parallel_fs, parallel_fs_map
from gpudeck.figures.parallel_fs_what_if import striping_what_if
from gpudeck.models import storage
from gpudeck.scenario import Scenario, read_scenario
from slide import Slide as AnySlide

Slide = partial(AnySlide, height_px=520, words={"stripes_of": "[n] stripes"})


@pytest.fixture(scope="module", params=["default", "small"])
def scenario(request) -> Scenario:
    return read_scenario(request.param)


@pytest.fixture(scope="module")
def files(scenario: Scenario) -> storage.FileSystemStudy:
    nodes = scenario.training.gpus // scenario.training.gpus_per_node
    return storage.study_file_system(scenario.storage, nodes)


@pytest.fixture(scope="module")
def paths(scenario: Scenario) -> storage.IoStudy:
    return storage.study_paths(scenario.storage, scenario.training.gpus_per_node)


def test_the_map_draws_first_second_and_last_of_each_kind(files, scenario) -> None:
    plan = storage.map_file_system(files.lustre, files.clients, files.stripe_count)
    svg = parallel_fs_map.draw_file_system(plan, scenario.training.gpus_per_node, Slide())
    assert f"client {files.clients}<" in svg
    assert f"oss {files.lustre.oss_count}<" in svg
    assert f"OST {files.lustre.ost_count}<" in svg
    assert f"mds × {files.lustre.mdt_count}<" in svg


def test_charts_name_the_part_that_limits(files) -> None:
    one, many = parallel_fs.draw_striping(files, Slide(width_px=572))
    assert f"limit {files.read.limit.replace('_', ' ')} " in many
    last = storage.read_bandwidth(files.lustre, 1).limit
    assert f"limit {last.replace('_', ' ')} " in one
    svg = parallel_fs.draw_limits(files, Slide())
    for index in {int(limit) for limit in np.unique(files.grid.limit)}:
        name = storage.LIMITS[index].replace("_", " ")
        if (files.grid.limit == index).mean() > 0.02:
            assert f"limit {name}" in svg


@pytest.mark.parametrize(
    ("oss", "osts", "stripes", "nodes"),
    [(1, 1, 1, 1), (20, 4, 8, 1), (1, 4, 4, 128), (20, 64, 8, 128), (10_000, 4, 2000, 128)],
)
def test_one_of_a_kind_and_very_many_can_be_drawn(scenario, oss, osts, stripes, nodes) -> None:
    sizes = {"oss_count": oss, "osts_per_oss": osts, "stripe_count": stripes}
    system = scenario.storage.model_copy(update=sizes)
    study = storage.study_file_system(system, nodes)
    plan = storage.map_file_system(study.lustre, nodes, stripes)
    assert parallel_fs_map.draw_file_system(plan, 8, Slide()).startswith("<svg")
    assert parallel_fs.draw_limits(study, Slide()).startswith("<svg")
    assert all(chart.startswith("<svg") for chart in parallel_fs.draw_striping(study, Slide()))
    assert striping_what_if(study, Slide()).sliders


def test_copies_are_as_wide_as_two_transfers(paths) -> None:
    bounce, direct = gpudirect.draw_paths(paths, Slide(width_px=572))
    widths = [float(w) for w in re.findall(r'fill="none"[^>]*stroke-width="([\d.]+)"', bounce)]
    assert max(widths) == pytest.approx(2 * sorted(set(widths))[-2])
    assert "copy" in bounce
    assert "copy" not in direct
    assert f"{paths.cores('bounce', paths.common_gb_s):.1f}<" in bounce


def test_the_explorer_asks_the_model(files) -> None:
    explorer = striping_what_if(files, Slide())
    state = explorer.compute(stripes=1, servers=files.lustre.oss_count)
    expected = storage.read_bandwidth(files.lustre, files.clients, 1).gb_s
    assert state.y[0, -1] == pytest.approx(expected)
    for slider in explorer.sliders:
        for value in slider.values:
            settings = {s.name: s.values[s.start] for s in explorer.sliders} | {slider.name: value}
            assert explorer.compute(**settings).x.size > 0


def test_a_misprint_is_drawn_off_its_line() -> None:
    misprints = storage.audit_guide()
    svg = gpudirect_charts.draw_little(
        storage.read_local_runs(), storage.read_remote_runs(), misprints[0], Slide()
    )
    assert "misprint" in svg
    table = gpudirect_charts.draw_audit(misprints, Slide())
    assert table.count("<tr") == len(misprints) + 1
