"""Spare nodes: how likely it is that enough nodes are up, and how many spares that asks for."""

from __future__ import annotations

from gpudeck.errors import InputError

MOST_NODES = 1_000_000


def availability(nodes: int, up: float, spares: int) -> float:
    """Return the probability that n of n + s nodes are up: Σ_{i≥n} C(n+s, i)·p^i·(1−p)^(n+s−i).

    Parameters
    ----------
    nodes
        Nodes n that the job needs, 1 to a million.
    up
        Probability p that one node is up, from 0 to 1, nodes being independent.
    spares
        Nodes s beyond those, 0 to a million.

    Raises
    ------
    InputError
        A number is out of range.

    >>> round(availability(128, 0.99, 2), 6)
    0.857927
    """
    # Half a second of import that a page without spares need not pay.
    from scipy.special import bdtr

    _check(nodes, up, spares)
    # at most s of n + s are down
    return float(bdtr(spares, nodes + spares, 1 - up))


def spares_needed(nodes: int, up: float, target: float) -> int:
    """Return the fewest spares with which enough nodes are up with a probability of `target`.

    Parameters
    ----------
    nodes, up
        As in `availability`; `up` above 0.
    target
        Probability, from 0 and below 1.

    Raises
    ------
    InputError
        A number is out of range, or more than a million spares would be needed.

    >>> spares_needed(128, 0.99, 0.999)
    6
    """
    if not 0 <= target < 1:
        msg = f"target is {target}; allowed are probabilities from 0 and below 1"
        raise InputError(msg)
    low, high = 0, 1
    if availability(nodes, up, 0) >= target:
        return 0
    while availability(nodes, up, high) < target:
        low, high = high, 2 * high
        if high > MOST_NODES:
            msg = (
                f"a node is up with probability {up}: more than {MOST_NODES} spares would be"
                f" needed for {target}; allowed is a target that can be met"
            )
            raise InputError(msg)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if availability(nodes, up, middle) >= target else (middle, high)
    return high


def node_up(mtbf_s: float, nodes: int, node_share: float, replace_s: float) -> float:
    """Return the share of time that one node is up: 1 / (1 + rate · replacement).

    Parameters
    ----------
    mtbf_s
        Mean time between failures of the whole job, seconds, above 0.
    nodes
        Its nodes, 1 or more.
    node_share
        Part of the failures that take a node out, from 0 to 1.
    replace_s
        Mean time until that node is replaced, seconds, 0 or above.

    Raises
    ------
    InputError
        A number is out of range.

    >>> round(node_up(36_000, 100, 1.0, 36_000), 4)
    0.9901
    """
    if not mtbf_s > 0 or nodes < 1 or not 0 <= node_share <= 1 or not replace_s >= 0:
        msg = (
            f"mtbf_s is {mtbf_s}, nodes {nodes}, node_share {node_share}, replace_s {replace_s};"
            " allowed are above 0, 1 or more, 0 to 1, and 0 or above"
        )
        raise InputError(msg)
    return 1 / (1 + node_share * replace_s / (mtbf_s * nodes))


def _check(nodes: int, up: float, spares: int) -> None:
    if not 1 <= nodes <= MOST_NODES or not 0 <= spares <= MOST_NODES:
        msg = (
            f"nodes is {nodes} and spares is {spares}; allowed are whole numbers from 1, and from"
            f" 0, to {MOST_NODES}"
        )
        raise InputError(msg)
    if not 0 <= up <= 1:
        msg = f"up is {up}; allowed are probabilities from 0 to 1"
        raise InputError(msg)
