"""Engines: how requests are batched, admitted and given memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from gpudeck.errors import InputError

Policy = Literal["static", "dynamic", "continuous", "paged", "chunked"]
Reservation = Literal["max", "pow2", "oracle"]
# an assumption: engines spend 0.5 to 2 ms of CPU time a step outside the GPU's work
STEP_OVERHEAD_S = 0.001


@dataclass(frozen=True, slots=True)
class Adaptive:
    """A batch cap moved by the latency: additive increase, multiplicative decrease.

    After each `window` decoding iterations the mean time between tokens is compared with
    `objective_s`. Above it the cap is multiplied by `decrease`; below it, and if the batch was
    full, `increase` is added. The cap starts at `start_batch` and stays from `min_batch` to the
    engine's `max_batch`.

    Raises
    ------
    InputError
        A value is out of range.

    Source: the rule is that of Chiu and Jain, Computer Networks and ISDN Systems, 1989.
    """

    objective_s: float
    increase: float = 4.0
    decrease: float = 0.75
    window: int = 16
    min_batch: int = 1
    start_batch: int = 32

    def __post_init__(self) -> None:
        _require("objective_s", self.objective_s, 0 < self.objective_s < float("inf"), "above 0")
        _require("increase", self.increase, 0 < self.increase < float("inf"), "above 0")
        _require("decrease", self.decrease, 0 < self.decrease < 1, "above 0 and below 1")
        for name in ("window", "min_batch", "start_batch"):
            _require_count(name, getattr(self, name))


@dataclass(frozen=True, slots=True)
class Engine:
    """One way to batch requests.

    Parameters
    ----------
    policy
        ``"static"``: wait for a full batch and run it until its longest request ends; what is left
        at the end runs as a smaller batch. ``"dynamic"``: as static, but start at the latest when
        the oldest has waited `max_delay_s`. ``"continuous"``: re-form the batch each iteration,
        whole prompts beside those that decode (Orca). ``"paged"``: prompts first, then decoding
        (vLLM v0). ``"chunked"``: decoding first, prompts fill a token budget (Sarathi, vLLM V1).
    max_batch
        Requests that run at once; for chunked not more than `chunk_tokens`.
    max_batch_tokens
        Prompt tokens of one iteration, continuous and paged; a larger prompt goes alone.
    chunk_tokens
        Tokens of one iteration, chunked.
    block_size, blocks, watermark
        Paged and chunked: tokens of a block, number of blocks (``None``: as many as the replica's
        memory holds), and the share of the blocks that admission leaves free. The watermark is
        waived while nothing runs.
    step_overhead_s
        CPU time of the engine in each iteration.
    max_delay_s
        Dynamic: longest wait for a full batch.
    reservation, max_length
        Static, dynamic and continuous reserve contiguous memory: for `max_length` tokens, for the
        next power of two, or for the true length. ``max_length=None``: the model's context, or the
        longest request where that is less.
    prefix_cache
        Paged and chunked: reuse the longest cached leading run of a prompt's hashed blocks.
    adaptive
        Continuous, paged and chunked: move the batch cap by the latency.
    buckets
        Static and dynamic: upper ends of prompt lengths; only prompts of one bucket share a batch.

    Raises
    ------
    InputError
        A value is out of range, or belongs to another policy.

    >>> Engine("chunked", chunk_tokens=1024).max_batch
    256
    """

    policy: Policy = "chunked"
    max_batch: int = 256
    max_batch_tokens: int = 8192
    chunk_tokens: int = 512
    block_size: int = 16
    blocks: int | None = None
    watermark: float = 0.01
    step_overhead_s: float = STEP_OVERHEAD_S
    max_delay_s: float = 0.1
    reservation: Reservation = "max"
    prefix_cache: bool = False
    adaptive: Adaptive | None = None
    buckets: tuple[int, ...] | None = None
    max_length: int | None = None

    def __post_init__(self) -> None:
        _require("policy", self.policy, self.policy in get_args(Policy), str(get_args(Policy)))
        allowed = str(get_args(Reservation))
        _require(
            "reservation", self.reservation, self.reservation in get_args(Reservation), allowed
        )
        for name in ("max_batch", "max_batch_tokens", "chunk_tokens", "block_size"):
            _require_count(name, getattr(self, name))
        for name in ("blocks", "max_length"):
            if getattr(self, name) is not None:
                _require_count(name, getattr(self, name))
        _require("watermark", self.watermark, 0 <= self.watermark < 1, "from 0 to below 1")
        for name in ("step_overhead_s", "max_delay_s"):
            value = getattr(self, name)
            _require(name, value, 0 <= value < float("inf"), "0 or above")
        self._require_fitting()

    @property
    def contiguous(self) -> bool:
        """Whether memory is reserved in one piece for each request."""
        return self.policy in ("static", "dynamic", "continuous")

    @property
    def reforms(self) -> bool:
        """Whether the batch is formed anew in each iteration."""
        return self.policy in ("continuous", "paged", "chunked")

    def _require_fitting(self) -> None:
        if self.prefix_cache and self.contiguous:
            msg = f"prefix_cache with policy {self.policy!r}; allowed with 'paged' and 'chunked'"
            raise InputError(msg)
        if self.adaptive and not self.reforms:
            msg = f"adaptive with policy {self.policy!r}; allowed are continuous, paged, chunked"
            raise InputError(msg)
        if self.buckets is None:
            return
        if self.reforms:
            msg = f"buckets with policy {self.policy!r}; allowed with 'static' and 'dynamic'"
            raise InputError(msg)
        edges = self.buckets
        rising = all(a < b for a, b in zip((0, *edges), edges, strict=False))
        _require("buckets", edges, bool(edges) and rising, "rising lengths above 0")


def _require(name: str, value: object, right: bool, allowed: str) -> None:
    if not right:
        msg = f"{name} is {value!r}; allowed is {allowed}"
        raise InputError(msg)


def _require_count(name: str, value: int) -> None:
    whole = isinstance(value, int) and not isinstance(value, bool)
    _require(name, value, whole and value >= 1, "a whole number from 1")
