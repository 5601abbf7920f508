"""Metadata: how many files a second clients open or create, and what small files leave of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gpudeck.errors import InputError
from gpudeck.models.storage.lustre import Lustre
from gpudeck.models.storage.striping import read_bandwidth

Operation = Literal["open", "create"]
ALL_MDTS = -1


@dataclass(frozen=True, slots=True)
class MetadataRate:
    """Operations a second of all clients; `terms` are all limits, `limit` names the least."""

    per_s: float
    limit: str
    terms: dict[str, float]
    mdts_used: int


@dataclass(frozen=True, slots=True)
class SmallFiles:
    """Files a second that clients open and read whole, and the bytes that come with them."""

    file_bytes: float
    files_per_s: float
    limit: str
    terms: dict[str, float]

    @property
    def gb_s(self) -> float:
        """Bytes of all these files, GB/s."""
        return self.files_per_s * self.file_bytes / 1e9


def metadata_rate(
    lustre: Lustre,
    clients: int,
    threads_per_client: int,
    *,
    operation: Operation = "open",
    directory_stripes: int = ALL_MDTS,
) -> MetadataRate:
    """Return how many files a second clients open or create in one directory.

    rate = min(targets x rate of a target, in flight / latency), where in flight = clients x
    min(threads, requests to a target x targets): a client has so many requests under way to each
    target. A directory lies on one metadata target unless it is striped (DNE2).

    Parameters
    ----------
    lustre : Lustre
        The file system.
    clients : int
        Clients that work at the same time.
    threads_per_client : int
        Threads of each, one operation at a time.
    operation : str
        "open" or "create".
    directory_stripes : int
        Metadata targets over which the directory is striped; 1 for a plain one, -1 for all.

    Raises
    ------
    InputError
        No client, no thread, or more targets than there are.

    Source: Lustre Operations Manual, chapters 1 and 14.

    >>> system = Lustre(4, 8, 2.5, 2.5, 25, 15, 50, 50, 80, 4, 1e5, 2e5, 1e-3, 8, 0.9)
    >>> metadata_rate(system, clients=10, threads_per_client=64, directory_stripes=1).limit
    'in_flight'
    """
    for name, value in (("clients", clients), ("threads_per_client", threads_per_client)):
        if value < 1:
            msg = f"{name} is {value}; allowed is a whole number from 1"
            raise InputError(msg)
    if operation not in ("open", "create"):
        msg = f"operation is {operation!r}; allowed are open, create"
        raise InputError(msg)
    used = lustre.mdt_count if directory_stripes == ALL_MDTS else directory_stripes
    if not 1 <= used <= lustre.mdt_count:
        msg = (
            f"directory_stripes is {directory_stripes}; allowed is 1 to {lustre.mdt_count}, the"
            f" MDTs of the file system, or {ALL_MDTS} for all"
        )
        raise InputError(msg)
    per_target = lustre.open_per_s if operation == "open" else lustre.create_per_s
    in_flight = clients * min(threads_per_client, lustre.rpcs_in_flight * used)
    terms = {"mdt": used * per_target, "in_flight": in_flight / lustre.open_s}
    limit = min(terms, key=terms.__getitem__)
    return MetadataRate(terms[limit], limit, terms, used)


def read_small_files(
    lustre: Lustre,
    clients: int,
    threads_per_client: int,
    file_bytes: float,
    *,
    directory_stripes: int = ALL_MDTS,
) -> SmallFiles:
    """Return how fast clients read files of one size whole, each with an open of its own.

    files/s = min(metadata rate, clients x threads / (open + bytes / OST), bandwidth / bytes), the
    files having one stripe each.

    Parameters
    ----------
    lustre, clients, threads_per_client, directory_stripes
        As of `metadata_rate`.
    file_bytes : float
        Bytes of each file.

    Raises
    ------
    InputError
        The files have no bytes, or as `metadata_rate` says.

    >>> system = Lustre(4, 8, 2.5, 2.5, 25, 15, 50, 50, 80, 4, 1e5, 2e5, 1e-3, 8, 0.9)
    >>> read_small_files(system, 100, 64, file_bytes=4096).limit
    'mdt'
    >>> read_small_files(system, 100, 64, file_bytes=1e9).limit
    'ost'
    """
    if not 0 < file_bytes < float("inf"):
        msg = f"file_bytes is {file_bytes}; allowed is a number above 0"
        raise InputError(msg)
    opens = metadata_rate(lustre, clients, threads_per_client, directory_stripes=directory_stripes)
    data = read_bandwidth(lustre, clients, 1, files_per_client=threads_per_client)
    one_s = lustre.open_s + file_bytes / (lustre.ost_read_gb_s * 1e9)
    terms = dict(opens.terms)
    terms["threads"] = clients * threads_per_client / one_s
    terms[data.limit] = data.gb_s * 1e9 / file_bytes
    limit = min(terms, key=terms.__getitem__)
    return SmallFiles(file_bytes, terms[limit], limit, terms)


def crossover_bytes(lustre: Lustre, clients: int, threads_per_client: int) -> float:
    """Return the size of file below which metadata limits and not bandwidth.

    size = bandwidth / files a second.

    Raises
    ------
    InputError
        As `metadata_rate` says.

    >>> system = Lustre(4, 8, 2.5, 2.5, 25, 15, 50, 50, 80, 4, 1e5, 2e5, 1e-3, 8, 0.9)
    >>> crossover_bytes(system, 100, 64)
    100000.0
    """
    opens = metadata_rate(lustre, clients, threads_per_client).per_s
    data = read_bandwidth(lustre, clients, 1, files_per_client=threads_per_client)
    return data.gb_s * 1e9 / opens


def copy_opens_s(files: int, open_s: float, missing_s: float) -> float:
    """Return the time that one thread waits for metadata while it copies files.

    Each file: open the old one, find that the new one is missing, create and open it. Reading,
    writing, closing and attributes come on top: the copy takes longer.

    Parameters
    ----------
    files : int
        Files to copy.
    open_s, missing_s : float
        Time of open() for a file that is there and for one that is not, s.

    Raises
    ------
    InputError
        There is no file, or a time is negative.

    >>> round(copy_opens_s(13_019, 2.3e-3, 1.1e-3), 1)
    74.2
    """
    if files < 1 or open_s < 0 or missing_s < 0:
        msg = (
            f"files is {files}, open_s {open_s}, missing_s {missing_s}; allowed are 1 file or more"
            " and times from 0"
        )
        raise InputError(msg)
    return files * (2 * open_s + missing_s)
