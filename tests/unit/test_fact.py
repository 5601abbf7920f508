"""A fact cannot be without a kind, a source and a function, and prints the same everywhere."""

import math

import pytest

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name, index_facts
from gpudeck.interval import Interval


def make_fact(**changes: object) -> Fact:
    fields = {
        "key": "allocated",
        "value": 95.39,
        "unit": "%",
        "kind": "simulated",
        "source": "model:packing",
        "function": "gpudeck.models.scheduling.fill",
    }
    return Fact(**(fields | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"kind": "guessed"}, "guessed"),
        ({"source": ""}, "source"),
        ({"function": ""}, "function"),
        ({"value": math.nan}, "nan"),
        ({"value": math.inf}, "inf"),
        ({"value": -math.inf}, "inf"),
    ],
)
def test_a_fact_that_cannot_be_traced_or_shown_is_refused(change: dict, named: str) -> None:
    with pytest.raises(InputError, match=named):
        make_fact(**change)


def test_plain_text_hides_floating_point_noise() -> None:
    fact = make_fact(value=95.39000000000001, interval=Interval(95.39, 95.2, 95.58))
    assert fact.plain() == "allocated = 95.39 % [95.2, 95.58] (simulated)"


def test_json_holds_the_interval_and_its_level() -> None:
    row = make_fact(interval=Interval(95.39, 95.2, 95.58)).to_dict()
    assert (row["low"], row["high"], row["level"]) == (95.2, 95.58, 0.95)
    assert "low" not in make_fact().to_dict()


def test_one_key_names_one_fact() -> None:
    with pytest.raises(InputError, match="allocated"):
        index_facts((make_fact(), make_fact(value=1.0)))


def test_function_name_can_be_imported() -> None:
    assert function_name(index_facts) == "gpudeck.fact.index_facts"
