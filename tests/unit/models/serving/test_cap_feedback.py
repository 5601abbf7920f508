"""The feedback on the batch cap: decisions follow the rule, and it stays among fixed caps."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving import Engine, Replica, RequestTable, simulate
from gpudeck.models.serving.cap_feedback import (
    ADD,
    CUT,
    KEEP,
    find_windows,
    report_overload,
    study_overload,
)
from gpudeck.models.serving.engine import Adaptive


def requests(seed: int = 0, count: int = 150) -> RequestTable:
    rng = np.random.default_rng(seed)
    arrival = np.cumsum(rng.exponential(0.1, count))
    return RequestTable(arrival, rng.integers(50, 2000, count), rng.integers(20, 200, count))


def engine(**changes) -> Engine:
    return Engine("continuous", reservation="oracle", **changes)


@pytest.mark.parametrize("rate", [0.5, 5.0, 50.0])
def test_the_rule_applied_to_the_windows_gives_the_caps_of_the_run(rate):
    loop = Adaptive(0.012, start_batch=8)
    run = simulate(requests().with_rate(rate), engine(adaptive=loop), Replica())
    windows = find_windows(run)
    assert len(windows.gap_s) > 20
    cap = float(loop.start_batch)
    for index, gap in enumerate(windows.gap_s):
        assert windows.before[index] == int(cap)
        if gap > loop.objective_s:
            assert windows.action[index] == CUT
            cap = max(loop.min_batch, cap * loop.decrease)
        elif windows.running[index] >= int(cap):
            assert windows.action[index] == ADD
            cap = min(256, cap + loop.increase)
        else:
            assert windows.action[index] == KEEP
        assert windows.after[index] == int(cap)


def test_windows_are_those_of_continuous_batching_with_feedback():
    run = simulate(requests(), engine(), Replica())
    with pytest.raises(InputError, match="allowed is continuous"):
        find_windows(run)


def test_overload_compares_the_loop_with_fixed_caps():
    overload = study_overload([requests(0), requests(1)], engine(max_batch=64), Replica())
    assert overload.caps == (4, 8, 16, 32, 64)
    assert (np.diff(overload.fixed_gap_s, axis=1) > 0).all()
    # a looser target: longer gaps and more tokens
    assert (np.diff(overload.loop_gap_s.mean(axis=0)) > 0).all()
    assert (np.diff(overload.loop_tokens_s.mean(axis=0)) > 0).all()
    assert (overload.share_pct > 90).all()
    facts = {fact.key: fact.value for fact in report_overload(overload)}
    assert facts["widest"] == 64
    assert facts["gap_loop"] < facts["gap_fixed"]
    assert facts["cuts"] + facts["adds"] <= facts["windows"]
