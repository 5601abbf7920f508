"""Synthetic use: its means and drifts, its limits, and the compiled loop against a plain one."""

from dataclasses import replace

import numpy as np
import pytest

from gpudeck.errors import InputError
from gpudeck.models.sharing.right_sizing import UsageShape, draw_pods, simulate_usage
from gpudeck.models.sharing.right_sizing.kernel import shape_use
from gpudeck.rng import generator
from gpudeck.workload import Pods

FLAT = UsageShape(14, 60, 0.4, 0, 0, 0, 0, 0, 0)
WHOLE = np.ones(300)


def test_flat_use_stays_at_its_level_and_levels_have_the_mean() -> None:
    usage = simulate_usage(FLAT, WHOLE, WHOLE, seed=0)
    assert usage.memory.shape == (300, 14 * 24)
    assert np.ptp(usage.memory, axis=1).max() < 1e-12
    assert usage.memory[:, 0].mean() == pytest.approx(0.4, abs=0.03)


def test_growth_and_jumps_are_what_they_say() -> None:
    grown = simulate_usage(replace(FLAT, growth=0.1), WHOLE, 9 * WHOLE, seed=0).memory
    assert grown[:, 7 * 24] / grown[:, 0] == pytest.approx(1.1)
    jumped = simulate_usage(replace(FLAT, jumps=0.5, jump=0.3), WHOLE, 99 * WHOLE, seed=1).memory
    number = np.log(jumped[:, -1] / simulate_usage(FLAT, WHOLE, WHOLE, seed=1).memory[:, -1])
    number /= np.log(1.3)
    assert number == pytest.approx(np.round(number))
    assert number.mean() == pytest.approx(1.0, abs=0.2)


def test_noise_has_the_mean_of_one_and_the_spread_asked() -> None:
    shape = replace(FLAT, noise=0.2, compute_noise=0.1)
    usage = simulate_usage(shape, WHOLE, 99 * WHOLE, seed=0)
    flat = simulate_usage(FLAT, WHOLE, 99 * WHOLE, seed=0)
    ratio = usage.memory / flat.memory
    assert ratio.mean() == pytest.approx(1, abs=0.01)
    assert np.log(ratio).std() == pytest.approx(0.2, rel=0.03)
    assert np.log(usage.compute / flat.compute).std() == pytest.approx(0.1, rel=0.03)


def test_use_never_exceeds_the_device() -> None:
    shape = UsageShape(7, 30, 0.8, 0.5, 0.5, 0.5, 0.5, 3, 0.5)
    usage = simulate_usage(shape, WHOLE, WHOLE, seed=0)
    assert usage.memory.max() == usage.compute.max() == 1
    assert usage.memory.min() > 0


def test_the_same_seed_gives_the_same_use() -> None:
    shape = replace(FLAT, noise=0.1)
    one, two, other = (simulate_usage(shape, WHOLE, WHOLE, seed) for seed in (3, 3, 4))
    assert (one.memory == two.memory).all()
    assert (one.memory != other.memory).any()


def test_the_compiled_loop_is_the_plain_one() -> None:
    rng = generator(0, "twin")
    level, phase_h, ceiling = rng.random(3), 24 * rng.random(3), np.array([0.5, 1.0, 2.0])
    drift, noise = 1 + rng.random((3, 50)), rng.standard_normal((3, 50)).astype(np.float32)
    hours = np.arange(50) / 2
    got = shape_use(level, drift, hours, phase_h, 0.3, 0.4, 0.7, ceiling, noise)
    for pod in range(3):
        state = float(noise[pod, 0])
        for step in range(50):
            if step:
                state = 0.7 * state + np.sqrt(1 - 0.7**2) * noise[pod, step]
            day = 1 + 0.3 * np.cos((hours[step] - phase_h[pod]) / 24 * 2 * np.pi)
            want = level[pod] * drift[pod, step] * day * np.exp(0.4 * state - 0.08)
            assert got[pod, step] == pytest.approx(min(want, ceiling[pod]))


def test_pods_are_drawn_among_those_that_ask_for_a_gpu() -> None:
    pods = Pods.from_specs([1] * 3, [1] * 3, [0, 1, 4], [0, 250, 1000], [""] * 3, [50, 30, 20])
    gpus, ceiling = draw_pods(pods, 2000, seed=0)
    assert set(zip(gpus.tolist(), ceiling.tolist(), strict=True)) == {(0.25, 4.0), (4.0, 1.0)}
    assert (gpus == 0.25).mean() == pytest.approx(0.6, abs=0.05)


@pytest.mark.parametrize(
    ("field", "value", "told"),
    [
        ("days", 0, "days is 0"),
        ("sample_min", 0, "sample_min is 0"),
        ("sample_min", 61, "sample_min is 61"),
        ("use", 0, "use is 0"),
        ("use", 1.0, "use is 1"),
        ("diurnal", 1.1, "diurnal is 1.1"),
        ("noise", -0.1, "noise is -0.1"),
        ("jump", float("nan"), "jump is nan"),
    ],
)
def test_a_shape_out_of_range_is_refused(field: str, value: float, told: str) -> None:
    with pytest.raises(InputError, match=told):
        replace(FLAT, **{field: value})


def test_impossible_pods_are_refused() -> None:
    with pytest.raises(InputError, match="equal lengths"):
        simulate_usage(FLAT, [1.0], [1.0, 1.0], seed=0)
    with pytest.raises(InputError, match="above 0"):
        simulate_usage(FLAT, [0.0], [1.0], seed=0)
    with pytest.raises(InputError, match="take fewer"):
        simulate_usage(replace(FLAT, days=60, sample_min=1), np.ones(3000), np.ones(3000), seed=0)
    with pytest.raises(InputError, match="0 of 1 pods ask for a GPU"):
        draw_pods(Pods.from_specs([1], [1], [0], [0], [""], [1]), 5, seed=0)
