"""Kueue's classic preemption: take back what others borrowed, or make room in one's own queue."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from gpudeck.models.scheduling.quota.kueue import ClusterQueue, Ledger, Preempts, Workload, admits

Reason = Literal["InCQ", "Reclaim", "FairSharing"]


@dataclass(frozen=True, slots=True)
class Victim:
    """A workload to evict, and why: its own queue's order, a reclaimed quota, a fairer share."""

    name: str
    reason: Reason


def find_victims(ledger: Ledger, incoming: Workload) -> list[Victim]:
    """Return the workloads to evict so that one fits; none if it fits, or if nothing helps.

    Candidates go in order: other queues before the own, lower priority, admitted later. They leave
    until the workload fits; then they come back in reverse order while it still fits. Others are
    touched only while they borrow, and only while the queue is under its nominal quota and stays
    within it; otherwise only its own queue gives way, and then it may borrow.

    Parameters
    ----------
    ledger
        What is admitted; it is the same afterwards.
    incoming
        The workload, not admitted yet.

    Raises
    ------
    InputError
        Its queue is unknown.

    Source: kubernetes-sigs/kueue, pkg/scheduler/preemption/preemption.go (Apache-2.0).

    >>> ledger = Ledger([ClusterQueue("a", {"gpu": 6}, "all", reclaim="any"),
    ...     ClusterQueue("b", {"gpu": 6}, "all")])
    >>> ledger.add(Workload("b1", "b", {"gpu": 4}, admitted_s=1))
    >>> ledger.add(Workload("b2", "b", {"gpu": 4}, admitted_s=2))
    >>> find_victims(ledger, Workload("a1", "a", {"gpu": 6}))
    [Victim(name='b2', reason='Reclaim')]
    """
    candidates = preemption_candidates(ledger, incoming)
    if not candidates:
        return []
    queue = ledger.queues[incoming.queue]
    own = [c for c in candidates if c.queue == queue.name]
    if len(own) == len(candidates):
        return _minimal(ledger, incoming, own, borrow=True)
    under = all(
        ledger.usage(queue.name, r) < queue.nominal.get(r, 0.0) for r in scarce(ledger, incoming)
    )
    if queue.borrow_below is not None:
        threshold = min(incoming.priority, queue.borrow_below)
        if not under:
            candidates = [c for c in candidates if c in own or c.priority < threshold]
        return _minimal(ledger, incoming, candidates, borrow=True, threshold=threshold)
    victims = _minimal(ledger, incoming, candidates, borrow=False) if under else []
    return victims or _minimal(ledger, incoming, own, borrow=True)


def scarce(ledger: Ledger, incoming: Workload) -> list[str]:
    """Return the resources of which the workload asks more than its queue may use now."""
    return [
        resource
        for resource, amount in incoming.uses.items()
        if amount > ledger.available(incoming.queue, resource) + 1e-9
    ]


def preemption_candidates(ledger: Ledger, incoming: Workload) -> list[Workload]:
    """Return whom a workload might evict, in Kueue's order; nobody if it fits as it is."""
    if incoming.queue in ledger.queues and admits(ledger, incoming):
        return []
    queue = _queue_of(ledger, incoming)
    short = scarce(ledger, incoming)
    root = ledger.ancestors(queue.name)[-1:]
    found = []
    for other in ledger.workloads.values():
        if other.queue == queue.name:
            policy = queue.within
        elif root and root == ledger.ancestors(other.queue)[-1:]:
            policy = queue.reclaim if _borrows(ledger, other.queue, short) else "never"
        else:
            continue
        uses = any(other.uses.get(resource, 0) > 0 for resource in short)
        if uses and _may_preempt(policy, incoming, other):
            found.append(other)
    return sorted(found, key=lambda w: (w.queue == queue.name, w.priority, -w.admitted_s, w.name))


def fill_back(
    ledger: Ledger, incoming: Workload, taken: Sequence[Workload], *, borrow: bool
) -> list[Workload]:
    """Let those come back, the last taken first, without whom the workload still fits.

    The ledger is without `taken` before, and without what is returned after.
    """
    kept = list(taken)
    for workload in reversed(taken[:-1]):
        ledger.add(workload)
        if fits(ledger, incoming, borrow=borrow):
            kept.remove(workload)
        else:
            ledger.remove(workload)
    return kept


def fits(ledger: Ledger, incoming: Workload, *, borrow: bool) -> bool:
    """Tell whether a workload fits its queue, within its nominal quota unless it may borrow."""
    within = borrow or not any(
        ledger.borrows(incoming.queue, r, amount) for r, amount in incoming.uses.items()
    )
    return within and admits(ledger, incoming)


def _minimal(
    ledger: Ledger,
    incoming: Workload,
    candidates: Sequence[Workload],
    *,
    borrow: bool,
    threshold: int | None = None,
) -> list[Victim]:
    short, taken, enough = scarce(ledger, incoming), list[Workload](), False
    for candidate in candidates:
        foreign = candidate.queue != incoming.queue
        if foreign and not _borrows(ledger, candidate.queue, short):
            continue
        if foreign and threshold is not None and candidate.priority >= threshold:
            borrow = False
        ledger.remove(candidate)
        taken.append(candidate)
        if enough := fits(ledger, incoming, borrow=borrow):
            break
    kept = fill_back(ledger, incoming, taken, borrow=borrow) if enough else taken
    for workload in kept:
        ledger.add(workload)
    if not enough:
        return []
    return [Victim(w.name, "InCQ" if w.queue == incoming.queue else "Reclaim") for w in kept]


def _borrows(ledger: Ledger, queue: str, resources: Sequence[str]) -> bool:
    return any(ledger.borrows(queue, resource) for resource in resources)


def _may_preempt(policy: Preempts, incoming: Workload, other: Workload) -> bool:
    if policy == "lower":
        return other.priority < incoming.priority
    if policy == "lower_or_newer_equal":
        newer = other.created_s > incoming.created_s
        return other.priority < incoming.priority or (other.priority == incoming.priority and newer)
    return policy == "any"


def _queue_of(ledger: Ledger, incoming: Workload) -> ClusterQueue:
    if incoming.queue not in ledger.queues:
        # the ledger words the refusal
        ledger.add(incoming)
    return ledger.queues[incoming.queue]
