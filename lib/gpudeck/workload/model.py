"""Language models: the dimensions from which parameters and memory follow."""

import difflib
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


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """A decoder-only transformer with gated feed-forward layers and grouped-query attention.

    `hidden` and `intermediate` are widths, `vocabulary` a number of tokens, `context_max` the
    longest context in tokens. `tied_embeddings`, `qkv_bias` and `qk_norm` are 0 or 1.
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
        family, _, size = self.id.rpartition("-")
        return f"{family.capitalize()}-{size.upper() if size[:1].isdigit() else size}"

    @property
    def parameters(self) -> int:
        """Number of parameters, counted from the dimensions.

        Embedding V·h (twice when untied), and for each layer q and output 2·h·H·d, k and v
        2·h·K·d, three feed-forward matrices 3·h·f, two norms 2·h, where present biases
        (H + 2K)·d and query and key norms 2·d; one last norm h.

        >>> find_model("llama-3-8b").parameters
        8030261248
        """
        query, key = self.heads * self.head_dim, self.kv_heads * self.head_dim
        attention = 2 * self.hidden * (query + key)
        attention += self.qkv_bias * (query + 2 * key) + self.qk_norm * 2 * self.head_dim
        layer = attention + 3 * self.hidden * self.intermediate + 2 * self.hidden
        embeddings = (2 - self.tied_embeddings) * self.vocabulary * self.hidden
        return embeddings + self.layers * layer + self.hidden

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

        Raises
        ------
        InputError
            The precision is none of `BYTES_PER_VALUE`.

        Source: Kwon et al., SOSP 2023, section 3.

        >>> find_model("llama-2-7b").kv_bytes_per_token("fp16") / 1024
        512.0
        """
        entries = 2 * self.layers * self.kv_heads * self.head_dim
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
