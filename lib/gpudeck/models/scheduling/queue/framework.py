"""The extension points of Kubernetes' scheduling framework, as a pod meets them."""

from __future__ import annotations

from dataclasses import dataclass

from gpudeck.tables import read_table


@dataclass(frozen=True, slots=True)
class ExtensionPoint:
    """A place where plugins hook in.

    `phase` is the queue, the scheduling cycle (one pod after the other) or the binding cycle (many
    at once). `hooks` names what of this deck hooks in here: gang, quota, preemption, packing.
    """

    id: str
    phase: str
    hooks: tuple[str, ...]
    source: str


def extension_points() -> tuple[ExtensionPoint, ...]:
    """Read the extension points in the order in which a pod meets them.

    Source: Kubernetes, Scheduling Framework; scheduler-plugins, coscheduling and capacity
    scheduling.

    >>> [point.id for point in extension_points() if "preemption" in point.hooks]
    ['PostFilter']
    """
    table = read_table("scheduling_framework")
    points = []
    for name in table.ids:
        of = table.of(name)
        hooks = str(of["hook"].value).split() if "hook" in of else []
        points.append(
            ExtensionPoint(name, str(of["phase"].value), tuple(hooks), of["phase"].sources[0])
        )
    return tuple(points)
