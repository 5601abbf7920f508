"""What congestion costs a lossy or a hashed network: bounded shares of the bandwidth."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.fabric.checks import positive, quantity, whole
from gpudeck.rng import generator

Floats = NDArray[np.float64]


def window_packets(port_gb_s: float, round_trip_us: float, payload_bytes: float = 4096) -> float:
    """Compute the packets in flight on a full link: bandwidth × round trip / payload, at least 1.

    Parameters
    ----------
    port_gb_s, round_trip_us, payload_bytes
        Bandwidth in GB/s, round trip in µs, data of a packet in bytes; above 0.

    Raises
    ------
    InputError
        A number of 0 or below.

    >>> round(window_packets(50, 8), 1)
    97.7
    """
    in_flight = float(positive("port_gb_s", port_gb_s) * positive("round_trip_us", round_trip_us))
    return max(1.0, in_flight * 1e3 / float(positive("payload_bytes", payload_bytes)))


def go_back_n_share(loss: ArrayLike, window: ArrayLike) -> Floats:
    """Compute the share of a link that carries new data when a lost packet costs the whole window.

    η = (1 − p) / (1 + (W − 1)·p): without loss 1, with every packet lost 0.

    Parameters
    ----------
    loss
        Probability p that a packet is lost, 0 to 1.
    window
        Packets in flight W, 1 or more.

    Raises
    ------
    InputError
        A probability out of [0, 1], or a window below 1.

    Source: Bertsekas and Gallager 1992, Data Networks, section 2.4; RoCE cards retransmit so.

    >>> round(float(go_back_n_share(0.01, 100)), 3)
    0.497
    """
    lost, packets = _probability("loss", loss), positive("window", window)
    if (packets < 1).any():
        msg = f"window is {packets.min():g}; allowed are numbers of 1 or more"
        raise InputError(msg)
    return np.asarray((1 - lost) / (1 + (packets - 1) * lost))


def selective_repeat_share(loss: ArrayLike) -> Floats:
    """Compute the share of a link that carries new data when a loss costs one packet: 1 − p.

    Raises
    ------
    InputError
        A probability out of [0, 1].

    >>> float(selective_repeat_share(0.25))
    0.75
    """
    return np.asarray(1 - _probability("loss", loss))


@dataclass(frozen=True)
class HashedLoad:
    """What flows get whose link a hash chooses, by drawing: shares of the bandwidth, 0 to 1.

    `share[connections]` has shape (draws,): the slowest flow, on which a collective waits.
    """

    flows: int
    links: int
    share: dict[int, Floats]


def hash_flows(
    flows: int, links: int, connections: tuple[int, ...] = (1,), draws: int = 200, seed: int = 0
) -> HashedLoad:
    """Draw the links of equal flows at random, as ECMP's hash does, and find the fullest link.

    A flow can fill a link. Split into c connections, each is hashed by itself. The slowest flow
    attains 1/max(1, load of the fullest link), so the share lies between 1/flows and 1.

    Parameters
    ----------
    flows, links
        Flows, and equal links they may take; 1 or more.
    connections
        Connections (queue pairs) of a flow to try, 1 or more.
    draws
        Random draws of all hashes, 2 or more.
    seed
        Seed of the draws.

    Raises
    ------
    InputError
        A count out of range.

    >>> hash_flows(4, 1, draws=2).share[1].tolist()
    [0.25, 0.25]
    """
    whole("flows", flows), whole("links", links), whole("connections", connections)
    if draws < 2:
        msg = f"draws is {draws}; allowed are 2 or more"
        raise InputError(msg)
    draw = generator(seed, "fabric", "ecmp")
    found = {}
    for count in connections:
        taken = draw.integers(links, size=(draws, flows * count))
        row = np.arange(draws)[:, None] * links
        load = np.bincount((taken + row).ravel(), minlength=draws * links).reshape(draws, links)
        found[count] = 1 / np.maximum(1.0, load.max(axis=1) / count)
    return HashedLoad(flows, links, found)


def _probability(field: str, values: ArrayLike) -> Floats:
    array = quantity(field, values)
    if (array > 1).any():
        msg = f"{field} is {array.max():g}; allowed are probabilities from 0 to 1"
        raise InputError(msg)
    return array
