"""The time of a collective on a cluster, for whoever plans a training job."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.link import find_link
from gpudeck.models.fabric.checks import positive, quantity, whole
from gpudeck.models.fabric.nccl import (
    Network,
    all_to_all_times_us,
    cluster_times_us,
    node_times_us,
    send_us,
)
from gpudeck.models.fabric.node_lines import NodeLines, Operation, find_node_lines
from gpudeck.models.fabric.protocol import added_hop_us, find_transport, goodput_gb_s

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Collectives:
    """NCCL's collectives on nodes of one kind and one network; all times are seconds.

    Arguments broadcast as arrays. `ranks` take part, `ranks_per_node` of them in each node: 1 when
    every rank is in another node, equal to `ranks` when all are in one. `size_bytes` is the buffer
    of a rank (all-reduce), the full buffer (reduce-scatter, all-gather) or what a rank sends
    (all-to-all). Each GPU uses its own share of the node's ports, so groups side by side do not
    disturb each other.

    Parameters
    ----------
    lines
        What NCCL attains inside a node.
    network
        What the network gives to each GPU.
    gpus_per_node
        GPUs of a node, the most ranks that a node can have.
    """

    lines: NodeLines
    network: Network
    gpus_per_node: int

    def all_reduce_s(
        self, size_bytes: ArrayLike, ranks: ArrayLike, ranks_per_node: ArrayLike
    ) -> Floats:
        """Compute the time of an all-reduce, seconds.

        Raises
        ------
        InputError
            A size below 0, no whole number of ranks, ranks that `ranks_per_node` does not divide,
            or more ranks in a node than it has GPUs.

        >>> h100 = build_collectives("H100-SXM", "IB-NDR")
        >>> h100.all_reduce_s(2**30, [1, 8, 64], [1, 8, 8]).round(4).tolist()
        [0.0, 0.0041, 0.0059]
        """
        return self._time("all_reduce", size_bytes, ranks, ranks_per_node)

    def reduce_scatter_s(
        self, size_bytes: ArrayLike, ranks: ArrayLike, ranks_per_node: ArrayLike
    ) -> Floats:
        """Compute the time of a reduce-scatter, seconds; as `all_reduce_s`."""
        return self._time("reduce_scatter", size_bytes, ranks, ranks_per_node)

    def all_gather_s(
        self, size_bytes: ArrayLike, ranks: ArrayLike, ranks_per_node: ArrayLike
    ) -> Floats:
        """Compute the time of an all-gather, seconds; as `all_reduce_s`."""
        return self._time("all_gather", size_bytes, ranks, ranks_per_node)

    def all_to_all_s(
        self, size_bytes: ArrayLike, ranks: ArrayLike, ranks_per_node: ArrayLike
    ) -> Floats:
        """Compute the time of an all-to-all, seconds; as `all_reduce_s`."""
        return self._time("all_to_all", size_bytes, ranks, ranks_per_node)

    def send_s(self, size_bytes: ArrayLike, same_node: ArrayLike) -> Floats:
        """Compute the time of one message from a GPU to another, seconds.

        Parameters
        ----------
        size_bytes
            Bytes of the message, 0 or above.
        same_node
            Whether both GPUs are in one node.

        Raises
        ------
        InputError
            A size below 0.

        >>> bool(build_collectives().send_s(1e6, False) > build_collectives().send_s(1e6, True))
        True
        """
        size, near = np.broadcast_arrays(
            quantity("size_bytes", size_bytes), np.asarray(same_node, dtype=bool)
        )
        return np.asarray(send_us(self.lines, self.network, size, near) * 1e-6)

    def choices_us(
        self,
        operation: Operation,
        size_bytes: ArrayLike,
        ranks: ArrayLike,
        ranks_per_node: ArrayLike,
    ) -> dict[str, Floats]:
        """Compute the time of a collective by each algorithm and protocol, µs; the best one counts.

        Where an algorithm is not to be had, or NCCL does not choose it, its time is infinite. A
        group of one rank takes no time, whatever the algorithm.

        Raises
        ------
        InputError
            As in `all_reduce_s`.
        """
        size, count, per_node = np.broadcast_arrays(
            quantity("size_bytes", size_bytes),
            whole("ranks", ranks),
            whole("ranks_per_node", ranks_per_node),
        )
        self._check_groups(count, per_node)
        inside = node_times_us(operation, self.lines, size, count)
        across = (
            all_to_all_times_us(self.lines, self.network, size, count, per_node)
            if operation == "all_to_all"
            else cluster_times_us(operation, self.lines, self.network, size, count, per_node)
        )
        one_node, alone, none = per_node == count, count == 1, np.full(size.shape, np.inf)
        return {
            name: np.where(
                alone, 0.0, np.where(one_node, inside.get(name, none), across.get(name, none))
            )
            for name in dict.fromkeys((*inside, *across))
        }

    def _time(
        self,
        operation: Operation,
        size_bytes: ArrayLike,
        ranks: ArrayLike,
        ranks_per_node: ArrayLike,
    ) -> Floats:
        choices = self.choices_us(operation, size_bytes, ranks, ranks_per_node)
        return np.asarray(np.minimum.reduce(list(choices.values())) * 1e-6)

    def _check_groups(self, ranks: Floats, per_node: Floats) -> None:
        wrong = (ranks % per_node != 0) | (per_node > self.gpus_per_node)
        if wrong.any():
            at = int(np.argmax(wrong))
            msg = (
                f"ranks_per_node is {per_node.flat[at]:g} with {ranks.flat[at]:g} ranks; allowed"
                f" are divisors of the ranks up to the {self.gpus_per_node} gpus_per_node"
            )
            raise InputError(msg)


def build_collectives(
    gpu: str = "H100-SXM",
    link: str = "IB-NDR",
    gpus_per_node: int = 8,
    ports_per_node: float = 8,
    oversubscription: float = 1.0,
    protocol: str = "infiniband",
) -> Collectives:
    """Build the collectives of a cluster.

    A GPU's share of the network is its ports, less headers and what the protocol loses, over the
    oversubscription: B·ports/GPUs/r.

    Parameters
    ----------
    gpu
        Id of `data/gpus.csv`.
    link
        Link of a network port, an id of `data/network.csv`.
    gpus_per_node, ports_per_node
        GPUs and network ports of a node, 1 or more.
    oversubscription
        r: bandwidth of a pod's hosts over that of its links upwards, 1 or more. Applied to all
        traffic between nodes.
    protocol
        `infiniband`, `rocev2` or `tcp`.

    Raises
    ------
    InputError
        An id is unknown, a count below 1, or an oversubscription below 1.

    >>> build_collectives(link="IB-NDR", oversubscription=7).network.port_gb_s < 50 / 7
    True
    """
    if not float(positive("oversubscription", oversubscription)) >= 1:
        msg = f"oversubscription is {oversubscription}; allowed are numbers of 1 or more"
        raise InputError(msg)
    gpus = int(whole("gpus_per_node", gpus_per_node))
    ports = int(whole("ports_per_node", ports_per_node))
    transport = find_transport(protocol)
    port_gb_s = float(goodput_gb_s(transport, find_link(link).direction_gb_s))
    network = Network(
        port_gb_s * ports / gpus / oversubscription, added_hop_us(transport), transport.message_us
    )
    return Collectives(find_node_lines(gpu), network, gpus)
