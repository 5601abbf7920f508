"""Language models: the dimensions from which parameters and memory follow."""

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from gpudeck.errors import InputError
from gpudeck.tables import Row, read_table

# bytes of one weight or one cache entry; the scales of quantised groups are left out
BYTES_PER_VALUE: Mapping[str, float] = MappingProxyType(
    {"fp32": 4.0, "fp16": 2.0, "bf16": 2.0, "fp8": 1.0, "int8": 1.0, "int4": 0.5}
)

_FAMILIES = {"opt": "OPT", "gpt": "GPT", "deepseek": "DeepSeek"}
_SIZE = re.compile(r"(\d[\dx.]*b?|a\d+b|v\d+)")


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A decoder-only transformer, dense or with experts, with grouped-query or latent attention.

    `hidden` and `intermediate` are widths, `vocabulary` a number of tokens, `context_max` the
    longest context in tokens. `tied_embeddings`, `qkv_bias`, `qk_norm`, `gated` (three
    feed-forward matrices, not two) and `linear_bias` (biases on every other matrix and in the
    norms) are 0 or 1; `learned_positions` is the number of position embeddings.

    Mixture of experts: after the first `dense_layers`, each layer has `experts` of width
    `expert_intermediate`, of which a token passes `experts_per_token` and all `shared_experts`.
    Latent attention (`kv_lora_rank` above 0): the cache holds one vector of `kv_lora_rank` and one
    rotated key of `rope_head_dim` a token and layer; queries have rank `q_lora_rank`; a query and
    a key have `nope_head_dim + rope_head_dim` elements a head, a value has `head_dim`.

    `parameters_printed` is what a model card says, rounded as it is there. `rows` holds the row of
    every figure, with its source.
    """

    id: str
    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    context_max: int
    tied_embeddings: int
    qkv_bias: int
    qk_norm: int
    gated: int = 1
    linear_bias: int = 0
    learned_positions: int = 0
    experts: int = 0
    experts_per_token: int = 0
    expert_intermediate: int = 0
    shared_experts: int = 0
    dense_layers: int = 0
    q_lora_rank: int = 0
    kv_lora_rank: int = 0
    nope_head_dim: int = 0
    rope_head_dim: int = 0
    parameters_printed: int | None = None
    rows: Mapping[str, Row] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False
    )

    @property
    def title(self) -> str:
        """The id as its makers write it.

        >>> find_model("qwen2.5-7b").title, find_model("phi-3-mini").title
        ('Qwen2.5-7B', 'Phi-3-mini')
        """
        first, *rest = self.id.split("-")
        words = [word.upper().replace("X", "x") if _SIZE.fullmatch(word) else word for word in rest]
        return "-".join([_FAMILIES.get(first, first.capitalize()), *words])

    @property
    def expert_layers(self) -> int:
        """Number of layers whose feed-forward part is a mixture of experts."""
        return self.layers - self.dense_layers if self.experts else 0

    @property
    def parameters(self) -> int:
        """Number of parameters, counted from the dimensions.

        Embedding V·h (twice when untied), learned positions; for each layer q and output 2·h·H·d,
        k and v 2·h·K·d, feed-forward matrices 3·h·f (2·h·f without a gate), two norms 2·h, and
        biases and norms of query and key where present; one last norm h. A layer of E experts has
        (E + shared)·3·h·f_e and a router h·E; latent attention has its low-rank factors.

        >>> find_model("llama-3-8b").parameters
        8030261248
        """
        return self._count_parameters(self.experts)

    @property
    def active_parameters(self) -> int:
        """Number of parameters that one token passes: all of them in a dense model.

        >>> model = find_model("llama-3-8b")
        >>> model.active_parameters == model.parameters
        True
        """
        return self._count_parameters(self.experts_per_token)

    @property
    def attention_parameters(self) -> int:
        """Weights of the attention matrices of one layer, without biases and norms."""
        if not self.kv_lora_rank:
            return 2 * self.hidden * (self.heads + self.kv_heads) * self.head_dim
        query = self.heads * (self.nope_head_dim + self.rope_head_dim)
        rank = self.q_lora_rank
        down = self.hidden * (rank + self.kv_lora_rank + self.rope_head_dim)
        up = (rank or self.hidden) * query
        up += self.kv_lora_rank * self.heads * (self.nope_head_dim + self.head_dim)
        return down + up + self.heads * self.head_dim * self.hidden

    def _count_parameters(self, experts: int) -> int:
        h, query, key = self.hidden, self.heads * self.head_dim, self.kv_heads * self.head_dim
        matrices = 2 + self.gated
        norms = (1 + self.linear_bias) * h
        layer = self.attention_parameters + 2 * norms
        layer += self.qkv_bias * (query + 2 * key) + self.qk_norm * 2 * self.head_dim
        layer += self.linear_bias * h + self.q_lora_rank + self.kv_lora_rank
        dense = matrices * h * self.intermediate + self.linear_bias * (self.intermediate + h)
        expert = matrices * h * self.expert_intermediate
        sparse = (experts + self.shared_experts) * expert + h * self.experts
        feed_forward = self.expert_layers * sparse + (self.layers - self.expert_layers) * dense
        embeddings = (2 - self.tied_embeddings) * self.vocabulary + self.learned_positions
        return embeddings * h + self.layers * layer + feed_forward + norms

    def weights_bytes(self, precision: str) -> float:
        """Return the bytes of all weights at one precision.

        Raises
        ------
        InputError
            The precision is none of `BYTES_PER_VALUE`.
        """
        return self.parameters * bytes_per_value(precision)

    def kv_bytes_per_token(self, precision: str) -> float:
        """Return the bytes that one token adds to the key-value cache: 2·L·K·d·bytes.

        With latent attention (kv_lora_rank + rope_head_dim)·L·bytes.

        Raises
        ------
        InputError
            The precision is none of `BYTES_PER_VALUE`.

        Source: Kwon et al., SOSP 2023, section 3.

        >>> find_model("llama-2-7b").kv_bytes_per_token("fp16") / 1024
        512.0
        """
        entries = 2 * self.layers * self.kv_heads * self.head_dim
        if self.kv_lora_rank:
            entries = self.layers * (self.kv_lora_rank + self.rope_head_dim)
        return entries * bytes_per_value(precision)


def bytes_per_value(precision: str) -> float:
    """Return the bytes of one number at a precision.

    Raises
    ------
    InputError
        The precision is unknown.

    >>> bytes_per_value("int4")
    0.5
    """
    if precision not in BYTES_PER_VALUE:
        msg = f"precision is {precision!r}; allowed are {', '.join(BYTES_PER_VALUE)}"
        raise InputError(msg)
    return BYTES_PER_VALUE[precision]


@cache
def read_models() -> dict[str, LanguageModel]:
    """Read every model of ``data/models.csv``, by id.

    Raises
    ------
    InputError
        The table is wrong, has an attribute that a `LanguageModel` does not know, or lacks one.

    >>> read_models()["llama-2-7b"].layers
    32
    """
    table = read_table("models")
    return {model_id: _build_model(model_id, table.of(model_id)) for model_id in table.ids}


def find_model(model_id: str) -> LanguageModel:
    """Look one model up.

    Raises
    ------
    InputError
        There is no such model; the message lists those with a similar name.

    >>> find_model("qwen2.5-7b").kv_heads
    4
    """
    models = read_models()
    if model_id not in models:
        close = difflib.get_close_matches(str(model_id).lower(), models, n=4, cutoff=0.4)
        near = f"; close to it: {', '.join(close)}" if close else ""
        msg = f"model is {model_id!r}{near}; allowed in data/models.csv are {', '.join(models)}"
        raise InputError(msg)
    return models[model_id]


def _build_model(model_id: str, rows: dict[str, Row]) -> LanguageModel:
    values = {name: int(row.number) for name, row in rows.items()}
    try:
        return LanguageModel(id=model_id, rows=MappingProxyType(rows), **values)
    except TypeError as error:
        msg = f"{model_id} in data/models.csv: {error}; allowed are the attributes of a model"
        raise InputError(msg) from error
