"""Workloads: what arrives, what it asks for, and how long it stays."""

from gpudeck.workload.openb import openb_nodes, openb_pods, read_openb_nodes, read_openb_pods
from gpudeck.workload.pod import Pods

__all__ = ["Pods", "openb_nodes", "openb_pods", "read_openb_nodes", "read_openb_pods"]
