"""Instances on one GPU: legal starts, the choice of a start, feasibility, the order trap."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.hardware.mig import Placement, classic_profiles, find_mig_profiles, read_mig_profiles
from gpudeck.models.sharing import mig

A100 = "A100-80G"
FULL = {p.name.split(".")[0]: p.name for p in classic_profiles(find_mig_profiles(A100))}


def slices_of(held, geometry):
    """Return the memory slices that are held, once for each instance that holds one."""
    size = {p.name: p.memory_slices for p in find_mig_profiles(geometry)}
    return [s for h in held for s in range(h.start, h.start + size[h.profile])]


@given(
    geometry=st.sampled_from(sorted(read_mig_profiles())),
    rule=st.sampled_from(mig.RULES),
    picks=st.lists(st.tuples(st.integers(0, 20), st.booleans()), max_size=20),
)
@settings(max_examples=50, deadline=None)
def test_no_sequence_of_placing_and_removing_breaks_the_geometry(geometry, rule, picks):
    profiles = find_mig_profiles(geometry)
    by_name = {p.name: p for p in profiles}
    held = []
    for number, leaves in picks:
        if leaves and held:
            held = list(mig.remove(held, held[number % len(held)].start))
        else:
            name = profiles[number % len(profiles)].name
            starts = mig.free_starts(held, name, geometry)
            found = mig.place(held, name, geometry, rule=rule)
            assert (found is None) == (starts == ())
            if found is not None:
                assert found.start in starts
                held.append(found)
        taken = slices_of(held, geometry)
        assert len(taken) == len(set(taken))
        assert all(h.start in by_name[h.profile].starts for h in held)
        compute = sum(by_name[h.profile].compute_slices for h in held)
        assert compute <= max(p.compute_slices for p in profiles)
        for profile in profiles:
            assert sum(h.profile == profile.name for h in held) <= profile.max_instances


def test_a_start_is_free_exactly_if_its_slices_are_and_compute_is_left():
    held = [Placement(FULL["1g"], 0), Placement(FULL["2g"], 4)]
    assert mig.free_starts(held, FULL["1g"], A100) == (1, 2, 3, 6)
    assert mig.free_starts(held, FULL["2g"], A100) == (2,)
    assert mig.free_starts(held, FULL["3g"], A100) == ()
    # 3g + 3g hold all memory slices, and one compute slice is left that nobody can have
    both = [Placement(FULL["3g"], 0), Placement(FULL["3g"], 4)]
    assert mig.free_starts(both, FULL["1g"], A100) == ()


@pytest.mark.parametrize(("name", "start"), [("1g", 6), ("2g", 4), ("3g", 4), ("4g", 0), ("7g", 0)])
def test_the_first_start_on_an_empty_gpu_leaves_the_most_room(name, start):
    assert mig.place([], FULL[name], A100).start == start
    assert mig.place([], FULL[name], A100, rule="lowest").start == 0


@pytest.mark.parametrize("small", ["1g", "2g", "3g"])
def test_the_lowest_start_blocks_4g_and_most_room_does_not(small):
    order = [FULL[small], FULL["4g"]]
    assert mig.place_in_order(order, A100, rule="lowest")[1] is None
    assert mig.place_in_order(order, A100)[1] == Placement(FULL["4g"], 0)
    assert mig.is_feasible(order, A100)


def test_media_profiles_are_held_once():
    me = "1g.10gb+me"
    held = [mig.place([], me, A100)]
    assert mig.place(held, me, A100) is None
    assert mig.place(held, FULL["1g"], A100) is not None
    assert not mig.is_feasible([me, me], A100)


def test_a_removed_instance_can_be_placed_again():
    held = [Placement(FULL["4g"], 0), Placement(FULL["3g"], 4)]
    assert mig.place(held, FULL["3g"], A100) is None
    left = mig.remove(held, 4)
    assert mig.place(left, FULL["3g"], A100) == Placement(FULL["3g"], 4)


def test_nothing_is_feasible_on_any_gpu():
    assert mig.is_feasible([], "A30")


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mig.place([], "2g.10gb", A100), r"'2g.10gb', a profile of A100-40G; allowed on"),
        (lambda: mig.place([], "9g", A100), r"'9g'; allowed on A100-80G are 1g.10gb"),
        (lambda: mig.place([], "1g.10gb", "T4"), "MIG geometry is 'T4'"),
        (lambda: mig.place([], "1g.10gb", A100, rule="best"), "rule is 'best'; allowed are most_"),
        (
            lambda: mig.place([Placement("4g.40gb", 4)], "1g.10gb", A100),
            "instance 0 is 4g.40gb at 4",
        ),
        (lambda: mig.place([Placement("1g.10gb", 99)], "1g.10gb", A100), "instance 0 .* at 99"),
        (lambda: mig.place([Placement("1g.5gb", 0)], "1g.10gb", A100), "instance 0: profile is"),
        (lambda: mig.is_feasible(["1g.10gb", "4g.24gb"], A100), "profile 1: .* a profile of A30"),
        (lambda: mig.remove([Placement("1g.10gb", 2)], 3), r"start is 3; allowed .* \[2\]"),
        (lambda: mig.geometry_of("T4"), "'T4', and it has no MIG"),
        (lambda: mig.geometry_of("H20"), "'H20', and its geometry is not in data/"),
        (lambda: mig.geometry_of("A1000"), "gpu is 'A1000'"),
    ],
)
def test_bad_input_names_the_row_and_what_is_allowed(call, words):
    with pytest.raises(InputError, match=words):
        call()
