"""Transports of a network: TCP, RoCEv2 and InfiniBand, by latency, bandwidth and CPU."""

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.models.fabric.checks import positive, quantity
from gpudeck.tables import Row, read_table
from gpudeck.units import convert

Floats = NDArray[np.float64]

REFERENCE = "infiniband"  # the network whose hops NCCL's own table describes


@dataclass(frozen=True, slots=True)
class Transport:
    """How bytes cross the network between two hosts.

    Parameters
    ----------
    id
        `infiniband`, `rocev2` or `tcp`.
    latency_us
        One way, a small message through one switch.
    header_bytes, payload_bytes
        Of a full packet.
    efficiency
        Share of the link that an application attains, headers included.
    message_us
        Time for one more message.
    core_gbit_s
        Speed of a CPU core that carries the bytes; None where the card does.
    cycles_per_byte
        CPU cycles of a byte on the busier side.
    cores_per_port
        Cores that carry the bytes of a port; None where the card does.
    rows
        The rows of the table, with range, kind and source.
    """

    id: str
    latency_us: float
    header_bytes: float
    payload_bytes: float
    efficiency: float
    message_us: float
    core_gbit_s: float | None
    cycles_per_byte: float
    cores_per_port: float | None
    rows: dict[str, Row]


@cache
def read_transports() -> dict[str, Transport]:
    """Read the transports of `data/transport.csv` by id.

    >>> list(read_transports())
    ['infiniband', 'rocev2', 'tcp']
    """
    table = read_table("transport")
    return {
        transport_id: _build(transport_id, table.of(transport_id)) for transport_id in table.ids
    }


def find_transport(transport_id: str) -> Transport:
    """Look one transport up.

    Raises
    ------
    InputError
        There is no such transport.

    >>> find_transport("tcp").latency_us
    20.0
    """
    transports = read_transports()
    if transport_id not in transports:
        msg = f"protocol is {transport_id!r}; allowed are {', '.join(transports)}"
        raise InputError(msg)
    return transports[transport_id]


def added_hop_us(transport: Transport) -> float:
    """Return the latency of a hop beyond that of InfiniBand.

    >>> added_hop_us(find_transport("infiniband")), added_hop_us(find_transport("tcp"))
    (0.0, 19.0)
    """
    return transport.latency_us - find_transport(REFERENCE).latency_us


def packet_share(transport: Transport) -> float:
    """Return the share of the bytes on the wire that is data, in full packets.

    >>> round(packet_share(find_transport("rocev2")), 3)
    0.98
    """
    return transport.payload_bytes / (transport.payload_bytes + transport.header_bytes)


def goodput_gb_s(transport: Transport, port_gb_s: ArrayLike) -> Floats:
    """Compute what an application gets out of a port.

    min(efficiency · B, cores · B_core); the efficiency holds headers, flow control and the library.

    Parameters
    ----------
    transport
        TCP, RoCEv2 or InfiniBand.
    port_gb_s
        Bandwidth of the port in one direction, GB/s, above 0.

    Raises
    ------
    InputError
        A bandwidth of 0 or below.

    Source: Cai et al. 2021, section 1 (TCP on a core).

    >>> [round(float(goodput_gb_s(find_transport(t), 50)), 1) for t in ("infiniband", "tcp")]
    [47.0, 21.0]
    """
    wire = transport.efficiency * positive("port_gb_s", port_gb_s)
    if transport.core_gbit_s is None or transport.cores_per_port is None:
        return np.asarray(wire)
    cores = transport.cores_per_port * convert(transport.core_gbit_s, "Gbit/s", "GB/s")
    return np.minimum(wire, cores)


def message_us(transport: Transport, size_bytes: ArrayLike, port_gb_s: ArrayLike) -> Floats:
    """Compute the time of one message between two hosts, one way.

    t = latency + S / goodput.

    Parameters
    ----------
    transport
        TCP, RoCEv2 or InfiniBand.
    size_bytes
        Bytes of the message, 0 or above.
    port_gb_s
        Bandwidth of the port, GB/s, above 0.

    Raises
    ------
    InputError
        A number is out of range.

    >>> round(float(message_us(find_transport("infiniband"), 47e3, 50)), 2)
    2.0
    """
    size = quantity("size_bytes", size_bytes)
    return np.asarray(transport.latency_us + size / goodput_gb_s(transport, port_gb_s) * 1e-3)


def cores_busy(transport: Transport, rate_gb_s: ArrayLike, core_ghz: float = 3.4) -> Floats:
    """Compute the CPU cores that a stream of bytes keeps busy on the busier side.

    Parameters
    ----------
    transport
        TCP, RoCEv2 or InfiniBand.
    rate_gb_s
        Bytes per second, GB/s, 0 or above.
    core_ghz
        Clock of a core; 3.4 is that of the measurement.

    Raises
    ------
    InputError
        A number is out of range.

    >>> float(cores_busy(find_transport("tcp"), 5.25).round(2))
    1.0
    """
    rate = quantity("rate_gb_s", rate_gb_s)
    return np.asarray(transport.cycles_per_byte * rate / positive("core_ghz", core_ghz))


def _build(transport_id: str, rows: dict[str, Row]) -> Transport:
    def given(name: str) -> float | None:
        return rows[name].number if name in rows else None

    return Transport(
        transport_id,
        rows["latency_us"].number,
        rows["header_bytes"].number,
        rows["payload_bytes"].number,
        rows["efficiency"].number,
        rows["message_us"].number,
        given("core_gbit_s"),
        given("cycles_per_byte") or 0.0,
        given("cores_per_port"),
        rows,
    )
