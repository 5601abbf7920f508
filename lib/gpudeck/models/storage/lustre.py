"""A Lustre file system: servers, targets, clients and what each of them can carry."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from gpudeck.errors import InputError
from gpudeck.hardware.link import find_link
from gpudeck.hardware.storage_device import find_storage_device
from gpudeck.scenario.schema import StorageSystem

# a file has at most this many stripes. Source: Lustre manual, "Lustre Striping Internals"
STRIPES_MAX = 2000
ALL_OSTS = -1


@dataclass(frozen=True, slots=True)
class Lustre:
    """One file system, as far as its speed depends on it.

    Parameters
    ----------
    oss_count, osts_per_oss : int
        Object storage servers, and object storage targets of each.
    ost_read_gb_s, ost_write_gb_s : float
        What one target reads and writes, GB/s.
    oss_read_gb_s, oss_write_gb_s : float
        What one server reads and writes whatever its targets and network could, GB/s.
    oss_network_gb_s, client_network_gb_s : float
        Ports of one server and of one client, nominal, one direction, GB/s.
    client_gb_s : float
        What one client reads or writes whatever its network could, GB/s.
    mdt_count : int
        Metadata targets, one on each metadata server.
    create_per_s, open_per_s : float
        Files that one metadata target creates or opens in a second.
    open_s : float
        Time of one open() over the network, s.
    rpcs_in_flight : int
        Metadata requests that a client has under way at once to one metadata target.
    network_share : float
        Part of a port's nominal bandwidth that files get, above 0 to 1.
    link, protocol : str
        Kind of port, and LNet's driver: "o2ib" (RDMA) or "tcp".

    Raises
    ------
    InputError
        A number is not above 0, or the share above 1.
    """

    oss_count: int
    osts_per_oss: int
    ost_read_gb_s: float
    ost_write_gb_s: float
    oss_read_gb_s: float
    oss_write_gb_s: float
    oss_network_gb_s: float
    client_network_gb_s: float
    client_gb_s: float
    mdt_count: int
    create_per_s: float
    open_per_s: float
    open_s: float
    rpcs_in_flight: int
    network_share: float
    link: str = "IB-NDR"
    protocol: str = "o2ib"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, str):
                continue
            if not value > 0 or math.isnan(value):
                msg = f"{field.name} of the file system is {value}; allowed is a number above 0"
                raise InputError(msg)
        if self.network_share > 1:
            msg = f"network_share is {self.network_share}; allowed is a number above 0 to 1"
            raise InputError(msg)

    @property
    def ost_count(self) -> int:
        """All object storage targets."""
        return self.oss_count * self.osts_per_oss

    def stripes(self, stripe_count: int) -> int:
        """Return the number of targets of a file, -1 standing for all of them as in `lfs`.

        Raises
        ------
        InputError
            There are fewer targets, or Lustre allows no file with so many stripes.
        """
        if stripe_count == ALL_OSTS:
            return min(self.ost_count, STRIPES_MAX)
        top = min(self.ost_count, STRIPES_MAX)
        if not 1 <= stripe_count <= top:
            msg = (
                f"stripe_count is {stripe_count}; allowed is 1 to {top} (the file system has"
                f" {self.ost_count} OSTs: {self.oss_count} OSSs with {self.osts_per_oss} each), or"
                f" {ALL_OSTS} for all"
            )
            raise InputError(msg)
        return stripe_count


def build_lustre(system: StorageSystem) -> Lustre:
    """Return the file system of a scenario.

    Server, client and metadata limits are the greatest that the Lustre manual knows in production;
    90 % of a port's bandwidth reaches files.

    Parameters
    ----------
    system : StorageSystem
        The scenario's section `storage`.

    Raises
    ------
    InputError
        A link is not in data/network.csv.

    Source: Lustre Operations Manual, Table 1.1.
    """
    production = find_storage_device("Lustre-production").number
    share_pct = find_storage_device("Lustre-practical").number("client_network_share")
    port_gb_s = find_link(system.link).direction_gb_s
    return Lustre(
        oss_count=system.oss_count,
        osts_per_oss=system.osts_per_oss,
        ost_read_gb_s=system.ost_read_gb_s,
        ost_write_gb_s=system.ost_write_gb_s,
        oss_read_gb_s=production("oss_read_gb_s"),
        oss_write_gb_s=production("oss_write_gb_s"),
        oss_network_gb_s=system.oss_ports * port_gb_s,
        client_network_gb_s=system.client_ports * port_gb_s,
        client_gb_s=production("client_gb_s"),
        mdt_count=system.mdt_count,
        create_per_s=production("mds_create_per_s"),
        open_per_s=production("mds_stat_per_s"),
        open_s=system.open_ms / 1e3,
        rpcs_in_flight=system.rpcs_in_flight,
        network_share=share_pct / 100,
        link=system.link,
        protocol=system.protocol,
    )
