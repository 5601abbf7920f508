"""Energy, carbon and a service's day: what they refuse, and what has to hold."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.metrics.energy import carbon_kg, embodied_carbon_kg, energy_kwh
from gpudeck.metrics.service_day import ServiceDay, token_revenue_usd


@settings(max_examples=30)
@given(st.floats(0, 1e5), st.floats(0, 1e4), st.integers(0, 1000), st.floats(1, 3))
def test_energy_is_power_times_time(power_w, hours, count, pue) -> None:
    found = energy_kwh(power_w, hours, count=count, pue=pue)
    assert found == pytest.approx(energy_kwh(power_w, 1, count=count) * hours * pue)


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: energy_kwh(-1, 1), "power_w is -1"),
        (lambda: energy_kwh(1, float("nan")), "hours is nan"),
        (lambda: energy_kwh(1, 1, pue=0.9), "pue is 0.9; allowed is 1 or above"),
        (lambda: carbon_kg(-1, 400), "kwh is -1"),
        (lambda: embodied_carbon_kg(1, 1, 0), "lifetime_h is 0; allowed is above 0"),
        (lambda: ServiceDay(2, 1, 8, 2.0), "allowed is 0 < mean <= peak"),
        (lambda: ServiceDay(1, 2, 0, 2.0), "gpus_per_node is 0"),
        (lambda: token_revenue_usd([1e6], [1.0, 2.0]), "allowed is one of 0 or above"),
        (lambda: token_revenue_usd([-1e6], [1.0]), "allowed is one of 0 or above"),
    ],
)
def test_a_value_out_of_range_is_named(call, name) -> None:
    with pytest.raises(InputError, match=name):
        call()


def test_a_flat_service_frees_nothing() -> None:
    day = ServiceDay(10, 10, 8, 2.0)
    assert day.freed_gpu_hours == 0
    assert day.mean_over_peak == 1
    assert day.margin(day.cost_usd) == 0
