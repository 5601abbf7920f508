"""LLM serving: requests in, iterations of a batch, tokens out."""

from gpudeck.models.serving.engine import Adaptive, Engine
from gpudeck.models.serving.replica import Replica
from gpudeck.models.serving.result import ServingResult
from gpudeck.models.serving.simulate import simulate
from gpudeck.models.serving.step_time import StepTime
from gpudeck.workload.request import RequestTable

__all__ = ["Adaptive", "Engine", "Replica", "RequestTable", "ServingResult", "StepTime", "simulate"]
