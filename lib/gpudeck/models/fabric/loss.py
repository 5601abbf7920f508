"""What a RoCE network loses to packet loss and to hashing, as a study."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpudeck.models.fabric.congestion import (
    HashedLoad,
    go_back_n_share,
    hash_flows,
    selective_repeat_share,
    window_packets,
)

Floats = NDArray[np.float64]
ROUND_TRIP_US = 8.0  # assumption: round trip of a loaded fabric of three tiers
FLOWS = 16  # GPUs of two nodes on a leaf
CONNECTIONS = (1, 2, 4, 8, 16, 32)
DRAWS = 400


@dataclass(frozen=True)
class LossStudy:
    """Share of the bandwidth by loss, for both ways to send again, and by connections of a flow.

    `equal` has as many links upwards as flows, `under` twice as many.
    """

    round_trip_us: float
    window: float
    loss: Floats
    go_back_n: Floats
    selective: Floats
    equal: HashedLoad
    under: HashedLoad


def study_loss(port_gb_s: float, seed: int = 0) -> LossStudy:
    """Compute what loss and hashing cost a port.

    Parameters
    ----------
    port_gb_s
        Bandwidth of the port, GB/s.
    seed
        Seed of the hashes.

    Raises
    ------
    InputError
        A bandwidth of 0 or below.

    >>> float(study_loss(50).go_back_n[0]) > 0.99
    True
    """
    window = window_packets(port_gb_s, ROUND_TRIP_US)
    loss = np.logspace(-6, -1, 51)
    return LossStudy(
        ROUND_TRIP_US,
        window,
        loss,
        go_back_n_share(loss, window),
        selective_repeat_share(loss),
        hash_flows(FLOWS, FLOWS, CONNECTIONS, DRAWS, seed),
        hash_flows(FLOWS, 2 * FLOWS, CONNECTIONS, DRAWS, seed),
    )
