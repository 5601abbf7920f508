"""What a training job reads: bytes of a batch, and the time in which the GPU consumes it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache

from gpudeck.errors import InputError
from gpudeck.tables import read_table
from gpudeck.units import convert


@dataclass(frozen=True, slots=True)
class TrainingInput:
    """The input of one GPU in training.

    Parameters
    ----------
    id : str
        Name, such as a row of ``data/training_inputs.csv``.
    batch : int
        Samples of a step on one GPU, 1 or above.
    sample_bytes, sample_sd_bytes : float
        Size of a sample, above 0, and its standard deviation, 0 or above.
    compute_s : float
        What a step takes on the GPU once its batch is there, above 0.
    readers : int
        Processes or threads that read, 1 or above.
    target_pct : float
        Accelerator utilisation below which the input is held to be too slow, 0 to 100.

    Raises
    ------
    InputError
        A number is out of its range.

    >>> round(TrainingInput("mine", 7, 146_600_628, 0, 0.323, 4, 90).need_gb_s, 4)
    3.1771
    """

    id: str
    batch: int
    sample_bytes: float
    sample_sd_bytes: float
    compute_s: float
    readers: int
    target_pct: float

    def __post_init__(self) -> None:
        low = {
            "batch": 1.0,
            "sample_bytes": math.ulp(0.0),
            "sample_sd_bytes": 0.0,
            "compute_s": math.ulp(0.0),
            "readers": 1.0,
            "target_pct": 0.0,
        }
        for name, least in low.items():
            value = getattr(self, name)
            if not least <= value < math.inf:
                what = "above 0" if 0 < least < 1 else f"{least:g} or above"
                msg = f"{name} of training input {self.id!r} is {value}; allowed is {what}"
                raise InputError(msg)

    @property
    def batch_bytes(self) -> float:
        """Mean bytes of a batch."""
        return self.batch * self.sample_bytes

    @property
    def batch_sd_bytes(self) -> float:
        """Standard deviation of a batch's bytes; its samples are drawn independently."""
        return math.sqrt(self.batch) * self.sample_sd_bytes

    @property
    def need_gb_s(self) -> float:
        """Bandwidth, in GB/s, with which the GPU never waits on average: bytes/compute time."""
        return convert(self.batch_bytes, "B", "GB") / self.compute_s


@cache
def read_training_inputs() -> dict[str, TrainingInput]:
    """Read every workload of ``data/training_inputs.csv``, by id.

    Source: MLPerf Storage, configs/dlio/workload.
    """
    table = read_table("training_inputs")
    names = ("batch", "sample_bytes", "sample_sd_bytes", "compute_s", "readers", "target_pct")
    inputs = {}
    for row_id in table.ids:
        rows = table.of(row_id)
        batch, size, spread, compute_s, readers, target = (rows[name].number for name in names)
        inputs[row_id] = TrainingInput(
            row_id, int(batch), size, spread, compute_s, int(readers), target
        )
    return inputs


def find_training_input(input_id: str) -> TrainingInput:
    """Look one workload up.

    Raises
    ------
    InputError
        There is no such workload.

    >>> round(find_training_input("resnet50-h100").need_gb_s, 3)
    0.205
    """
    inputs = read_training_inputs()
    if input_id not in inputs:
        msg = (
            f"training input is {input_id!r}; allowed in data/training_inputs.csv are "
            f"{', '.join(inputs)}"
        )
        raise InputError(msg)
    return inputs[input_id]
