"""Published serving results: which rows are known, and the tools that compute them."""

from datetime import date

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.serving.capacity import highest_rate
from gpudeck.models.serving.pooled import pooled_quantile
from gpudeck.models.serving.published import compute_published
from gpudeck.tables import Row, read_table
from gpudeck.workload.request_lognormal import draw_requests, lengths_of_means


def test_every_row_is_computed_and_every_bound_begins_at_one() -> None:
    rows = read_table("published/serving").rows
    assert len(rows) == 22
    assert {row.attribute for row in rows} == {"target", "bound"}
    for row in rows:
        if row.attribute == "bound":
            assert (row.low, row.high) == (1, row.number)


def test_unknown_row_is_named() -> None:
    row = Row("slots@gpt-5", "target", 1.0, "token", 1, 1, "unverified", ("a",), "b", date.today())
    with pytest.raises(InputError, match="slots@gpt-5"):
        compute_published([row])


def test_slots_are_memory_over_bytes_of_a_token() -> None:
    row = read_table("published/serving").row("slots@opt-13b", "target")
    # 12 GiB over 2 · 40 layers · 5120 · 2 bytes
    assert compute_published([row]) == {"slots@opt-13b": 12 * 2**30 // 819_200}


@pytest.mark.parametrize("limit", [0.5, 3.0, 19.0])
def test_highest_rate_is_found_within_four_percent(limit: float) -> None:
    table = draw_requests(lengths_of_means(10, 10, 100), 50)
    found = highest_rate(table, lambda load: load.rate_per_s <= limit, 20.0)
    assert limit / 1.04 <= found <= limit


def test_rates_beyond_the_range_are_its_top_or_nothing() -> None:
    table = draw_requests(lengths_of_means(10, 10, 100), 50)
    assert highest_rate(table, lambda _: True, 20.0) == 20
    assert highest_rate(table, lambda _: False, 20.0) == 0


def test_weighted_quantile_is_that_of_the_repeated_values() -> None:
    values, counts = np.array([5.0, 1.0, 3.0]), np.array([2, 5, 3])
    plain = np.sort(np.repeat(values, counts))
    for share in (0.1, 0.5, 0.6, 0.9):
        assert pooled_quantile(values, counts, share) == plain[int(np.ceil(share * 10)) - 1]
