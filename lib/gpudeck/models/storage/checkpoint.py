"""A checkpoint on the parallel file system: its size and the time until it is written."""

from __future__ import annotations

from dataclasses import dataclass

from gpudeck.errors import InputError
from gpudeck.hardware.storage_device import find_storage_device
from gpudeck.models.storage.lustre import Lustre
from gpudeck.models.storage.striping import Bandwidth, read_bandwidth, write_bandwidth


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint of `size_bytes`, written by all clients at once and read back by all."""

    size_bytes: float
    write: Bandwidth
    read: Bandwidth

    @property
    def save_s(self) -> float:
        """Seconds to write it."""
        return self.size_bytes / (self.write.gb_s * 1e9)

    @property
    def load_s(self) -> float:
        """Seconds to read it once, every client its own part."""
        return self.size_bytes / (self.read.gb_s * 1e9)


def checkpoint_bytes(parameters: float) -> float:
    """Return the size of a checkpoint: 14 bytes a parameter.

    Two of the bf16 weight, and four each of the fp32 weight and Adam's two moments.

    Parameters
    ----------
    parameters : float
        Parameters of the model.

    Raises
    ------
    InputError
        There is not one parameter.

    Source: MLPerf Storage 2.0, checkpointing workload.

    >>> round(checkpoint_bytes(70e9) / 2**30)
    913
    """
    if not parameters >= 1:
        msg = f"parameters is {parameters}; allowed is a number from 1"
        raise InputError(msg)
    return find_storage_device("MLPerf-checkpoint").number("bytes_per_parameter") * parameters


def save_checkpoint(
    lustre: Lustre, parameters: float, clients: int, stripe_count: int = -1
) -> Checkpoint:
    """Return how a model's checkpoint is written and read by all nodes at once, a file each.

    Parameters
    ----------
    lustre : Lustre
        The file system.
    parameters : float
        Parameters of the model.
    clients : int
        Nodes that write, each an equal part.
    stripe_count : int
        Targets of each file; -1 for all.

    Raises
    ------
    InputError
        As of `write_bandwidth` and `checkpoint_bytes`.
    """
    return Checkpoint(
        checkpoint_bytes(parameters),
        write_bandwidth(lustre, clients, stripe_count),
        read_bandwidth(lustre, clients, stripe_count),
    )
