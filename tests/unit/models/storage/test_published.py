"""Published storage results: every row is known, and only the misprint is not met."""

from datetime import date

import pytest

from gpudeck.deck.validation import validate_models
from gpudeck.errors import InputError
from gpudeck.models.storage.published import compute_published
from gpudeck.tables import Row, read_table


def test_every_row_is_computed_and_only_the_misprint_fails() -> None:
    results = validate_models("storage")
    assert len(results) == len(read_table("published/storage").rows)
    failed = [result for result in results if not result.ok]
    assert [result.id for result in failed] == ["little@nfs-text"]
    assert "misprint" in failed[0].note


def test_unknown_row_is_named() -> None:
    row = Row("little@x", "target", 1.0, "us", 1, 1, "unverified", ("a",), "b", date.today())
    with pytest.raises(InputError, match="little@x"):
        compute_published([row])
