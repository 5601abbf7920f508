"""What a small language model needs of a GPU: weights, cache, activations, and who can hold it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import Gpu
from gpudeck.hardware.mig import classic_profiles, find_mig_profiles
from gpudeck.units import convert
from gpudeck.workload.model import LanguageModel, bytes_per_value, find_model

GIB = 2.0**30
SURVEYED = ("qwen2.5-0.5b", "qwen2.5-1.5b", "qwen2.5-3b", "qwen2.5-7b", "qwen2.5-14b")
PRECISIONS = ("fp16", "fp8", "int4")
CONTEXTS = (1024, 2048, 4096, 8192, 16384, 32768)
# Assumptions: CUDA context, kernels and allocator's reserve; tokens that one prefill step takes.
RUNTIME_GIB = 1.0
PREFILL_CHUNK = 2048
ACTIVATION_BYTES = 2.0
LOGIT_BYTES = 4.0


@dataclass(frozen=True, slots=True)
class MemoryDemand:
    """Memory of one serving instance, GiB."""

    weights_gib: float
    cache_gib: float
    activations_gib: float
    runtime_gib: float

    @property
    def total_gib(self) -> float:
        """All parts together."""
        return self.weights_gib + self.cache_gib + self.activations_gib + self.runtime_gib


@dataclass(frozen=True, slots=True)
class Placement:
    """The smallest MIG profile that holds a demand; None where the whole GPU is too small.

    `fraction` is the demand over the GPU's memory: what a fractional share (HAMi) would ask.
    `gpu_share` is the profile's part of the GPU's memory slices.
    """

    profile: str | None
    profile_gib: float | None
    gpu_share: float | None
    fraction: float


@dataclass(frozen=True, slots=True)
class Surveyed:
    """One model at one precision: what it needs and where it fits."""

    model: LanguageModel
    precision: str
    demand: MemoryDemand
    placement: Placement


def survey_models(
    gpu: Gpu,
    *,
    context: int,
    sequences: int,
    models: Sequence[str] = SURVEYED,
    precisions: Sequence[str] = PRECISIONS,
) -> tuple[Surveyed, ...]:
    """Return the demand and the smallest MIG profile of models at several precisions of weights.

    The cache stays in 16 bits.

    Parameters
    ----------
    gpu : Gpu
        A GPU with MIG.
    context, sequences : int
        As in `memory_demand`.
    models, precisions : sequences of str
        Ids of data/models.csv, and keys of `BYTES_PER_VALUE`.

    Raises
    ------
    InputError
        As in `memory_demand` and `place_demand`.
    """
    found = []
    for model in map(find_model, models):
        for precision in precisions:
            demand = memory_demand(model, precision=precision, context=context, sequences=sequences)
            placement = place_demand(demand.total_gib, gpu)
            found.append(Surveyed(model, precision, demand, placement))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class ContextSweep:
    """Memory of models by length of context: `demands` by model id, one for each context.

    A model that is not made for a context has None there.
    """

    contexts: tuple[int, ...]
    precision: str
    demands: dict[str, tuple[MemoryDemand | None, ...]]


def sweep_contexts(
    *,
    sequences: int,
    models: Sequence[str] = SURVEYED,
    precision: str = "fp16",
    contexts: Sequence[int] = CONTEXTS,
) -> ContextSweep:
    """Return the memory of models at several lengths of context.

    Parameters
    ----------
    sequences : int
        As in `memory_demand`.
    models : sequence of str
        Ids of data/models.csv.
    precision : str
        Of the weights; the cache stays in 16 bits.
    contexts : sequence of int
        Tokens of each sequence.

    Raises
    ------
    InputError
        As in `memory_demand`.
    """
    demands = {}
    for model in map(find_model, models):
        demands[model.id] = tuple(
            memory_demand(model, precision=precision, context=context, sequences=sequences)
            if context <= model.context_max
            else None
            for context in contexts
        )
    return ContextSweep(tuple(contexts), precision, demands)


def memory_demand(
    model: LanguageModel,
    *,
    precision: str,
    context: int,
    sequences: int,
    cache_precision: str = "fp16",
    runtime_gib: float = RUNTIME_GIB,
) -> MemoryDemand:
    """Return the memory that serving a model takes.

    weights P·b; cache 2·L·K·d·b' · context · sequences; activations of one prefill chunk,
    (4·h + 2·f)·2 bytes a token, and logits in 4 bytes for each sequence; a fixed runtime.

    Parameters
    ----------
    model : LanguageModel
        Its dimensions.
    precision, cache_precision : str
        Of weights and of cache, keys of `BYTES_PER_VALUE`.
    context : int
        Tokens of each sequence, 1 to the model's longest context.
    sequences : int
        Sequences held at once, 1 or above.
    runtime_gib : float
        Memory that the runtime takes whatever the model.

    Raises
    ------
    InputError
        A precision is unknown, or a number is out of range.

    Source: Kwon et al., SOSP 2023, section 3 (cache); activations and runtime are assumptions.

    >>> from gpudeck.workload.model import find_model
    >>> d = memory_demand(find_model("llama-3-8b"), precision="fp16", context=8192, sequences=8)
    >>> round(d.weights_gib, 1), d.cache_gib
    (15.0, 8.0)
    """
    if not 1 <= context <= model.context_max:
        msg = f"context is {context}; allowed for {model.id} are 1 to {model.context_max} tokens"
        raise InputError(msg)
    if sequences < 1 or not 0 <= runtime_gib < float("inf"):
        msg = (
            f"sequences is {sequences}, runtime_gib {runtime_gib};"
            " allowed are 1 or above, and 0 or above"
        )
        raise InputError(msg)
    bytes_per_value(cache_precision)
    tokens = min(context, PREFILL_CHUNK)
    activations = tokens * (4 * model.hidden + 2 * model.intermediate) * ACTIVATION_BYTES
    activations += sequences * model.vocabulary * LOGIT_BYTES
    cache = model.kv_bytes_per_token(cache_precision) * context * sequences
    return MemoryDemand(
        model.weights_bytes(precision) / GIB, cache / GIB, activations / GIB, float(runtime_gib)
    )


def place_demand(total_gib: float, gpu: Gpu) -> Placement:
    """Return the smallest MIG profile of a GPU that holds a demand.

    Among profiles that hold it, the one with the fewest memory slices, then compute slices.

    Parameters
    ----------
    total_gib : float
        Memory needed, GiB, above 0.
    gpu : Gpu
        A GPU with MIG.

    Raises
    ------
    InputError
        The demand is not above 0, or the GPU has no MIG.

    >>> from gpudeck.hardware.gpu import find_gpu
    >>> place_demand(16.0, find_gpu("A100-80G-SXM")).profile
    '2g.20gb'
    """
    if not 0 < total_gib < float("inf"):
        msg = f"memory is {total_gib} GiB; allowed is a finite number above 0"
        raise InputError(msg)
    sized = mig_sizes(gpu)
    fraction = total_gib / sized[-1][1]
    for name, size_gib, share in sized:
        if size_gib >= total_gib:
            return Placement(name, size_gib, share, fraction)
    return Placement(None, None, None, fraction)


def mig_sizes(gpu: Gpu) -> tuple[tuple[str, float, float], ...]:
    """Return name, memory in GiB and share of the memory slices of a GPU's MIG profiles.

    One profile for each number of compute slices, smallest first; the last is the whole GPU. A
    profile whose memory no source prints gets its slices' part of the GPU's.

    Raises
    ------
    InputError
        The GPU has no MIG.
    """
    if gpu.mig_geometry is None:
        msg = f"{gpu.id} has no MIG; allowed is a GPU with a mig_geometry in data/gpus.csv"
        raise InputError(msg)
    profiles = classic_profiles(find_mig_profiles(gpu.mig_geometry))
    slices = max(profile.memory_slices for profile in profiles)
    whole_gib = convert(gpu.memory_gb, "GB", "GiB")
    sizes = []
    for profile in sorted(profiles, key=lambda p: (p.memory_slices, p.compute_slices)):
        share = profile.memory_slices / slices
        known = profile.memory_gib
        sizes.append((profile.name, whole_gib * share if known is None else known, share))
    return tuple(sizes)
