"""Models beside published results: what passes, what fails, what is an error."""

from datetime import date

import pytest

from gpudeck.deck import validation
from gpudeck.deck.validation import compare, select, validate_models
from gpudeck.errors import InputError
from gpudeck.tables import Row


def row(
    row_id: str,
    value: float,
    low: float | None,
    high: float | None,
    attribute: str = "allocated_pct",
) -> Row:
    return Row(
        id=row_id,
        attribute=attribute,
        value=value,
        unit="%",
        low=low,
        high=high,
        kind="published-measurement",
        sources=("paper",),
        locator="Fig. 1",
        accessed=date(2026, 11, 23),
    )


@pytest.mark.parametrize(("computed", "ok"), [(95.39, True), (95.6, False), (95.1, False)])
def test_result_passes_within_its_tolerance(computed: float, ok: bool) -> None:
    (result,) = compare("packing", [row("fgd", 95.39, 95.2, 95.58)], lambda _: {"fgd": computed})
    assert result.ok is ok
    assert result.to_dict() == {
        "id": "fgd",
        "model": "packing",
        "published": 95.39,
        "computed": computed,
        "error": pytest.approx(computed - 95.39),
        "tolerance": pytest.approx(0.19),
        "unit": "%",
        "source": "paper",
        "kind": "target",
        "note": "",
        "ok": ok,
    }


@pytest.mark.parametrize(("computed", "ok"), [(6.4, True), (1.6, True), (1.5, False), (0.1, False)])
def test_a_range_that_reaches_further_on_one_side_holds_on_both(computed: float, ok: bool) -> None:
    (result,) = compare("fabric", [row("tcp", 3.2, 1.6, 6.4)], lambda _: {"tcp": computed})
    assert result.ok is ok


@pytest.mark.parametrize("computed", [float("nan"), float("inf")])
def test_what_is_no_number_does_not_pass(computed: float) -> None:
    (result,) = compare("packing", [row("fgd", 95.39, 95.2, 95.58)], lambda _: {"fgd": computed})
    assert not result.ok


def test_row_that_is_not_computed_or_has_no_tolerance_is_named() -> None:
    with pytest.raises(InputError, match="fgd is not computed"):
        compare("packing", [row("fgd", 95.39, 95.2, 95.58)], lambda _: {})
    with pytest.raises(InputError, match="fgd has no low and high"):
        compare("packing", [row("fgd", 95.39, None, None)], lambda _: {"fgd": 95.39})


@pytest.mark.parametrize(
    ("computed", "ok"), [(1.0, True), (2.6, True), (0.99, False), (2.61, False)]
)
def test_best_case_bounds_the_computed_number(computed: float, ok: bool) -> None:
    rows = [row("chunked", 2.6, 1.0, 2.6, "bound")]
    (result,) = compare("serving", rows, lambda _: {"chunked": computed})
    assert result.kind == "bound"
    assert result.ok is ok


def test_what_is_not_met_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(validation.NOTES, "serving", {"chunked": "another load"})
    rows = [row("chunked", 2.6, 2.5, 2.7)]
    (missed,) = compare("serving", rows, lambda _: {"chunked": 2.0})
    (met,) = compare("serving", rows, lambda _: {"chunked": 2.6})
    assert (missed.note, met.note) == ("another load", "")
    assert missed.to_dict()["note"] == "another load"


def test_every_model_is_as_close_as_it_claims() -> None:
    results = validate_models("packing", "sharing")
    assert results
    assert [result for result in results if not result.ok] == []


def test_serving_says_why_wherever_it_is_not_met() -> None:
    results = validate_models("serving")
    assert [result.id for result in results if not result.ok and not result.note] == []
    assert sum(result.ok for result in select(results, "slots", "batch")) == 4


def test_only_the_models_that_are_named_are_computed() -> None:
    assert {result.model for result in validate_models("sharing")} == {"sharing"}
    with pytest.raises(InputError, match="model is 'packer'; allowed are packing"):
        validate_models("packer")
