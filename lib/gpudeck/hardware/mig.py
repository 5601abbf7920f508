"""The geometry of MIG: profiles, where each may start, and the ways to fill a GPU."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NamedTuple

from gpudeck.errors import InputError
from gpudeck.tables import Row, read_table


@dataclass(frozen=True, slots=True)
class MigProfile:
    """One size of GPU instance on one geometry.

    An instance that starts at memory slice s holds the slices s … s + memory_slices - 1;
    ``starts`` are the slices that the driver allows. ``None`` where no source prints a figure.
    """

    geometry: str
    name: str
    profile_id: int
    compute_slices: int
    memory_slices: int
    starts: tuple[int, ...]
    max_instances: int
    copy_engines: int
    nvdec: int
    nvjpg: int
    ofa: int
    memory_gib: float | None
    sm_count: int | None
    unverified: frozenset[str]

    @property
    def media(self) -> bool:
        """Whether it is a ``+me`` profile, which adds the media engines."""
        return self.name.endswith("+me")


class Placement(NamedTuple):
    """An instance on a GPU: its profile and its first memory slice."""

    profile: str
    start: int


@cache
def read_mig_profiles() -> dict[str, tuple[MigProfile, ...]]:
    """Read the profiles of every geometry, by its name (``Gpu.mig_geometry``), smallest first.

    Raises
    ------
    InputError
        The table is wrong, or a profile lacks a figure.

    Source: NVIDIA, Multi-Instance GPU User Guide, tables 5 to 9.

    >>> [profile.name for profile in read_mig_profiles()["A30"] if not profile.media]
    ['1g.6gb', '2g.12gb', '4g.24gb']
    """
    table = read_table("mig_profiles")
    profiles: dict[str, tuple[MigProfile, ...]] = {}
    for row_id in table.ids:
        geometry, _, name = row_id.partition("/")
        profile = _build_profile(geometry, name, table.of(row_id))
        profiles[geometry] = (*profiles.get(geometry, ()), profile)
    return profiles


def find_mig_profiles(geometry: str) -> tuple[MigProfile, ...]:
    """Look the profiles of one geometry up.

    Raises
    ------
    InputError
        There is no such geometry.

    >>> max(profile.memory_slices for profile in find_mig_profiles("H100-80G"))
    8
    """
    profiles = read_mig_profiles()
    if geometry not in profiles:
        msg = (
            f"MIG geometry is {geometry!r}; allowed in data/mig_profiles.csv are"
            f" {', '.join(profiles)}"
        )
        raise InputError(msg)
    return profiles[geometry]


def classic_profiles(profiles: Sequence[MigProfile]) -> tuple[MigProfile, ...]:
    """Keep one profile for each number of compute slices: no media, no double memory.

    >>> [profile.name for profile in classic_profiles(find_mig_profiles("H200"))]
    ['1g.18gb', '2g.35gb', '3g.71gb', '4g.71gb', '7g.141gb']
    """
    smallest: dict[int, MigProfile] = {}
    for profile in profiles:
        known = smallest.get(profile.compute_slices)
        if not profile.media and (known is None or profile.memory_slices < known.memory_slices):
            smallest[profile.compute_slices] = profile
    return tuple(smallest.values())


def enumerate_placements(profiles: Sequence[MigProfile]) -> list[tuple[Placement, ...]]:
    """List every set of instances that a GPU can hold at once, the empty set included.

    Instances share no memory slice, need no more compute slices than the GPU has, and no profile
    exceeds its ``max_instances``. Each set is ordered by start.
    """
    # The GPU is as large as its geometry says, even if only small profiles are to be placed.
    gpu = find_mig_profiles(profiles[0].geometry) if profiles else ()
    slices = _slices(gpu)
    compute = max((profile.compute_slices for profile in gpu), default=0)
    found: list[tuple[Placement, ...]] = []

    def place(start: int, free_compute: int, chosen: tuple[Placement, ...]) -> None:
        if start == slices:
            found.append(chosen)
            return
        place(start + 1, free_compute, chosen)
        for profile in profiles:
            held = sum(placement.profile == profile.name for placement in chosen)
            if (
                start in profile.starts
                and profile.compute_slices <= free_compute
                and held < profile.max_instances
            ):
                placement = Placement(profile.name, start)
                after = start + profile.memory_slices
                place(after, free_compute - profile.compute_slices, (*chosen, placement))

    place(0, compute, ())
    return found


def enumerate_configurations(profiles: Sequence[MigProfile]) -> list[tuple[Placement, ...]]:
    """List the maximal sets of instances: those to which no further instance can be added.

    Source: NVIDIA, Multi-Instance GPU User Guide, supported configurations: 19 with the five
    classic profiles of a GPU of seven slices, 5 on the A30.

    >>> len(enumerate_configurations(classic_profiles(find_mig_profiles("A100-40G"))))
    19
    """
    sets = {frozenset(placements) for placements in enumerate_placements(profiles)}
    singles = [Placement(profile.name, s) for profile in profiles for s in profile.starts]
    return sorted(
        tuple(sorted(held, key=lambda placement: placement.start))
        for held in sets
        # A larger set exists exactly if one with a single instance more does.
        if not any(held | {extra} in sets for extra in singles if extra not in held)
    )


def _slices(profiles: Sequence[MigProfile]) -> int:
    return max((max(p.starts) + p.memory_slices for p in profiles), default=0)


def _build_profile(geometry: str, name: str, rows: dict[str, Row]) -> MigProfile:
    def count(attribute: str) -> int:
        if attribute not in rows:
            msg = f"{geometry}/{name} in data/mig_profiles.csv has no {attribute}: add a row"
            raise InputError(msg)
        return int(rows[attribute].number)

    return MigProfile(
        geometry,
        name,
        profile_id=count("profile_id"),
        compute_slices=count("compute_slices"),
        memory_slices=count("memory_slices"),
        starts=tuple(int(start) for start in str(rows["starts"].value).split()),
        max_instances=count("max_instances"),
        copy_engines=count("copy_engines"),
        nvdec=count("nvdec"),
        nvjpg=count("nvjpg"),
        ofa=count("ofa"),
        memory_gib=rows["memory_gib"].number if "memory_gib" in rows else None,
        sm_count=count("sm_count") if "sm_count" in rows else None,
        unverified=frozenset(key for key, row in rows.items() if row.kind == "unverified"),
    )
