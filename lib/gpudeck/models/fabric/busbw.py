"""Bus bandwidth: what the slowest link carries, whatever the number of ranks."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.fabric.checks import positive, quantity, whole
from gpudeck.models.fabric.nccl import ring_steps
from gpudeck.models.fabric.node_lines import OPERATIONS, Operation

Floats = NDArray[np.float64]


def bus_factor(operation: Operation, ranks: ArrayLike) -> Floats:
    """Return bus bandwidth over algorithm bandwidth: 2(N−1)/N for an all-reduce, (N−1)/N else.

    Parameters
    ----------
    operation
        One of `OPERATIONS`.
    ranks
        Ranks N, 1 or more.

    Raises
    ------
    InputError
        An unknown operation, or ranks below 1.

    Source: NVIDIA, NCCL tests, doc/PERFORMANCE.md.

    >>> float(bus_factor("all_reduce", 8))
    1.75
    """
    if operation not in OPERATIONS:
        msg = f"operation is {operation!r}; allowed are {', '.join(OPERATIONS)}"
        raise InputError(msg)
    count = whole("ranks", ranks)
    return np.asarray(ring_steps(operation, count) / count)


def bus_bandwidth_gb_s(
    operation: Operation, size_bytes: ArrayLike, ranks: ArrayLike, time_s: ArrayLike
) -> Floats:
    """Compute the bus bandwidth of a collective: size over time, times the bus factor.

    Parameters
    ----------
    operation, ranks
        As in `bus_factor`.
    size_bytes
        Buffer, bytes.
    time_s
        Seconds, above 0.

    Raises
    ------
    InputError
        A number is out of range.

    >>> float(bus_bandwidth_gb_s("all_reduce", 8e9, 8, 1.0))
    14.0
    """
    size, time = quantity("size_bytes", size_bytes), positive("time_s", time_s)
    return np.asarray(size / time * 1e-9 * bus_factor(operation, ranks))


def switch_bus_bandwidth(wire: ArrayLike, ranks: ArrayLike) -> Floats:
    """Compute the all-reduce bus bandwidth when the switch adds up: wire · 2(N−1)/(N+1).

    Parameters
    ----------
    wire
        Bandwidth of a rank's link, above 0; the result has its unit.
    ranks
        Ranks N, 1 or more.

    Raises
    ------
    InputError
        A number is out of range.

    Source: NVIDIA, NCCL tests, doc/PERFORMANCE.md, in-network reduction.

    >>> round(float(switch_bus_bandwidth(304.1, 8)), 1)
    473.0
    """
    count = whole("ranks", ranks)
    return np.asarray(positive("wire", wire) * 2 * (count - 1) / (count + 1))
