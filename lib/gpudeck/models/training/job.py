"""A training job: the model, the GPUs, the batch, and what the software does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import Gpu, find_gpu
from gpudeck.models.training.flops import model_flop_per_token
from gpudeck.models.training.precision import peak_flop_s, state_bytes
from gpudeck.workload.model import LanguageModel, find_model

if TYPE_CHECKING:
    from gpudeck.scenario.schema import Training


@dataclass(frozen=True, slots=True)
class Job:
    """What is trained on what: `batch_sequences` of `sequence_tokens` a step, over all GPUs."""

    model: LanguageModel
    gpu: Gpu
    gpus: int
    gpus_per_node: int
    sequence_tokens: int
    batch_sequences: int
    precision: str = "bf16"

    def __post_init__(self) -> None:
        for name in ("gpus", "gpus_per_node", "sequence_tokens", "batch_sequences"):
            value = getattr(self, name)
            if not isinstance(value, int) or value < 1:
                msg = f"{name} is {value!r}; allowed are whole numbers from 1"
                raise InputError(msg)
        if self.gpus > self.gpus_per_node and self.gpus % self.gpus_per_node:
            msg = f"gpus is {self.gpus}; allowed are multiples of {self.gpus_per_node} a node"
            raise InputError(msg)
        state_bytes(self.precision)
        peak_flop_s(self.gpu, self.precision)

    @property
    def tokens(self) -> int:
        """Tokens of a step."""
        return self.sequence_tokens * self.batch_sequences

    @property
    def precision_title(self) -> str:
        """The precision as it is written: FP16 for `bf16` on a GPU older than bfloat16."""
        old = self.precision == "bf16" and self.gpu.bf16_tflops is None
        return "FP16" if old else self.precision.upper()

    @property
    def peak_flop_s(self) -> float:
        """Dense peak of one GPU at the job's precision."""
        return peak_flop_s(self.gpu, self.precision)


@dataclass(frozen=True, slots=True)
class Software:
    """What the training software does beyond the layout.

    `accumulate`: gradients are summed over the microbatches and reduced once a step, not after
    each. `hierarchical`: data-parallel collectives first use the links inside a node, so that each
    network port carries a share; without it each rank sends the whole on its own port.
    `overlap` is the part of a collective that may run beside computation, at most as long as the
    computation that it can hide behind, which for tokens on their way to experts is another
    microbatch's; `overlap_tensor` is that of tensor-parallel collectives,
    which hide behind the weight gradients only. `fused_attention` never writes the scores to memory
    and leaves out the masked half.
    """

    accumulate: bool = True
    hierarchical: bool = True
    overlap: float = 0.9
    overlap_tensor: float = 0.9
    fused_attention: bool = True

    def __post_init__(self) -> None:
        for name in ("overlap", "overlap_tensor"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                msg = f"{name} is {value}; allowed are parts from 0 to 1"
                raise InputError(msg)


def model_flop(job: Job, software: Software) -> float:
    """Return what a step of the job needs, however it is computed, in FLOP."""
    causal = software.fused_attention
    return job.tokens * model_flop_per_token(job.model, job.sequence_tokens, causal=causal)


def read_job(training: Training) -> Job:
    """Return the job of a scenario's section `training`.

    Raises
    ------
    InputError
        The model or the GPU is unknown, or the GPU has no such precision.
    """
    return Job(
        find_model(training.model),
        find_gpu(training.gpu),
        training.gpus,
        training.gpus_per_node,
        training.sequence_tokens,
        training.batch_tokens // training.sequence_tokens,
        training.precision,
    )
