"""KAI's division of a resource among queues: the quota first, the rest by priority and weight."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from gpudeck.errors import InputError
from gpudeck.models.scheduling.quota.amounts import check_amount

UNLIMITED = -1.0


@dataclass(frozen=True, slots=True)
class KaiQueue:
    """A queue: what it deserves, asks for and may hold at most, in one resource.

    Parameters
    ----------
    name
        One of its kind.
    deserved
        Its quota; `UNLIMITED` is all that there is.
    weight
        Its part of what is left after all quotas, 0 or above; 0 gets nothing beyond the quota.
    request
        What its jobs ask for, running and waiting, 0 or above; may be a fraction.
    max_allowed
        The most that it may get; `UNLIMITED` is no limit.
    priority
        The higher gets its part of the rest first.
    created
        When it was made: among equal remainders the older goes first, then the smaller name.
    """

    name: str
    deserved: float
    weight: float
    request: float
    max_allowed: float = UNLIMITED
    priority: int = 0
    created: float = 0.0

    def __post_init__(self) -> None:
        for key in ("deserved", "weight", "request", "max_allowed"):
            value = getattr(self, key)
            if not (key in ("deserved", "max_allowed") and value == UNLIMITED):
                check_amount(f"queue {self.name!r}: {key}", value)

    @property
    def claim(self) -> float:
        """What it may be given at most: the request, or the limit where that is less."""
        limited = self.max_allowed != UNLIMITED
        return min(self.request, self.max_allowed) if limited else self.request


@dataclass(frozen=True, slots=True)
class KaiDivision:
    """What each queue gets, and what nobody takes.

    `oversubscribed` says that the quotas handed out exceed what there is; they are kept all the
    same, as in KAI, and then nothing remains.
    """

    fair_share: dict[str, float]
    remaining: float
    oversubscribed: bool


@dataclass(slots=True)
class _Account:
    """A queue's running total, and the fraction that rounding down withheld."""

    queue: KaiQueue
    got: float = 0.0
    withheld: float = field(default=0.0)

    @property
    def missing(self) -> float:
        return max(0.0, self.queue.claim - self.got)


def divide_kai(total: float, queues: Sequence[KaiQueue]) -> KaiDivision:
    """Divide a resource as KAI's proportion plug-in does.

    Each queue first gets min(deserved, claim), even where that exceeds the total. What is left goes
    to the queues of the highest priority in proportion to their weights, rounded down to whole
    units for those who want more, round by round while somebody is content with less. Units that
    rounding withheld go one by one to the largest remainder, among equals to the older queue. Then
    comes the next priority.

    Parameters
    ----------
    total
        What there is, 0 or above.
    queues
        The queues, in any order.

    Raises
    ------
    InputError
        A negative total or NaN, or two queues of one name.

    Source: NVIDIA/KAI-Scheduler, pkg/scheduler/plugins/proportion/resource_division (Apache-2.0).

    >>> divide_kai(11, [KaiQueue("1", 2, 1, 10), KaiQueue("2", 2, 4, 10)]).fair_share
    {'1': 3.0, '2': 8.0}
    """
    check_amount("total", total)
    names = [queue.name for queue in queues]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        msg = f"two queues are named {twice!r}; allowed are distinct names"
        raise InputError(msg)
    accounts = [_Account(queue) for queue in sorted(queues, key=lambda q: (q.created, q.name))]
    left = float(total)
    for account in accounts:
        deserved = account.queue.deserved
        account.got = float(min(total if deserved == UNLIMITED else deserved, account.queue.claim))
        left -= account.got
    oversubscribed = left < 0
    left = max(0.0, left)
    levels = sorted({account.queue.priority for account in accounts}, reverse=True)
    groups = [[a for a in accounts if a.queue.priority == level] for level in levels]
    for group in groups:
        left = _give_withheld(_divide_by_weight(left, group), group)
    got = {account.queue.name: account.got for account in accounts}
    return KaiDivision({name: got[name] for name in names}, left, oversubscribed)


def _divide_by_weight(left: float, group: Sequence[_Account]) -> float:
    """Give rounds of weighted parts; another round follows while someone took less than it."""
    again = True
    while again and left > 0:
        again, round_total = False, left
        hungry = [a for a in group if a.missing > 0 and a.queue.weight > 0]
        weights = sum(a.queue.weight for a in hungry)
        for account in hungry:
            part = round_total * account.queue.weight / weights
            if account.missing <= part:
                again = again or account.missing < part
                given, account.withheld = account.missing, 0.0
            else:
                # a part of 6.999…9 is 7: weights such as 0.1 do not divide exactly
                given = float(math.floor(part + 1e-9))
                account.withheld = max(0.0, part - given) or account.withheld
            given = min(given, left)
            account.got += given
            left -= given
        left = 0.0 if left < 1e-9 else left
    return left


def _give_withheld(left: float, group: Sequence[_Account]) -> float:
    # a stable sort: `group` stands by age, then name
    waiting = sorted((a for a in group if a.withheld > 1e-9), key=lambda a: -round(a.withheld, 9))
    for account in waiting:
        given = min(1.0, left)
        account.got += given
        left -= given
    return left
