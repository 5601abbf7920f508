"""Floating-point operations of a training step: the published formulas, and a general count."""

from __future__ import annotations

from gpudeck.errors import InputError
from gpudeck.workload.model import LanguageModel

DAY_S = 86_400.0


def megatron_parameters(layers: int, hidden: int, vocabulary: int, sequence_tokens: int) -> float:
    """Return the parameters of a GPT model: 12·l·h²·(1 + 13/12h + (V + s)/12lh).

    Source: Narayanan et al., SC 2021, equation 2.

    >>> round(megatron_parameters(96, 12288, 51200, 2048) / 1e9, 1)
    174.6
    """
    l, h = layers, hidden  # noqa: E741  # the paper's letters
    extra = 13 / (12 * h) + (vocabulary + sequence_tokens) / (12 * l * h)
    return 12 * l * h**2 * (1 + extra)


def megatron_hardware_flop(
    batch: int, sequence_tokens: int, layers: int, hidden: int, vocabulary: int
) -> float:
    """Return what the GPUs compute in a step with all activations recomputed, in FLOP.

    96·B·s·l·h²·(1 + s/6h + V/16lh)

    Source: Narayanan et al., SC 2021, equation 3.

    >>> f"{megatron_hardware_flop(1536, 2048, 96, 12288, 51200):.4e}"
    '4.5110e+18'
    """
    s, l, h = sequence_tokens, layers, hidden  # noqa: E741
    return 96.0 * batch * s * l * h**2 * (1 + s / (6 * h) + vocabulary / (16 * l * h))


def megatron_model_flop(
    batch: int, sequence_tokens: int, layers: int, hidden: int, vocabulary: int
) -> float:
    """Return what the model needs in a step, however it is computed, in FLOP.

    72·B·l·s·h²·(1 + s/6h + V/12lh)

    Source: Korthikanti et al., 2022, appendix A.

    >>> f"{megatron_model_flop(64, 2048, 96, 12288, 51200):.3e}"
    '1.411e+17'
    """
    s, l, h = sequence_tokens, layers, hidden  # noqa: E741
    return 72.0 * batch * l * s * h**2 * (1 + s / (6 * h) + vocabulary / (12 * l * h))


def selective_flop(batch: int, sequence_tokens: int, layers: int, hidden: int) -> float:
    """Return what recomputing the core of attention adds to a step: 4·B·l·s²·h FLOP.

    Source: Korthikanti et al., 2022, appendix A.

    >>> selective_flop(1, 2, 1, 3)
    48.0
    """
    return 4.0 * batch * layers * sequence_tokens**2 * hidden


def training_days(tokens: float, parameters: float, gpus: int, flop_s: float) -> float:
    """Return the days of a run with all activations recomputed: 8·T·P/(n·X).

    Parameters
    ----------
    tokens, parameters, gpus
        Of the run.
    flop_s : float
        Attained by one GPU, FLOP/s.

    Raises
    ------
    InputError
        One of them is not above 0.

    Source: Narayanan et al., SC 2021, equation 4.

    >>> round(training_days(300e9, 175e9, 1024, 140e12), 1)
    33.9
    """
    for name, value in (
        ("tokens", tokens), ("parameters", parameters), ("gpus", gpus), ("flop_s", flop_s)
    ):  # fmt: skip
        if not value > 0:
            msg = f"{name} is {value}; allowed are numbers above 0"
            raise InputError(msg)
    return 8.0 * tokens * parameters / (gpus * flop_s) / DAY_S


def matrix_parameters(model: LanguageModel) -> float:
    """Return the weights that multiply each token: all matrices it passes, and the output head.

    >>> from gpudeck.workload.model import find_model
    >>> f"{matrix_parameters(find_model('llama-3-8b')) / 1e9:.3f}"
    '7.505'
    """
    matrices = 2 + model.gated
    attention = model.layers * model.attention_parameters
    dense = (model.layers - model.expert_layers) * matrices * model.hidden * model.intermediate
    passes = model.experts_per_token + model.shared_experts
    sparse = matrices * model.expert_intermediate * passes + model.experts
    head = model.vocabulary * model.hidden
    return float(attention + dense + model.expert_layers * model.hidden * sparse + head)


def attention_flop(model: LanguageModel, sequence_tokens: int, *, causal: bool) -> float:
    """Return the forward FLOP of scores and weighted sums for one token, all layers.

    2·L·s·H·(d_q + d_v), where d_q = d_v = d without latent attention: 4·L·s·H·d; half of it where
    the half above the diagonal is not computed.
    """
    query = model.nope_head_dim + model.rope_head_dim if model.kv_lora_rank else model.head_dim
    full = 2.0 * model.layers * sequence_tokens * model.heads * (query + model.head_dim)
    return full / 2 if causal else full


def model_flop_per_token(
    model: LanguageModel, sequence_tokens: int, *, causal: bool = True
) -> float:
    """Return what a model needs to train on one token, in FLOP: 3·(2·weights + attention).

    It holds for gated feed-forwards, grouped queries and experts; for a GPT model with attention
    counted in full it is `megatron_model_flop` over the tokens.

    Parameters
    ----------
    model : LanguageModel
    sequence_tokens : int
        Length of a sequence.
    causal : bool
        Count only the half of the attention that a causal mask leaves.

    Source: Korthikanti et al., 2022, appendix A; PaLM, appendix B.

    >>> from gpudeck.workload.model import find_model
    >>> f"{model_flop_per_token(find_model('llama-3-405b'), 8192):.3e}"
    '2.524e+12'
    """
    forward = 2 * matrix_parameters(model) + attention_flop(model, sequence_tokens, causal=causal)
    return 3.0 * forward
