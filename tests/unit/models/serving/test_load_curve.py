"""The load curve: crossings of the objectives, pooled quantiles, engines on the same requests."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving import Engine, Replica, RequestTable
from gpudeck.models.serving.load_curve import (
    ENGINES,
    batching_engines,
    sustained_rate,
    sweep_load,
)
from gpudeck.models.serving.load_curve_report import report_load
from gpudeck.models.serving.pooled import pooled_quantile

RATES = np.array([1.0, 2.0, 4.0])


def tables(seeds: int) -> list[RequestTable]:
    drawn = []
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        gaps_s = rng.exponential(1, 40)
        drawn.append(
            RequestTable(np.cumsum(gaps_s), rng.integers(50, 900, 40), rng.integers(2, 60, 40))
        )
    return drawn


@pytest.mark.parametrize(
    ("ttft_s", "tbt_s", "expected"),
    [
        ([3, 3, 3], [0, 0, 0], 0.0),
        ([1, 1, 1], [0, 0, 0], 4.0),
        ([1, 1, 3], [0, 0, 0], 3.0),
        ([1, 1, 1], [0.5, 1.5, 0.5], 1.5),
    ],
)
def test_the_first_objective_missed_ends_what_is_sustained(ttft_s, tbt_s, expected):
    assert sustained_rate(RATES, np.array(ttft_s), np.array(tbt_s), (2.0, 1.0)) == expected


def test_pooled_quantile_is_that_of_the_values_repeated():
    values, counts = np.array([5.0, 1.0, 3.0]), np.array([1, 50, 49])
    repeated = np.quantile(np.repeat(values, counts), 0.99, method="inverted_cdf")
    assert pooled_quantile(values, counts, 0.99) == repeated
    assert pooled_quantile(np.zeros(0), np.zeros(0, int), 0.99) == 0


def test_engines_differ_in_batching_alone():
    engines = batching_engines(Engine(step_overhead_s=0.002), 0.1)
    assert {e.reservation for e in engines.values()} == {"oracle"}
    assert {e.step_overhead_s for e in engines.values()} == {0.002}
    assert [e.policy for e in engines.values()] == ["static", "dynamic", "continuous", "continuous"]
    assert engines["adaptive"].adaptive.objective_s == 0.05


def test_a_sweep_has_a_value_for_each_engine_seed_and_rate():
    curve = sweep_load(tables(2), Engine(), Replica(), (2.0, 0.1), (0.1, 0.5, 1.0))
    for name in ENGINES:
        assert curve.ttft_p99_s[name].shape == curve.carried_per_s[name].shape == (2, 3)
        assert (curve.ttft_p99_s[name] > 0).all()
        assert (curve.sustained_per_s[name] <= curve.rates_per_s[-1]).all()
    # a request that need not wait for others starts earlier, on the same arrivals
    assert (curve.ttft_p99_s["continuous"] < curve.ttft_p99_s["static"]).all()
    facts = {fact.key: fact.value for fact in report_load(curve)}
    assert facts["adaptive"] == pytest.approx(curve.sustained_per_s["adaptive"].mean())


def test_shares_that_do_not_rise_are_refused():
    with pytest.raises(InputError, match="rising from 0"):
        sweep_load(tables(1), Engine(), Replica(), (2.0, 0.1), (0.5, 0.2))
