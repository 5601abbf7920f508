"""The input pipeline against its closed forms, a plain twin, and what has to hold in every run."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.models.storage.loader import Loader, bound_utilisation, simulate_loader
from gpudeck.models.storage.loader.kernel import run_pipeline
from gpudeck.workload.training_input import TrainingInput, find_training_input

UNET = find_training_input("unet3d-h100")


def job_of(compute_s: float, sd: float = 0.0) -> TrainingInput:
    return TrainingInput("mine", 4, 50e6, sd, compute_s, 4, 90.0)


def twin(read_s, decode_s, compute_s, latency_s, workers, slots):
    """Walk the same rules batch by batch, in plain Python and with lists that only grow."""
    gpus, steps = read_s.shape
    begin, end = [], []
    ready = [[] for _ in range(gpus)]
    link = [[0.0] for _ in range(gpus)]
    for i in range(steps):
        for g in range(gpus):
            waits_for = [0.0]
            if i >= slots:
                waits_for.append(begin[i - slots])
            if i >= workers:
                waits_for.append(ready[g][i - workers])
            start = max(max(waits_for) + latency_s, link[g][-1])
            link[g].append(start + read_s[g, i])
            ready[g].append(link[g][-1] + decode_s[g, i])
        begin.append(max([ready[g][i] for g in range(gpus)] + end[-1:]))
        end.append(begin[-1] + compute_s[i])
    return np.array(link)[:, 1:], np.array(ready), np.array(begin), np.array(end)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 3),
    st.integers(1, 25),
    st.integers(1, 4),
    st.integers(1, 3),
    st.integers(0, 2**32),
)
def test_the_kernel_is_its_plain_twin(gpus, steps, workers, prefetch, seed) -> None:
    rng = np.random.default_rng(seed)
    read_s, decode_s = rng.exponential(1.0, (2, gpus, steps))
    compute_s = rng.exponential(1.0, steps)
    given_ = (read_s, decode_s, compute_s, 0.3, workers, workers * prefetch)
    for found, expected in zip(run_pipeline(*given_), twin(*given_), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-12)


@settings(max_examples=40, deadline=None)
@given(
    st.floats(0.2, 20.0),
    st.floats(0.005, 1.0),
    st.integers(1, 6),
    st.integers(1, 3),
    st.floats(0.0, 0.3),
    st.floats(0.0, 0.3),
)
def test_without_randomness_the_simulation_is_the_closed_form(
    gpu_gb_s, compute_s, workers, prefetch, latency_s, decode_s
) -> None:
    job, loader = job_of(compute_s), Loader(workers, prefetch, latency_s, decode_s)
    # whole cycles of the workers, so that no part of one is cut off
    found = simulate_loader(job, loader, gpu_gb_s, steps=50 + 60 * workers, warm_up=50)
    assert found.utilisation == pytest.approx(bound_utilisation(job, loader, gpu_gb_s), rel=0.02)


@pytest.mark.parametrize("slots", [1, 2, 4])
@pytest.mark.parametrize("load", [0.5, 1.0, 1.6])
def test_exponential_times_give_the_queue_m_m_1_k(slots: int, load: float) -> None:
    rng = np.random.default_rng(slots)
    steps = 400_000
    read_s = rng.exponential(1.0, (1, steps))
    compute_s = rng.exponential(load, steps)
    *_, end_s = run_pipeline(read_s, np.zeros((1, steps)), compute_s, 0.0, 1, slots)
    # at most `slots` batches wait or are read while one is computed: M/M/1/(slots + 1)
    busy = (slots + 1) / (slots + 2) if load == 1 else 1 - (1 - load) / (1 - load ** (slots + 2))
    assert compute_s.sum() / end_s[-1] == pytest.approx(busy, abs=0.005)


def test_three_gb_s_starve_unet3d_as_its_bandwidth_says() -> None:
    need_gb_s = 7 * 146_600_628 / 0.323 / 1e9
    assert bound_utilisation(UNET, Loader(), 3.0) == pytest.approx(3.0 / need_gb_s, rel=1e-12)
    assert bound_utilisation(UNET, Loader(), 4.0) == 1.0


def test_utilisation_never_passes_the_closed_form_and_falls_with_more_gpus() -> None:
    one, many = (
        np.mean(
            [simulate_loader(UNET, Loader(), 3.3, seed, gpus=g).utilisation for seed in range(5)]
        )
        for g in (1, 64)
    )
    assert many < one <= 1.0


def test_a_deeper_buffer_never_starves_more() -> None:
    found = [
        simulate_loader(UNET, Loader(4, depth), 3.3, gpus=8).utilisation for depth in (1, 2, 4)
    ]
    assert found == sorted(found)


def test_bytes_and_time_are_conserved() -> None:
    result = simulate_loader(UNET, Loader(), 3.0, gpus=4)
    computed_s = UNET.compute_s * (len(result.end_s) - result.warm_up)
    assert computed_s + result.stall_s.sum() == pytest.approx(result.makespan_s)
    assert (result.stall_s >= 0).all()
    assert result.read_gb_s <= 4 * 3.0 * 1.01  # the buffer holds a little more than was read


def test_the_same_seed_gives_the_same_run_and_another_does_not() -> None:
    runs = [simulate_loader(UNET, Loader(), 3.0, seed).utilisation for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


@pytest.mark.parametrize("gpu_gb_s", [0.0, -1.0, float("nan"), float("inf")])
def test_no_bandwidth_is_refused(gpu_gb_s: float) -> None:
    with pytest.raises(InputError, match="gpu_gb_s is"):
        bound_utilisation(UNET, Loader(), gpu_gb_s)
    with pytest.raises(InputError, match="gpu_gb_s is"):
        simulate_loader(UNET, Loader(), gpu_gb_s)


@pytest.mark.parametrize(
    ("field", "value"), [("workers", 0), ("prefetch", 0), ("latency_s", -1.0), ("decode_s", -1.0)]
)
def test_a_loader_out_of_range_is_refused(field: str, value: float) -> None:
    with pytest.raises(InputError, match=f"{field} is"):
        Loader(**{field: value})


@pytest.mark.parametrize(
    "given_", [{"gpus": 0}, {"steps": 50}, {"warm_up": 0}], ids=["gpus", "steps", "warm_up"]
)
def test_a_run_without_gpus_or_steps_is_refused(given_: dict[str, int]) -> None:
    with pytest.raises(InputError, match="allowed are 1 GPU or more"):
        simulate_loader(UNET, Loader(), 3.0, **given_)
