"""Confidence intervals against closed forms and coverage."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.interval import Interval, band_of, interval_of, interval_of_change


def test_the_t_interval_equals_its_closed_form() -> None:
    # Two samples: t(1, 0.975) = tan(0.475π), and s/√2 is half their distance.
    interval = interval_of([3.0, 5.0])
    assert interval.mean == 4
    assert interval.half_width == pytest.approx(np.tan(0.475 * np.pi))


def test_the_interval_covers_the_mean_as_often_as_it_says() -> None:
    samples = np.random.default_rng(1).normal(7, 2, size=(4000, 6))
    band = band_of(samples, axis=1)
    assert np.mean((band.low <= 7) & (band.high >= 7)) == pytest.approx(0.95, abs=0.011)


def test_equal_samples_have_no_width() -> None:
    assert interval_of([2.0, 2.0, 2.0]) == Interval(2.0, 2.0, 2.0)


def test_a_band_is_an_interval_at_every_point() -> None:
    curves = np.array([[1.0, 5.0], [3.0, 6.0], [4.0, 9.0]])
    band = band_of(curves)
    for point in range(2):
        interval = interval_of(curves[:, point])
        assert (band.low[point], band.high[point]) == (interval.low, interval.high)
    assert np.array_equal(band_of(curves.T, axis=1).high, band.high)


def test_the_band_of_runs_holds_95_percent_of_them() -> None:
    curves = np.arange(1001.0)[:, None] / 10
    band = band_of(curves, of="runs")
    assert (band.low[0], band.high[0]) == pytest.approx((2.5, 97.5))


def test_the_band_of_runs_holds_the_mean_of_a_skewed_sample() -> None:
    curves = np.concatenate([np.zeros(99), [1e6]])[:, None]
    band = band_of(curves, of="runs")
    assert band.low[0] <= band.mean[0] <= band.high[0]


@pytest.mark.parametrize(
    ("samples", "told"),
    [([1.0], "2 or more"), ([1.0, np.nan], "finite"), ([[1.0, 2.0]], "dimensions")],
)
def test_what_has_no_interval_is_refused(samples: list[float], told: str) -> None:
    with pytest.raises(InputError, match=told):
        interval_of(samples)


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match=r"level is 1\.5"):
        interval_of([1.0, 2.0], level=1.5)
    with pytest.raises(InputError, match="of is 'median'"):
        band_of([[1.0], [2.0]], of="median")
    with pytest.raises(InputError, match="2 or more"):
        band_of([[1.0, 2.0]])
    with pytest.raises(InputError, match="low <= mean <= high"):
        Interval(5.0, 1.0, 2.0)


def test_a_change_is_paired_and_needs_something_before() -> None:
    change = interval_of_change([1.0, 2.0, 4.0], [2.0, 3.0, 4.0])
    assert change == interval_of([100.0, 50.0, 0.0])
    assert interval_of_change([0.0, 1.0], [1.0, 1.0]) is None
