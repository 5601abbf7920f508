"""The queue: which job starts when, who passes whom, and who has to give its GPUs back."""

from gpudeck.models.scheduling.queue.policy import Preemption, QueuePolicy
from gpudeck.models.scheduling.queue.pool import GpuPool
from gpudeck.models.scheduling.queue.preemption import (
    NodeLoad,
    RunningPod,
    Victims,
    choose_victims,
)
from gpudeck.models.scheduling.queue.reservation import Reservation
from gpudeck.models.scheduling.queue.result import QueueResult, QueueSummary
from gpudeck.models.scheduling.queue.simulate import simulate_queue

__all__ = [
    "GpuPool",
    "NodeLoad",
    "Preemption",
    "QueuePolicy",
    "QueueResult",
    "QueueSummary",
    "Reservation",
    "RunningPod",
    "Victims",
    "choose_victims",
    "simulate_queue",
]
