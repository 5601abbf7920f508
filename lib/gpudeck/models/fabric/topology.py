"""Topologies of a network as graphs, from which they are drawn and counted; and closed forms."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from gpudeck.errors import InputError
from gpudeck.models.fabric.checks import positive, whole

HOST_KINDS = frozenset({"host", "gpu"})
SWITCH_KINDS = ("leaf", "aggregation", "spine")
DRAWN_K, DRAWN_NODES, DRAWN_SPINES = 4, 4, 4  # what a slide has room for
Graph = Any  # networkx.Graph: its stubs differ between versions


@dataclass(frozen=True)
class Counts:
    """What a network consists of; `bisection` is in links of a host between two halves."""

    hosts: int
    switches: int
    links: int
    bisection: float


@dataclass(frozen=True, eq=False)
class Topology:
    """A network as a graph.

    Every vertex has a `kind` (host, gpu, leaf, aggregation, spine, nvswitch) and a `place`: pod and
    index in its row. Every edge has a `capacity` in links of a host.
    """

    name: str
    graph: Graph

    def of_kind(self, *kinds: str) -> list[str]:
        """Return the vertices of some kinds, in the order in which they were added."""
        return [name for name, told in self.graph.nodes(data=True) if told["kind"] in kinds]


def count_hops(topology: Topology, source: str, target: str) -> int:
    """Count the network switches on the way between two hosts that passes fewest of them.

    NVLink inside a node passes none.

    Raises
    ------
    InputError
        A host is unknown, or the network does not join them.

    >>> count_hops(fat_tree(4), "host-0-0", "host-3-3")
    5
    """
    import networkx as nx

    for name in (source, target):
        if name not in topology.graph:
            msg = f"host is {name!r}; allowed are the vertices of the {topology.name}"
            raise InputError(msg)

    def entered(_: str, target: str, __: dict[str, object]) -> int:
        return int(topology.graph.nodes[target]["kind"] in SWITCH_KINDS)

    try:
        return int(nx.shortest_path_length(topology.graph, source, target, weight=entered))
    except nx.NetworkXNoPath as error:
        msg = f"{source!r} and {target!r} are not joined in the {topology.name}"
        raise InputError(msg) from error


def find_way(topology: Topology, source: str, target: str) -> list[str]:
    """Return the vertices of a shortest way between two vertices, both ends included.

    >>> find_way(leaf_spine(4), "host-0-0", "host-0-1")
    ['host-0-0', 'leaf-0-0', 'host-0-1']
    """
    import networkx as nx

    return list(nx.shortest_path(topology.graph, source, target))


def count_parts(topology: Topology) -> Counts:
    """Count hosts, switches, links, and the bisection by maximal flow.

    The first half of the hosts sends to the second; hosts are in the order of pods.

    >>> count_parts(fat_tree(4))
    Counts(hosts=16, switches=20, links=48, bisection=8.0)
    """
    kinds = Counter(told["kind"] for _, told in topology.graph.nodes(data=True))
    hosts = topology.of_kind(*HOST_KINDS)
    links = sum(told["kind"] != "nvlink" for *_, told in topology.graph.edges(data=True))
    switches = sum(kinds[kind] for kind in SWITCH_KINDS)
    return Counts(len(hosts), switches, links, _bisection(topology, hosts))


def _new_graph() -> Graph:
    # the import takes half a second that a page without a topology need not pay
    import networkx as nx

    return nx.Graph()


def _bisection(topology: Topology, hosts: list[str]) -> float:
    import networkx as nx

    flow = nx.Graph()
    flow.add_edges_from(
        (a, b, {"capacity": told["capacity"]})
        for a, b, told in topology.graph.edges(data=True)
        if told["kind"] != "nvlink"
    )
    half = len(hosts) // 2
    for end, side in (("source", hosts[:half]), ("sink", hosts[half:])):
        flow.add_node(end)
        flow.add_edges_from((end, host) for host in side)  # no capacity: infinite
    return float(nx.maximum_flow_value(flow, "source", "sink"))


def fat_tree(k: int, oversubscription: float = 1.0) -> Topology:
    """Build a three-tier fat tree of k-port switches.

    k pods of k/2 leaves and k/2 aggregation switches, (k/2)² spines, k/2 hosts a leaf. With an
    oversubscription r the links between pods and spines carry 1/r.

    Parameters
    ----------
    k
        Ports of a switch: even, 2 or more.
    oversubscription
        r, 1 or more.

    Raises
    ------
    InputError
        An odd k, or an oversubscription below 1.

    Source: Al-Fares et al. 2008, section 2.2.
    """
    half = _half("k", k)
    upward = 1 / _ratio(oversubscription)
    graph = _new_graph()
    spines = [f"spine-{index}" for index in range(half * half)]
    _add(graph, spines, "spine", 0)
    for pod in range(k):
        leaves = [f"leaf-{pod}-{index}" for index in range(half)]
        above = [f"aggregation-{pod}-{index}" for index in range(half)]
        _add(graph, above, "aggregation", pod)
        _add(graph, leaves, "leaf", pod)
        for index, leaf in enumerate(leaves):
            hosts = [f"host-{pod}-{index * half + port}" for port in range(half)]
            _add(graph, hosts, "host", pod, first=index * half)
            _link(graph, [(host, leaf) for host in hosts])
            _link(graph, [(leaf, switch) for switch in above])
        for index, switch in enumerate(above):
            row = spines[index * half : (index + 1) * half]
            _link(graph, [(switch, spine) for spine in row], capacity=upward)
    return Topology(f"fat tree of {k}-port switches", graph)


def leaf_spine(k: int) -> Topology:
    """Build a two-tier fat tree of k-port switches: k leaves, k/2 spines, k²/2 hosts.

    Raises
    ------
    InputError
        An odd k, or one below 2.

    >>> count_parts(leaf_spine(4))
    Counts(hosts=8, switches=6, links=16, bisection=4.0)
    """
    half = _half("k", k)
    graph = _new_graph()
    spines = [f"spine-{index}" for index in range(half)]
    _add(graph, spines, "spine", 0)
    for index in range(k):
        leaf = f"leaf-{index}-0"
        hosts = [f"host-{index}-{port}" for port in range(half)]
        _add(graph, [leaf], "leaf", index)
        _add(graph, hosts, "host", index)
        _link(graph, [(host, leaf) for host in hosts])
        _link(graph, [(leaf, spine) for spine in spines])
    return Topology(f"two tiers of {k}-port switches", graph)


def rail_optimised(nodes: int, gpus_per_node: int, spines: int) -> Topology:
    """Build a rail-optimised network: GPU i of every node is on leaf i; spines join the rails.

    With no spine it is rail-only: traffic between rails goes over NVLink inside a node.

    Parameters
    ----------
    nodes, gpus_per_node
        Nodes on one set of leaves, and GPUs, each with its own port; 1 or more.
    spines
        Switches above the leaves, 0 or more; a leaf has as many links up as down, shared among
        them.

    Raises
    ------
    InputError
        A count out of range.

    Source: NVIDIA DGX SuperPOD; Wang et al. 2023 (rail-only).

    >>> rail = rail_optimised(4, 8, 4)
    >>> count_hops(rail, "gpu-0-3", "gpu-2-3"), count_parts(rail).switches
    (1, 12)
    """
    whole("nodes", nodes), whole("gpus_per_node", gpus_per_node)
    if spines < 0:
        msg = f"spines is {spines}; allowed are 0 or more"
        raise InputError(msg)
    graph = _new_graph()
    above = [f"spine-{index}" for index in range(spines)]
    _add(graph, above, "spine", 0)
    leaves = [f"leaf-0-{rail}" for rail in range(gpus_per_node)]
    _add(graph, leaves, "leaf", 0)
    for leaf in leaves:
        _link(graph, [(leaf, spine) for spine in above], capacity=nodes / max(1, spines))
    for node in range(nodes):
        gpus = [f"gpu-{node}-{rail}" for rail in range(gpus_per_node)]
        _add(graph, [f"nvswitch-{node}"], "nvswitch", node)
        _add(graph, gpus, "gpu", node)
        _link(graph, list(zip(gpus, leaves, strict=True)))
        _link(graph, [(gpu, f"nvswitch-{node}") for gpu in gpus], kind="nvlink")
    name = "rail-optimised" if spines else "rail-only"
    return Topology(f"{name} network of {nodes} nodes", graph)


def drawn_fat_tree() -> Topology:
    """Return the fat tree that the deck draws: all of its parts, few of each."""
    return fat_tree(DRAWN_K)


def drawn_rails(gpus_per_node: int, spines: int = DRAWN_SPINES) -> Topology:
    """Return the rail-optimised network that the deck draws: some nodes of at most eight GPUs.

    Parameters
    ----------
    gpus_per_node
        GPUs of a node of the scenario, 1 or more.
    spines
        Switches above the rails; 0 for a rail-only network.
    """
    return rail_optimised(DRAWN_NODES, min(8, gpus_per_node), spines)


def count_fat_tree(k: int, tiers: int = 3, oversubscription: float = 1.0) -> Counts:
    """Count a fat tree by its closed form.

    Three tiers: k³/4 hosts, 5k²/4 switches; two tiers: k²/2 hosts, 3k/2 switches; as many links on
    every tier as hosts; bisection hosts/2/r.

    Parameters
    ----------
    k, oversubscription
        As in `fat_tree`.
    tiers
        2 or 3.

    Raises
    ------
    InputError
        An odd k, another number of tiers, or an oversubscription below 1.

    Source: Al-Fares et al. 2008, section 2.2.

    >>> count_fat_tree(48)
    Counts(hosts=27648, switches=2880, links=82944, bisection=13824.0)
    """
    half, ratio = _half("k", k), _ratio(oversubscription)
    if tiers not in {2, 3}:
        msg = f"tiers is {tiers}; allowed are 2 and 3"
        raise InputError(msg)
    hosts = k * half if tiers == 2 else k * half * half
    switches = k + half if tiers == 2 else 2 * k * half + half * half
    return Counts(hosts, switches, tiers * hosts, hosts / 2 / ratio)


def smallest_fat_tree(hosts: int) -> int:
    """Return the ports k of the smallest three-tier fat tree for so many hosts: k³/4 or more.

    Raises
    ------
    InputError
        No whole number of hosts, or none.

    >>> smallest_fat_tree(1024), smallest_fat_tree(1025)
    (16, 18)
    """
    whole("hosts", hosts)
    # start just below the cube root, so that no number of hosts takes long
    k = max(2, 2 * int(round((4 * hosts) ** (1 / 3) * (1 - 1e-9)) // 2) - 2)
    while k**3 // 4 < hosts:
        k += 2
    return k


def _half(field: str, k: int) -> int:
    if isinstance(k, bool) or not isinstance(k, int) or k < 2 or k % 2:
        msg = f"{field} is {k!r}; allowed are even whole numbers of 2 or more"
        raise InputError(msg)
    return k // 2


def _ratio(oversubscription: float) -> float:
    ratio = float(positive("oversubscription", oversubscription))
    if ratio < 1:
        msg = f"oversubscription is {oversubscription}; allowed are numbers of 1 or more"
        raise InputError(msg)
    return ratio


def _add(graph: Graph, names: list[str], kind: str, pod: int, first: int = 0) -> None:
    for index, name in enumerate(names, start=first):
        graph.add_node(name, kind=kind, place=(pod, index))


def _link(
    graph: Graph, pairs: list[tuple[str, str]], capacity: float = 1.0, kind: str = "link"
) -> None:
    graph.add_edges_from(pairs, capacity=capacity, kind=kind)
