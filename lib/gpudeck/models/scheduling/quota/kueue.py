"""Kueue's quotas: queues in cohorts that lend and borrow what they do not use.

Quotas and workloads are counted by resource; a flavour is part of a resource's name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from gpudeck.errors import InputError
from gpudeck.models.scheduling.quota.amounts import TOLERANCE, Amounts, check_amount, check_amounts

Preempts = Literal["never", "lower", "lower_or_newer_equal", "any"]
Node = TypeVar("Node", "ClusterQueue", "Cohort")
PREEMPTS = ("never", "lower", "lower_or_newer_equal", "any")


@dataclass(frozen=True, slots=True)
class Cohort:
    """A group of queues and of cohorts, and what it owns beyond theirs."""

    name: str
    parent: str | None = None
    nominal: Amounts = field(default_factory=dict)
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ClusterQueue:
    """A queue with a quota.

    Parameters
    ----------
    name
        One of its kind.
    nominal
        What it is guaranteed of each resource, 0 or above.
    cohort
        Those it shares with; None shares with nobody.
    borrowing_limit, lending_limit
        The most that it takes beyond its nominal quota, and the most of it that others may take;
        no limit for a resource that is not named.
    weight
        For fair sharing: with 0, whatever it borrows is the first to be taken back.
    within
        Whom its workloads may preempt in the queue itself.
    reclaim
        Whom they may preempt in other queues of the cohort that borrow.
    borrow_below
        They may even borrow while they preempt workloads of others below this priority and below
        their own; None if they may not.
    """

    name: str
    nominal: Amounts
    cohort: str | None = None
    borrowing_limit: Amounts = field(default_factory=dict)
    lending_limit: Amounts = field(default_factory=dict)
    weight: float = 1.0
    within: Preempts = "never"
    reclaim: Preempts = "never"
    borrow_below: int | None = None

    def __post_init__(self) -> None:
        for key in ("nominal", "borrowing_limit", "lending_limit"):
            check_amounts(f"queue {self.name!r}: {key}", getattr(self, key))
        check_amount(f"queue {self.name!r}: weight", self.weight)
        for key in ("within", "reclaim"):
            if getattr(self, key) not in PREEMPTS:
                value, allowed = getattr(self, key), ", ".join(PREEMPTS)
                msg = f"queue {self.name!r}: {key} is {value!r}; allowed are {allowed}"
                raise InputError(msg)


@dataclass(frozen=True, slots=True)
class Workload:
    """A job: its queue, what it uses, its priority, when it came and when it was admitted."""

    name: str
    queue: str
    uses: Amounts
    priority: int = 0
    created_s: float = 0.0
    admitted_s: float = 0.0

    def __post_init__(self) -> None:
        check_amounts(f"workload {self.name!r}: uses", self.uses)


class Ledger:
    """What each queue and cohort owns and uses; workloads are added and taken away.

    Raises
    ------
    InputError
        A name twice, a cohort that is not there, or cohorts in a circle; it names them.

    A cohort that is named by a queue and not described has no quota of its own. What a queue owns
    within its lending limit belongs to the cohort too; usage fills the queue's own part first.
    Source: kubernetes-sigs/kueue, KEP-79 hierarchical cohorts.
    """

    def __init__(self, queues: Sequence[ClusterQueue], cohorts: Sequence[Cohort] = ()) -> None:
        self.queues = _by_name(queues, "queues")
        self.cohorts = _by_name(cohorts, "cohorts")
        for queue in queues:
            if queue.cohort is not None and not cohorts:
                self.cohorts.setdefault(queue.cohort, Cohort(queue.cohort))
        _check_parents(self.queues, self.cohorts)
        self.workloads: dict[str, Workload] = {}
        self._usage: dict[str, dict[str, float]] = {q: {} for q in self.queues}

    def add(self, workload: Workload) -> None:
        """Count a workload's use to its queue."""
        if workload.queue not in self.queues:
            known = ", ".join(self.queues)
            msg = f"workload {workload.name!r}: queue is {workload.queue!r}; allowed are {known}"
            raise InputError(msg)
        if workload.name in self.workloads:
            msg = f"two workloads are named {workload.name!r}; allowed are distinct names"
            raise InputError(msg)
        self.workloads[workload.name] = workload
        self.change(workload.queue, workload.uses)

    def remove(self, workload: Workload) -> None:
        """Take a workload away."""
        del self.workloads[workload.name]
        self.change(workload.queue, workload.uses, -1)

    def change(self, queue: str, uses: Amounts, sign: int = 1) -> None:
        """Add to a queue's use, or take from it, without a workload."""
        usage = self._usage[queue]
        for resource, amount in uses.items():
            usage[resource] = usage.get(resource, 0.0) + sign * amount

    def usage(self, queue: str, resource: str) -> float:
        """Return what a queue uses."""
        return self._usage[queue].get(resource, 0.0)

    def borrows(self, queue: str, resource: str, more: float = 0.0) -> bool:
        """Tell whether a queue uses more than its nominal quota, or would with more."""
        nominal = self.queues[queue].nominal.get(resource, 0.0)
        in_cohort = self.queues[queue].cohort is not None
        return in_cohort and self.usage(queue, resource) + more > nominal + TOLERANCE

    def available(self, queue: str, resource: str) -> float:
        """Return how much more a queue may use now, with what it can borrow.

        Formula: own part left + min(what the cohort has left, what its borrowing limit leaves).
        """
        return _available(self, queue, resource, self.usage(queue, resource))

    def share(self, name: str) -> float:
        """Return the dominant share of a queue or cohort: what it borrows, in thousandths.

        Formula: ⌈max_r(max(0, usage − nominal) · 1000 / lendable) / weight⌉, infinite for weight 0.
        Source: kubernetes-sigs/kueue, KEP-1714 fair sharing.
        """
        zero_weight, share = self.rank(name)
        return math.inf if zero_weight else share

    def rank(self, name: str) -> tuple[bool, float]:
        """Return what shares are compared by: weight 0 is above all others, then the share.

        Among queues of weight 0 the share without weight decides; otherwise two of them would
        evict each other for ever.
        """
        node: ClusterQueue | Cohort = self.queues.get(name) or self.cohorts[name]
        parent = node.cohort if isinstance(node, ClusterQueue) else node.parent
        if parent is None:
            return (False, 0.0)
        borrowed, lendable = dict[str, float](), dict[str, float]()
        for resource in self.resources():
            over = self.used_of(name, resource) - self.owned(name, resource)
            borrowed[resource] = max(0.0, over)
            lendable[resource] = _lendable(self, parent, resource)
        share = dominant_resource_share(borrowed, lendable, node.weight or 1.0)
        return (node.weight == 0 and share > 0, share)

    def resources(self) -> list[str]:
        """Return the names of all resources that have a quota or are used."""
        nodes = [*self.queues.values(), *self.cohorts.values()]
        named = [r for node in nodes for r in node.nominal]
        return list(dict.fromkeys([*named, *(r for used in self._usage.values() for r in used)]))

    def children(self, cohort: str) -> list[str]:
        """Return the queues and cohorts right below a cohort, queues first."""
        below = [q.name for q in self.queues.values() if q.cohort == cohort]
        return below + [c.name for c in self.cohorts.values() if c.parent == cohort]

    def parent(self, name: str) -> str | None:
        """Return the cohort right above a queue or cohort."""
        return self.queues[name].cohort if name in self.queues else self.cohorts[name].parent

    def ancestors(self, name: str) -> list[str]:
        """Return the cohorts above a queue or cohort, the nearest first."""
        above, at = list[str](), self.parent(name)
        while at is not None:
            above.append(at)
            at = self.parent(at)
        return above

    def owned(self, name: str, resource: str) -> float:
        """Return the quota of a queue, or of a cohort with all that those below lend it."""
        if name in self.queues:
            return self.queues[name].nominal.get(resource, 0.0)
        own = self.cohorts[name].nominal.get(resource, 0.0)
        return own + sum(
            self.owned(child, resource) - self.kept(child, resource)
            for child in self.children(name)
        )

    def kept(self, name: str, resource: str) -> float:
        """Return the part of a queue's quota that its lending limit keeps from others."""
        if name not in self.queues:
            return 0.0
        queue = self.queues[name]
        limit = queue.lending_limit.get(resource, math.inf)
        return max(0.0, queue.nominal.get(resource, 0.0) - limit)

    def used_of(self, name: str, resource: str) -> float:
        """Return the use of a queue, or of a cohort: what those below use beyond what they keep."""
        if name in self.queues:
            return self.usage(name, resource)
        return sum(
            max(0.0, self.used_of(child, resource) - self.kept(child, resource))
            for child in self.children(name)
        )


def dominant_resource_share(borrowed: Amounts, lendable: Amounts, weight: float = 1.0) -> float:
    """Return a queue's dominant resource share in thousandths, rounded up.

    Parameters
    ----------
    borrowed
        What it uses beyond its nominal quota, by resource.
    lendable
        What its cohort has to lend, by resource; nothing lendable counts for nothing.
    weight
        0 or above; with 0, whoever borrows has an infinite share.

    Raises
    ------
    InputError
        A negative amount or NaN.

    Source: kubernetes-sigs/kueue, pkg/cache/scheduler/fair_sharing.go (Apache-2.0).

    >>> dominant_resource_share({"gpu": 1}, {"gpu": 1500}), dominant_resource_share({"gpu": 0}, {})
    (1.0, 0.0)
    """
    check_amounts("borrowed", borrowed)
    check_amounts("lendable", lendable)
    check_amount("weight", weight)
    ratios = [b * 1000 / lendable[r] for r, b in borrowed.items() if b and lendable.get(r, 0) > 0]
    most = max(ratios, default=0.0)
    if most == 0:
        return 0.0
    # 1.1 of 11 is 100 and not 101: sums of decimals carry a little dust
    return float(math.ceil(round(most / weight, 9))) if weight else math.inf


def admits(ledger: Ledger, workload: Workload) -> bool:
    """Tell whether a workload fits its queue now, borrowing included.

    >>> ledger = Ledger([ClusterQueue("a", {"gpu": 4}, "all", {"gpu": 2}),
    ...     ClusterQueue("b", {"gpu": 4}, "all")])
    >>> [admits(ledger, Workload("w", "a", {"gpu": n})) for n in (6, 7)]
    [True, False]
    """
    return all(
        amount <= ledger.available(workload.queue, resource) + TOLERANCE
        for resource, amount in workload.uses.items()
        if amount > 0
    )


def _available(ledger: Ledger, name: str, resource: str, used: float) -> float:
    parent, owned = ledger.parent(name), ledger.owned(name, resource)
    if parent is None:
        return owned - used
    kept = ledger.kept(name, resource)
    above = _available(ledger, parent, resource, ledger.used_of(parent, resource))
    if name in ledger.queues:
        limit = ledger.queues[name].borrowing_limit.get(resource, math.inf)
        above = min(above, owned - kept - max(0.0, used - kept) + limit)
    return max(0.0, kept - used) + above


def _lendable(ledger: Ledger, cohort: str, resource: str) -> float:
    """Return all that a cohort could ever use: what the root owns, for cohorts have no limits."""
    root = [cohort, *ledger.ancestors(cohort)][-1]
    return ledger.owned(root, resource)


def _by_name(nodes: Sequence[Node], kind: str) -> dict[str, Node]:
    named: dict[str, Node] = {}
    for node in nodes:
        if node.name in named:
            msg = f"two {kind} are named {node.name!r}; allowed are distinct names"
            raise InputError(msg)
        named[node.name] = node
    return named


def _check_parents(queues: Mapping[str, ClusterQueue], cohorts: Mapping[str, Cohort]) -> None:
    if both := sorted(set(queues) & set(cohorts)):
        msg = f"{both[0]!r} names a queue and a cohort; allowed are distinct names"
        raise InputError(msg)
    known = ", ".join(sorted(cohorts)) or "none"
    for queue in queues.values():
        if queue.cohort is not None and queue.cohort not in cohorts:
            msg = f"queue {queue.name!r}: cohort is {queue.cohort!r}; allowed are {known}"
            raise InputError(msg)
    for cohort in cohorts.values():
        check_amounts(f"cohort {cohort.name!r}: nominal", cohort.nominal)
        check_amount(f"cohort {cohort.name!r}: weight", cohort.weight)
        way, at = [cohort.name], cohort.parent
        while at is not None:
            if at not in cohorts:
                msg = f"cohort {way[-1]!r}: parent is {at!r}; allowed are {known}"
                raise InputError(msg)
            if at in way:
                circle = " → ".join([*way[way.index(at) :], at])
                msg = f"cohorts stand in a circle: {circle}; allowed is a tree"
                raise InputError(msg)
            way.append(at)
            at = cohorts[at].parent
