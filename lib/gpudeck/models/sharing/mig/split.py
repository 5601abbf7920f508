"""How MIG splits the parts of a GPU: SMs, L2 cache, memory; and what the split leaves to nobody."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import Gpu, find_gpu
from gpudeck.hardware.mig import MigProfile, Placement, classic_profiles, find_mig_profiles
from gpudeck.models.sharing.mig.demand import geometry_of
from gpudeck.models.sharing.mig.states import build_states


@dataclass(frozen=True, slots=True)
class PhysicalSplit:
    """What one slice of a GPU is: ``None`` where no source prints a figure.

    ``slice_sms`` are the SMs of the smallest profile, and ``lost_sms`` those that no instance has
    when the GPU is cut into as many of them as it holds. L2 is split as memory is.
    """

    gpu: Gpu
    profiles: tuple[MigProfile, ...]
    compute_slices: int
    memory_slices: int
    slice_sms: int | None
    lost_sms: int | None
    slice_l2_mib: float | None
    slice_memory_gb: float

    @property
    def unverified(self) -> frozenset[str]:
        """The figures of the smallest profile, or of the GPU, for which no source was read."""
        return self.profiles[0].unverified | self.gpu.unverified


def split_gpu(gpu_id: str) -> PhysicalSplit:
    """Return how MIG splits a GPU.

    lost SMs = SMs of the GPU − instances · SMs of the smallest profile.

    Raises
    ------
    InputError
        There is no such GPU, or it has no MIG.

    Source: NVIDIA, Multi-Instance GPU User Guide, "Partitioning" and tables 5 to 9.

    >>> split = split_gpu("A100-80G-SXM")
    >>> split.slice_sms, split.lost_sms, split.slice_l2_mib
    (14, 10, 5.0)
    """
    profiles = classic_profiles(find_mig_profiles(geometry_of(gpu_id)))
    gpu, smallest, whole = find_gpu(gpu_id), profiles[0], profiles[-1]
    sms = smallest.sm_count
    known = sms is not None and gpu.sm_count is not None
    return PhysicalSplit(
        gpu,
        profiles,
        whole.compute_slices,
        whole.memory_slices,
        sms,
        gpu.sm_count - smallest.max_instances * sms if known else None,  # type: ignore[operator]
        None if gpu.l2_mib is None else gpu.l2_mib / whole.memory_slices,
        gpu.memory_gb / whole.memory_slices,
    )


def used_sms(held: Sequence[Placement], geometry: str) -> int:
    """Sum the SMs of some instances.

    Raises
    ------
    InputError
        No source prints the SMs of one of the profiles.

    >>> used_sms([Placement("3g.40gb", 0), Placement("3g.40gb", 4)], "A100-80G")
    84
    """
    by_name = {profile.name: profile.sm_count for profile in find_mig_profiles(geometry)}
    total = 0
    for placement in held:
        sms = by_name.get(placement.profile)
        if sms is None:
            msg = f"{geometry}/{placement.profile} has no sm_count in data/mig_profiles.csv"
            raise InputError(msg)
        total += sms
    return total


def mixed_instances(geometry: str) -> tuple[Placement, ...]:
    """Return a full GPU with as many different profiles as fit, and the fewest slices free.

    Only profiles whose SMs a source prints; of equals, the one with the largest instances first.

    Raises
    ------
    InputError
        The geometry is unknown.

    >>> [placement.profile for placement in mixed_instances("A100-80G")]
    ['2g.20gb', '1g.10gb', '1g.10gb', '3g.40gb']
    """
    states = build_states(geometry)
    compute = dict(zip(states.names, states.compute.tolist(), strict=True))

    def rank(state: int) -> tuple[int, int, int, list[int]]:
        held = sorted(states.held[state], key=lambda placement: placement.start)
        return (
            int((states.counts[state] > 0).sum()),
            -int(states.free_memory[state]),
            -int(states.free_compute[state]),
            [compute[placement.profile] for placement in held],
        )

    loose = [p.sm_count is None or "sm_count" in p.unverified for p in states.profiles]
    shown = (states.room == 0) & (states.counts[:, loose].sum(axis=1) == 0)
    best = max(shown.nonzero()[0].tolist(), key=rank)
    return tuple(sorted(states.held[best], key=lambda placement: placement.start))
