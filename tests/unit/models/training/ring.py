"""A plain network for tests: rings inside and between nodes, latency and bandwidth only."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ring:
    """Collectives by the closed form of a hierarchical ring; bandwidths in bytes/s of a GPU."""

    near: float = 225e9
    far: float = 25e9
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
