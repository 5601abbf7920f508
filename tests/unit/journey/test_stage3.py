"""Stage 3: the same batches over the path of each step."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.journey.stage3 import MEASURES, PARTS, STEPS, DataPathEffect, lay_path, run_stage3
from gpudeck.journey.stage3_report import report_grid, report_stage3, report_sweep
from gpudeck.models.storage.loader.sweep import SUPPLY, fill_grid, sweep_bandwidth
from gpudeck.scenario import read_scenario


@pytest.fixture(scope="module")
def effect() -> DataPathEffect:
    return run_stage3(read_scenario("small", ["runs=3"]), 0)


def test_every_step_has_every_measure_for_every_seed(effect: DataPathEffect) -> None:
    for name in STEPS:
        for measure in MEASURES:
            values = effect.samples(measure, name)
            assert values.shape == (3,)
            assert (values >= 0).all()
        both = effect.samples("utilisation", name) + effect.samples("starving", name)
        np.testing.assert_allclose(both, 100)


def test_all_steps_read_the_same_batches(effect: DataPathEffect) -> None:
    first = [step.runs[0].batch_bytes for step in effect.steps]
    assert all((other == first[0]).all() for other in first[1:])


def test_no_step_narrows_the_path(effect: DataPathEffect) -> None:
    supply = [step.path.gpu_gb_s for step in effect.steps]
    assert supply == sorted(supply)
    assert all(step.path.limit in PARTS for step in effect.steps)


def test_nothing_is_read_faster_than_the_path_carries(effect: DataPathEffect) -> None:
    for step in effect.steps:
        read = effect.samples("read_gb_s", step.path.name)
        # what the buffer held at the end of the warm-up was read before
        assert (read <= 1.02 * step.path.gpu_gb_s * effect.loading.gpus).all()


def test_one_server_less_network_halves_the_path() -> None:
    chosen = read_scenario("small")
    wide = lay_path("lustre", chosen.storage, chosen.loading)
    half = chosen.storage.model_copy(update={"oss_count": 1})
    narrow = lay_path("lustre", half, chosen.loading)
    assert narrow.server_gb_s == pytest.approx(wide.server_gb_s / 2)
    assert narrow.host_gb_s == wide.host_gb_s


def test_the_facts_say_what_the_steps_hold(effect: DataPathEffect) -> None:
    facts = {fact.key: fact for fact in report_stage3(effect)}
    assert facts["starving_after"].value == pytest.approx(
        effect.samples("starving", "after").mean()
    )
    assert facts["times"].value == pytest.approx(
        (effect.samples("read_gb_s", "after") / effect.samples("read_gb_s", "before")).mean()
    )
    assert {f"{part}_{name}" for part in PARTS for name in STEPS} <= set(facts)


def test_alone_no_gpu_starves_more_than_together(effect: DataPathEffect) -> None:
    sweep = sweep_bandwidth(effect.job, effect.loader, 16, (0, 1, 2))
    assert (sweep.together.mean(axis=0) <= sweep.alone.mean(axis=0) + 1e-9).all()
    facts = {fact.key: float(fact.value) for fact in report_sweep(sweep)}
    assert facts["together"] <= facts["alone"] <= 100 == facts["bound"]


def test_the_explorer_starts_where_the_buffer_is_least(effect: DataPathEffect) -> None:
    grid = fill_grid(effect.job, 0, gpus=(1, 4), prefetch=(1, 2), workers=(1, 2), steps=60)
    assert grid.harshest == (4, 1, 1)
    assert SUPPLY[grid.exact] == 1.0
    exact = {key: curve[grid.exact] for key, curve in grid.found.items()}
    assert exact[grid.harshest] == min(exact.values())
    assert report_grid(grid)[0].value == pytest.approx(100 * exact[grid.harshest])


def test_unknown_names_are_refused(effect: DataPathEffect) -> None:
    chosen = read_scenario("small")
    with pytest.raises(InputError, match="step is 'fast'"):
        lay_path("fast", chosen.storage, chosen.loading)
    with pytest.raises(InputError, match="step is 'fast'"):
        effect.samples("starving", "fast")
    with pytest.raises(InputError, match="measure is 'speed'"):
        effect.samples("speed", "after")
