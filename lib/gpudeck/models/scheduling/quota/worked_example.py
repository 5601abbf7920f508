"""The two worked examples of page 13: KAI's division at a busy moment, and the DRF paper's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gpudeck.fact import Fact, function_name
from gpudeck.models.scheduling.quota.drf import TaskAllocation, allocate_tasks, dominant_share
from gpudeck.models.scheduling.quota.kai import KaiDivision, KaiQueue, divide_kai
from gpudeck.models.scheduling.quota.tenants import TenantResult

# Ghodsi et al., NSDI 2011, Section 4.1; ties go to B as in its Table 1
DRF_CAPACITY = {"CPU": 9.0, "GB": 18.0}
DRF_DEMAND = {"A": {"CPU": 1.0, "GB": 4.0}, "B": {"CPU": 3.0, "GB": 1.0}}


@dataclass(frozen=True, eq=False)
class WorkedDivision:
    """KAI's queues at one moment of a run, and what each is to get."""

    queues: tuple[KaiQueue, ...]
    division: KaiDivision
    gpus: int


@dataclass(frozen=True, eq=False)
class WorkedDrf:
    """The paper's example: the picks, and the dominant shares after each, from none on."""

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
    """Work the example of the DRF paper, pick by pick."""
    done = allocate_tasks(DRF_CAPACITY, DRF_DEMAND, ties=("B",))
    step = {name: dominant_share(asked, DRF_CAPACITY) for name, asked in DRF_DEMAND.items()}
    shares = {
        name: tuple(
            done.picks[:count].count(name) * step[name] for count in range(len(done.picks) + 1)
        )
        for name in DRF_DEMAND
    }
    return WorkedDrf(done, shares)


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
    """Return the end of the DRF example: `drf_share` (%), and the tasks `drf_a` and `drf_b`."""
    by, done = function_name(allocate_tasks), worked.done
    share = 100 * max(done.dominant_share.values())
    values = (("drf_share", share, "%"), ("drf_a", done.tasks["A"], "count"))
    return tuple(
        Fact(key, value, unit, "computed", "drf-nsdi11", by, decimals=0)
        for key, value, unit in (*values, ("drf_b", done.tasks["B"], "count"))
    )
