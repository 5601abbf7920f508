"""Training: how long a step of a large model takes on many GPUs, and what memory it needs."""

from gpudeck.models.training.job import Job, Software, read_job
from gpudeck.models.training.layout import Layout, Layouts
from gpudeck.models.training.search import search_layouts
from gpudeck.models.training.step import Steps, estimate_steps

__all__ = [
    "Job",
    "Layout",
    "Layouts",
    "Software",
    "Steps",
    "estimate_steps",
    "read_job",
    "search_layouts",
]
