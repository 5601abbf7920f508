"""Erlang's formulas against closed forms, and at their edges."""

from math import factorial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.resilience.erlang import (
    erlang_b,
    erlang_c,
    largest_loads,
    late_share,
    mean_wait,
)

KNOWN = {(14, 10): 0.17413193359504991, (12, 10): 0.4493882242982711, (1, 0.8): 0.8}


def plain_c(servers, offered):
    top = offered**servers / factorial(servers) * servers / (servers - offered)
    return top / (sum(offered**k / factorial(k) for k in range(servers)) + top)


@pytest.mark.parametrize(("case", "expected"), KNOWN.items())
def test_known_values(case, expected):
    assert erlang_c(*case) == pytest.approx(expected, rel=1e-12)


@given(st.integers(1, 40), st.floats(0.01, 0.99))
@settings(max_examples=50, deadline=None)
def test_factorials_give_the_same(servers, load):
    assert erlang_c(servers, load * servers) == pytest.approx(
        plain_c(servers, load * servers), rel=1e-9
    )


def test_arrays_broadcast_and_large_systems_stay_finite():
    waits = erlang_c(np.array([[100], [5000]]), np.array([90.0, 99.0]))
    assert waits.shape == (2, 2)
    assert np.isfinite(waits).all()
    assert 0 < erlang_c(50_000, 49_900.0) < 1


@pytest.mark.parametrize("servers", [0, 1, 5])
def test_overload_waits_forever(servers):
    assert erlang_c(servers, 5.0) == 1
    assert np.isinf(mean_wait(servers, 5.0, 10.0))
    assert late_share(servers, 5.0, 10.0, 1000.0) == 1


def test_no_load_never_waits():
    assert erlang_c(3, 0.0) == 0
    assert erlang_b(3, 0.0) == 0


def test_largest_loads_are_the_brink():
    loads = largest_loads(60, 10.0, 5.0, 5.0)
    assert (np.diff(loads) > 0).all()
    servers = np.arange(1, 61)
    assert (late_share(servers, loads[1:], 10.0, 5.0) <= 0.05).all()
    assert (late_share(servers, loads[1:] * 1.0001, 10.0, 5.0) > 0.05).all()


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: erlang_c(-1, 1.0), "servers"),
        (lambda: erlang_c(1.5, 1.0), "servers"),
        (lambda: erlang_c(2, -1.0), "offered"),
        (lambda: erlang_b(2, np.nan), "offered"),
        (lambda: mean_wait(2, 1.0, 0.0), "service_s"),
        (lambda: late_share(2, 1.0, 1.0, -1.0), "wait_s"),
        (lambda: largest_loads(0, 1.0, 1.0, 5.0), "servers"),
        (lambda: largest_loads(5, 1.0, 1.0, 100.0), "late_pct"),
    ],
)
def test_bad_input_is_named(call, word):
    with pytest.raises(InputError, match=word):
        call()
