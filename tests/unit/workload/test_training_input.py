"""What a training job reads, from MLPerf Storage or the reader's own."""

import pytest

from gpudeck.errors import InputError
from gpudeck.workload.training_input import (
    TrainingInput,
    find_training_input,
    read_training_inputs,
)


def test_bandwidth_that_each_workload_needs() -> None:
    need = {name: round(job.need_gb_s, 4) for name, job in read_training_inputs().items()}
    assert need == {"unet3d-h100": 3.1771, "resnet50-h100": 0.2048, "cosmoflow-h100": 0.8081}


def test_a_batch_of_independent_samples_varies_with_the_root_of_its_size() -> None:
    job = find_training_input("unet3d-h100")
    assert job.batch_bytes == 7 * job.sample_bytes
    assert job.batch_sd_bytes == pytest.approx(7**0.5 * job.sample_sd_bytes)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch", 0),
        ("sample_bytes", 0.0),
        ("sample_sd_bytes", -1.0),
        ("compute_s", 0.0),
        ("compute_s", float("nan")),
        ("readers", 0),
        ("target_pct", -1.0),
    ],
)
def test_a_number_out_of_its_range_is_refused_by_name(field: str, value: float) -> None:
    numbers = {
        "batch": 1,
        "sample_bytes": 1e6,
        "sample_sd_bytes": 0.0,
        "compute_s": 0.1,
        "readers": 1,
        "target_pct": 90.0,
    }
    with pytest.raises(InputError, match=f"{field} of training input 'mine' is"):
        TrainingInput("mine", **(numbers | {field: value}))


def test_an_unknown_workload_names_those_that_there_are() -> None:
    with pytest.raises(InputError, match="unet3d-h100, resnet50-h100"):
        find_training_input("bert")
