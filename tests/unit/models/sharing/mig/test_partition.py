"""Partitions: legal, complete, between the bound and the heuristic, independent of the order."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.hardware.mig import classic_profiles, find_mig_profiles, read_mig_profiles
from gpudeck.models.sharing import mig
from gpudeck.models.sharing.mig import kernel
from gpudeck.models.sharing.mig.states import build_states
from gpudeck.models.sharing.mig.tables import preference

A100 = "A100-80G"
NAMES = tuple(p.name for p in classic_profiles(find_mig_profiles(A100)))


@st.composite
def demands(draw):
    geometry = draw(st.sampled_from(sorted(read_mig_profiles())))
    names = [p.name for p in find_mig_profiles(geometry)]
    return geometry, draw(st.lists(st.sampled_from(names), min_size=1, max_size=25))


def check_legal(result):
    """Hold every GPU of a partition to the geometry."""
    by_name = {p.name: p for p in find_mig_profiles(result.geometry)}
    assert ((result.gpu >= 0) == (result.start >= 0)).all()
    for gpu in np.unique(result.gpu[result.gpu >= 0]):
        taken, compute = [], 0
        for row in np.flatnonzero(result.gpu == gpu):
            profile = by_name[result.names[result.profile[row]]]
            assert result.start[row] in profile.starts
            taken += range(result.start[row], result.start[row] + profile.memory_slices)
            compute += profile.compute_slices
        assert len(taken) == len(set(taken))
        assert compute <= result.gpu_compute_slices


@given(demands())
@settings(max_examples=50, deadline=None)
def test_all_is_served_legally_and_bound_optimum_heuristic_are_in_order(demand):
    geometry, requests = demand
    best, fast = (mig.partition(requests, geometry, method=m) for m in mig.METHODS)
    for result in (best, fast):
        check_legal(result)
        assert result.unserved == 0
        assert result.wasted_compute_slices >= 0
        assert result.wasted_memory_slices >= 0
        assert [result.names[p] for p in result.profile] == requests
        assert sum(result.configurations().values()) == result.gpus_used
    assert 1 <= fast.lower_bound <= best.lower_bound == best.gpus_used <= fast.gpus_used
    assert best.gap == 0 <= fast.gap


@given(demands(), st.integers(1, 4), st.sampled_from(["requests", "slices"]))
@settings(max_examples=50, deadline=None)
def test_too_few_gpus_serve_what_they_can(demand, gpus, weigh):
    geometry, requests = demand
    best, fast = (mig.partition(requests, geometry, gpus, m, weigh) for m in mig.METHODS)
    for result in (best, fast):
        check_legal(result)
        assert result.gpus_used <= gpus
        assert result.served + result.unserved == len(requests)
        assert result.served_worth <= result.served_bound
        assert 0 <= result.gap < 1
    assert fast.served_worth <= best.served_worth
    if mig.partition(requests, geometry).gpus_used <= gpus:
        assert best.unserved == 0


@given(demands(), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_the_requests_changes_no_count(demand, random):
    geometry, requests = demand
    shuffled = random.sample(requests, len(requests))
    for method, gpus in product(mig.METHODS, (None, 2)):
        one = mig.partition(requests, geometry, gpus, method)
        other = mig.partition(shuffled, geometry, gpus, method)
        assert one.gpus_used == other.gpus_used
        assert one.served == other.served
        assert one.configurations() == other.configurations()


@given(st.lists(st.sampled_from(NAMES), min_size=1, max_size=7))
@settings(max_examples=50, deadline=None)
def test_the_optimum_is_what_trying_all_groupings_finds(requests):
    def fewest(left, gpus):
        if not left:
            return len(gpus)
        found = len(left) + len(gpus)
        for number, held in enumerate(gpus):
            if mig.is_feasible([*held, left[0]], A100):
                grown = [*gpus[:number], [*held, left[0]], *gpus[number + 1 :]]
                found = min(found, fewest(left[1:], grown))
        return min(found, fewest(left[1:], [*gpus, [left[0]]]))

    assert mig.partition(requests, A100).gpus_used == fewest(requests, [])


def test_a_larger_instance_in_place_of_a_smaller_never_saves_a_gpu():
    for geometry in read_mig_profiles():
        classic = classic_profiles(find_mig_profiles(geometry))
        for small, large in product(classic, classic):
            if small.compute_slices < large.compute_slices:
                assert set(large.starts) <= set(small.starts)
                assert small.memory_slices <= large.memory_slices


def test_the_kernel_packs_as_its_plain_twin():
    states = build_states(A100)
    order = preference(states)
    rng = np.random.default_rng(1)
    for limit in (5, 100):
        requests = rng.integers(len(NAMES), size=60)
        gpus, changed, expected = [], [], []
        for p in requests:
            able = [s for s in order[p].tolist() if s > 0 and s in gpus]
            if able:
                # the GPU that came into this state last
                alike = [g for g, s in enumerate(gpus) if s == able[0]]
                chosen = max(alike, key=changed.__getitem__)
            elif len(gpus) < limit:
                chosen = len(gpus)
                gpus.append(0)
                changed.append(0)
            else:
                expected.append((-1, -1))
                continue
            at = int(states.start[gpus[chosen], p])
            gpus[chosen] = int(states.after[gpus[chosen], p, at])
            changed[chosen] = len(expected) + 1
            expected.append((chosen, at))
        gpu, start = kernel.pack(requests, limit, order, states.after, states.start)
        assert list(zip(gpu.tolist(), start.tolist(), strict=True)) == expected


def test_seven_small_ones_and_a_pair_of_halves():
    assert mig.partition({"1g.10gb": 14}, A100).gpus_used == 2
    assert mig.partition({"3g.40gb": 3}, A100).gpus_used == 2
    result = mig.partition({"4g.40gb": 3, "2g.20gb": 3, "1g.10gb": 3}, A100)
    assert (result.gpus_used, result.wasted_compute_slices) == (3, 0)
    # one memory slice of each GPU is left: 1g may not start at 7
    assert result.wasted_memory_slices == 3


def test_what_is_served_first_depends_on_what_counts():
    demand = {"7g.80gb": 1, "1g.10gb": 3}
    assert mig.partition(demand, A100, 1).served == 3
    assert mig.partition(demand, A100, 1, weigh="slices").served_worth == 7


def test_gaps_over_random_demands_are_not_negative_and_repeat():
    gaps = mig.study_gap(A100, NAMES, requests=40, mixes=10)
    assert (gaps >= 0).all()
    np.testing.assert_array_equal(gaps, mig.study_gap(A100, NAMES, requests=40, mixes=10))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: mig.partition([], A100), "requests are 0; allowed are 1 to"),
        (lambda: mig.partition({}, A100), "requests are 0; allowed are 1 to"),
        (lambda: mig.partition({"1g.10gb": 0}, A100), r"requests\['1g.10gb'\] is 0; allowed"),
        (lambda: mig.partition({"1g.10gb": -4}, A100), r"\] is -4; allowed"),
        (lambda: mig.partition({"1g.10gb": 1.5}, A100), r"\] is 1.5; allowed"),
        (lambda: mig.partition({"1g.10gb": True}, A100), r"\] is True; allowed"),
        (lambda: mig.partition({"1g.10gb": 10**9}, A100), "requests are 1000000000"),
        (lambda: mig.partition(["1g.10gb", "1g.6gb"], A100), "request 1: .* a profile of A30"),
        (lambda: mig.partition(["1g.10gb", "half"], A100), "request 1: profile is 'half'; allowed"),
        (lambda: mig.partition(["1g.10gb"], A100, 0), "gpus is 0; allowed"),
        (lambda: mig.partition(["1g.10gb"], A100, 2.0), "gpus is 2.0; allowed"),
        (lambda: mig.partition(["1g.10gb"], A100, method="best"), "method is 'best'; allowed"),
        (lambda: mig.partition(["1g.10gb"], A100, weigh="GB"), "weigh is 'GB'; allowed"),
        (lambda: mig.partition(["1g.10gb"], "V100"), "MIG geometry is 'V100'"),
    ],
)
def test_bad_input_names_the_row_and_what_is_allowed(call, words):
    with pytest.raises(InputError, match=words):
        call()
