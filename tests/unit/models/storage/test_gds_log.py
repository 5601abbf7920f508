"""The GDS guide against its own logs."""

import pytest

from gpudeck.errors import InputError
from gpudeck.models.storage import audit_guide, read_local_runs, read_remote_runs
from gpudeck.models.storage.gds_log import find_run


def test_every_logged_run_obeys_littles_law() -> None:
    local, remote = read_local_runs(), read_remote_runs()
    assert (len(local), len(remote)) == (6, 7)
    assert max(abs(run.error_pct) for run in local) < 4
    assert max(abs(run.error_pct) for run in remote) < 0.05


def test_the_text_repeats_the_latency_of_the_other_run() -> None:
    near, far = find_run("read_near"), find_run("read_far")
    latency = audit_guide()[0]
    assert 1e6 * near.little_s == pytest.approx(137.1, abs=0.05)
    assert latency.printed == pytest.approx(1e6 * far.logged_s, abs=0.1)
    assert latency.logged == pytest.approx(latency.follows, rel=1e-3)
    with pytest.raises(InputError, match="run is 'x'; allowed are"):
        find_run("x")


def test_each_misprint_is_farther_from_the_law_than_its_log() -> None:
    for one in audit_guide():
        assert abs(one.printed / one.follows - 1) > 0.15, one.name


def test_equal_threads_leave_equal_ratios_of_rate_and_latency() -> None:
    rate = audit_guide()[1]
    assert rate.logged == pytest.approx(rate.follows)
    assert rate.follows == pytest.approx(12.7, abs=0.05)
