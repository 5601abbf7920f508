"""Nodes as a placement left them: what is used of each GPU, of the CPU and of the memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.hardware.node import Nodes
from gpudeck.models.scheduling.packing import FillResult
from gpudeck.workload.pod import GPU_MILLI, Pods


@dataclass(frozen=True)
class NodeSnapshot:
    """One node: its name and GPU model, and the used part, 0 to 1, of each GPU, CPU and memory."""

    name: str
    model: str
    gpu_used: tuple[float, ...]
    cpu_used: float
    memory_used: float


def snapshot_node(
    nodes: Nodes, pods: Pods, order: NDArray[np.int64], result: FillResult, node: int
) -> NodeSnapshot:
    """Return what the pods of a placement use of one node.

    Parameters
    ----------
    nodes, pods, order
        What was given to `fill`.
    result : FillResult
        What it returned.
    node : int
        Index of the node in file order.
    """
    placed = np.flatnonzero(result.node == node)
    pod = order[placed]
    devices = np.arange(nodes.gpus[node])
    held = (result.device[placed][:, None] >> devices) & 1
    used_milli = (held * pods.gpu_milli[pod][:, None]).sum(axis=0)
    return NodeSnapshot(
        name=str(nodes.name[node]),
        model=str(nodes.model[node]),
        gpu_used=tuple(float(milli) / GPU_MILLI for milli in used_milli),
        cpu_used=float(pods.cpu_milli[pod].sum() / nodes.cpu_milli[node]),
        memory_used=float(pods.memory_mib[pod].sum() / nodes.memory_mib[node]),
    )


def snapshot_models(
    nodes: Nodes, pods: Pods, order: NDArray[np.int64], result: FillResult, count: int = 4
) -> Sequence[NodeSnapshot]:
    """Return, for each of the models with most GPUs, the node with most GPU left over.

    That node shows best why GPU is left: look at its CPU and memory.

    Parameters
    ----------
    nodes, pods, order, result
        As for `snapshot_node`.
    count : int
        Number of models; a fleet with fewer models gives further nodes of the first ones.
    """
    demand = pods.gpu_demand_milli[order]
    placed = result.node >= 0
    used_milli = np.bincount(result.node[placed], demand[placed], minlength=len(nodes))
    left_milli = nodes.gpus * GPU_MILLI - used_milli
    _, where = np.unique(nodes.model, return_inverse=True)
    gpus = np.bincount(where, nodes.gpus)
    by_size = np.argsort(-gpus, kind="stable")
    # of each model the node with most left, then of each the second, until there are enough
    ranked = [
        sorted(np.flatnonzero(where == kind), key=lambda node: (-left_milli[node], node))
        for kind in by_size
        if gpus[kind]
    ]
    rounds = max(len(group) for group in ranked)
    picked = [group[turn] for turn in range(rounds) for group in ranked if turn < len(group)]
    return [snapshot_node(nodes, pods, order, result, int(node)) for node in picked[:count]]
