"""Requests to a language model: when they arrive, how long prompt and answer are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError

BLOCK_TOKENS = 16


@dataclass(frozen=True, slots=True, eq=False)
class RequestTable:
    """A list of requests, in any order of arrival; results come back in the order of the rows.

    Parameters
    ----------
    arrival_s
        When each arrives, seconds, shape (n,), 0 or above.
    prompt_tokens, output_tokens
        Length of its prompt and of its answer, shape (n,), whole numbers of 1 or above.
    block_hashes
        None, or n arrays of whole numbers: the hash of each block of the prompt, from its start.
        Equal hashes mean equal tokens from the start of the prompt to the end of the block.
    block_tokens
        Tokens of a block that a hash stands for; 16, as in vLLM, if not told. The last hash may
        stand for a block that the prompt fills in part. None without hashes.

    `hash_offsets`, shape (n + 1,), and `hashes` are the same flat: those of row i are
    ``hashes[hash_offsets[i]:hash_offsets[i + 1]]``; both are None without hashes.

    Raises
    ------
    InputError
        Columns of different length, or a value out of range; it names the row.

    >>> requests = RequestTable([0.0, 0.5], [100, 2000], [10, 300])
    >>> len(requests), requests.rate_per_s
    (2, 2.0)
    """

    arrival_s: NDArray[np.float64]
    prompt_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    block_hashes: Sequence[NDArray[np.int64]] | None = None
    block_tokens: int | None = None
    hash_offsets: NDArray[np.int64] | None = field(init=False, repr=False)
    hashes: NDArray[np.int64] | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        count = len(np.atleast_1d(np.asarray(self.arrival_s)))
        self._freeze("arrival_s", np.float64, count)
        self._freeze("prompt_tokens", np.int64, count)
        self._freeze("output_tokens", np.int64, count)
        self._require("arrival_s", lambda v: np.isfinite(v) & (v >= 0), "0 or above, and finite")
        self._require("prompt_tokens", lambda v: v >= 1, "1 or above")
        self._require("output_tokens", lambda v: v >= 1, "1 or above")
        self._flatten_hashes(count)

    def __len__(self) -> int:
        return len(self.arrival_s)

    @property
    def duration_s(self) -> float:
        """Seconds from the first arrival to the last; 0 without a request."""
        return float(np.ptp(self.arrival_s)) if len(self) else 0.0

    @property
    def rate_per_s(self) -> float:
        """Mean rate of arrival: gaps over the time from first to last; inf if that time is 0."""
        if self.duration_s == 0:
            return float("inf") if len(self) > 1 else 0.0
        return (len(self) - 1) / self.duration_s

    def take(self, rows: Any) -> Self:
        """Return the requests of the given rows: indices, a slice, or a mask of shape (n,)."""
        hashes = None
        if self.hash_offsets is not None and self.hashes is not None:
            picked = np.arange(len(self))[rows]
            hashes = BlockHashes.take(self.hash_offsets, self.hashes, picked)
        return type(self)(
            self.arrival_s[rows],
            self.prompt_tokens[rows],
            self.output_tokens[rows],
            hashes,
            self.block_tokens,
        )

    def sorted_by_arrival(self) -> Self:
        """Return the requests by arrival; those that arrive together stay in their order.

        >>> RequestTable([2.0, 1.0], [7, 8], [1, 1]).sorted_by_arrival().prompt_tokens.tolist()
        [8, 7]
        """
        return self.take(np.argsort(self.arrival_s, kind="stable"))

    def with_rate(self, rate_per_s: float) -> Self:
        """Stretch the time axis from the first arrival on, so that the mean rate is as told.

        Raises
        ------
        InputError
            The rate is not above 0, or all requests arrive at once.

        >>> RequestTable([3.0, 4.0, 7.0], [9, 9, 9], [1, 1, 1]).with_rate(1.0).arrival_s.tolist()
        [0.0, 0.5, 2.0]
        """
        if not 0 < rate_per_s < float("inf"):
            msg = f"rate_per_s is {rate_per_s}; allowed is above 0, and finite"
            raise InputError(msg)
        start = self.arrival_s.min() if len(self) else 0.0
        if len(self) > 1 and self.duration_s == 0:
            msg = f"all {len(self)} requests arrive at {start} s; no stretch gives them a rate"
            raise InputError(msg)
        factor = self.rate_per_s / rate_per_s if len(self) > 1 else 1.0
        return self._at((self.arrival_s - start) * factor)

    def all_at_once(self) -> Self:
        """Return the same requests, all waiting from the start."""
        return self._at(np.zeros(len(self)))

    def at_times(self, arrival_s: ArrayLike) -> Self:
        """Return the same requests at other times, shape (n,).

        Raises
        ------
        InputError
            Another number of times than of requests, or a time below 0 or not finite.
        """
        return self._at(np.asarray(arrival_s))

    def _at(self, arrival_s: NDArray) -> Self:
        return type(self)(
            arrival_s, self.prompt_tokens, self.output_tokens, self.block_hashes, self.block_tokens
        )

    def _flatten_hashes(self, count: int) -> None:
        given = self.block_hashes
        if given is None:
            for name in ("block_tokens", "hash_offsets", "hashes"):
                object.__setattr__(self, name, None)
            return
        self._check_hashes(given, count)
        blocks = given if isinstance(given, BlockHashes) else BlockHashes.from_rows(given)
        object.__setattr__(self, "block_hashes", blocks)
        most = -(-self.prompt_tokens // int(self.block_tokens or 1))
        wrong = np.diff(blocks.offsets) > most
        if wrong.any():
            row = int(np.argmax(wrong))
            msg = (
                f"row {row}: block_hashes has {len(blocks[row])} blocks; allowed are"
                f" {most[row]} of {self.block_tokens} tokens, as many as the prompt of"
                f" {self.prompt_tokens[row]} has"
            )
            raise InputError(msg)
        object.__setattr__(self, "hash_offsets", blocks.offsets)
        object.__setattr__(self, "hashes", blocks.flat)

    def _check_hashes(self, given: Sequence, count: int) -> None:
        if len(given) != count:
            msg = f"block_hashes has {len(given)} rows; allowed are {count}, one for each request"
            raise InputError(msg)
        if self.block_tokens is None:
            object.__setattr__(self, "block_tokens", BLOCK_TOKENS)
        size = self.block_tokens
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            msg = (
                f"block_tokens is {size}; allowed with block_hashes is a whole number of 1 or above"
            )
            raise InputError(msg)

    def _freeze(self, name: str, kind: type, count: int) -> None:
        values = np.asarray(getattr(self, name))
        if values.shape != (count,):
            msg = f"{name} has shape {values.shape}; allowed is ({count},), a value for each row"
            raise InputError(msg)
        column = _as_kind(name, values, kind)
        column.flags.writeable = False
        object.__setattr__(self, name, column)

    def _require(self, name: str, right: Callable[[NDArray], NDArray], allowed: str) -> None:
        values = getattr(self, name)
        wrong = ~right(values)
        if wrong.any():
            row = int(np.argmax(wrong))
            msg = f"row {row}: {name} is {values[row]}; allowed is {allowed}"
            raise InputError(msg)


@dataclass(frozen=True, slots=True, eq=False)
class BlockHashes(Sequence[NDArray[np.int64]]):
    """The blocks of many prompts in one flat array.

    Parameters
    ----------
    offsets
        Where the blocks of each prompt begin and end, shape (n + 1,).
    flat
        Hashes of all blocks, shape (offsets[-1],).
    """

    offsets: NDArray[np.int64]
    flat: NDArray[np.int64]

    @classmethod
    def from_rows(cls, rows: Sequence[ArrayLike]) -> BlockHashes:
        """Put the rows one behind the other.

        Raises
        ------
        InputError
            A row is not a list of whole numbers, or has one twice; it is named.

        >>> BlockHashes.from_rows([[1, 2], []]).offsets.tolist()
        [0, 2, 2]
        """
        arrays = []
        for number, row in enumerate(rows):
            array = np.asarray(row)
            if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
                msg = f"row {number}: block_hashes is {row!r}; allowed are lists of whole numbers"
                raise InputError(msg)
            arrays.append(array.astype(np.int64))
        offsets = np.zeros(len(arrays) + 1, dtype=np.int64)
        np.cumsum([len(array) for array in arrays], out=offsets[1:])
        flat = np.concatenate(arrays) if arrays else np.empty(0, dtype=np.int64)
        owner = np.repeat(np.arange(len(arrays)), np.diff(offsets))
        order = np.lexsort((flat, owner))
        twice = (np.diff(flat[order]) == 0) & (np.diff(owner[order]) == 0)
        if twice.any():
            at = order[int(np.argmax(twice))]
            msg = (
                f"row {owner[at]}: block_hashes has {flat[at]} twice; allowed are distinct hashes,"
                " as each stands for all tokens up to the end of its block"
            )
            raise InputError(msg)
        return cls(offsets, flat)

    @classmethod
    def take(cls, offsets: NDArray, flat: NDArray, rows: NDArray) -> BlockHashes:
        """Pick rows without a loop over them."""
        sizes = np.diff(offsets)[rows]
        ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        where = np.arange(ends[-1]) + np.repeat(offsets[:-1][rows] - ends[:-1], sizes)
        return cls(ends, flat[where])

    def __post_init__(self) -> None:
        for name in ("offsets", "flat"):
            column = np.ascontiguousarray(getattr(self, name), dtype=np.int64).view()
            column.flags.writeable = False
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, row: Any) -> Any:
        if isinstance(row, slice):
            return [self[each] for each in range(*row.indices(len(self)))]
        if not -len(self) <= row < len(self):
            raise IndexError(row)
        row %= len(self)
        return self.flat[self.offsets[row] : self.offsets[row + 1]]


def _as_kind(name: str, values: NDArray, kind: type) -> NDArray:
    """Copy a column as decimals or whole numbers, losing nothing."""
    if values.size and values.dtype.kind not in "iuf":
        msg = f"{name} holds {values.dtype}; allowed are numbers"
        raise InputError(msg)
    if kind is np.int64 and values.dtype.kind == "f":
        wrong = ~np.isfinite(values) | (values != np.round(values)) | (np.abs(values) >= 2**53)
        if wrong.any():
            row = int(np.argmax(wrong))
            msg = f"row {row}: {name} is {values[row]}; allowed are whole numbers"
            raise InputError(msg)
    return np.array(values, dtype=kind)
