"""What the compiled kernel needs to know of a cluster and of a list of pods."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.node import Nodes
from gpudeck.models.scheduling import kernel
from gpudeck.models.scheduling.fragmentation import TypicalPods, allows, weigh_typical
from gpudeck.models.scheduling.policy import policy_number
from gpudeck.rng import generator
from gpudeck.workload.pod import GPU_MILLI, Pods


@dataclass(frozen=True, slots=True, eq=False)
class Cluster:
    """The kernel's view of an empty cluster and of a list of pods, for one policy."""

    policy: int
    node: NDArray[np.int64]
    weighed: NDArray[np.float64]
    want: NDArray[np.int64]
    tables: tuple
    group: NDArray[np.int64]
    memory: NDArray[np.int64]

    @classmethod
    def build(cls, nodes: Nodes, pods: Pods, policy: str, typical: TypicalPods) -> Self:
        """Number models, group pods and sum typical pods, once for many runs.

        Raises
        ------
        InputError
            The policy is unknown, or the cluster is empty.
        """
        number = policy_number(policy)
        if not len(nodes):
            msg = "the cluster has no node; allowed is 1 or more"
            raise InputError(msg)
        models, model = np.unique(nodes.model, return_inverse=True)
        names = models.tolist()
        node = _empty_nodes(nodes, model)
        tables = weigh_typical(typical, names, node.shape[1] - kernel.DEVICE)
        weighed = kernel.weigh_all(node, tables)
        by_memory = policy in {"random", "least_allocated", "most_allocated"}
        want, group = _group_pods(pods, names, by_memory=by_memory)
        return cls(number, node, weighed, want, tables, group, pods.memory_mib)

    def run(
        self, arrivals: NDArray, node_rank: NDArray, events: NDArray, seed: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
        """Play events from an empty cluster.

        Returns
        -------
        Node and devices of each arrival; allocated and fragmented milli GPU after each event.
        """
        by_rank = np.argsort(node_rank)
        kinds = int(self.want[:, kernel.W_KIND].max(initial=0)) + 1
        count = len(arrivals)
        place, device = np.full(count, -1), np.zeros(count, np.int64)
        allocated, fragmented = np.zeros(len(events), np.int64), np.zeros(len(events))
        draw = generator(seed, "packing draw").random((count, 2))
        kernel.run(
            self.policy,
            self.node[by_rank],
            np.zeros((len(by_rank), kinds), np.int64),
            self.weighed[by_rank],
            self.want,
            self.tables,
            (self.group[arrivals], self.memory[arrivals], draw),
            events,
            (place, device, allocated, fragmented),
        )
        # The kernel numbers nodes by rank; −1 finds the −1 that is put behind the last.
        return np.append(by_rank, -1)[place], device, allocated, fragmented


def _empty_nodes(nodes: Nodes, model: NDArray) -> NDArray[np.int64]:
    """Fill the kernel's table of nodes, in file order, with nothing placed."""
    most = int(nodes.gpus.max())
    node = np.zeros((len(nodes), kernel.DEVICE + most), np.int64)
    node[:, kernel.CPU] = node[:, kernel.ALL_CPU] = nodes.cpu_milli
    node[:, kernel.MEMORY] = node[:, kernel.ALL_MEMORY] = nodes.memory_mib
    node[:, kernel.FREE] = node[:, kernel.GPUS] = nodes.gpus
    node[:, kernel.LEFT] = nodes.gpus * GPU_MILLI
    node[:, kernel.MODEL] = model
    node[:, kernel.DEVICE :] = np.where(np.arange(most) < nodes.gpus[:, None], GPU_MILLI, 0)
    return node


def _group_pods(
    pods: Pods, models: list[str], *, by_memory: bool
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Group pods that score alike: the kernel's table of groups, and the group of each pod."""
    memory = pods.memory_mib if by_memory else np.zeros_like(pods.memory_mib)
    columns = (pods.cpu_milli, memory, pods.num_gpu, pods.gpu_milli, pods.gpu_spec)
    numbers: dict[tuple, int] = {}
    rows = zip(*(column.tolist() for column in columns), strict=True)
    group = [numbers.setdefault(row, len(numbers)) for row in rows]
    kinds: dict[int, int] = {}
    want = [
        (
            *(cpu, mib, num, milli),
            # Shares of one GPU are of a kind, and so are pods of the same number of whole GPUs.
            kinds.setdefault(0 if num == 1 and milli < GPU_MILLI else num, len(kinds)),
            *(allows(spec, model) for model in models),
        )
        for cpu, mib, num, milli, spec in numbers
    ]
    return np.array(want, dtype=np.int64), np.array(group)
