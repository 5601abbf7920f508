"""Nodes of a cluster: what each one offers, column by column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError

MAX_GPUS_PER_NODE = 62  # the GPUs a pod holds are the bits of one signed 64-bit word


@dataclass(frozen=True, slots=True, eq=False)
class Nodes:
    """A cluster, one row a node, in the order of its file.

    Parameters
    ----------
    name
        Distinct names, shape (n,).
    cpu_milli, memory_mib
        What pods may be given, shape (n,), 0 or above.
    gpus
        GPUs of the node, shape (n,), 0 to 62.
    model
        GPU model, shape (n,); ``""`` on a node without GPU.

    Raises
    ------
    InputError
        Columns of different length, a repeated name, or a number out of range.

    >>> nodes = Nodes.from_types([8000, 4000], [65536, 8192], [2, 1], ["T4", "P100"], [1, 2])
    >>> len(nodes), nodes.gpu_count, nodes.take([0]).model.tolist()
    (3, 4, ['T4'])
    """

    name: NDArray[np.str_]
    cpu_milli: NDArray[np.int64]
    memory_mib: NDArray[np.int64]
    gpus: NDArray[np.int64]
    model: NDArray[np.str_]

    def __post_init__(self) -> None:
        freeze_columns(self, text=("name", "model"), whole=("cpu_milli", "memory_mib", "gpus"))
        if len(np.unique(self.name)) != len(self.name):
            msg = f"node names repeat: {len(self.name)} rows; allowed are distinct names"
            raise InputError(msg)
        if self.gpus.max(initial=0) > MAX_GPUS_PER_NODE:
            msg = f"gpus is {self.gpus.max()}; allowed are 0 to {MAX_GPUS_PER_NODE} a node"
            raise InputError(msg)

    def __len__(self) -> int:
        return len(self.name)

    @property
    def gpu_count(self) -> int:
        """GPUs of the whole cluster."""
        return int(self.gpus.sum())

    def take(self, rows: Any) -> Self:
        """Make a smaller cluster of the given rows: indices, a slice, or a mask of shape (n,).

        Raises
        ------
        InputError
            A row is not there, or comes twice.
        """
        try:
            index = np.arange(len(self))[rows]
        except IndexError as error:
            msg = f"rows: {error}; allowed are indices of the {len(self)} nodes, or a mask of them"
            raise InputError(msg) from error
        return type(self)(
            self.name[index],
            self.cpu_milli[index],
            self.memory_mib[index],
            self.gpus[index],
            self.model[index],
        )

    @classmethod
    def from_types(
        cls,
        cpu_milli: ArrayLike,
        memory_mib: ArrayLike,
        gpus: ArrayLike,
        model: Sequence[str],
        count: ArrayLike,
    ) -> Self:
        """Expand a table of node types into ``count`` nodes of each, named in that order.

        Parameters
        ----------
        cpu_milli, memory_mib, gpus, model
            What a node of each type offers, shape (types,).
        count
            Nodes of each type, shape (types,), 0 or above.

        Raises
        ------
        InputError
            Columns of different length, or a number out of range.
        """
        repeats = whole_numbers("count", count)
        columns = [np.asarray(column) for column in (cpu_milli, memory_mib, gpus, model)]
        if any(column.shape != repeats.shape for column in columns):
            msg = f"columns have shapes {[c.shape for c in columns]}; allowed is {repeats.shape}"
            raise InputError(msg)
        return cls(
            numbered_names("node", int(repeats.sum())),
            *(np.repeat(column, repeats) for column in columns),
        )


def numbered_names(stem: str, count: int) -> NDArray[np.str_]:
    """Name rows so that sorting by name keeps their order: ``node-00``, ``node-01``, …."""
    width = len(str(max(count - 1, 0)))
    return np.array([f"{stem}-{i:0{width}}" for i in range(count)], dtype=np.str_)


def whole_numbers(field: str, values: ArrayLike) -> NDArray[np.int64]:
    """Copy ``values`` as whole numbers of 0 or above, shape (n,), that nobody can change.

    Raises
    ------
    InputError
        A value is negative, not finite, or has a fraction.
    """
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iuf"):
        msg = f"{field} has shape {array.shape} and type {array.dtype}; allowed are n whole numbers"
        raise InputError(msg)
    wrong = ~np.isfinite(array) | (array < 0) | (array > 2**53) | (array != np.round(array))
    if wrong.any():
        row = int(np.argmax(wrong))
        msg = f"{field} is {array[row]} in row {row}; allowed are whole numbers of 0 or above"
        raise InputError(msg)
    column = array.astype(np.int64)
    column.flags.writeable = False
    return column


def freeze_columns(table: Any, text: Sequence[str], whole: Sequence[str]) -> None:
    """Replace the columns of a frozen dataclass by checked, read-only arrays of one length.

    Raises
    ------
    InputError
        Columns of different length, or a number out of range.
    """
    for field in text:
        column = np.array(getattr(table, field), dtype=np.str_)
        column.flags.writeable = False
        object.__setattr__(table, field, column)
    for field in whole:
        object.__setattr__(table, field, whole_numbers(field, getattr(table, field)))
    lengths = {field: len(getattr(table, field)) for field in (*text, *whole)}
    if len(set(lengths.values())) > 1:
        msg = f"columns have lengths {lengths}; allowed is one length"
        raise InputError(msg)


def apportion(counts: ArrayLike, total: int) -> NDArray[np.int64]:
    """Divide ``total`` in proportion to ``counts``, the rest to the largest remainders.

    Ties go to the earlier count; with ``total`` equal to the sum, the counts come back.

    Parameters
    ----------
    counts
        How many there are of each kind, shape (kinds,), 0 or above.
    total
        How many to give out, 0 or above.

    Raises
    ------
    InputError
        ``total`` is negative, or there is nothing to give it to.

    >>> apportion([5, 3, 2], 4).tolist()
    [2, 1, 1]
    """
    shares = whole_numbers("count", counts)
    available = int(shares.sum())
    if total < 0 or (available == 0 and total > 0):
        msg = f"total is {total} for {available} counted; allowed is 0, or more with a count"
        raise InputError(msg)
    if available == 0:
        return shares
    share, remainder = np.divmod(shares * total, available)
    share[np.argsort(-remainder, kind="stable")[: total - int(share.sum())]] += 1
    return share
