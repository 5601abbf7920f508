"""The queue: which job starts when, who passes whom, and who has to give its GPUs back."""

from gpudeck.models.scheduling.queue.example import Example, run_example
from gpudeck.models.scheduling.queue.framework import ExtensionPoint, extension_points
from gpudeck.models.scheduling.queue.grid import QueueGrid, queue_grid, run_one
from gpudeck.models.scheduling.queue.ladder import (
    STEPS,
    Ladder,
    climb,
    queue_jobs,
    queue_policies,
    queue_pool,
)
from gpudeck.models.scheduling.queue.policy import Preemption, QueuePolicy
from gpudeck.models.scheduling.queue.pool import GpuPool
from gpudeck.models.scheduling.queue.preemption import (
    NodeLoad,
    RunningPod,
    Victims,
    choose_victims,
)
from gpudeck.models.scheduling.queue.report import (
    delay_unit,
    published_delays,
    report_example,
    report_framework,
    report_grid,
    report_ladder,
    report_published,
)
from gpudeck.models.scheduling.queue.reservation import Reservation
from gpudeck.models.scheduling.queue.result import QueueResult, QueueSummary
from gpudeck.models.scheduling.queue.simulate import simulate_queue

__all__ = [
    "STEPS",
    "Example",
    "ExtensionPoint",
    "GpuPool",
    "Ladder",
    "NodeLoad",
    "Preemption",
    "QueueGrid",
    "QueuePolicy",
    "QueueResult",
    "QueueSummary",
    "Reservation",
    "RunningPod",
    "Victims",
    "choose_victims",
    "climb",
    "delay_unit",
    "extension_points",
    "published_delays",
    "queue_grid",
    "queue_jobs",
    "queue_policies",
    "queue_pool",
    "report_example",
    "report_framework",
    "report_grid",
    "report_ladder",
    "report_published",
    "run_example",
    "run_one",
    "simulate_queue",
]
