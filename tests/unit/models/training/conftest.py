"""A plain network, small jobs."""

from dataclasses import dataclass

import numpy as np
import pytest

from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.training import Job
from gpudeck.workload.model import find_model


@dataclass(frozen=True)
class Ring:
    """Collectives by the closed form of a hierarchical ring; bandwidths in bytes/s of a GPU."""

    near: float = 370e9
    far: float = 45e9
    latency_s: float = 5e-6

    def all_reduce_s(self, size_bytes, ranks, ranks_per_node):
        return 2 * self.all_gather_s(size_bytes, ranks, ranks_per_node)

    def reduce_scatter_s(self, size_bytes, ranks, ranks_per_node):
        return self.all_gather_s(size_bytes, ranks, ranks_per_node)

    def all_gather_s(self, size_bytes, ranks, ranks_per_node):
        size, n, r = (np.asarray(x, float) for x in (size_bytes, ranks, ranks_per_node))
        nodes = n / r
        inside = (r - 1) / r * size / self.near
        between = (nodes - 1) / nodes * size / r / self.far
        return np.maximum(inside, between) + (n > 1) * self.latency_s * (nodes + r - 2)

    def all_to_all_s(self, size_bytes, ranks, ranks_per_node):
        size, n, r = (np.asarray(x, float) for x in (size_bytes, ranks, ranks_per_node))
        return size * (n - r) / n / self.far + size * (r - 1) / n / self.near + self.latency_s

    def send_s(self, size_bytes, same_node):
        speed = np.where(same_node, self.near, self.far)
        return self.latency_s + np.asarray(size_bytes, float) / speed


@pytest.fixture(scope="session")
def ring():
    """A network of nodes with eight GPUs."""
    return Ring()


@pytest.fixture(scope="session")
def job():
    """Llama-3-8B on 64 H100."""
    return Job(find_model("llama-3-8b"), find_gpu("H100-SXM"), 64, 8, 8192, 128)


@pytest.fixture(scope="session")
def moe_job():
    """A small mixture of experts on 64 H100."""
    return Job(find_model("qwen3-30b-a3b"), find_gpu("H100-SXM"), 64, 8, 4096, 256)
