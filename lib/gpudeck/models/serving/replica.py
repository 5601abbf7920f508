"""A replica: one copy of a model on one GPU or several, with its memory and its step time."""

import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import cast

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import Gpu, find_gpu
from gpudeck.models.serving.layer import peak_flop_s
from gpudeck.models.serving.step_time import (
    Accounting,
    StepTime,
    build_step_time,
    check_parallel,
    default_kv_precision,
    parallel_degrees,
)
from gpudeck.workload.model import LanguageModel, bytes_per_value, find_model

# What an engine's profiling run leaves free: one batch of 8192 tokens, 256 rows of logits.
PROFILED_TOKENS = 8_192
PROFILED_SEQUENCES = 256
ACTIVATION_BYTES = 2
LOGIT_BYTES = 4
_UNTOLD = cast("StepTime", None)  # built on construction, so that a reader never meets it


@dataclass(frozen=True, slots=True)
class Replica:
    """One copy of a model, on `tensor_parallel` GPUs.

    Parameters
    ----------
    gpu, model : str
        Ids of data/gpus.csv and data/models.csv.
    tensor_parallel : int
        GPUs that share every layer. Key-value heads fewer than that are replicated.
    precision : str
        Of the weights: bf16, fp16, fp8, int8, int4 or fp32.
    kv_precision : str, optional
        Of the cache. When not told, that of the weights, or fp16 with int8 and int4 weights.
    memory_share : float
        Share of each GPU's memory that the engine may use, above 0, at most 1.
    step_time : StepTime, optional
        How long a step takes. When not told, it is built from the constants of the GPU's kernels:
        fitted where there are measurements, else from the datasheet.
    accounting : Accounting
        What such a step time counts beyond the kernels.

    Raises
    ------
    InputError
        Something is unknown or out of range, the heads cannot be divided, or the weights do not
        fit; the message says how many GPUs would do.

    >>> replica = Replica("A100-80G-SXM", "llama-2-7b")
    >>> replica.kv_bytes_per_token, replica.kv_capacity_tokens, replica.blocks(16)
    (524288.0, 110361, 6897)
    """

    gpu: str = "H100-SXM"
    model: str = "llama-2-7b"
    tensor_parallel: int = 1
    precision: str = "bf16"
    kv_precision: str | None = None
    memory_share: float = 0.9
    step_time: StepTime = _UNTOLD
    accounting: Accounting = Accounting()  # noqa: RUF009 - frozen

    def __post_init__(self) -> None:
        model = find_model(self.model)
        find_gpu(self.gpu)
        self._require_kinds()
        check_parallel(model, self.tensor_parallel)
        bytes_per_value(self.precision)
        if self.kv_precision is None:
            object.__setattr__(self, "kv_precision", default_kv_precision(self.precision))
        bytes_per_value(str(self.kv_precision))
        if self.kv_capacity_tokens < 1:
            raise InputError(self._why_too_small(model))
        if self.step_time is _UNTOLD:
            built = build_step_time(
                self.gpu,
                self.model,
                self.tensor_parallel,
                self.precision,
                self.kv_precision,
                self.accounting,
            )
            object.__setattr__(self, "step_time", built)

    @property
    def language_model(self) -> LanguageModel:
        """The model's dimensions."""
        return find_model(self.model)

    @property
    def chip(self) -> Gpu:
        """The GPU's figures."""
        return find_gpu(self.gpu)

    @property
    def peak_flops(self) -> float:
        """Dense peak of all GPUs at the precision of the weights, FLOP/s."""
        return self.tensor_parallel * peak_flop_s(self.chip, self.precision)

    @property
    def memory_bytes(self) -> float:
        """Memory of all GPUs: what the driver shows where known, else decimal GB."""
        return self.tensor_parallel * gpu_memory_bytes(self.chip)

    @property
    def kv_bytes_per_token(self) -> float:
        """Bytes of one token in the cache on all GPUs, replicas of key-value heads counted.

        Latent attention keeps the whole vector on each GPU.
        """
        model = self.language_model
        stored = model.kv_bytes_per_token(str(self.kv_precision))
        return stored * _copies(model, self.tensor_parallel)

    @property
    def weights_bytes(self) -> float:
        """Bytes of the weights on all GPUs, each weight once and replicated heads as often."""
        return _weights_bytes(self.language_model, self.precision, self.tensor_parallel)

    @property
    def activation_bytes(self) -> float:
        """Bytes of activations and logits on all GPUs; see `activation_bytes_per_gpu`."""
        return self.tensor_parallel * activation_bytes_per_gpu(
            self.language_model, self.tensor_parallel
        )

    @property
    def kv_capacity_tokens(self) -> int:
        """Tokens whose cache fits: (share·M·t − weights − activations)/κ, at least 0."""
        room = self.memory_share * self.memory_bytes - self.weights_bytes - self.activation_bytes
        return max(math.floor(room / self.kv_bytes_per_token), 0)

    def blocks(self, block_size: int) -> int:
        """Return the number of cache blocks of `block_size` tokens.

        Raises
        ------
        InputError
            The block size is below 1.
        """
        if block_size < 1:
            msg = f"block_size is {block_size}; allowed is 1 token or above"
            raise InputError(msg)
        return self.kv_capacity_tokens // block_size

    def _require_kinds(self) -> None:
        """Refuse what is not of the kind that its annotation tells; callers need not be checked."""
        degree: object = self.tensor_parallel
        if isinstance(degree, bool) or not isinstance(degree, Integral):
            msg = f"tensor_parallel is {degree!r}; allowed is a whole number of 1 or above"
            raise InputError(msg)
        object.__setattr__(self, "tensor_parallel", int(degree))
        share: object = self.memory_share
        if isinstance(share, bool) or not isinstance(share, Real) or not 0 < float(share) <= 1:
            msg = f"memory_share is {share!r}; allowed is above 0, at most 1"
            raise InputError(msg)
        step: object = self.step_time
        if step is not _UNTOLD and not isinstance(step, StepTime):
            msg = f"step_time is {step!r}; allowed is a StepTime, or None"
            raise InputError(msg)
        accounting: object = self.accounting
        if not isinstance(accounting, Accounting):
            msg = f"accounting is {accounting!r}; allowed is an Accounting"
            raise InputError(msg)

    def _why_too_small(self, model: LanguageModel) -> str:
        need = (self.weights_bytes + self.activation_bytes) / 2**30
        have = self.memory_share * self.memory_bytes / 2**30
        told = (
            f"{self.model} at {self.precision} needs {need:.0f} GiB, and {self.tensor_parallel}"
            f" {self.gpu} have {have:.0f} GiB at memory_share {self.memory_share}"
        )
        enough = fewest_gpus(self.gpu, model, self.precision, self.memory_share)
        if enough is None:
            return f"{told}; no allowed tensor_parallel is enough: take a lower precision"
        return f"{told}; allowed is tensor_parallel {enough} or above"


def fewest_gpus(
    gpu: str, model: LanguageModel, precision: str = "bf16", memory_share: float = 0.9
) -> int | None:
    """Return the smallest degree of tensor parallelism at which the weights fit, or None.

    >>> fewest_gpus("H100-SXM", find_model("llama-3-8b"), "fp16")
    1
    """
    memory = memory_share * gpu_memory_bytes(find_gpu(gpu))
    for gpus in parallel_degrees(model):
        weights = _weights_bytes(model, precision, gpus) / gpus
        if weights + activation_bytes_per_gpu(model, gpus) < memory:
            return gpus
    return None


def gpu_memory_bytes(gpu: Gpu) -> float:
    """Return the memory of one GPU: what the driver shows where known, else decimal GB."""
    if gpu.memory_visible_mib is not None:
        return gpu.memory_visible_mib * 2.0**20
    return gpu.memory_gb * 1e9


def activation_bytes_per_gpu(model: LanguageModel, gpus: int) -> float:
    """Return the bytes that an engine sets aside on each GPU for the largest step.

    8192 tokens · (4·h + 2·f/t)·2 bytes and 256 rows of logits, V/t in 4 bytes. An assumption:
    engines measure it in a profiling run.

    >>> round(activation_bytes_per_gpu(find_model("llama-2-7b"), 1) / 2**20)
    631
    """
    passes = model.experts_per_token + model.shared_experts
    width = max(model.intermediate, passes * model.expert_intermediate)
    token = (4 * model.hidden + 2 * width / gpus) * ACTIVATION_BYTES
    return PROFILED_TOKENS * token + PROFILED_SEQUENCES * model.vocabulary / gpus * LOGIT_BYTES


def _copies(model: LanguageModel, gpus: int) -> float:
    return float(gpus) if model.kv_lora_rank else max(gpus / model.kv_heads, 1.0)


def _weights_bytes(model: LanguageModel, precision: str, gpus: int) -> float:
    extra = 0.0
    if not model.kv_lora_rank:
        heads = 2 * model.layers * model.hidden * model.kv_heads * model.head_dim
        extra = (_copies(model, gpus) - 1) * heads * bytes_per_value(precision)
    return model.weights_bytes(precision) + extra
