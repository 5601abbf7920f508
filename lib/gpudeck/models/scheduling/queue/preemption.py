"""Kubernetes' choice of a node and of the pods on it that have to go, for any resources."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gpudeck.errors import InputError

Resources = Mapping[str, int]
_SIGN = 2**31


@dataclass(frozen=True, slots=True)
class RunningPod:
    """A pod on a node.

    `violates_budget` says that its eviction violates a PodDisruptionBudget; `start` is a number
    that grows with time.
    """

    id: str
    priority: int
    requests: Resources
    start: float = 0.0
    violates_budget: bool = False


@dataclass(frozen=True, slots=True)
class NodeLoad:
    """A node: what it has of each resource, and the pods that run on it."""

    id: str
    capacity: Resources
    pods: Sequence[RunningPod] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Victims:
    """The node chosen and its pods that are preempted, the most important first."""

    node: str
    pods: tuple[RunningPod, ...]

    @property
    def violations(self) -> int:
        """Victims whose eviction violates a PodDisruptionBudget."""
        return sum(pod.violates_budget for pod in self.pods)


def choose_victims(priority: int, requests: Resources, nodes: Sequence[NodeLoad]) -> Victims | None:
    """Choose the node and the pods to preempt for a pod that fits nowhere.

    On each node all pods of lower priority are removed in thought; if the pod fits then, they are
    reprieved one by one as long as it still fits: those whose eviction violates a disruption budget
    first, then from the highest priority, and from the earliest start among equals. Of the nodes
    that wins which has the fewest violations, then the lowest top priority among its victims, then
    the lowest Σ(priority + 2³¹), then the fewest victims, then the latest of the earliest starts of
    the victims of top priority, then the first.

    Parameters
    ----------
    priority
        Priority of the pod that wants in.
    requests
        What it asks for, by resource; a resource that a node does not have counts as 0 there.
    nodes
        The nodes with distinct ids, in the order in which ties go.

    Returns
    -------
    Victims or None
        No victims on the first node where it fits as things are; None where preemption helps
        nowhere.

    Raises
    ------
    InputError
        Two nodes with one id, or a negative request.

    Source: Kubernetes, default preemption plugin, selectVictimsOnNode and pickOneNodeForPreemption.

    >>> running = [RunningPod("low", -1, {"cpu": 1}), RunningPod("mid", 0, {"cpu": 2}),
    ...            RunningPod("high", 1, {"cpu": 3})]
    >>> found = choose_victims(1, {"cpu": 2}, [NodeLoad("a", {"cpu": 6}, running)])
    >>> [pod.id for pod in found.pods]
    ['mid']
    """
    _check(requests, nodes)
    candidates = [
        victims for node in nodes if (victims := _victims_on(priority, requests, node)) is not None
    ]
    if not candidates:
        return None
    return min(candidates, key=_cost)


def _victims_on(priority: int, requests: Resources, node: NodeLoad) -> Victims | None:
    lower = sorted(
        (pod for pod in node.pods if pod.priority < priority),
        key=lambda pod: (not pod.violates_budget, -pod.priority, pod.start),
    )
    kept = [pod for pod in node.pods if pod.priority >= priority]
    if not _fits(requests, node, kept):
        return None
    victims = []
    for pod in lower:
        if _fits(requests, node, [*kept, pod]):
            kept.append(pod)
        else:
            victims.append(pod)
    return Victims(node.id, tuple(sorted(victims, key=lambda pod: (-pod.priority, pod.start))))


def _fits(requests: Resources, node: NodeLoad, pods: Sequence[RunningPod]) -> bool:
    return all(
        amount + sum(pod.requests.get(name, 0) for pod in pods) <= node.capacity.get(name, 0)
        for name, amount in requests.items()
        if amount > 0
    )


def _cost(victims: Victims) -> tuple[float, ...]:
    """Return what is compared between nodes, in this order; no victims come before any."""
    pods = victims.pods
    if not pods:
        return (0, -float("inf"), 0, 0, 0)
    top = pods[0].priority
    earliest = min(pod.start for pod in pods if pod.priority == top)
    return (
        victims.violations,
        top,
        sum(pod.priority + _SIGN for pod in pods),
        len(pods),
        -earliest,
    )


def _check(requests: Resources, nodes: Sequence[NodeLoad]) -> None:
    ids = [node.id for node in nodes]
    if twice := sorted({name for name in ids if ids.count(name) > 1}):
        msg = f"node id {twice[0]!r} repeats; allowed are distinct ids"
        raise InputError(msg)
    for name, amount in requests.items():
        if amount < 0:
            msg = f"request of {name!r} is {amount}; allowed is 0 or above"
            raise InputError(msg)
