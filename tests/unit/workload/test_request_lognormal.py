"""Log-normal lengths: quantiles and means as told, cut at the longest, one draw for all spreads."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.workload.request_lognormal import (
    draw_requests,
    lengths_of_means,
    lengths_of_quantiles,
    sigma_of,
)


def test_drawn_lengths_have_the_given_quantiles() -> None:
    table = draw_requests(lengths_of_quantiles((100, 200), (50, 150), 100_000), 20_000)
    assert np.quantile(table.prompt_tokens, [0.5, 0.9]) == pytest.approx([100, 200], rel=0.03)
    assert np.quantile(table.output_tokens, [0.5, 0.9]) == pytest.approx([50, 150], rel=0.05)
    assert np.mean(np.diff(table.arrival_s)) == pytest.approx(1, rel=0.03)


def test_drawn_lengths_have_the_given_means_and_are_cut() -> None:
    table = draw_requests(lengths_of_means(160, 340, 1_000_000), 20_000)
    assert table.prompt_tokens.mean() == pytest.approx(160, rel=0.05)
    cut = draw_requests(lengths_of_means(160, 340, 300), 2000)
    assert (cut.prompt_tokens + cut.output_tokens).max() <= 300
    assert cut.output_tokens.min() >= 1


def test_no_spread_gives_one_length_and_more_spread_keeps_the_order() -> None:
    same = draw_requests(lengths_of_means(160, 340, 2048, sigma_of(0.0)), 50)
    assert set(same.prompt_tokens) == {160}
    assert set(same.output_tokens) == {340}
    narrow, wide = (
        draw_requests(lengths_of_means(160, 340, 10**6, sigma_of(s)), 500) for s in (0.5, 2.0)
    )
    assert np.array_equal(np.argsort(narrow.arrival_s), np.argsort(wide.arrival_s))
    assert np.corrcoef(np.log(narrow.prompt_tokens), np.log(wide.prompt_tokens))[0, 1] > 0.99


def test_a_spread_is_not_negative() -> None:
    with pytest.raises(InputError, match="spread is -1"):
        sigma_of(-1.0)
