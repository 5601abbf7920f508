"""What pods ask for, held against the grain of a whole GPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.fact import Fact, function_name
from gpudeck.scenario import Cluster
from gpudeck.workload.pod import GPU_MILLI, Pods

# classes of requests: name, and the largest share of one GPU in milli that belongs to it
CLASSES = (("quarter", 250), ("half", 500), ("three_quarters", 750), ("most", 999), ("one", 1000))


@dataclass(frozen=True, slots=True, eq=False)
class GrainDemand:
    """GPUs by the size of the request, each array of shape (classes,).

    ``asked`` is what the pods ask for in GPUs, ``given`` what they get when only whole ones are
    given; ``pods`` counts them.
    """

    names: tuple[str, ...]
    pods: NDArray[np.int64]
    asked: NDArray[np.float64]
    given: NDArray[np.int64]


def count_demand(pods: Pods) -> GrainDemand:
    """Sort the requests of all GPU pods by size.

    Parameters
    ----------
    pods : Pods
        The pods; those without GPU do not count.

    Raises
    ------
    InputError
        No pod asks for GPU.

    >>> pods = Pods.from_specs([1, 1], [1, 1], [1, 2], [300, 1000], ["", ""], [2, 1])
    >>> demand = count_demand(pods)
    >>> dict(zip(demand.names, demand.given.tolist()))["half"], float(demand.asked.sum())
    (2, 2.6)
    """
    asks = pods.num_gpu > 0
    if not asks.any():
        msg = f"{len(pods)} pods, none of which asks for GPU; allowed is one or more that do"
        raise InputError(msg)
    ends = [milli for _, milli in CLASSES]
    place = np.searchsorted(ends, pods.gpu_milli[asks])
    place[pods.num_gpu[asks] > 1] = len(CLASSES)
    count = len(CLASSES) + 1
    asked = np.bincount(place, pods.gpu_demand_milli[asks], count) / GPU_MILLI
    return GrainDemand(
        names=(*(name for name, _ in CLASSES), "several"),
        pods=np.bincount(place, minlength=count),
        asked=asked,
        given=np.bincount(place, pods.num_gpu[asks], count).astype(np.int64),
    )


def report_demand(demand: GrainDemand, cluster: Cluster) -> tuple[Fact, ...]:
    """Return what whole GPUs cost by their grain alone.

    Parameters
    ----------
    demand : GrainDemand
        From `count_demand`.
    cluster : Cluster
        The fleet, and where its pods come from.

    Returns
    -------
    tuple of Fact
        `whole_demand` and `real_demand` (% of the fleet); `surplus_gpus`, given and not asked for;
        `surplus` (% of what is given); `sharing_pods` (% of GPU pods) that ask for part of one GPU,
        and `mean_share`, what they ask for on average (% of a GPU).
    """
    by, gpus = function_name(count_demand), cluster.nodes.gpu_count
    origin = cluster.facts()[0]
    given, asked = float(demand.given.sum()), float(demand.asked.sum())
    sharing = slice(0, len(CLASSES) - 1)
    pods = int(demand.pods[sharing].sum())
    mean = 100 * float(demand.asked[sharing].sum()) / max(pods, 1)
    facts = (
        ("whole_demand", 100 * given / gpus, "%", 1),
        ("real_demand", 100 * asked / gpus, "%", 1),
        ("surplus_gpus", given - asked, "GPU", 0),
        ("surplus", 100 * (given - asked) / given, "%", 1),
        ("sharing_pods", 100 * pods / int(demand.pods.sum()), "%", 0),
        ("mean_share", mean, "%", 0),
    )
    return tuple(
        Fact(key, value, unit, origin.kind, origin.source, by, decimals=decimals)
        for key, value, unit, decimals in facts
    )
