"""The extension points of Kubernetes' scheduling framework, in the order in which a pod meets them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SOURCE = "k8s-framework"


@dataclass(frozen=True, slots=True)
class ExtensionPoint:
    """A place where plugins hook in.

    `phase` is the queue, the scheduling cycle (one pod after the other) or the binding cycle (many
    at once). `models` names what of this deck hooks in here.
    """

    id: str
    phase: Literal["queue", "scheduling", "binding"]
    models: tuple[str, ...] = ()


EXTENSION_POINTS = (
    ExtensionPoint("PreEnqueue", "queue"),
    ExtensionPoint("QueueSort", "queue", ("order", "gang")),
    ExtensionPoint("PreFilter", "scheduling", ("gang", "quota")),
    ExtensionPoint("Filter", "scheduling"),
    ExtensionPoint("PostFilter", "scheduling", ("preemption",)),
    ExtensionPoint("PreScore", "scheduling"),
    ExtensionPoint("Score", "scheduling", ("packing",)),
    ExtensionPoint("NormalizeScore", "scheduling"),
    ExtensionPoint("Reserve", "scheduling", ("quota",)),
    ExtensionPoint("Permit", "scheduling", ("gang",)),
    ExtensionPoint("PreBind", "binding"),
    ExtensionPoint("Bind", "binding"),
    ExtensionPoint("PostBind", "binding"),
)
