"""Load over time: both file forms, the profile's table, and what is drawn from it."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.workload.diurnal_load import Spread, count_arrivals, draw_load
from gpudeck.workload.load_series import (
    DiurnalProfile,
    read_diurnal_profile,
    read_load_series,
)


def write(folder, text):
    path = folder / "load.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_minutes_are_means_and_gaps_are_bridged(tmp_path):
    path = write(tmp_path, "time,qps\n200,4\n30,3\n0,1\n")
    assert read_load_series(path).rate_per_s.tolist() == [2.0, 2 + 2 / 3, 2 + 4 / 3, 4.0]


def test_containers_of_gentd26_are_summed(tmp_path):
    rows = "timestamp_anon,value,container_ip,request_type\n"
    rows += "1000,1.5,a,x\n1000,2.5,b,x\n1057,1,a,x\n1171,7,a,x\n"
    # the period at 114 s has no sample: no requests
    assert read_load_series(write(tmp_path, rows)).rate_per_s.tolist() == [2.5, 0.0, 7.0]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("time,qps\n0,1\n", "rows"),
        ("time,qps\n0,1\n60,1\n", "spans"),
        ("time,qps\n0,1\n300,-1\n", "line 3"),
        ("time,qps\n0,1\n300,nan\n", "line 3"),
        ("time,qps\n0,1\nx,2\n", "line 3"),
        ("time,qps\n0,1\n300\n", "line 3"),
        ("t,q\n0,1\n300,2\n", "columns"),
        ("", "rows"),
        ("time,qps\n0,1\n99999999,1\n", "spans"),
    ],
)
def test_wrong_files_are_named(tmp_path, text, word):
    with pytest.raises(InputError, match=word):
        read_load_series(write(tmp_path, text))


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match="not there"):
        read_load_series(tmp_path / "none.csv")


def test_profile_repeats_and_bridges_the_missing_hour():
    profile = read_diurnal_profile()
    low, high = sorted((profile.level[22], profile.level[0]))
    assert low <= profile.level[23] <= high
    minutes = profile.at_minutes(2 * 1440)
    np.testing.assert_allclose(minutes[:1440], minutes[1440:])
    assert minutes[7 * 60 + 30] == 1.0


def test_draws_have_the_spread_that_was_asked():
    flat = DiurnalProfile(np.ones(24), 0.2, 0.6, "test")
    rate = draw_load(flat, 10.0, 30, Spread(0.2, 0.6, 0.0), [1, 2])
    assert rate.shape == (2, 30 * 1440)
    assert rate.mean() == pytest.approx(10, rel=0.02)
    assert rate[0].std() == pytest.approx(2, rel=0.05)
    assert np.corrcoef(rate[0, 1:], rate[0, :-1])[0, 1] == pytest.approx(0.6, abs=0.03)
    counts = count_arrivals(rate, [1, 2])
    assert counts.mean() == pytest.approx(10, rel=0.02)
    again = draw_load(flat, 10.0, 30, Spread(0.2, 0.6, 0.0), [2])
    np.testing.assert_array_equal(again[0], rate[1])


def test_surges_multiply():
    flat = DiurnalProfile(np.ones(24), 0, 0, "test")
    rate = draw_load(flat, 1.0, 10, Spread(0, 0, 0, 2.0, 3.0, 10), [5])
    assert set(np.unique(rate)) <= {1.0, 3.0, 9.0}
    assert (rate == 3.0).any()


@pytest.mark.parametrize(
    ("values", "word"),
    [
        ((-0.1, 0, 0), "noise"),
        ((0, 1.0, 0), "correlation"),
        ((0, 0, 2.0), "day"),
        ((0, 0, 0, -1), "bursts_per_day"),
        ((0, 0, 0, 0, 0.5), "burst_factor"),
        ((0, 0, 0, 0, 1, 0), "burst_min"),
    ],
)
def test_bad_spread_is_named(values, word):
    with pytest.raises(InputError, match=word):
        Spread(*values)


@pytest.mark.parametrize(("peak", "days"), [(0, 1), (1, 0)])
def test_no_load_is_refused(peak, days):
    with pytest.raises(InputError, match="peak_per_s"):
        draw_load(read_diurnal_profile(), peak, days, Spread(0, 0, 0), [0])
