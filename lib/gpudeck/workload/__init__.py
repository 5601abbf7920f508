"""Workloads: what arrives, what it asks for, and how long it stays."""

from gpudeck.workload.job import Jobs, concatenate_jobs
from gpudeck.workload.openb import openb_nodes, openb_pods, read_openb_nodes, read_openb_pods
from gpudeck.workload.pod import Pods
from gpudeck.workload.request import RequestTable
from gpudeck.workload.request_log import RequestLog, read_requests

__all__ = [
    "Jobs",
    "Pods",
    "RequestLog",
    "RequestTable",
    "concatenate_jobs",
    "openb_nodes",
    "openb_pods",
    "read_openb_nodes",
    "read_openb_pods",
    "read_requests",
]
