"""The GPUs that a queue fills: nodes with a number of GPUs each, or one pool."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError

MAX_GPUS = 10_000_000


@dataclass(frozen=True, slots=True, eq=False)
class GpuPool:
    """Nodes by their number of GPUs; a pod takes its GPUs on one node.

    Parameters
    ----------
    gpus
        GPUs of each node, shape (nodes,), whole numbers of 0 or above, one GPU at least in all.

    Raises
    ------
    InputError
        No node, a number that is no count, or no GPU at all.

    >>> GpuPool([8, 8]).total, GpuPool.single(10).total
    (16, 10)
    """

    gpus: NDArray[np.int64]

    def __post_init__(self) -> None:
        values = np.asarray(self.gpus)
        if values.ndim != 1 or not values.size or values.dtype.kind not in "iu":
            msg = f"gpus is {self.gpus!r}; allowed is a list of whole numbers, one a node"
            raise InputError(msg)
        if (values < 0).any() or not 1 <= values.sum() <= MAX_GPUS:
            row = int(np.argmax(values < 0))
            msg = (
                f"gpus: node {row} has {values[row]}, all have {values.sum()};"
                f" allowed are 0 or above a node and 1 to {MAX_GPUS} in all"
            )
            raise InputError(msg)
        column = values.astype(np.int64)
        column.flags.writeable = False
        object.__setattr__(self, "gpus", column)

    @classmethod
    def single(cls, count: int) -> Self:
        """Return one pool in which any free GPUs serve any pod."""
        return cls(np.array([count]))

    @classmethod
    def uniform(cls, nodes: int, gpus_per_node: int) -> Self:
        """Return equal nodes."""
        return cls(np.full(nodes, gpus_per_node))

    @property
    def total(self) -> int:
        """GPUs of all nodes."""
        return int(self.gpus.sum())

    def fits(self, pods: ArrayLike, gpus_per_pod: ArrayLike) -> NDArray[np.bool_]:
        """Tell which gangs fit into the empty cluster, shape of the arguments.

        >>> GpuPool([8, 8]).fits([1, 2, 3], [12, 6, 6]).tolist()
        [False, True, False]
        """
        grain, wanted = np.asarray(gpus_per_pod), np.asarray(pods)
        sizes, kinds = np.unique(grain, return_inverse=True)
        room = np.array([(self.gpus // size).sum() for size in sizes.tolist()], dtype=np.int64)
        if not room.size:
            return np.zeros(grain.shape, dtype=bool)
        return np.asarray(room[kinds.reshape(grain.shape)] >= wanted)


def as_pool(cluster: GpuPool | int | ArrayLike) -> GpuPool:
    """Return a pool from a pool, a number of GPUs, or the GPUs of each node."""
    if isinstance(cluster, GpuPool):
        return cluster
    if isinstance(cluster, int):
        return GpuPool.single(cluster)
    return GpuPool(np.asarray(cluster))
