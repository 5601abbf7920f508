"""The lines of a log, and the checks that every format shares."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError

MOST_TOKENS = 10**9
MOST_S = 10**12
_WHOLE = re.compile(r"\d{1,10}")
_DECIMAL = re.compile(r"\d{1,18}(\.\d{1,18})?([eE][+-]?\d{1,2})?")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]00:?00)?")
_OFFSET = re.compile(r"(Z|[+-]00:?00)$")
_NS = 1e-9


@dataclass(frozen=True, slots=True)
class Lines:
    """Where each row stands in its file, for the text of an error."""

    path: Path
    numbers: Sequence[int]

    def refuse(self, row: int, name: str, value: object, allowed: str) -> NoReturn:
        """Raise an error that names file, line, column, value and what is allowed.

        Raises
        ------
        InputError
            Always.
        """
        msg = f"{self.path}, line {self.numbers[row]}, {name}: {value!r}; allowed is {allowed}"
        raise InputError(msg)

    def tokens(self, name: str, cells: Sequence[str]) -> NDArray[np.int64]:
        """Read whole numbers of 0 to a thousand million."""
        allowed = f"a whole number from 0 to {MOST_TOKENS}"
        for row, cell in enumerate(cells):
            if not _WHOLE.fullmatch(cell):
                self.refuse(row, name, cell, allowed)
        tokens = np.array(list(map(int, cells)), dtype=np.int64)
        if (wrong := tokens > MOST_TOKENS).any():
            row = int(np.argmax(wrong))
            self.refuse(row, name, cells[row], allowed)
        return tokens

    def seconds(self, name: str, cells: Sequence[str], unit_s: float) -> NDArray[np.float64]:
        """Read decimals of 0 or above, in a unit of so many seconds."""
        most = MOST_S / unit_s
        for row, cell in enumerate(cells):
            if not _DECIMAL.fullmatch(cell) or float(cell) > most:
                self.refuse(row, name, cell, f"a number from 0 to {most:g}")
        return np.array(cells, dtype=np.str_).astype(np.float64) * unit_s

    def instants(self, name: str, cells: Sequence[str]) -> NDArray[np.float64]:
        """Read times such as ``2023-11-16 18:15:46.6805900`` as seconds after the earliest."""
        allowed = "a time in UTC such as 2023-11-16 18:15:46.6805900"
        for row, cell in enumerate(cells):
            if not _INSTANT.fullmatch(cell):
                self.refuse(row, name, cell, allowed)
        texts = [
            _OFFSET.sub("", cell) if _OFFSET.search(cell, len(cell) - 6) else cell for cell in cells
        ]
        try:
            times = np.array(texts, dtype="datetime64[ns]")
        except ValueError:  # a month 13: looked for one by one, as it is rare
            times = np.array([self._instant(r, name, t, allowed) for r, t in enumerate(texts)])
        return (times - times.min()).astype(np.int64) * _NS if len(times) else np.empty(0)

    def _instant(self, row: int, name: str, text: str, allowed: str) -> np.datetime64:
        try:
            return np.datetime64(text, "ns")
        except ValueError:
            self.refuse(row, name, text, allowed)


@dataclass(frozen=True, slots=True)
class Records:
    """What a format's reader finds: a value a row, zero-token rows still among them."""

    arrival_s: NDArray[np.float64]
    prompt_tokens: NDArray[np.int64]
    output_tokens: NDArray[np.int64]
    block_hashes: list[NDArray[np.int64]] | None = field(default=None)
    block_tokens: int | None = None
