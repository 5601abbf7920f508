"""What a save costs: how long the job stops, when the save is complete, how long it takes to load.

Synchronous: the job stops until the state is in storage. Asynchronous: it stops until the state is
in host memory, and a copy goes on to storage meanwhile. In memory: the copy goes to the memory of
other nodes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpudeck.errors import InputError
from gpudeck.tables import read_table

Mode = Literal["synchronous", "asynchronous", "memory"]
MODES: tuple[Mode, ...] = ("synchronous", "asynchronous", "memory")
GB = 1e9


@dataclass(frozen=True, slots=True)
class CheckpointCost:
    """Seconds of a save: the job's stall, what follows until it is complete, and a load."""

    stall_s: float
    save_s: float
    load_s: float

    def __post_init__(self) -> None:
        for name in ("stall_s", "save_s", "load_s"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                msg = f"{name} is {value}; allowed are finite numbers of 0 or above"
                raise InputError(msg)

    @property
    def floor_s(self) -> float:
        """The shortest interval: a save has to be complete before the next begins."""
        return self.save_s


@dataclass(frozen=True, slots=True)
class CheckpointPath:
    """The state of a job and the ways out of the GPUs.

    Parameters
    ----------
    state_bytes
        Bytes of a whole checkpoint, spread evenly over all GPUs.
    gpus, nodes
        Of the job.
    storage_gb_s
        Bandwidth of the storage for this job, all nodes together, GB/s; for loading too.
    snapshot_gb_s
        Bandwidth from each GPU to host memory, GB/s.
    overhead_s
        What each save costs beyond moving bytes: agreeing on the step, planning, serialising.
    replica_gb_s
        Bandwidth from each node to another node's memory, GB/s.
    copies
        Copies of each state in memory, the own one included.
    """

    state_bytes: float
    gpus: int
    nodes: int
    storage_gb_s: float
    snapshot_gb_s: float
    overhead_s: float
    replica_gb_s: float
    copies: int = 2

    def __post_init__(self) -> None:
        for name in ("state_bytes", "storage_gb_s", "snapshot_gb_s", "replica_gb_s"):
            value = getattr(self, name)
            if not 0 < value < float("inf"):
                msg = f"{name} is {value}; allowed are finite numbers above 0"
                raise InputError(msg)
        if self.gpus < self.nodes or self.nodes < 1 or self.copies < 1:
            msg = (
                f"gpus is {self.gpus}, nodes {self.nodes}, copies {self.copies}; allowed are whole"
                " numbers of 1 or more, and a GPU or more a node"
            )
            raise InputError(msg)
        if not 0 <= self.overhead_s < float("inf"):
            msg = f"overhead_s is {self.overhead_s}; allowed are finite numbers of 0 or above"
            raise InputError(msg)

    @property
    def storage_s(self) -> float:
        """Seconds to move the whole state to or from storage."""
        return self.state_bytes / (self.storage_gb_s * GB)

    @property
    def snapshot_s(self) -> float:
        """Seconds to copy each GPU's part to host memory, all at once."""
        return self.state_bytes / self.gpus / (self.snapshot_gb_s * GB)

    @property
    def node_copy_s(self) -> float:
        """Seconds to move one node's part to another node's memory."""
        return self.state_bytes / self.nodes / (self.replica_gb_s * GB)

    def cost(self, mode: str) -> CheckpointCost:
        """Return what a save costs in one mode.

        Synchronous: stall = overhead + bytes/storage. Asynchronous: stall = overhead +
        bytes per GPU/snapshot, then bytes/storage until complete. Memory: the same stall, then
        (m − 1)·bytes per node/replica.

        Raises
        ------
        InputError
            The mode is none of `MODES`.

        >>> path = CheckpointPath(1e12, 1024, 128, 20, 20, 5, 10)
        >>> path.cost("synchronous")
        CheckpointCost(stall_s=55.0, save_s=0.0, load_s=50.0)
        """
        if mode == "synchronous":
            return CheckpointCost(self.overhead_s + self.storage_s, 0.0, self.storage_s)
        stall_s = self.overhead_s + self.snapshot_s
        if mode == "asynchronous":
            return CheckpointCost(stall_s, self.storage_s, self.storage_s)
        if mode == "memory":
            return CheckpointCost(stall_s, (self.copies - 1) * self.node_copy_s, self.node_copy_s)
        msg = f"mode is {mode!r}; allowed are {', '.join(MODES)}"
        raise InputError(msg)


def checkpoint_bytes(parameters: float) -> float:
    """Return the bytes of a checkpoint: weights, fp32 master copy and both moments.

    Parameters
    ----------
    parameters
        Parameters of the model, above 0.

    Raises
    ------
    InputError
        There are none.

    Source: MLPerf Storage v2.0, sizes of its checkpoints: 14 bytes a parameter.

    >>> round(checkpoint_bytes(8_030_261_248) / 2**30)
    105
    """
    if not 0 < parameters < float("inf"):
        msg = f"parameters is {parameters}; allowed are finite numbers above 0"
        raise InputError(msg)
    table = read_table("checkpoints")
    return parameters * table.row("mlperf-storage", "bytes_per_parameter").number
