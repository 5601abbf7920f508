"""Jobs: who asks for how many GPUs, when, and for how long, column by column."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError


@dataclass(frozen=True, slots=True, eq=False)
class Jobs:
    """A list of jobs, in any order of arrival; results come back in the order of the rows.

    A job is a gang of ``pods`` that run together, each on ``gpus_per_pod`` GPUs of one node.

    Parameters
    ----------
    id
        Distinct names, shape (n,).
    tenant
        Whose job it is, shape (n,).
    arrival_s
        When it is submitted, shape (n,), 0 or above.
    pods, gpus_per_pod
        Size of the gang, and GPUs of each of its pods, shape (n,), 1 or above.
    duration_s
        How long it runs on all its GPUs, shape (n,), above 0.
    estimate_s
        How long its user says that it runs, shape (n,), above 0; the duration if not told.
    priority
        The higher goes first, shape (n,), whole numbers; 0 if not told.

    Raises
    ------
    InputError
        Columns of different length, an id that repeats, or a value out of range; it names the row.

    >>> jobs = Jobs(["a", "b"], ["x", "x"], [0, 5], [1, 2], [8, 4], [60, 30])
    >>> jobs.gpus.tolist(), jobs.gpu_seconds.tolist()
    ([8, 8], [480.0, 240.0])
    """

    id: NDArray[np.str_]
    tenant: NDArray[np.str_]
    arrival_s: NDArray[np.float64]
    pods: NDArray[np.int64]
    gpus_per_pod: NDArray[np.int64]
    duration_s: NDArray[np.float64]
    estimate_s: NDArray[np.float64] | None = None
    priority: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        count = len(np.asarray(self.id))
        self._freeze("id", np.str_, count)
        self._freeze("tenant", np.str_, count)
        if self.estimate_s is None:
            object.__setattr__(self, "estimate_s", np.array(self.duration_s, dtype=np.float64))
        if self.priority is None:
            object.__setattr__(self, "priority", np.zeros(count, dtype=np.int64))
        for name in ("arrival_s", "duration_s", "estimate_s"):
            self._freeze(name, np.float64, count)
        for name in ("pods", "gpus_per_pod", "priority"):
            self._freeze(name, np.int64, count)
        ids, first = np.unique(self.id, return_index=True)
        if len(ids) < count:
            row = int(np.setdiff1d(np.arange(count), first)[0])
            msg = f"row {row}: id {str(self.id[row])!r} repeats; allowed are distinct ids"
            raise InputError(msg)
        self._require("arrival_s", lambda v: v >= 0, "0 or above")
        self._require("duration_s", lambda v: v > 0, "above 0")
        self._require("estimate_s", lambda v: v > 0, "above 0")
        self._require("pods", lambda v: v >= 1, "1 or above")
        self._require("gpus_per_pod", lambda v: v >= 1, "1 or above")

    def __len__(self) -> int:
        return len(self.id)

    @property
    def gpus(self) -> NDArray[np.int64]:
        """GPUs of the whole gang, shape (n,)."""
        return self.pods * self.gpus_per_pod

    @property
    def gpu_seconds(self) -> NDArray[np.float64]:
        """GPUs times duration, shape (n,)."""
        return self.gpus * self.duration_s

    def take(self, rows: Any) -> Self:
        """Return the jobs of the given rows: indices, a slice, or a mask of shape (n,)."""
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def _freeze(self, name: str, kind: type, count: int) -> None:
        values = np.asarray(getattr(self, name))
        if values.shape != (count,):
            msg = f"{name} has shape {values.shape}; allowed is ({count},), a value for each id"
            raise InputError(msg)
        column = _as_kind(name, values, kind)
        column.flags.writeable = False
        object.__setattr__(self, name, column)

    def _require(self, name: str, right: Callable[[NDArray], NDArray], allowed: str) -> None:
        values = getattr(self, name)
        wrong = ~(right(values) & np.isfinite(values))
        if wrong.any():
            row = int(np.argmax(wrong))
            job = f"row {row}, job {str(self.id[row])!r}"
            msg = f"{job}: {name} is {values[row]}; allowed is {allowed}"
            raise InputError(msg)


def _as_kind(name: str, values: NDArray, kind: type) -> NDArray:
    """Copy a column as text, decimals or whole numbers, losing nothing."""
    if kind is np.str_:
        return np.array(values, dtype=np.str_)
    if values.size and values.dtype.kind not in "iufb":
        msg = f"{name} holds {values.dtype}; allowed are numbers"
        raise InputError(msg)
    if kind is np.int64:
        wrong = ~np.isfinite(values) | (values != np.round(values))
        if wrong.any():
            row = int(np.argmax(wrong))
            msg = f"row {row}: {name} is {values[row]}; allowed are whole numbers"
            raise InputError(msg)
    return np.array(values, dtype=kind)


def concatenate_jobs(parts: Sequence[Jobs]) -> Jobs:
    """Put lists of jobs one behind the other; ids have to stay distinct."""
    columns: list[ArrayLike] = [
        np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Jobs)
    ]
    return Jobs(*columns)  # type: ignore[arg-type]
