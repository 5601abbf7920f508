import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.journey.use import HOURS, KINDS, PPM, daily_course, draw_beta, draw_use
from gpudeck.scenario import read_scenario
from gpudeck.workload.pod import Pods

SCENARIO = read_scenario("small")


def pods_of(count: int, milli: int = 500) -> Pods:
    return Pods.from_specs([1000], [1024], [1 if milli else 0], [milli], [""], [count])


@given(mean=st.floats(1, 99), spread=st.floats(0, 1), seed=st.integers(0, 99))
@settings(max_examples=40, deadline=None)
def test_beta_has_the_mean_and_spread_that_were_asked(mean, spread, seed) -> None:
    sd = spread * 0.8 * np.sqrt(mean * (100 - mean))
    drawn = draw_beta(mean, sd, 20_000, np.random.default_rng(seed)) / PPM * 100
    assert ((drawn >= 0) & (drawn <= 100)).all()
    # seven standard errors, for many means and seeds are tried, and the rounding to a millionth
    assert abs(drawn.mean() - mean) <= 7 * sd / np.sqrt(20_000) + 1e-4
    assert abs(drawn.std() - sd) <= 0.08 * sd + 1e-4


@pytest.mark.parametrize(
    ("mean", "sd"), [(0, 1), (100, 1), (50, 50), (5, 22), (50, -1), (float("nan"), 1)]
)
def test_a_spread_that_no_beta_distribution_has_is_refused(mean, sd) -> None:
    with pytest.raises(InputError, match="allowed is a mean between"):
        draw_beta(mean, sd, 3, np.random.default_rng(0))


@given(mean=st.floats(0.5, 50), ratio=st.floats(1, 12), hour=st.integers(0, 23))
@settings(max_examples=50, deadline=None)
def test_course_has_its_peak_and_its_mean(mean, ratio, hour) -> None:
    peak = min(mean * ratio, 12 * mean)
    course = daily_course(mean, peak, hour)
    assert course.shape == (HOURS,)
    assert course[hour] == course.max() == 1
    assert ((course >= 0) & (course <= 1)).all()
    assert course.mean() == pytest.approx(mean / peak, rel=1e-9)
    # the same before and after the peak
    assert course[(hour + 5) % HOURS] == pytest.approx(course[(hour - 5) % HOURS])


@pytest.mark.parametrize(("mean", "peak"), [(10, 9), (10, 121), (0, 0), (float("nan"), 5)])
def test_course_that_cannot_be_is_refused(mean, peak) -> None:
    with pytest.raises(InputError, match="allowed is 1 to 12 times the mean"):
        daily_course(mean, peak, 0)


def test_pods_follow_the_shares_of_the_tenants() -> None:
    use = draw_use(pods_of(20_000), SCENARIO.tenants, SCENARIO.use, seed=3)
    for tenant in SCENARIO.tenants:
        part = (use.kind == KINDS.index(tenant.workload)).mean()
        assert part == pytest.approx(tenant.share, abs=0.02)
    inference = use.kind == KINDS.index("inference")
    assert use.peak_ppm[inference].mean() / 1e4 == pytest.approx(19.8, abs=0.6)
    day = use.peak_ppm[inference].mean() * use.course_ppm[0].mean() / 1e10
    assert day == pytest.approx(7.0, abs=0.25)
    assert use.memory_ppm[inference].mean() / 1e4 == pytest.approx(60, abs=0.6)


def test_pods_without_gpu_use_none() -> None:
    mixed = Pods.from_specs([1, 1], [1, 1], [0, 1], [0, 1000], ["", ""], [4, 4])
    use = draw_use(mixed, SCENARIO.tenants, SCENARIO.use, seed=0)
    assert (use.kind[:4] == -1).all()
    assert not use.peak_ppm[:4].any()
    assert not use.memory_ppm[:4].any()


def test_without_a_gpu_pod_there_is_nothing_to_draw() -> None:
    with pytest.raises(InputError, match="none of which asks for GPU"):
        draw_use(pods_of(3, milli=0), SCENARIO.tenants, SCENARIO.use, seed=0)


def test_same_seed_same_use() -> None:
    first, again, other = (
        draw_use(pods_of(50), SCENARIO.tenants, SCENARIO.use, seed) for seed in (1, 1, 2)
    )
    assert (first.peak_ppm == again.peak_ppm).all()
    assert (first.peak_ppm != other.peak_ppm).any()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            [
                "use.training.sm_sd_pct=49.99",
                "use.training.sm_mean_pct=40",
                "use.training.sm_peak_pct=40",
            ],
            "sm_sd_pct 49.99, too large for a Beta",
        ),
        (["use.inference.sm_sd_pct=45"], "too large for a Beta"),
        (["use.inference.sm_peak_pct=5"], "from the mean to 12 times"),
        (["use.notebook.memory_sd_pct=-1"], "memory_sd_pct"),
        (["use.sharing_loss_low_pct=50"], "above sharing_loss_high_pct"),
        (["cost.low_usd_per_gpu_h=0"], "low_usd_per_gpu_h"),
        (["cost.central_usd_per_gpu_h=-1"], "central_usd_per_gpu_h"),
        (["cost.high_usd_per_gpu_h=1"], "do not rise"),
    ],
)
def test_scenario_refuses_use_and_prices_that_cannot_be(changes, words) -> None:
    with pytest.raises(InputError) as caught:
        read_scenario("small", changes)
    assert words in str(caught.value)
