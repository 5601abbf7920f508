"""The training job of the scenario as the network sees it: who exchanges how many bytes."""

from dataclasses import dataclass
from typing import Protocol

from gpudeck.hardware.gpu import find_gpu
from gpudeck.hardware.link import find_link
from gpudeck.workload.model import find_model

GRADIENT_BYTES = {"fp32": 4, "tf32": 4, "bf16": 2, "fp8": 2}  # FP8 products, 16-bit gradients


class TrainingSection(Protocol):
    """What is read of a scenario's training job."""

    @property
    def model(self) -> str:
        """Id of the model."""

    @property
    def gpu(self) -> str:
        """Id of the GPU."""

    @property
    def gpus(self) -> int:
        """GPUs of the job."""

    @property
    def gpus_per_node(self) -> int:
        """GPUs of a node."""

    @property
    def link(self) -> str:
        """Id of a network port."""

    @property
    def precision(self) -> str:
        """Numbers in which matrices are multiplied."""


@dataclass(frozen=True)
class FabricJob:
    """A job whose model is split over the GPUs of a node and repeated on every node.

    Each GPU sums the gradients of its part with its fellows on the other nodes: `ranks` GPUs, one a
    node, on the same rail. A job of one node has the whole model on every GPU, and sums it there.

    Parameters
    ----------
    model, gpu, link
        Ids.
    gpus, gpus_per_node
        GPUs of the job and of a node.
    gradient_bytes
        Gradients that a GPU holds.
    """

    model: str
    gpu: str
    link: str
    gpus: int
    gpus_per_node: int
    gradient_bytes: float

    @property
    def nodes(self) -> int:
        """Nodes of the job."""
        return self.gpus // self.gpus_per_node

    @property
    def ranks(self) -> int:
        """GPUs that sum the same gradients: one a node, or all of one node."""
        return self.nodes if self.nodes > 1 else self.gpus

    @property
    def ranks_per_node(self) -> int:
        """Those of them that share a node."""
        return 1 if self.nodes > 1 else self.gpus

    @property
    def port_gb_s(self) -> float:
        """Bandwidth of a GPU's port in one direction."""
        return find_link(self.link).direction_gb_s


def read_job(training: TrainingSection) -> FabricJob:
    """Read the scenario's training job.

    Raises
    ------
    InputError
        A model, GPU or link is unknown.
    """
    find_gpu(training.gpu), find_link(training.link)
    parameters = find_model(training.model).parameters
    size = float(parameters * GRADIENT_BYTES[training.precision])
    if training.gpus > training.gpus_per_node:
        size /= training.gpus_per_node
    return FabricJob(
        training.model,
        training.gpu,
        training.link,
        training.gpus,
        training.gpus_per_node,
        size,
    )
