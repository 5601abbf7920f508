"""Studies of page 24 and the published rows: what they compare, and what is refused."""

from datetime import date

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.interval import band_of
from gpudeck.models.resilience.checkpoint import CheckpointPath
from gpudeck.models.resilience.copies_study import study_copies, study_sixteen
from gpudeck.models.resilience.fault_grid import fault_grid
from gpudeck.models.resilience.fault_report import (
    report_copies,
    report_faults,
    report_formulas,
    report_grid,
    report_shares,
)
from gpudeck.models.resilience.interval_study import (
    compare_formulas,
    compare_job,
    study_intervals,
)
from gpudeck.models.resilience.published import COMPUTED, NOTES, compute_published
from gpudeck.models.resilience.published_ratio import read_published_ratios
from gpudeck.models.resilience.save_timeline import recovery_phases, save_phases
from gpudeck.models.resilience.training_job import plan_job, protect
from gpudeck.scenario import read_scenario
from gpudeck.tables import Row, read_table

SCENARIO = read_scenario("default")
JOB = plan_job(SCENARIO.training, SCENARIO.resilience)


def test_simulated_efficiencies_lie_on_the_closed_form() -> None:
    study = study_intervals(JOB, list(range(8)))
    for curve in study.curves:
        band = band_of(curve.samples, level=0.999)
        exact = np.array([curve.share_at(float(at)) for at in curve.simulated_s])
        assert ((band.low <= exact) & (exact <= band.high)).all()
        assert curve.best_share >= curve.share.max() - 1e-9
        assert curve.interval_s[0] >= curve.cost.floor_s
    with pytest.raises(InputError, match="mode is 'memory'"):
        study.find("memory")


def test_formulas_are_compared_where_failures_are_frequent_and_rare() -> None:
    found = compare_job(JOB)
    assert (found.young_lost >= -1e-9).all()
    # it loses most where failures are most frequent
    assert found.young_lost.argmax() == 0
    assert found.daly_lost.max() < 1e-4
    with pytest.raises(InputError, match="range is 5 to 5"):
        compare_formulas(60, 5, 5)


def test_copies_need_two_nodes() -> None:
    assert study_sixteen().survive["group-2"][2] == pytest.approx(0.9333, abs=1e-4)
    assert "group-3" not in study_copies(2).survive
    with pytest.raises(InputError, match="nodes is 1"):
        study_copies(1)


def test_phases_sum_to_what_is_computed_elsewhere() -> None:
    path = CheckpointPath(1e12, 1024, 128, 20, 20, 5, 10)
    synchronous, asynchronous = save_phases(path)
    assert synchronous.complete_s == synchronous.stall_s == path.cost("synchronous").stall_s
    cost = path.cost("asynchronous")
    assert asynchronous.complete_s == cost.stall_s + cost.save_s
    for mode in ("synchronous", "asynchronous", "memory"):
        protection = protect(JOB, mode, automatic=True)
        assert recovery_phases(protection).total_s == pytest.approx(protection.recovery_s())


def test_grid_and_reports_have_facts_of_their_own() -> None:
    study, grid = study_intervals(JOB, [1, 2]), fault_grid(JOB)
    assert len(grid.share_pct) == len(grid.gpus) * len(grid.storage_s) * len(grid.modes)
    for key, (interval_min, share_pct) in grid.best.items():
        assert interval_min > 0, key
        assert np.nanmax(grid.share_pct[key], initial=0) <= share_pct + 1e-9
    facts = report_faults(JOB, study, SCENARIO)
    for more in (
        report_formulas(study, compare_job(JOB)),
        report_copies(study_copies(JOB.run.nodes)),
        report_shares(),
        report_grid(grid),
    ):
        keys = [fact.key for fact in (*facts, *more)]
        assert len(set(keys)) == len(keys)
    by_key = {fact.key: fact for fact in facts}
    assert by_key["llama_mtbf"].value == pytest.approx(3.093, abs=1e-3)
    # a 60 s write at that rate, writing and redoing at the best interval
    assert by_key["llama_waste"].value == pytest.approx(10.4, abs=0.05)


def test_every_published_row_is_computed_and_most_are_met() -> None:
    rows = read_table("published/resilience").rows
    assert {row.id for row in rows} == set(COMPUTED)
    computed = compute_published(rows)
    missed = {
        row.id for row in rows if not row.low <= computed[row.id] <= row.high
    }  # fmt: skip
    # the two that the paper's own rate does not give
    assert missed == set(NOTES)


def test_unknown_row_is_named() -> None:
    row = Row("luck@me", "target", 1.0, "h", 1, 1, "unverified", ("a",), "b", date.today())
    with pytest.raises(InputError, match="luck@me"):
        compute_published([row])


def test_published_ratios_are_shares() -> None:
    ratios = read_published_ratios()
    assert [ratio.name for ratio in ratios if ratio.bound] == ["llama"]
    assert all(0 < ratio.pct <= 100 and ratio.gpus > 0 for ratio in ratios)
