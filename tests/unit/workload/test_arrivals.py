"""Synthetic jobs have the load, the mix and the durations that were asked for."""

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.workload.arrivals import DAY_S, LONGEST_S, Durations, Submitter, draw_jobs

PHILLY = Durations(18_006.055, 874.0)
TWO = [Submitter("a", 0.75, 10), Submitter("b", 0.25, -5)]
NODES = [8] * 16


def draw(**changes):
    options = {"load": 0.8, "days": 4, "gang_share": 0.25, "seed": 3, **changes}
    return draw_jobs(NODES, [0, 1, 1, 2, 8], TWO, PHILLY, **options)


def test_the_load_is_reached_and_passed_by_one_job_at_most():
    jobs = draw()
    asked = jobs.gpu_seconds.sum() / (128 * 4 * DAY_S)
    assert 0.8 <= asked <= 0.8 + jobs.gpu_seconds.max() / (128 * 4 * DAY_S)
    assert (np.diff(jobs.arrival_s) >= 0).all()
    assert jobs.arrival_s.max() < 4 * DAY_S


def test_durations_have_the_median_and_the_mean_of_the_lognormal():
    """Without the cut the mean would be E[min(T, cut)], which is known in closed form."""
    from scipy.stats import norm

    drawn = PHILLY.draw(400_000, np.random.default_rng(0))
    assert np.median(drawn) == pytest.approx(874, rel=0.02)
    mu, sigma = np.log(874.0), PHILLY.sigma
    at = (np.log(LONGEST_S) - mu) / sigma
    mean = 18_006.055 * norm.cdf(at - sigma) + LONGEST_S * norm.sf(at)
    assert drawn.mean() == pytest.approx(mean, rel=0.02)
    assert drawn.max() <= LONGEST_S


def test_shares_of_gangs_and_tenants():
    jobs = draw(load=8.0)
    assert (jobs.pods > 1).mean() == pytest.approx(0.25, abs=0.03)
    assert set(jobs.pods.tolist()) == {1, 2, 4, 8}
    assert (jobs.tenant == "a").mean() == pytest.approx(0.75, abs=0.03)
    assert set(jobs.priority[jobs.tenant == "b"].tolist()) == {-5}
    assert set(jobs.gpus_per_pod.tolist()) == {1, 2, 8}


def test_arrivals_follow_the_day():
    jobs = draw(load=20.0, diurnal=0.8)
    hour = jobs.arrival_s / 3600 % 24
    day, night = ((hour > 11) & (hour < 17)).sum(), ((hour < 5) | (hour > 23)).sum()
    # ∫(1 + 0.8 cos) over six hours about the peak and about the trough
    swing = 0.8 * 2 * np.sin(np.pi / 4) * 24 / (2 * np.pi)
    assert day / night == pytest.approx((6 + swing) / (6 - swing), rel=0.2)


def test_estimates_are_a_multiple_of_the_duration():
    jobs = draw(over_estimate=3.0)
    np.testing.assert_allclose(jobs.estimate_s, 3 * jobs.duration_s)


def test_nothing_is_larger_than_the_cluster():
    jobs = draw_jobs([2, 1], [8, 1], TWO, PHILLY, load=2, days=1, gang_share=1.0)
    assert jobs.gpus_per_pod.max() == 2
    assert (jobs.gpus <= 3).all()


def test_the_same_seed_gives_the_same_jobs():
    first, second = draw(), draw()
    np.testing.assert_array_equal(first.arrival_s, second.arrival_s)
    assert draw(seed=4).arrival_s[0] != first.arrival_s[0]


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"load": 0}, "load is 0"),
        ({"load": float("inf")}, "load is inf"),
        ({"days": -1}, "days is -1"),
        ({"gang_share": 1.5}, "gang_share is 1.5"),
        ({"over_estimate": 0.5}, "over_estimate is 0.5"),
        ({"diurnal": 2}, "diurnal is 2"),
        ({"load": 1e6}, "more than 2000000 jobs"),
    ],
)
def test_nonsense_is_refused(changes, complaint):
    with pytest.raises(InputError, match=complaint):
        draw(**changes)


def test_a_cluster_without_gpus_and_wrong_shares_are_refused():
    with pytest.raises(InputError, match="holds no GPU"):
        draw_jobs([0], [1], TWO, PHILLY, load=1, days=1)
    with pytest.raises(InputError, match="holds no GPU"):
        draw_jobs([8], [0], TWO, PHILLY, load=1, days=1)
    with pytest.raises(InputError, match=r"sum to 0\.75"):
        draw_jobs([8], [1], TWO[:1], PHILLY, load=1, days=1)
    with pytest.raises(InputError, match="0 < median < mean"):
        Durations(10, 10)
