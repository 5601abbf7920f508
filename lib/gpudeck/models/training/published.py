"""Published results of training, and what the model gives for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gpudeck.errors import InputError
from gpudeck.models.training.flops import (
    megatron_hardware_flop,
    megatron_model_flop,
    megatron_parameters,
    selective_flop,
    training_days,
)
from gpudeck.models.training.job import Job
from gpudeck.models.training.memory import zero_bytes
from gpudeck.models.training.runs import BuildNetwork, find_run, run_steps
from gpudeck.models.training.utilisation import utilisation_pct
from gpudeck.tables import Row, read_table

_ID = re.compile(r"(tflops|parameters|days|seconds|mfu|hfu|memory)@([\w.-]+)")
# tokens, parameters, GPUs and FLOP/s a GPU of the two estimates in section 5.1
_RUNS = {"gpt-3": (300e9, 175e9, 1024, 140e12), "1t": (450e9, 1008e9, 3072, 163e12)}
_ZERO = (7.5e9, 64)  # parameters and ranks of the ZeRO paper's figure 1
_LLAMA = (
    "the paper prints neither the interleave nor the schedule of its pipeline, which here is the"
    " fastest that fits in memory by our count: none on 8,192 GPUs, four pieces on 16,384; with two"
    " pieces both rows at 8K tokens would be met"
)
_LONG = (
    "a fifth of the step is bubble, with eight data-parallel ranks and the fastest interleave that"
    " fits; keys and values are gathered without overlap here"
)
_HFU = (
    "the paper's equation 8 adds three passes of attention for the recompute, its text one, which"
    " is what is made and counted here; with equation 8 the printed number comes out"
)
NOTES = {
    **{f"hfu@selective-{size}": _HFU for size in ("22b", "175b", "530b", "1t")},
    "tflops@llama3-8k-8192gpu": _LLAMA,
    "tflops@llama3-8k-16384gpu": _LLAMA,
    "tflops@llama3-128k-16384gpu": _LONG,
}


@dataclass(frozen=True, slots=True)
class RunPoint:
    """A published step beside the model's, in FLOP/s that a GPU attains, all FLOP counted alike."""

    id: str
    gpu: str
    published_tflops: float
    computed_tflops: float

    @property
    def error_pct(self) -> float:
        """Computed over published, less one, in %."""
        return 100 * (self.computed_tflops / self.published_tflops - 1)


def compute_published(rows: Sequence[Row], build: BuildNetwork) -> dict[str, float]:
    """Compute each published row with one set of constants; nothing is fitted to a row.

    Parameters
    ----------
    rows
        Rows with ids ``tflops@run``, ``seconds@run``, ``mfu@run``, ``hfu@run``,
        ``parameters@run``, ``days@run`` and ``memory@zero-stage``.
    build : function
        Builds the network of a run from `gpu`, `link` and `gpus_per_node`.

    Raises
    ------
    InputError
        An id is not of this form, or no such run is in ``data/training_runs.csv``.
    """
    computed = {}
    for row in rows:
        match = _ID.fullmatch(row.id)
        if match is None:
            msg = f"id is {row.id!r}; allowed is {_ID.pattern}"
            raise InputError(msg)
        computed[row.id] = float(_COMPUTED[match[1]](match[2], build))
    return computed


def run_points(build: BuildNetwork) -> tuple[RunPoint, ...]:
    """Return every published step time or rate beside the model's, as FLOP/s of a GPU."""
    points = []
    for row in read_table("published/training").rows:
        what, _, run = row.id.partition("@")
        if what not in {"tflops", "seconds"}:
            continue
        printed, found = row.number, _COMPUTED[what](run, build)
        job, _ = find_run(_variant(run))
        if what == "seconds":
            flop = _run_flop(run) / job.gpus / 1e12
            printed, found = flop / printed, flop / found
        points.append(RunPoint(row.id, job.gpu.id, printed, float(found)))
    return tuple(points)


def _variant(run: str) -> str:
    """Return the run that a variant is of: full recompute has the same jobs."""
    return run.replace("full-", "selective-")


def _dimensions(job: Job) -> tuple[int, int, int, int, int]:
    model = job.model
    return (
        job.batch_sequences, job.sequence_tokens, model.layers, model.hidden, model.vocabulary
    )  # fmt: skip


def _run_flop(run: str) -> float:
    """Return the FLOP that the GPUs compute in a step of a run, by the papers' formulas."""
    job, _ = find_run(_variant(run))
    if run.startswith("selective"):
        batch, s, layers, hidden, _vocabulary = _dimensions(job)
        return megatron_model_flop(*_dimensions(job)) + selective_flop(batch, s, layers, hidden)
    return megatron_hardware_flop(*_dimensions(job))


def _seconds(run: str, build: BuildNetwork) -> float:
    steps = run_steps(_variant(run), build, full=run.startswith("full"))
    return float(steps.step_s[0])


def _tflops(run: str, build: BuildNetwork) -> float:
    job, _ = find_run(run)
    if run.startswith("llama3"):
        return float(run_steps(run, build).mfu_pct[0]) / 100 * job.peak_flop_s / 1e12
    return _run_flop(run) / _seconds(run, build) / job.gpus / 1e12


def _printed_seconds(run: str) -> float:
    return read_table("published/training").row(f"seconds@{run}", "target").number


def _mfu(run: str, _build: BuildNetwork) -> float:
    job, _ = find_run(run)
    flop, step_s = megatron_model_flop(*_dimensions(job)), _printed_seconds(run)
    return float(utilisation_pct(flop, step_s, job.gpus, job.peak_flop_s))


def _hfu(run: str, _build: BuildNetwork) -> float:
    job, _ = find_run(run)
    return float(utilisation_pct(_run_flop(run), _printed_seconds(run), job.gpus, job.peak_flop_s))


def _parameters(run: str, _build: BuildNetwork) -> float:
    model = find_run(run)[0].model
    return megatron_parameters(model.layers, model.hidden, model.vocabulary, model.context_max)


def _days(run: str, _build: BuildNetwork) -> float:
    return training_days(*_RUNS[run])


def _memory(run: str, _build: BuildNetwork) -> float:
    stage = int(run.removeprefix("zero-"))
    return float(np.asarray(zero_bytes(*_ZERO, stage))) / 1e9


_COMPUTED: dict[str, Callable[[str, BuildNetwork], float]] = {
    "tflops": _tflops,
    "parameters": _parameters,
    "days": _days,
    "seconds": _seconds,
    "mfu": _mfu,
    "hfu": _hfu,
    "memory": _memory,
}
