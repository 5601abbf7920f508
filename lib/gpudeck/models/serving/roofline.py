"""Rooflines: how fast a GPU could be at best, and the smooth curve that kernels follow."""

import numpy as np
from numpy.typing import ArrayLike

from gpudeck.errors import InputError
from gpudeck.workload.model import LanguageModel, bytes_per_value


def smooth_roofline_s(
    flops: ArrayLike,
    moved_bytes: ArrayLike,
    *,
    flop_s: float,
    byte_s: float,
    exponent: float,
    overhead_s: float,
) -> np.ndarray:
    """Return the time of a kernel: (t_c^p + t_m^p)^(1/p) + overhead.

    t_c is FLOP over attained FLOP/s, t_m bytes over attained bytes/s. With p towards infinity it
    is the sharp roofline; measured matrix products turn the corner with p of 2 to 3.

    Parameters
    ----------
    flops, moved_bytes : array_like
        Work and traffic of the kernel, shapes that broadcast.
    flop_s, byte_s : float
        Attained rates: peak times efficiency.
    exponent : float
        p, 1 or above.
    overhead_s : float
        Seconds of a kernel without work.

    Source: Williams et al., CACM 2009 (the sharp roofline).

    >>> float(smooth_roofline_s(3.0, 4.0, flop_s=1, byte_s=1, exponent=2, overhead_s=0.5))
    5.5
    """
    compute = np.asarray(flops, dtype=np.float64) / flop_s
    memory = np.asarray(moved_bytes, dtype=np.float64) / byte_s
    longer = np.maximum(compute, memory)
    shorter = np.minimum(compute, memory)
    # factored so that no power under- or overflows; 0 work takes the overhead alone
    ratio = np.divide(shorter, longer, out=np.zeros_like(longer), where=longer > 0)
    bent: np.ndarray = longer * (1.0 + ratio**exponent) ** (1.0 / exponent) + overhead_s
    return bent


def decode_floor_s(
    model: LanguageModel,
    sequences: int,
    context: float,
    *,
    flop_s: float,
    byte_s: float,
    tensor_parallel: int = 1,
    precision: str = "bf16",
    kv_precision: str | None = None,
) -> float:
    """Return the least time of one decode step of a batch at peak rates.

    max[(N·w + b·s·κ)/(t·B), (2·N·b + 4·L·q·d·s·b)/(t·F)], N the parameters a step streams: all
    but the input embedding (of experts those that the batch touches), κ the cache of a token.

    Parameters
    ----------
    model : LanguageModel
    sequences : int
        Sequences of the batch, b.
    context : float
        Tokens in the cache of each, s.
    flop_s, byte_s : float
        Peak FLOP/s and bytes/s of one GPU.
    tensor_parallel : int
        GPUs that share the work, t.
    precision, kv_precision : str
        Of weights and cache; the cache as the weights when not told.

    Raises
    ------
    InputError
        A number is out of range or a precision unknown.

    >>> from gpudeck.workload.model import find_model
    >>> llama = find_model("llama-3-8b")
    >>> round(1e3 * decode_floor_s(llama, 1, 1024, flop_s=989.5e12, byte_s=3.35e12), 2)
    4.52
    """
    _check_positive(
        sequences=sequences, flop_s=flop_s, byte_s=byte_s, tensor_parallel=tensor_parallel
    )
    tokens = sequences * context
    kept = model.kv_bytes_per_token(kv_precision or precision)
    moved = streamed_parameters(model, sequences) * bytes_per_value(precision) + tokens * kept
    work = 2.0 * streamed_parameters(model, None) * sequences + attention_flops(model, tokens)
    return max(moved / byte_s, work / flop_s) / tensor_parallel


def prefill_floor_s(
    model: LanguageModel,
    chunk: int,
    context: int = 0,
    *,
    flop_s: float,
    tensor_parallel: int = 1,
) -> float:
    """Return the least time of a prompt, or of a chunk of one, at the peak FLOP/s.

    [2·N·c + 4·L·q·d·c·(k + c/2)]/(t·F) for a chunk of c tokens after k; the LM head runs on the
    last token only.

    Parameters
    ----------
    model : LanguageModel
    chunk, context : int
        Tokens of this chunk, and of the prompt before it.
    flop_s : float
        Peak FLOP/s of one GPU.
    tensor_parallel : int
        GPUs that share the work.

    Raises
    ------
    InputError
        A number is out of range.

    >>> from gpudeck.workload.model import find_model
    >>> round(1e3 * prefill_floor_s(find_model("llama-3-8b"), 2048, flop_s=989e12), 1)
    30.0
    """
    _check_positive(chunk=chunk, flop_s=flop_s, tensor_parallel=tensor_parallel)
    head = model.vocabulary * model.hidden
    work = 2.0 * (streamed_parameters(model, None) - head) * chunk + 2.0 * head
    work += attention_flops(model, chunk * (context + chunk / 2))
    return work / (tensor_parallel * flop_s)


def ridge_batch(flop_s: float, byte_s: float, precision: str = "bf16") -> float:
    """Return the batch at which reading the weights takes as long as computing: F·w/(2·B).

    Raises
    ------
    InputError
        A rate is not above 0 or the precision unknown.

    >>> round(ridge_batch(312e12, 2039e9))
    153
    """
    _check_positive(flop_s=flop_s, byte_s=byte_s)
    return flop_s * bytes_per_value(precision) / (2.0 * byte_s)


def streamed_parameters(model: LanguageModel, tokens: float | None) -> float:
    """Return the parameters of the matrices that a step reads, or that one token passes.

    All but the embeddings of input and positions and the norms; of experts those that `tokens`
    tokens touch, or `experts_per_token` with None.
    """
    experts: float = model.experts_per_token
    if tokens is not None:
        experts = float(touched_experts(model, tokens))
    matrices = (2 + model.gated) * model.hidden
    sparse = (experts + model.shared_experts) * model.expert_intermediate * matrices
    sparse += model.hidden * model.experts
    dense = model.intermediate * matrices
    layers = model.layers * model.attention_parameters + model.expert_layers * sparse
    layers += (model.layers - model.expert_layers) * dense
    return float(layers + model.vocabulary * model.hidden)


def touched_experts(model: LanguageModel, tokens: ArrayLike) -> np.ndarray:
    """Return the expected number of experts of a layer that tokens touch: E·(1 − (1 − k/E)^T).

    Shape of `tokens`, which are taken to choose evenly and independently; a trained router nearly
    does so.
    """
    if not model.experts:
        return np.zeros_like(np.asarray(tokens, dtype=np.float64))
    missed = (1.0 - model.experts_per_token / model.experts) ** np.asarray(tokens, dtype=float)
    touched: np.ndarray = model.experts * (1.0 - missed)
    return touched


def attention_flops(model: LanguageModel, pairs: float) -> float:
    """Return the FLOP of attention over pairs of a query and a key in all layers: 4·L·q·d·pairs.

    With latent attention 2·q·(key + value elements).
    """
    key = model.nope_head_dim + model.rope_head_dim or model.head_dim
    return 2.0 * model.layers * model.heads * (key + model.head_dim) * pairs


def _check_positive(**values: float) -> None:
    for name, value in values.items():
        if not 0 < value < float("inf"):
            msg = f"{name} is {value}; allowed is a finite number above 0"
            raise InputError(msg)
