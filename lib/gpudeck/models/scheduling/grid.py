"""What if more pods shared a GPU, or nodes had another amount of CPU? A grid of placements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gpudeck.hardware.node import Nodes
from gpudeck.models.scheduling.fragmentation import typical_pods
from gpudeck.models.scheduling.packing import fill, random_orders
from gpudeck.workload.pod import Pods
from gpudeck.workload.resample import resample_sharing

# a grid of sixty placements in the time of one page
LARGE_FLEET, LARGE_STEP = 1000, 4


@dataclass(frozen=True, eq=False)
class FillGrid:
    """Allocated GPUs, in % of the capacity, at `arrived_pct`, for every cell of the grid.

    `allocated_pct[sharing, cpu, policy]` has shape (percent + 1,), with `sharing` of `sharing_pct`,
    `cpu` of `cpu_pct` and `policy` of `policies`. `nodes` is the number of nodes filled.
    """

    sharing_pct: tuple[int, ...]
    cpu_pct: tuple[int, ...]
    policies: tuple[str, ...]
    arrived_pct: NDArray[np.int64]
    allocated_pct: dict[tuple[int, int, str], NDArray[np.float64]]
    nodes: int


def fill_grid(
    nodes: Nodes,
    pods: Pods,
    seed: int = 0,
    *,
    sharing_pct: Sequence[int] = (20, 40, 60, 80, 100),
    cpu_pct: Sequence[int] = (50, 75, 100, 150),
    policies: Sequence[str] = ("fgd", "bestfit", "random"),
    load: float = 1.3,
    every: int | None = None,
) -> FillGrid:
    """Fill the cluster once for each share of sharing pods, amount of CPU and policy.

    All policies of a cell see the same pods in the same order.

    Parameters
    ----------
    nodes, pods
        The cluster and its pods.
    seed : int
        Seed of the pods drawn and of the orders of arrival.
    sharing_pct : sequence of int
        GPU pods that ask for part of one GPU, in % of all GPU pods.
    cpu_pct : sequence of int
        CPU of each node, in % of what it has.
    policies : sequence of str
        Keys of `POLICIES`.
    load : float
        Arrived GPU over capacity.
    every : int, optional
        Take every so many-th node only: a smaller cluster is faster, and its cells noisier. Without
        it, every fourth of a thousand nodes or more, all of fewer.

    Raises
    ------
    InputError
        As in `fill` and `resample_sharing`.
    """
    step = every or (LARGE_STEP if len(nodes) >= LARGE_FLEET else 1)
    fleet = nodes.take(np.arange(0, len(nodes), step))
    upto_pct = round(100 * load)
    curves = {}
    for sharing in sharing_pct:
        drawn = resample_sharing(pods, sharing, seed)
        order, rank = random_orders(drawn, fleet, load, seed)
        typical = typical_pods(drawn)
        for cpu in cpu_pct:
            scaled = replace(fleet, cpu_milli=fleet.cpu_milli * cpu // 100)
            for policy in policies:
                result = fill(scaled, drawn, order, rank, policy, seed=seed, typical=typical)
                curves[sharing, cpu, policy] = result.allocated_pct(upto_pct)
    return FillGrid(
        tuple(sharing_pct),
        tuple(cpu_pct),
        tuple(policies),
        np.arange(upto_pct + 1),
        curves,
        len(fleet),
    )
