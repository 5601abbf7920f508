"""The two worked examples of page 13: KAI's division at a busy moment, and the DRF paper's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudeck.fact import Fact, function_name
from gpudeck.models.scheduling.quota.drf import TaskAllocation, allocate_tasks, dominant_share
from gpudeck.models.scheduling.quota.kai import KaiDivision, KaiQueue, divide_kai
from gpudeck.models.scheduling.quota.tenants import TenantResult
from gpudeck.tables import read_table

# who goes first in a tie, as in the paper's Table 1
_FIRST = "B"


@dataclass(frozen=True, eq=False)
class WorkedDivision:
    """KAI's queues at one moment of a run, and what each is to get."""

    queues: tuple[KaiQueue, ...]
    division: KaiDivision
    gpus: int


@dataclass(frozen=True, eq=False)
class WorkedDrf:
    """The paper's example: what there is and is asked for, the picks, the shares after each."""

    capacity: dict[str, float]
    demand: dict[str, dict[str, float]]
    done: TaskAllocation
    shares: dict[str, tuple[float, ...]]


def divide_busy_moment(result: TenantResult) -> WorkedDivision:
    """Divide the pool as KAI does at the moment when tenants ask for most in all."""
    counted = result.time_s >= result.since_s
    asked = np.where(counted, result.asked_gpus.sum(axis=1), -1)
    row = result.asked_gpus[int(np.argmax(asked))]
    queues = tuple(
        KaiQueue(
            quota.tenant,
            quota.gpus,
            quota.weight,
            float(request),
            float(min(result.gpus, quota.gpus + quota.borrow_gpus)),
            created=number,
        )
        for number, (quota, request) in enumerate(zip(result.quotas, row, strict=True))
    )
    return WorkedDivision(queues, divide_kai(result.gpus, queues), result.gpus)


def work_drf_example() -> WorkedDrf:
    """Work the example of the DRF paper, pick by pick; a user's shares begin at none.

    >>> "".join(work_drf_example().done.picks)
    'BAABA'
    """
    demand: dict[str, dict[str, float]] = {}
    for row in read_table("drf_example"):
        demand.setdefault(row.id, {})[row.attribute] = row.number
    capacity = demand.pop("capacity")
    done = allocate_tasks(capacity, demand, ties=(_FIRST,))
    step = {name: dominant_share(asked, capacity) for name, asked in demand.items()}
    shares = {
        name: tuple(
            done.picks[:count].count(name) * step[name] for count in range(len(done.picks) + 1)
        )
        for name in demand
    }
    return WorkedDrf(capacity, demand, done, shares)


def report_division(worked: WorkedDivision) -> tuple[Fact, ...]:
    """Return `beyond`, GPUs left after all guarantees, and `asked`, GPUs asked for in all."""
    by = function_name(divide_kai)
    own = sum(min(queue.deserved, queue.claim) for queue in worked.queues)
    asked = sum(queue.request for queue in worked.queues)
    return tuple(
        Fact(key, value, "GPU", "simulated", "model:tenant shares", by, decimals=0)
        for key, value in (("beyond", worked.gpus - own), ("asked", asked))
    )


def report_drf(worked: WorkedDrf) -> tuple[Fact, ...]:
    """Return the DRF example: `drf_share` (%), and of A and B tasks and what a task asks.

    Keys are `tasks_a`, `cpu_a`, `memory_a`, …; `cpu` and `memory` are of the cluster.
    """
    by, done = function_name(allocate_tasks), worked.done
    values = [
        ("drf_share", 100 * max(done.dominant_share.values()), "%"),
        ("cpu", worked.capacity["cpu"], "count"),
        ("memory", worked.capacity["memory_gb"], "GB"),
    ]
    for name, asked in worked.demand.items():
        values += [
            (f"tasks_{name.lower()}", done.tasks[name], "count"),
            (f"cpu_{name.lower()}", asked["cpu"], "count"),
            (f"memory_{name.lower()}", asked["memory_gb"], "GB"),
        ]
    return tuple(
        Fact(key, value, unit, "computed", "drf-nsdi11", by, decimals=0)
        for key, value, unit in values
    )
