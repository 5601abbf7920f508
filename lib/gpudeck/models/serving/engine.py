"""Engines: how requests are batched, admitted and given memory."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from numbers import Integral, Real
from typing import Literal, get_args

from gpudeck.errors import InputError

Policy = Literal["static", "dynamic", "continuous", "paged", "chunked"]
Reservation = Literal["max", "pow2", "oracle"]
# an assumption: engines spend 0.5 to 2 ms of CPU time a step outside the GPU's work
STEP_OVERHEAD_S = 0.001
COUNT_MAX = 2**31 - 1


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
        for name, most, allowed in (
            ("objective_s", inf, "above 0, and finite"),
            ("increase", inf, "above 0, and finite"),
            ("decrease", 1.0, "above 0 and below 1"),
        ):
            value = getattr(self, name)
            _require(name, value, _is_number(value) and 0 < value < most, allowed)
        for name in ("window", "min_batch", "start_batch"):
            _require_count(self, name)


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
        next power of two, or for the true length. ``max_length=None``: as long as the longest
        request.
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
            _require_count(self, name)
        for name in ("blocks", "max_length"):
            if getattr(self, name) is not None:
                _require_count(self, name)
        share = self.watermark
        _require("watermark", share, _is_number(share) and 0 <= share < 1, "from 0 to below 1")
        for name in ("step_overhead_s", "max_delay_s"):
            value = getattr(self, name)
            right = _is_number(value) and 0 <= value < inf
            _require(name, value, right, "0 or above, and finite")
        cached = self.prefix_cache
        _require("prefix_cache", cached, isinstance(cached, bool), "True or False")
        right = self.adaptive is None or isinstance(self.adaptive, Adaptive)
        _require("adaptive", self.adaptive, right, "None or an Adaptive")
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
        allowed = "a tuple of rising whole numbers above 0"
        edges = self.buckets
        right = isinstance(edges, tuple) and bool(edges) and all(map(_is_whole, edges))
        _require("buckets", edges, right, allowed)
        rising = all(a < b for a, b in zip((0, *edges), edges, strict=False))
        _require("buckets", edges, rising, allowed)


def require_count(name: str, value: object) -> None:
    """Refuse what is not a whole number from 1 to 2³¹ − 1.

    Raises
    ------
    InputError
        It is not.

    >>> require_count("replicas", 4)
    """
    right = _is_whole(value) and 1 <= value <= COUNT_MAX  # type: ignore[operator]
    _require(name, value, right, f"a whole number from 1 to {COUNT_MAX}")


def _require_count(owner: object, name: str) -> None:
    value = getattr(owner, name)
    require_count(name, value)
    # numpy's whole numbers wrap around where Python's do not
    object.__setattr__(owner, name, int(value))


def _require(name: str, value: object, right: bool, allowed: str) -> None:
    if not right:
        msg = f"{name} is {value!r}; allowed is {allowed}"
        raise InputError(msg)


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
