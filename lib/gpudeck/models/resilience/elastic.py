"""Going on with fewer data-parallel replicas: how many the nodes left make, and how fast it is."""

from __future__ import annotations

from math import ceil

from gpudeck.errors import InputError


def full_replicas(nodes: int, replica_nodes: int) -> int:
    """Return the data-parallel replicas of a whole job: ⌊N / r⌋.

    Parameters
    ----------
    nodes
        Nodes N of the job, 1 or more.
    replica_nodes
        Nodes r that hold one replica of the model, 1 to N.

    Raises
    ------
    InputError
        A number is out of range.
    """
    if not 1 <= replica_nodes <= nodes:
        msg = (
            f"replica_nodes is {replica_nodes} of {nodes} nodes; allowed are whole numbers from 1"
            " to the nodes of the job"
        )
        raise InputError(msg)
    return nodes // replica_nodes


def elastic_speed(nodes: int, replica_nodes: int, available: int) -> float:
    """Return the speed with so many nodes, as a share of the whole job's: ⌊a/r⌋ / ⌊N/r⌋, at most 1.

    The nodes left are grouped anew, so that only what does not make a whole replica stands idle.
    Each replica works as fast as before: the batch shrinks with the replicas, or each does more
    steps of accumulation; tokens a second are in proportion.

    Parameters
    ----------
    nodes, replica_nodes
        As in `full_replicas`.
    available
        Nodes that are up, spares included, 0 or above.

    Raises
    ------
    InputError
        A number is out of range.

    >>> elastic_speed(128, 4, 127), elastic_speed(128, 4, 130)
    (0.96875, 1.0)
    """
    replicas = full_replicas(nodes, replica_nodes)
    if available < 0:
        msg = f"available is {available}; allowed are whole numbers of 0 or above"
        raise InputError(msg)
    return min(1.0, (available // replica_nodes) / replicas)


def nodes_needed(nodes: int, replica_nodes: int, min_share: float) -> int:
    """Return the nodes with which the job still runs: ⌈share·⌊N/r⌋⌉ replicas; all at share 1.

    Parameters
    ----------
    nodes, replica_nodes
        As in `full_replicas`.
    min_share
        Least part of the replicas, above 0 and up to 1.

    Raises
    ------
    InputError
        A number is out of range.

    >>> nodes_needed(128, 4, 0.9), nodes_needed(130, 4, 1.0)
    (116, 130)
    """
    replicas = full_replicas(nodes, replica_nodes)
    if not 0 < min_share <= 1:
        msg = f"min_share is {min_share}; allowed is above 0, up to 1"
        raise InputError(msg)
    if min_share == 1:
        return nodes
    # a share of 0.9 of 10 replicas is 9, whatever its last digit
    return max(1, ceil(min_share * replicas - 1e-9)) * replica_nodes
