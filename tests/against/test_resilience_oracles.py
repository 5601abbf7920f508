"""Checkpoint intervals, copies in memory and spares against worked examples."""

import json

import pytest

from gpudeck.models.resilience.checkpoint_interval import (
    daly_interval,
    efficiency,
    exact_interval,
    first_order_waste,
    young_interval,
)
from gpudeck.models.resilience.replicas import group_survivability, pair_survivability
from gpudeck.models.resilience.spares import availability

EXACT = {"rel": 1e-6}


@pytest.fixture(scope="module")
def case(shared):
    cases = json.loads((shared / "oracles" / "infrastructure.json").read_text())
    return {one["id"]: one for one in cases}


def test_young(case):
    given, expected = case["O1"]["inputs"], case["O1"]["expected"]
    interval_s = young_interval(given["delta_s"], given["M_s"])
    assert interval_s == pytest.approx(expected["tau_s"], **EXACT)
    waste = first_order_waste(interval_s, given["delta_s"], given["M_s"])
    assert waste == pytest.approx(expected["waste_fraction_delta/tau+tau/2M"], **EXACT)


def test_daly_and_the_exact_optimum(case):
    given, expected = case["O2"]["inputs"], case["O2"]["expected"]
    times = given["delta_s"], given["M_s"]
    assert daly_interval(*times) == pytest.approx(expected["daly_s"], **EXACT)
    assert young_interval(*times) == pytest.approx(expected["young_s"], **EXACT)
    # the oracle prints two decimals
    assert exact_interval(*times) == pytest.approx(expected["exact_argmax_s"], abs=0.005)
    at_daly = efficiency(expected["daly_s"], *times, recovery_s=600)
    assert float(at_daly) == pytest.approx(expected["efficiency_at_daly_R600"], **EXACT)


def test_copies_in_pairs(case):
    given, expected = case["O17"]["inputs"], case["O17"]["expected"]
    for (nodes, failed), share in zip(given["N,k"], expected["P"], strict=True):
        assert pair_survivability(nodes, failed) == pytest.approx(share, **EXACT)
        assert group_survivability(nodes, 2, failed) == pytest.approx(share, **EXACT)


def test_spares(case):
    given, expected = case["O18"]["inputs"], case["O18"]["expected"]
    for spares, share in zip(given["spares"], expected["A"], strict=True):
        assert availability(given["n"], given["p"], spares) == pytest.approx(share, **EXACT)
