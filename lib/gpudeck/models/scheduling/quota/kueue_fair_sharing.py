"""Kueue's preemption with fair sharing: take from the queue whose share is the highest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from gpudeck.errors import InputError
from gpudeck.models.scheduling.quota.kueue import Ledger, Workload, admits
from gpudeck.models.scheduling.quota.kueue_preemption import (
    Reason,
    Victim,
    fill_back,
    preemption_candidates,
)

Strategy = Literal["LessThanOrEqualToFinalShare", "LessThanInitialShare"]
STRATEGIES: tuple[Strategy, ...] = ("LessThanOrEqualToFinalShare", "LessThanInitialShare")


def find_fair_victims(
    ledger: Ledger, incoming: Workload, strategies: Sequence[Strategy] = STRATEGIES
) -> list[Victim]:
    """Return the workloads to evict so that one fits; none if it fits, or if nothing fair helps.

    Shares count the incoming workload as admitted. From the root down, the child of the highest
    share is asked. The queue's own workloads of lower priority leave as they come. Another's leaves
    by the first strategy if the incoming queue's share is at most what the other's would be without
    it; by the second, tried after that, if it is below what the other's is now, once a queue.

    Parameters
    ----------
    ledger
        What is admitted; it is the same afterwards.
    incoming
        The workload, not admitted yet.
    strategies
        The first, then perhaps the second of `STRATEGIES`, or the second alone.

    Raises
    ------
    InputError
        Its queue or a strategy is unknown.

    Source: kubernetes-sigs/kueue, KEP-1714 and pkg/scheduler/preemption (Apache-2.0).

    >>> from gpudeck.models.scheduling.quota.kueue import ClusterQueue
    >>> ledger = Ledger([ClusterQueue(n, {"gpu": 3}, "all", reclaim="any") for n in "abc"])
    >>> for n in range(1, 10):
    ...     ledger.add(Workload(f"b{n}", "b", {"gpu": 1}))
    >>> [v.name for v in find_fair_victims(ledger, Workload("a1", "a", {"gpu": 4}))]
    ['b1', 'b2', 'b3', 'b4']
    """
    if not strategies or any(s not in STRATEGIES for s in strategies) or len(strategies) > 2:
        msg = f"strategies are {tuple(strategies)}; allowed are one or both of {STRATEGIES}"
        raise InputError(msg)
    candidates = preemption_candidates(ledger, incoming)
    if not candidates:
        return []
    reclaims = not any(ledger.borrows(incoming.queue, r, n) for r, n in incoming.uses.items())
    ledger.change(incoming.queue, incoming.uses)
    search = _Search(ledger, incoming)
    search.first(candidates, strategies[0])
    if not search.enough and len(strategies) > 1:
        search.second()
    ledger.change(incoming.queue, incoming.uses, -1)
    kept = search.taken
    if search.enough:
        kept = fill_back(ledger, incoming, kept, borrow=True)
    for workload in kept:
        ledger.add(workload)
    if not search.enough:
        return []
    reason: Reason = "Reclaim" if reclaims else "FairSharing"
    return [Victim(w.name, "InCQ" if w.queue == incoming.queue else reason) for w in kept]


@dataclass(slots=True)
class _Search:
    """The candidates that were taken so far, and those left for the second strategy."""

    ledger: Ledger
    incoming: Workload
    taken: list[Workload] = field(default_factory=list)
    retry: list[Workload] = field(default_factory=list)
    enough: bool = False

    def first(self, candidates: Sequence[Workload], strategy: Strategy) -> None:
        """Go through the queues while a strategy finds somebody to take."""
        waiting = _by_queue(candidates)
        for queue in _targets(self.ledger, self.incoming.queue, waiting, set()):
            if queue == self.incoming.queue:
                self._take(waiting[queue].pop(0))
            else:
                mine, other = _below_meeting(self.ledger, self.incoming.queue, queue)
                share, before = self.ledger.rank(mine), self.ledger.rank(other)
                while waiting[queue]:
                    workload = waiting[queue].pop(0)
                    self.ledger.change(queue, workload.uses, -1)
                    after = self.ledger.rank(other)
                    self.ledger.change(queue, workload.uses)
                    final = strategy == "LessThanOrEqualToFinalShare"
                    if share <= after if final else share < before:
                        self._take(workload)
                        break
                    self.retry.append(workload)
            if self.enough:
                return

    def second(self) -> None:
        """Take one workload of each queue whose share is still above the incoming queue's."""
        waiting, dropped = _by_queue(self.retry), set[str]()
        for queue in _targets(self.ledger, self.incoming.queue, waiting, dropped):
            mine, other = _below_meeting(self.ledger, self.incoming.queue, queue)
            if self.ledger.rank(mine) < self.ledger.rank(other):
                self._take(waiting[queue].pop(0))
            dropped.add(queue)
            if self.enough:
                return

    def _take(self, workload: Workload) -> None:
        self.ledger.remove(workload)
        self.taken.append(workload)
        self.ledger.change(self.incoming.queue, self.incoming.uses, -1)
        self.enough = admits(self.ledger, self.incoming)
        self.ledger.change(self.incoming.queue, self.incoming.uses)


def _by_queue(candidates: Sequence[Workload]) -> dict[str, list[Workload]]:
    queues: dict[str, list[Workload]] = {}
    for workload in candidates:
        queues.setdefault(workload.queue, []).append(workload)
    return queues


def _targets(
    ledger: Ledger, own: str, waiting: dict[str, list[Workload]], dropped: set[str]
) -> Iterator[str]:
    """Yield the queue to take from next, until no queue that borrows has a candidate left."""
    above = ledger.ancestors(own)
    while True:
        found = (
            _next_target(ledger, above[-1], own, waiting, dropped)
            if above
            else own
            if waiting.get(own)
            else None
        )
        if found is None:
            return
        yield found


def _next_target(
    ledger: Ledger, cohort: str, own: str, waiting: dict[str, list[Workload]], dropped: set[str]
) -> str | None:
    """Return the queue reached by the highest shares from a cohort down, cohorts first in a tie."""
    choices = []
    for child in ledger.children(cohort):
        (zero_weight, share), is_queue = ledger.rank(child), child in ledger.queues
        # who does not borrow gives nothing, but the way down to the own queue stays open
        on_way = child == own or child in ledger.ancestors(own)
        if child in dropped or (share == 0 and not on_way) or (is_queue and not waiting.get(child)):
            continue
        choices.append((not zero_weight, -share, is_queue, child))
    for *_, is_queue, child in sorted(choices):
        if is_queue:
            return child
        found = _next_target(ledger, child, own, waiting, dropped)
        if found is not None:
            return found
    return None


def _below_meeting(ledger: Ledger, one: str, other: str) -> tuple[str, str]:
    """Return the ancestors of two queues, or the queues, right below where their ways meet."""
    ways = [[queue, *ledger.ancestors(queue)] for queue in (one, other)]
    meeting = next(node for node in ways[0] if node in ways[1])
    mine, others = (way[way.index(meeting) - 1] for way in ways)
    return mine, others
