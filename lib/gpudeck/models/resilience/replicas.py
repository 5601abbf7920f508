"""Copies of the state in the memory of other nodes, and whether one of each survives."""

from __future__ import annotations

from functools import cache
from math import comb

from gpudeck.errors import InputError

MOST_COPIES = 8
MOST_NODES = 1_000_000
MOST_FAILED = 256


def pair_survivability(nodes: int, failed: int) -> float:
    """Return the probability that no pair of nodes loses both members: C(N/2,k)·2^k / C(N,k).

    Parameters
    ----------
    nodes
        Nodes N, an even number of 2 or more, each holding its own state and its partner's.
    failed
        Nodes k that fail at once, any k of them equally likely, 0 to N.

    Raises
    ------
    InputError
        A number is out of range.

    Source: Wang et al., GEMINI, SOSP 2023, section 4.

    >>> pair_survivability(16, 2), pair_survivability(16, 3)
    (0.9333333333333333, 0.8)
    """
    _check(nodes, 2, failed)
    if nodes % 2:
        msg = f"nodes is {nodes}; allowed for pairs are even numbers"
        raise InputError(msg)
    if failed > nodes // 2:
        return 0.0
    return comb(nodes // 2, failed) * 2**failed / comb(nodes, failed)


def group_survivability(nodes: int, copies: int, failed: int) -> float:
    """Return the probability that no state loses all of its copies, for placement in groups.

    Groups of m nodes hold copies of one another; a state is lost with all m of its group. What is
    left over joins the last group, in which node i's copies are on the m nodes from i round the
    group's ring. The sets of k nodes that lose nothing are counted exactly: the coefficient of x^k
    in Π ((1 + x)^m − x^m), times the ring's polynomial; over C(N, k). For m = 2 and even N this is
    `pair_survivability`.

    Parameters
    ----------
    nodes
        Nodes N, 1 to a million.
    copies
        Copies m of each state, the own one included, 1 to 8 and at most N.
    failed
        Nodes k that fail at once, 0 to N and at most 256.

    Raises
    ------
    InputError
        A number is out of range, or there are more copies than nodes.

    Source: Wang et al., GEMINI, SOSP 2023, section 4: group placement, and mixed where m does not
    divide N.

    >>> group_survivability(16, 2, 3), group_survivability(17, 2, 1)
    (0.8, 1.0)
    """
    _check(nodes, copies, failed)
    if failed < copies:
        return 1.0
    return _coefficient(_group_ways(nodes, copies, failed), failed) / comb(nodes, failed)


def ring_survivability(nodes: int, copies: int, failed: int) -> float:
    """Return the same probability when copies are on the next m − 1 nodes of one ring.

    Lost is what has m neighbours on the ring failed: N/(N−k)·[x^k](1 + x + … + x^(m−1))^(N−k) sets
    of k lose nothing. A ring has N such neighbourhoods, groups have N/m: groups are safer.

    Parameters
    ----------
    nodes, copies, failed
        As in `group_survivability`.

    Raises
    ------
    InputError
        As in `group_survivability`.

    Source: Wang et al., GEMINI, SOSP 2023, section 4: ring placement.

    >>> round(ring_survivability(16, 2, 2), 4)
    0.8667
    """
    _check(nodes, copies, failed)
    if failed < copies:
        return 1.0
    return _ring_ways(nodes, copies, failed) / comb(nodes, failed)


@cache
def survivability_table(nodes: int, copies: int, most_failed: int) -> tuple[float, ...]:
    """Return `group_survivability` for 0 to `most_failed` nodes, at most all of them.

    Parameters
    ----------
    nodes, copies
        As in `group_survivability`.
    most_failed
        Largest number of failed nodes, 0 to 256.

    Raises
    ------
    InputError
        As in `group_survivability`.

    >>> [round(share, 4) for share in survivability_table(16, 2, 3)]
    [1.0, 1.0, 0.9333, 0.8]
    """
    most = min(most_failed, nodes)
    _check(nodes, copies, most)
    ways = _group_ways(nodes, copies, most)
    return tuple(_coefficient(ways, k) / comb(nodes, k) for k in range(most + 1))


def _group_ways(nodes: int, copies: int, degree: int) -> list[int]:
    """Count, for each k up to a degree, the sets of k nodes that hold no whole group."""
    groups, left = divmod(nodes, copies)
    kept = [comb(copies, j) for j in range(copies)]
    ways = _power(kept, groups if left == 0 else groups - 1, degree)
    if left:
        ring = copies + left
        ways = _product(ways, [_ring_ways(ring, copies, j) for j in range(ring + 1)], degree)
    return ways


def _ring_ways(nodes: int, copies: int, failed: int) -> int:
    """Count the sets of k nodes of a ring without m neighbours among them."""
    if failed < copies:
        return comb(nodes, failed)
    if failed >= nodes:
        return 0
    runs = _power([1] * copies, nodes - failed, failed)
    return nodes * _coefficient(runs, failed) // (nodes - failed)


def _power(factor: list[int], exponent: int, degree: int) -> list[int]:
    """Raise a polynomial of whole coefficients to a power, up to a degree."""
    result, square = [1], factor
    while exponent:
        if exponent & 1:
            result = _product(result, square, degree)
        exponent >>= 1
        if exponent:
            square = _product(square, square, degree)
    return result


def _product(left: list[int], right: list[int], degree: int) -> list[int]:
    length = min(len(left) + len(right) - 1, degree + 1)
    result = [0] * length
    for i, a in enumerate(left[:length]):
        if a:
            for j, b in enumerate(right[: length - i]):
                result[i + j] += a * b
    return result


def _coefficient(polynomial: list[int], degree: int) -> int:
    return polynomial[degree] if degree < len(polynomial) else 0


def _check(nodes: int, copies: int, failed: int) -> None:
    if not 1 <= nodes <= MOST_NODES:
        msg = f"nodes is {nodes}; allowed are whole numbers from 1 to {MOST_NODES}"
        raise InputError(msg)
    if not 1 <= copies <= min(MOST_COPIES, nodes):
        msg = (
            f"copies is {copies} on {nodes} nodes; allowed are whole numbers from 1 to"
            f" {MOST_COPIES}, at most one a node"
        )
        raise InputError(msg)
    if not 0 <= failed <= min(nodes, MOST_FAILED):
        msg = (
            f"failed is {failed} of {nodes} nodes; allowed are whole numbers from 0 to the nodes,"
            f" at most {MOST_FAILED}"
        )
        raise InputError(msg)
