"""Energy, carbon and a service's day against the exact cases of the infrastructure oracles."""

import json
from pathlib import Path

import pytest

from gpudeck.metrics.energy import carbon_kg, embodied_carbon_kg, energy_kwh
from gpudeck.metrics.service_day import ServiceDay, token_revenue_usd


def case_of(shared: Path, name: str) -> tuple[dict, dict]:
    cases = json.loads((shared / "oracles" / "infrastructure.json").read_text(encoding="utf-8"))
    case = next(case for case in cases if case["id"] == name)
    return case["inputs"], case["expected"]


def test_o15_a_node_for_a_day(shared: Path) -> None:
    given, expected = case_of(shared, "O15")
    it_kwh = energy_kwh(given["P_gpu_W"], given["h"], count=given["n"])
    facility_kwh = energy_kwh(given["P_gpu_W"], given["h"], count=given["n"], pue=given["PUE"])
    assert it_kwh == pytest.approx(expected["IT_kWh"], rel=1e-6)
    assert facility_kwh == pytest.approx(expected["facility_kWh"], rel=1e-6)
    assert carbon_kg(facility_kwh, given["CI"]) == pytest.approx(expected["kgCO2e"], rel=1e-6)
    node = expected["DGX_10.2kW"]
    node_kwh = energy_kwh(10_200, given["h"], pue=given["PUE"])
    assert node_kwh == pytest.approx(node["kWh"], rel=1e-6)
    assert carbon_kg(node_kwh, given["CI"]) == pytest.approx(node["kg"], rel=1e-6)
    # printed with four decimals
    embodied = expected["embodied_kg_per_day_1312kg_over_43800h"]
    assert embodied_carbon_kg(1312, 24, 43_800) == pytest.approx(embodied, abs=5e-5)


def test_o16_a_day_of_deepseek(shared: Path) -> None:
    given, expected = case_of(shared, "O16")
    day = ServiceDay(given["avg"], given["peak"], given["gpu"], given["usd"])
    assert day.cost_usd == pytest.approx(expected["cost"], rel=1e-6)
    assert day.freed_node_hours == pytest.approx(expected["freed_node_h_per_day"], rel=1e-6)
    assert day.freed_gpu_hours == pytest.approx(expected["freed_gpu_h_per_day"], rel=1e-6)
    assert day.mean_over_peak == pytest.approx(expected["avg/peak"], rel=1e-6)
    sold = [given["in_hit"], given["in_miss"], given["out"]]
    assert token_revenue_usd(sold, given["price"]) == pytest.approx(expected["rev"], rel=1e-6)
    # the margin is that of the revenue as published
    margin = expected["margin_published_rev_562027"]
    assert day.margin(562_027) == pytest.approx(margin, rel=1e-6)
