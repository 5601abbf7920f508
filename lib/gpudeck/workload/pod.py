"""Pods: what each one asks of a node, column by column."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.node import apportion, freeze_columns, numbered_names, whole_numbers

GPU_MILLI = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Pods:
    """A list of pods sorted by name, so that an index into it means the same pod everywhere.

    Parameters
    ----------
    name
        Distinct names in ascending order, shape (n,).
    cpu_milli, memory_mib
        What the pod asks, shape (n,), 0 or above.
    num_gpu
        GPUs asked, shape (n,); 0 for a pod that runs on the CPU.
    gpu_milli
        Share asked of each of them: 1 to 1000 with one GPU, 1000 with several, 0 with none.
    gpu_spec
        Models that will do, shape (n,): ``"A|B"``, or ``""`` for any.
    creation_s, deletion_s
        When the pod came and went, shape (n,), or None where the file does not say.

    Raises
    ------
    InputError
        Columns of different length, names that repeat or are not sorted, or a number out of
        range.

    >>> pods = Pods.from_specs([4000], [8192], [1], [500], ["T4|P100"], [3])
    >>> len(pods), pods.gpu_demand_milli.tolist()
    (3, [500, 500, 500])
    """

    name: NDArray[np.str_]
    cpu_milli: NDArray[np.int64]
    memory_mib: NDArray[np.int64]
    num_gpu: NDArray[np.int64]
    gpu_milli: NDArray[np.int64]
    gpu_spec: NDArray[np.str_]
    creation_s: NDArray[np.int64] | None = None
    deletion_s: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        times = [c for c in ("creation_s", "deletion_s") if getattr(self, c) is not None]
        freeze_columns(
            self,
            text=("name", "gpu_spec"),
            whole=("cpu_milli", "memory_mib", "num_gpu", "gpu_milli", *times),
        )
        disorder = self.name[1:] <= self.name[:-1]
        if disorder.any():
            name = self.name[1:][disorder][0]
            msg = f"pod name {str(name)!r} repeats or is out of order; allowed are ascending names"
            raise InputError(msg)
        if (wrong := wrong_gpu_shares(self.num_gpu, self.gpu_milli)).any():
            row = int(np.argmax(wrong))
            msg = (
                f"pod {self.name[row]} asks num_gpu {self.num_gpu[row]} with gpu_milli"
                f" {self.gpu_milli[row]}; allowed is {GPU_SHARES}"
            )
            raise InputError(msg)
        created, deleted = self.creation_s, self.deletion_s
        if created is not None and deleted is not None and (deleted < created).any():
            name = self.name[int(np.argmax(deleted < created))]
            msg = f"pod {name} is deleted before it is created; allowed is at once or later"
            raise InputError(msg)

    def __len__(self) -> int:
        return len(self.name)

    @property
    def gpu_demand_milli(self) -> NDArray[np.int64]:
        """GPU asked by each pod over all its GPUs, shape (n,)."""
        return self.num_gpu * self.gpu_milli

    @classmethod
    def from_specs(
        cls,
        cpu_milli: ArrayLike,
        memory_mib: ArrayLike,
        num_gpu: ArrayLike,
        gpu_milli: ArrayLike,
        gpu_spec: Sequence[str],
        count: ArrayLike,
        *,
        total: int | None = None,
    ) -> Self:
        """Expand a table of specifications with counts into ``total`` pods, named in that order.

        Each specification gets its share of ``total`` rounded down; the pods left over go to the
        largest remainders, to the earlier specification on a tie. With ``total`` equal to the
        sum of the counts, or not told, the counts come back exactly.

        Parameters
        ----------
        cpu_milli, memory_mib, num_gpu, gpu_milli, gpu_spec
            What a pod of each specification asks, shape (specs,).
        count
            Pods of each specification, shape (specs,), 0 or above.
        total
            Pods in all, 0 or above.

        Raises
        ------
        InputError
            Columns of different length, no pod to scale up from, or a number out of range.

        >>> Pods.from_specs([1, 2], [0, 0], [0, 0], [0, 0], ["", ""], [3, 1], total=6).cpu_milli
        array([1, 1, 1, 1, 1, 2])
        """
        counts = whole_numbers("count", count)
        columns = [np.asarray(c) for c in (cpu_milli, memory_mib, num_gpu, gpu_milli, gpu_spec)]
        if any(column.shape != counts.shape for column in columns):
            msg = f"columns have shapes {[c.shape for c in columns]}; allowed is {counts.shape}"
            raise InputError(msg)
        repeats = apportion(counts, int(counts.sum()) if total is None else total)
        return cls(
            numbered_names("pod", int(repeats.sum())),
            *(np.repeat(column, repeats) for column in columns),
        )


GPU_SHARES = "0 GPUs with 0, 1 GPU with 1 to 1000, or several with 1000"


def wrong_gpu_shares(num_gpu: NDArray[np.int64], gpu_milli: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Say which pods ask for a share that no GPU can give, shape (n,)."""
    none = (num_gpu == 0) & (gpu_milli == 0)
    one = (num_gpu == 1) & (gpu_milli >= 1) & (gpu_milli <= GPU_MILLI)
    several = (num_gpu > 1) & (gpu_milli == GPU_MILLI)
    return ~(none | one | several)
