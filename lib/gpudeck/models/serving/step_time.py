"""How long one iteration of a serving engine takes on one replica."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import Gpu, find_gpu
from gpudeck.models.serving.attention import allreduce_s, model_lines
from gpudeck.models.serving.calibration import Calibration, find_calibration
from gpudeck.models.serving.layer import (
    ACTIVATION_BYTES,
    Product,
    attention_products,
    dense_products,
    element_bytes,
    element_s,
    expert_products,
    product_s,
)
from gpudeck.workload.model import LanguageModel, find_model

TOKENS_MAX = 16_384  # last entry of `linear_s`
SEQUENCES_MAX = 4_096  # last entry of `head_s`
# every count to 64, then spaced by 4 %: interpolation errs by less than 0.1 %
_TOKENS = np.unique(np.r_[0:65, np.geomspace(64, TOKENS_MAX, 143).round(), SEQUENCES_MAX])
_SEQUENCES = _TOKENS[_TOKENS <= SEQUENCES_MAX]


@dataclass(frozen=True, slots=True)
class Accounting:
    """What a step's time counts, beyond the kernels.

    `lm_head` whether the product with the vocabulary is timed; `grouped_decode_factor` slows the
    attention of decoding where query heads share key-value heads; `launch_s` is added to each of
    the two all-reduces of a layer.
    """

    lm_head: bool = True
    grouped_decode_factor: float = 1.0
    launch_s: float = 0.0


# How the simulator Vidur counts: no LM head, batched decoding with grouped queries 10 % slower,
# 20 µs to launch an all-reduce.
VIDUR_ACCOUNTING = Accounting(lm_head=False, grouped_decode_factor=1.1, launch_s=20e-6)


@dataclass(frozen=True, slots=True, eq=False)
class StepTime:
    """Seconds of one iteration of a whole model on one replica, without the engine's CPU time.

    A step takes linear_s[tokens] + head_s[sampling sequences] + chunks·prefill_chunk_s
    + Σ chunk·(context + chunk/2)·prefill_work_s, and if any request decodes also decode_step_s
    + requests·decode_request_s + Σ context·decode_token_s.

    Parameters
    ----------
    linear_s : ndarray, (m + 1,)
        Token-wise work of a step (matrix products, norms, activations, all-reduces) by number of
        tokens; 0 at 0; beyond m it goes on with the last slope.
    head_s : ndarray, (s + 1,)
        LM head by number of sequences that sample, likewise; may be all 0.
    prefill_chunk_s, prefill_work_s : float
        Attention of prompts for each chunk, and for each pair of query and key.
    decode_step_s, decode_request_s, decode_token_s : float
        Attention of decoding for each step, request, and token in the cache.
    low, high : float
        Relative band.
    provenance : str
        Where the times come from.

    Raises
    ------
    InputError
        An array does not begin at 0, has a value below 0 or ends falling, which beyond its end
        would lead below 0; or a number is negative or not finite.
    """

    linear_s: np.ndarray
    head_s: np.ndarray
    prefill_chunk_s: float = 0.0
    prefill_work_s: float = 0.0
    decode_step_s: float = 0.0
    decode_request_s: float = 0.0
    decode_token_s: float = 0.0
    low: float = 1.0
    high: float = 1.0
    provenance: str = "given"

    def __post_init__(self) -> None:
        for name in ("linear_s", "head_s"):
            values = np.ascontiguousarray(getattr(self, name), dtype=np.float64).copy()
            if values.ndim != 1 or len(values) < 2 or not np.isfinite(values).all():
                msg = f"{name} has shape {values.shape}; allowed are two or more finite numbers"
                raise InputError(msg)
            if values[0] != 0 or (values < 0).any():
                msg = f"{name} begins with {values[:2]}; allowed is 0 for 0 and nothing below 0"
                raise InputError(msg)
            if values[-1] < values[-2]:
                msg = (
                    f"{name} ends with {values[-2:]}; allowed is a last value not below the one"
                    " before, for it goes on with that slope"
                )
                raise InputError(msg)
            values.flags.writeable = False
            object.__setattr__(self, name, values)
        for name in self.__slots__:
            value = getattr(self, name)
            if isinstance(value, (int, float)) and not 0 <= value < float("inf"):
                msg = f"{name} is {value}; allowed is a finite number, 0 or above"
                raise InputError(msg)

    def at(
        self,
        *,
        tokens: int,
        sampling: int,
        chunks: int = 0,
        work: float = 0.0,
        decodes: int = 0,
        context: ArrayLike = 0,
    ) -> NDArray[np.float64]:
        """Return the seconds of steps that differ in their decoding context alone.

        Parameters
        ----------
        tokens, sampling, chunks, decodes : int
            Tokens computed, sequences that sample, chunks of prompts, sequences that decode.
        work : float
            Σ chunk·(context + chunk/2) of the prompts.
        context : array_like, (k,)
            Tokens in the cache of all that decode, step by step.
        """
        seconds = self.tokens_s(tokens) + self.sampling_s(sampling)
        seconds += chunks * self.prefill_chunk_s + work * self.prefill_work_s
        if decodes:
            seconds += self.decode_step_s + decodes * self.decode_request_s
        return seconds + (decodes > 0) * self.decode_token_s * np.asarray(context, dtype=float)

    def prefill_s(self, chunk: int, context: int = 0, *, prompts: int = 1) -> float:
        """Return the seconds of a step that only computes equal chunks of prompts.

        Parameters
        ----------
        chunk, context : int
            Tokens of each chunk, and those of its prompt before it.
        prompts : int
            Chunks in the step.
        """
        work = prompts * chunk * (context + chunk / 2)
        return float(self.at(tokens=prompts * chunk, sampling=prompts, chunks=prompts, work=work))

    def decode_s(self, requests: int, context: float) -> float:
        """Return the seconds of a step in which requests of equal context decode a token each.

        Parameters
        ----------
        requests : int
            Sequences that decode.
        context : float
            Mean number of tokens in the cache of each.

        >>> step = build_step_time("H100-SXM", "llama-3-8b")
        >>> 0.0045 < step.decode_s(1, 1024) < 0.008
        True
        """
        if requests == 0:
            return 0.0
        inside = requests * context
        return float(self.at(tokens=requests, sampling=requests, decodes=requests, context=inside))

    def tokens_s(self, tokens: int) -> float:
        """Return the token-wise seconds, by the last slope beyond the table."""
        return _extended(self.linear_s, tokens)

    def sampling_s(self, sequences: int) -> float:
        """Return the seconds of the LM head, by the last slope beyond the table."""
        return _extended(self.head_s, sequences)


def build_step_time(
    gpu: str,
    model: str,
    tensor_parallel: int = 1,
    precision: str = "bf16",
    kv_precision: str | None = None,
    accounting: Accounting = Accounting(),
) -> StepTime:
    """Build the step time of a model on GPUs from the constants of their kernels.

    Parameters
    ----------
    gpu, model : str
        Ids of data/gpus.csv and data/models.csv.
    tensor_parallel : int
        GPUs of the replica; divides the query heads, and divides the key-value heads or is a
        multiple of them (then they are replicated). Taken to share one link: NVLink, else PCIe.
    precision : str
        Of the weights; the LM head stays in 16 bits.
    kv_precision : str, optional
        Of the cache; when not told, that of the weights, or fp16 with int8 and int4 weights.
    accounting : Accounting
        What is counted beyond the kernels.

    Raises
    ------
    InputError
        Something is unknown, or the heads cannot be divided.

    Source: kernels measured by Vidur and AIConfigurator, see `data/fit_serving.py`.

    >>> step = build_step_time("A100-80G-SXM", "llama-2-7b")
    >>> step.linear_s.shape, step.low, step.high
    ((16385,), 0.9, 1.1)
    """
    kept = kv_precision or default_kv_precision(precision)
    return _build(gpu, model, tensor_parallel, precision, kept, accounting)


@lru_cache(maxsize=256)
def _build(
    gpu: str, model: str, gpus: int, precision: str, kv_precision: str, accounting: Accounting
) -> StepTime:
    found, chip = find_model(model), find_gpu(gpu)
    check_parallel(found, gpus)
    constants = find_calibration(gpu)
    prefill, decode = model_lines(found, gpus, kv_precision, chip, constants)
    linear = _linear_s(found, chip, constants, gpus, precision)
    if gpus > 1:
        sent = _TOKENS * found.hidden * ACTIVATION_BYTES
        reduced = allreduce_s(chip, constants, gpus, sent) + accounting.launch_s
        linear += 2 * found.layers * reduced
    # reading queries and writing outputs of attention is token-wise as well
    linear += found.layers * prefill.token_s * _TOKENS
    linear[0] = 0.0
    grouped = found.kv_heads < found.heads and not found.kv_lora_rank
    slowed = found.layers * (accounting.grouped_decode_factor if grouped else 1.0)
    # a decoding token has paid for its query and output once
    request_s = max(decode.request_s * slowed - found.layers * prefill.token_s, 0.0)
    head = np.zeros(SEQUENCES_MAX + 1)
    if accounting.lm_head:
        vocabulary = Product(found.hidden, found.vocabulary / gpus)
        head = _spread(
            _SEQUENCES, product_s(vocabulary, _SEQUENCES, chip, constants), SEQUENCES_MAX
        )
    low, high = constants.band
    return StepTime(
        _spread(_TOKENS, linear, TOKENS_MAX),
        head,
        prefill_chunk_s=prefill.chunk_s * found.layers,
        prefill_work_s=prefill.work_s * found.layers,
        decode_step_s=decode.step_s * slowed,
        decode_request_s=request_s,
        decode_token_s=decode.token_s * slowed,
        low=low,
        high=high,
        provenance=constants.provenance,
    )


def check_parallel(model: LanguageModel, tensor_parallel: int) -> None:
    """Refuse a degree of tensor parallelism that cannot divide the heads.

    Raises
    ------
    InputError
        It does not divide the query heads, or neither divides nor replicates the key-value heads.
    """
    allowed = parallel_degrees(model)
    if tensor_parallel not in allowed:
        told = ", ".join(map(str, allowed))
        msg = (
            f"tensor_parallel is {tensor_parallel}; allowed for {model.id} are {told}:"
            f" it has {model.heads} query and {model.kv_heads} key-value heads"
        )
        raise InputError(msg)


def parallel_degrees(model: LanguageModel) -> tuple[int, ...]:
    """Return the degrees of tensor parallelism that divide the query heads of a model.

    Key-value heads are divided, or replicated a whole number of times.

    >>> parallel_degrees(find_model("qwen2.5-7b"))
    (1, 2, 4, 28)
    """
    heads, kept = model.heads, model.kv_heads
    divisors = (n for n in range(1, heads + 1) if heads % n == 0)
    return tuple(n for n in divisors if kept % n == 0 or n % kept == 0)


def default_kv_precision(precision: str) -> str:
    """Return the precision of a cache that is not told: 16 bits unless the weights are in fp8.

    >>> default_kv_precision("int4"), default_kv_precision("fp8")
    ('fp16', 'fp8')
    """
    return precision if precision in {"fp8", "bf16", "fp16", "fp32"} else "fp16"


def _linear_s(
    model: LanguageModel, gpu: Gpu, constants: Calibration, gpus: int, precision: str
) -> np.ndarray:
    """Return the seconds of matrix products and element-wise kernels at `_TOKENS`."""
    experts, dense = model.expert_layers, model.layers - model.expert_layers
    parts = [(model.layers, list(attention_products(model, gpus)))]
    parts.append((dense, list(dense_products(model, gpus))))
    passes = model.experts_per_token + model.shared_experts
    widths = [(dense, model.intermediate / gpus)]
    if experts:
        parts.append((experts, list(expert_products(model, gpus, _TOKENS))))
        widths.append((experts, passes * model.expert_intermediate / gpus))
    seconds = np.zeros(len(_TOKENS))
    for layers, products in parts:
        for product in products:
            seconds += layers * product_s(product, _TOKENS, gpu, constants, precision)
    for layers, width in widths:
        for kernel, moved in element_bytes(model, gpus, width).items():
            times = 2 if kernel == "norm" else 1 if moved else 0
            seconds += layers * times * element_s(kernel, _TOKENS * moved, gpu, constants)
    return seconds


def _spread(counts: np.ndarray, seconds: np.ndarray, last: int) -> np.ndarray:
    every = np.interp(np.arange(last + 1), counts, seconds)
    every[0] = 0.0
    return every


def _extended(seconds: np.ndarray, count: int) -> float:
    last = len(seconds) - 1
    if count <= last:
        return float(seconds[count])
    return float(seconds[last] + (count - last) * (seconds[last] - seconds[last - 1]))
