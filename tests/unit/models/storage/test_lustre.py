"""A Lustre file system: what is allowed, and what a scenario's one is made of."""

from dataclasses import replace

import pytest

from gpudeck.errors import InputError
from gpudeck.models.storage import Lustre, build_lustre, map_file_system
from gpudeck.scenario import read_scenario

SYSTEM = Lustre(4, 8, 2.5, 2.0, 25, 15, 50, 40, 80, 2, 1e5, 2e5, 1e-3, 8, 0.9)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("oss_count", 0),
        ("ost_read_gb_s", 0),
        ("oss_write_gb_s", -1),
        ("client_network_gb_s", 0.0),
        ("open_s", -1e-3),
        ("client_gb_s", float("nan")),
        ("rpcs_in_flight", 0),
    ],
)
def test_nothing_may_be_zero_negative_or_not_a_number(field: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{field} .*allowed is a number above 0"):
        replace(SYSTEM, **{field: value})


def test_a_share_above_one_is_refused() -> None:
    with pytest.raises(InputError, match=r"network_share is 1\.1"):
        replace(SYSTEM, network_share=1.1)


@pytest.mark.parametrize("stripes", [0, 33, -2])
def test_more_stripes_than_targets_are_refused_with_what_is_allowed(stripes: int) -> None:
    with pytest.raises(InputError, match=f"stripe_count is {stripes}; allowed is 1 to 32"):
        SYSTEM.stripes(stripes)


def test_all_targets_are_as_many_as_lustre_allows() -> None:
    assert SYSTEM.stripes(-1) == 32
    assert replace(SYSTEM, oss_count=1000).stripes(-1) == 2000


def test_a_scenarios_limits_are_the_manuals_known_in_production() -> None:
    system = read_scenario("default").storage
    lustre = build_lustre(system)
    assert (lustre.oss_read_gb_s, lustre.oss_write_gb_s, lustre.client_gb_s) == (25, 15, 80)
    assert (lustre.create_per_s, lustre.open_per_s) == (1e5, 2e5)
    assert lustre.network_share == 0.9
    assert lustre.ost_count == system.oss_count * system.osts_per_oss
    assert lustre.client_network_gb_s == 50 * system.client_ports


def test_parts_and_wires_carry_what_the_model_reads() -> None:
    plan = map_file_system(SYSTEM, 10, 4)
    assert {part.kind: part.count for part in plan.parts} == {
        "mgs": 1, "mds": 2, "mdt": 2, "oss": 4, "ost": 32, "lnet": 1, "client": 10,
    }  # fmt: skip
    assert plan.gb_s == 80
    assert plan.limit == "ost"
    assert {wire.gb_s for wire in plan.wires if wire.carries == "data"} == {80}
    assert {wire.gb_s for wire in plan.wires if wire.carries != "data"} == {0}
    assert plan.part("ost").all_gb_s == 80
    with pytest.raises(InputError, match="clients is 0"):
        map_file_system(SYSTEM, 0, 4)
