"""Elastic quota: a minimum that is guaranteed, a maximum, and between them what others leave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from gpudeck.errors import InputError
from gpudeck.models.scheduling.quota.amounts import TOLERANCE, check_amount

Verdict = Literal["Success", "Unschedulable"]


@dataclass(frozen=True, slots=True)
class ElasticQuota:
    """A namespace's minimum and maximum of one resource, and what its pods use."""

    min: float
    max: float
    used: float = 0.0

    def __post_init__(self) -> None:
        check_amount("min", self.min)
        check_amount("max", self.max, infinite=True)
        check_amount("used", self.used)
        if self.min > self.max:
            msg = f"min is {self.min}, max is {self.max}; allowed is min <= max"
            raise InputError(msg)


@dataclass(frozen=True, slots=True)
class QuotaPod:
    """A pod on a node: its namespace, what it asks, its priority."""

    name: str
    namespace: str
    request: float
    priority: int = 0

    def __post_init__(self) -> None:
        check_amount(f"pod {self.name!r}: request", self.request)


def check_quota(quotas: Mapping[str, ElasticQuota], namespace: str, request: float) -> Verdict:
    """Tell whether a pod may be scheduled; one without a quota always may.

    Parameters
    ----------
    quotas
        By namespace.
    namespace, request
        Of the pod.

    Raises
    ------
    InputError
        A negative request or NaN.

    Formula: used + request ≤ max and Σ used + request ≤ Σ min.
    Source: kubernetes-sigs/scheduler-plugins, pkg/capacityscheduling (Apache-2.0).

    >>> both = {"a": ElasticQuota(10, 20, 18), "b": ElasticQuota(10, 20, 2)}
    >>> check_quota(both, "b", 5), check_quota({"a": ElasticQuota(10, 20, 3)}, "a", 5)
    ('Unschedulable', 'Success')
    """
    check_amount("request", request)
    if namespace not in quotas:
        return "Success"
    used = {name: quota.used for name, quota in quotas.items()}
    return "Success" if _allows(quotas, used, namespace, request) else "Unschedulable"


def find_quota_victims(
    quotas: Mapping[str, ElasticQuota],
    node_left: float,
    running: Sequence[QuotaPod],
    incoming: QuotaPod,
) -> list[str]:
    """Return the pods of one node to evict so that another fits; none if that cannot be.

    A pod that would lift its namespace above its minimum takes only from its own namespace, from
    lower priorities. A pod within its minimum takes only from namespaces that are above theirs. All
    of them leave, then those come back, the higher priority first, without whom it fits.

    Parameters
    ----------
    quotas
        By namespace, with what is used on all nodes.
    node_left
        What the node has left now.
    running
        The pods on the node.
    incoming
        The pod; without a quota it takes from lower priorities that have none either.

    Raises
    ------
    InputError
        A negative amount, NaN, or two pods of one name.

    Source: kubernetes-sigs/scheduler-plugins, pkg/capacityscheduling (Apache-2.0).
    """
    check_amount("node_left", node_left)
    if len({pod.name for pod in running}) < len(running):
        msg = f"pods are named {[pod.name for pod in running]}; allowed are distinct names"
        raise InputError(msg)
    trial = _Trial(quotas, incoming, node_left, {name: q.used for name, q in quotas.items()})
    if trial.fits():
        return []
    candidates = [pod for pod in running if _is_candidate(quotas, pod, incoming)]
    for pod in candidates:
        trial.evict(pod)
    if not candidates or not trial.fits():
        return []
    victims = []
    for pod in sorted(candidates, key=lambda pod: (-pod.priority, pod.name)):
        trial.evict(pod, back=True)
        if not trial.fits():
            trial.evict(pod)
            victims.append(pod.name)
    return victims


@dataclass(slots=True)
class _Trial:
    """The node and the quotas while pods leave and come back."""

    quotas: Mapping[str, ElasticQuota]
    incoming: QuotaPod
    left: float
    used: dict[str, float]

    def fits(self) -> bool:
        allowed = _allows(self.quotas, self.used, self.incoming.namespace, self.incoming.request)
        return allowed and self.incoming.request <= self.left + TOLERANCE

    def evict(self, pod: QuotaPod, *, back: bool = False) -> None:
        amount = -pod.request if back else pod.request
        self.left += amount
        if pod.namespace in self.used:
            self.used[pod.namespace] -= amount


def _is_candidate(quotas: Mapping[str, ElasticQuota], pod: QuotaPod, incoming: QuotaPod) -> bool:
    quota = quotas.get(incoming.namespace)
    if quota is None:
        return pod.namespace not in quotas and pod.priority < incoming.priority
    if quota.used + incoming.request > quota.min + TOLERANCE:
        return pod.namespace == incoming.namespace and pod.priority < incoming.priority
    other = quotas.get(pod.namespace)
    above = other is not None and other.used > other.min + TOLERANCE
    return pod.namespace != incoming.namespace and above


def _allows(
    quotas: Mapping[str, ElasticQuota], used: Mapping[str, float], namespace: str, request: float
) -> bool:
    quota = quotas.get(namespace)
    if quota is None:
        return True
    within_max = used[namespace] + request <= quota.max + TOLERANCE
    total_min = sum(other.min for other in quotas.values())
    return within_max and sum(used.values()) + request <= total_min + TOLERANCE
