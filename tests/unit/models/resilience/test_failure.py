"""Failure rates of the published table, and its arithmetic."""

import pytest

from gpudeck.errors import InputError
from gpudeck.models.resilience.failure import (
    COMPONENTS,
    FailureComponent,
    FailureRates,
    check_printed_shares,
    read_causes,
    read_failure_rates,
)


def test_rates_give_back_the_interruptions() -> None:
    rates, gpu_hours = read_failure_rates(), 16_384 * 54 * 24
    counts = {c.name: round(c.per_gpu_hour * gpu_hours, 6) for c in rates.components}
    assert counts == {"gpu": 196, "hbm": 72, "network": 42, "host": 46, "software": 63}
    assert sum(counts.values()) == 419
    assert rates.mtbf_s(16_384) / 3600 == pytest.approx(54 * 24 / 419)
    assert tuple(rates.shares) == COMPONENTS
    assert sum(rates.shares.values()) == pytest.approx(1)
    assert rates.node_share == pytest.approx((419 - 63) / 419)


def test_components_are_in_series() -> None:
    rates = read_failure_rates()
    assert rates.mtbf_s(2048) == pytest.approx(8 * rates.mtbf_s(16_384))
    assert rates.scaled(4).mtbf_s(1024) == pytest.approx(rates.mtbf_s(4096))
    assert rates.scaled(4).shares == pytest.approx(dict(rates.shares))


def test_printed_shares_do_not_follow_from_their_counts() -> None:
    found = check_printed_shares()
    assert (found.count, found.unexpected) == (148, 419)
    assert found.computed_pct == pytest.approx(35.32, abs=0.01)
    assert found.printed_sum_pct == pytest.approx(94.9)
    # what is missing from 100 is the difference of that one line, to the rounding of eighteen
    missing = 100 - found.printed_sum_pct
    assert missing == pytest.approx(found.computed_pct - found.printed_pct, abs=0.2)
    assert found.gpu_printed_sum_pct == pytest.approx(found.gpu_printed_pct)
    assert found.gpu_computed_pct == pytest.approx(63.96, abs=0.01)
    others = [cause for cause in read_causes() if cause.name != "faulty-gpu"]
    for cause in others:
        assert cause.printed_pct == pytest.approx(100 * cause.count / 419, abs=0.051)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: FailureComponent("gpu", -1.0, takes_node=True), "per_gpu_hour of gpu is -1"),
        (lambda: FailureRates(()), "the rates sum to 0"),
        (lambda: read_failure_rates().mtbf_s(0), "gpus is 0"),
        (lambda: read_failure_rates().scaled(0), "times is 0"),
        (lambda: read_failure_rates().scaled(float("inf")), "times is inf"),
    ],
)
def test_refuses(call, named: str) -> None:
    with pytest.raises(InputError, match=named):
        call()
