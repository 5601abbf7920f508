"""Parallel layouts: how a model and its batch are cut over GPUs."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.training.job import Job
from gpudeck.workload.model import LanguageModel

RECOMPUTE = ("none", "selective", "full")  # the number of a mode is its place
ZERO_STAGES = (0, 1, 2, 3)


@dataclass(frozen=True, slots=True)
class Layout:
    """One way to cut a model and its batch.

    `tensor`, `pipeline`, `context` and `data` are degrees whose product is the number of GPUs;
    `expert` divides `data`. `interleave` is the number of pieces of the model that each pipeline
    stage holds (virtual stages), `microbatch` the sequences of a microbatch, `zero` the stage of
    ZeRO, `recompute` one of `RECOMPUTE`. `sequence_parallel` cuts what tensor parallelism leaves
    whole along the sequence.
    """

    tensor: int = 1
    pipeline: int = 1
    context: int = 1
    data: int = 1
    expert: int = 1
    interleave: int = 1
    microbatch: int = 1
    zero: int = 0
    recompute: str = "none"
    sequence_parallel: bool = True

    @property
    def gpus(self) -> int:
        """GPUs that the layout takes."""
        return self.tensor * self.pipeline * self.context * self.data

    def __str__(self) -> str:
        """Short name: degrees above 1, microbatch, ZeRO, recompute."""
        names = (
            ("TP", self.tensor), ("PP", self.pipeline), ("CP", self.context), ("DP", self.data),
            ("EP", self.expert), ("VP", self.interleave),
        )  # fmt: skip
        degrees = "·".join(f"{name}{value}" for name, value in names if value > 1) or "DP1"
        return f"{degrees} · MB{self.microbatch} · ZeRO-{self.zero} · {self.recompute}"


@dataclass(frozen=True, slots=True, eq=False)
class Layouts:
    """Many layouts, one array a field, each of shape (n,); `recompute` numbers `RECOMPUTE`."""

    tensor: NDArray[np.int64]
    pipeline: NDArray[np.int64]
    context: NDArray[np.int64]
    data: NDArray[np.int64]
    expert: NDArray[np.int64]
    interleave: NDArray[np.int64]
    microbatch: NDArray[np.int64]
    zero: NDArray[np.int64]
    recompute: NDArray[np.int64]
    sequence_parallel: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.tensor)

    @classmethod
    def of(cls, *layouts: Layout) -> Layouts:
        """Gather single layouts."""
        columns = {}
        for field in fields(cls):
            values = [getattr(layout, field.name) for layout in layouts]
            if field.name == "recompute":
                values = [RECOMPUTE.index(value) for value in values]
            columns[field.name] = np.array(values)
        return cls(**columns)

    def take(self, index: ArrayLike) -> Layouts:
        """Return the layouts at an index or under a mask."""
        chosen = np.asarray(index)
        return Layouts(**{f.name: getattr(self, f.name)[chosen] for f in fields(self)})

    def at(self, number: int) -> Layout:
        """Return one layout.

        >>> Layouts.of(Layout(tensor=8), Layout(data=2, recompute="full")).at(1).recompute
        'full'
        """
        values = {field.name: getattr(self, field.name)[number] for field in fields(self)}
        mode, parallel = RECOMPUTE[values.pop("recompute")], values.pop("sequence_parallel")
        whole = {name: int(value) for name, value in values.items()}
        return Layout(**whole, recompute=mode, sequence_parallel=bool(parallel))

    def microbatches(self, job: Job) -> NDArray[np.int64]:
        """Return the microbatches that each pipeline works through in a step, shape (n,)."""
        return np.asarray(job.batch_sequences // (self.data * self.microbatch))


def stage_layers(
    model: LanguageModel, layouts: Layouts
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the layers of an outer and of an inner pipeline stage, two arrays of shape (n,).

    Where the stages (times the interleave) divide the layers, all stages hold as many. Where they
    divide the layers plus two, the embedding and the output head count as a layer each, and the
    first and the last stage hold one less, as with Llama 3 405B (126 layers, 16 stages).
    """
    pieces = layouts.pipeline * layouts.interleave
    even = model.layers % pieces == 0
    slots = np.where(even, model.layers, model.layers + 2) // layouts.pipeline
    return np.where(even, slots, slots - 1), slots


def divides_layers(layers: int, pipeline: ArrayLike, interleave: ArrayLike) -> NDArray[np.bool_]:
    """Say whether stages and interleave divide the layers, or the layers plus two.

    >>> divides_layers(126, [14, 16, 20], 1).tolist()
    [True, True, False]
    """
    pieces = np.asarray(pipeline) * np.asarray(interleave)
    ends = (np.asarray(pipeline) > 2) & ((layers + 2) % pieces == 0) & (layers + 2 > pieces)
    return np.asarray((layers % pieces == 0) | ends)


def check_layout(job: Job, layout: Layout) -> Layout:
    """Return the layout if the job can be cut so.

    Raises
    ------
    InputError
        A degree is below 1, the degrees do not make up the GPUs, or one of them does not divide
        what it cuts: the message says which, and what would.
    """
    _check_counts(layout)
    _check_product(job, layout)
    _check_model(job.model, layout)
    _check_batch(job, layout)
    return layout


def _check_counts(layout: Layout) -> None:
    for name in ("tensor", "pipeline", "context", "data", "expert", "interleave", "microbatch"):
        value = getattr(layout, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            _refuse(name, value, "whole numbers from 1")
    if layout.zero not in ZERO_STAGES:
        _refuse("zero", layout.zero, "the stages 0, 1, 2 and 3")
    if layout.recompute not in RECOMPUTE:
        _refuse("recompute", layout.recompute, ", ".join(RECOMPUTE))


def _check_product(job: Job, layout: Layout) -> None:
    if layout.gpus != job.gpus:
        msg = (
            f"tensor {layout.tensor} × pipeline {layout.pipeline} × context {layout.context} ×"
            f" data {layout.data} is {layout.gpus}; allowed is the job's number of GPUs, {job.gpus}"
        )
        raise InputError(msg)
    if layout.tensor > job.gpus_per_node:
        _refuse("tensor", layout.tensor, f"up to the {job.gpus_per_node} GPUs of a node")


def _check_model(model: LanguageModel, layout: Layout) -> None:
    if model.heads % layout.tensor:
        _refuse("tensor", layout.tensor, f"divisors of the {model.heads} heads of {model.id}")
    if not divides_layers(model.layers, layout.pipeline, layout.interleave):
        pieces = f"pipeline {layout.pipeline} × interleave {layout.interleave}"
        msg = (
            f"{pieces} is {layout.pipeline * layout.interleave}; allowed are divisors of the"
            f" {model.layers} layers of {model.id}, or of {model.layers + 2} where embedding and"
            " head count as layers"
        )
        raise InputError(msg)
    if layout.interleave > 1 and layout.pipeline == 1:
        _refuse("interleave", layout.interleave, "1 where there is one pipeline stage")
    if layout.expert > 1 and not model.experts:
        _refuse("expert", layout.expert, f"1 for {model.id}, which has no experts")
    if layout.expert > 1 and model.experts % layout.expert:
        _refuse("expert", layout.expert, f"divisors of the {model.experts} experts of {model.id}")
    if layout.data % layout.expert:
        _refuse("expert", layout.expert, f"divisors of the data-parallel degree {layout.data}")


def _check_batch(job: Job, layout: Layout) -> None:
    if job.batch_sequences % (layout.data * layout.microbatch):
        msg = (
            f"data {layout.data} × microbatch {layout.microbatch} is"
            f" {layout.data * layout.microbatch}; allowed are divisors of the batch of"
            f" {job.batch_sequences} sequences"
        )
        raise InputError(msg)
    if job.sequence_tokens % (2 * layout.context if layout.context > 1 else 1):
        _refuse(
            "context", layout.context,
            f"degrees of which twice divides the {job.sequence_tokens} tokens of a sequence",
        )  # fmt: skip
    rounds = job.batch_sequences // (layout.data * layout.microbatch)
    if layout.interleave > 1 and rounds % layout.pipeline:
        msg = (
            f"interleave is {layout.interleave} with {rounds} microbatches; allowed are 1, or"
            f" microbatches that the {layout.pipeline} stages divide"
        )
        raise InputError(msg)


def _refuse(field: str, value: object, allowed: str) -> None:
    msg = f"{field} is {value!r}; allowed are {allowed}"
    raise InputError(msg)
