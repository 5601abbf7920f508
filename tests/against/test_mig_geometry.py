"""MIG placement against the published geometry: what fits on a GPU and what does not."""

import json

import pytest

from gpudeck.hardware.mig import (
    Placement,
    classic_profiles,
    enumerate_configurations,
    find_mig_profiles,
)
from gpudeck.models.sharing import mig
from gpudeck.models.sharing.mig import optimum

SEVEN_SLICES = ("A100-40G", "A100-80G", "H100-80G", "H200", "B200")


@pytest.fixture(scope="module")
def oracle(shared):
    cases = json.loads((shared / "oracles" / "scheduling.json").read_text())
    return next(case for case in cases if case["id"] == "O12")


def names_of(geometry):
    """Return the short names of the oracle: 1g+ is the profile with twice the memory."""
    found = {}
    for profile in find_mig_profiles(geometry):
        if not profile.media:
            plain = f"{profile.compute_slices}g"
            found[f"{plain}+" if plain in found else plain] = profile.name
    return found


def split_row(row):
    """Split "4g+2g+1g" and "1g++1g+" at the signs that are no part of a name."""
    parts, rest = [], row
    while rest:
        end = rest.index("g") + 1
        twice = rest[end : end + 1] == "+" and (end + 1 == len(rest) or rest[end + 1] == "+")
        end += twice
        parts.append(rest[:end])
        rest = rest[end + 1 :]
    return parts


@pytest.mark.parametrize("geometry", SEVEN_SLICES)
def test_starts_and_sizes_are_those_of_the_oracle(oracle, geometry):
    names = names_of(geometry)
    profiles = {p.name: p for p in find_mig_profiles(geometry)}
    for short, row in oracle["given"]["placements"].items():
        profile = profiles[names[short]]
        assert list(profile.starts) == row["starts"]
        assert (profile.memory_slices, profile.compute_slices) == (row["size"], row["compute"])


@pytest.mark.parametrize("geometry", SEVEN_SLICES)
def test_every_feasibility_row_holds(oracle, geometry):
    names = names_of(geometry)
    rows = oracle["expected"]["feasible"]
    assert len(rows) == 20
    for row, feasible in rows.items():
        requests = [names[short] for short in split_row(row)]
        assert mig.is_feasible(requests, geometry) == feasible, row
        gpus = mig.partition(requests, geometry).gpus_used
        assert (gpus == 1) == feasible, row


@pytest.mark.parametrize("geometry", SEVEN_SLICES)
def test_nineteen_maximal_configurations_and_five_on_a30(oracle, geometry):
    classic = classic_profiles(find_mig_profiles(geometry))
    expected = oracle["expected"]["maximal_placed_configs_classic"]
    assert len(enumerate_configurations(classic)) == expected == 19
    assert len(enumerate_configurations(classic_profiles(find_mig_profiles("A30")))) == 5
    # as states of the model: those in which nothing more can be placed
    assert int((mig.build_states(geometry).room == 0).sum()) == 19
    assert int((mig.build_states("A30").room == 0).sum()) == 5
    assert len(optimum.fullest_states(mig.build_states("A30"))) == 4  # 1+1+2 and 2+1+1 count once


def test_the_order_trap(oracle):
    assert "1g@6 keeps 4g@0" in oracle["expected"]["order_trap"]
    trapped = [Placement("1g.10gb", 0)]
    assert mig.free_starts(trapped, "4g.40gb", "A100-80G") == ()
    assert mig.free_starts(trapped, "7g.80gb", "A100-80G") == ()
    assert mig.place([], "1g.10gb", "A100-80G") == Placement("1g.10gb", 6)
    assert mig.free_starts([Placement("1g.10gb", 6)], "4g.40gb", "A100-80G") == (0,)
