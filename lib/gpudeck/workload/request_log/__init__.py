"""Readers of request logs: public traces of language-model services, and your own."""

from gpudeck.workload.request_log.read import FORMATS, RequestLog, read_requests

__all__ = ["FORMATS", "RequestLog", "read_requests"]
