"""How likely copies in memory survive, by the number of nodes lost at once."""

from __future__ import annotations

from dataclasses import dataclass

from gpudeck.errors import InputError
from gpudeck.models.resilience.replicas import group_survivability, ring_survivability
from gpudeck.models.resilience.training_job import TrainingJob
from gpudeck.tables import read_table

# copies of each state, and how they are placed: what the page compares
PLACEMENTS: tuple[tuple[str, int], ...] = (("group", 2), ("ring", 2), ("group", 3))
MOST_SHOWN = 16


@dataclass(frozen=True, slots=True)
class CopiesStudy:
    """Probabilities for 0, 1, 2 … nodes lost, by placement and copies (`group-2`, `ring-2`)."""

    nodes: int
    survive: dict[str, tuple[float, ...]]


def study_copies(nodes: int, most_failed: int = MOST_SHOWN) -> CopiesStudy:
    """Compute the survival of every placement that so many nodes allow.

    Parameters
    ----------
    nodes
        Nodes of the job, two or more.
    most_failed
        Largest number of nodes lost at once; at most all.

    Raises
    ------
    InputError
        A job of one node has nowhere to put a copy.

    >>> study_copies(16).survive["group-2"][2:4]
    (0.9333333333333333, 0.8)
    """
    if nodes < 2:
        msg = f"nodes is {nodes}; allowed is two or more: a copy stands on another node"
        raise InputError(msg)
    place = {"group": group_survivability, "ring": ring_survivability}
    most = min(most_failed, nodes)
    return CopiesStudy(
        nodes,
        {
            f"{name}-{copies}": tuple(place[name](nodes, copies, k) for k in range(most + 1))
            for name, copies in PLACEMENTS
            if copies <= nodes
        },
    )


def read_published_copies() -> tuple[tuple[int, float], ...]:
    """Read what is published for two copies on sixteen machines: nodes lost, and survival in %.

    Source: Wang et al., GEMINI, SOSP 2023, section 4.

    >>> read_published_copies()
    ((2, 93.3), (3, 80.0))
    """
    table = read_table("published/resilience")
    return tuple((k, table.row(f"survivability@16-2-{k}", "target").number) for k in (2, 3))


def study_job(job: TrainingJob) -> CopiesStudy:
    """Return the study of a job's nodes; of two where it has but one.

    Parameters
    ----------
    job
        From `plan_job`.
    """
    return study_copies(max(job.run.nodes, 2))


def study_sixteen() -> CopiesStudy:
    """Return the study of sixteen nodes, of which GEMINI prints two numbers."""
    return study_copies(16)
