"""MIG: each tenant in an instance with SMs, bandwidth and memory of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import Gpu, read_gpus
from gpudeck.hardware.mig import (
    MigProfile,
    classic_profiles,
    enumerate_placements,
    find_mig_profiles,
)
from gpudeck.models.sharing.gpu.arrangement import Arrangement
from gpudeck.models.sharing.gpu.tenant import Tenant

# with more instances every order is no longer tried: the largest tenants get the largest ones
_ORDERS_UP_TO = 5


@dataclass(frozen=True, slots=True)
class Instance:
    """A part of a GPU: fractions of its SMs and bandwidth, and memory."""

    name: str
    sm: float
    bandwidth: float
    memory_gib: float

    def speed_of(self, tenant: Tenant) -> float:
        """Speed of a tenant's kernels in it, 1 being the whole GPU.

        A kernel slows by the resource of which the instance has the least for its demand.

        >>> Instance("3g", 0.4, 0.5, 40).speed_of(Tenant("a", 1.0, sm=0.8, bandwidth=0.5))
        0.5
        """
        sm = self.sm / tenant.sm if tenant.sm else 1.0
        bandwidth = self.bandwidth / tenant.bandwidth if tenant.bandwidth else 1.0
        return min(1.0, sm, bandwidth)


def profiles_of(gpu: Gpu) -> tuple[MigProfile, ...]:
    """Look the MIG profiles of a GPU up.

    Raises
    ------
    InputError
        The GPU has none.
    """
    if gpu.mig_geometry is None:
        having = [name for name, each in read_gpus().items() if each.mig_geometry is not None]
        msg = f"gpu is {gpu.id!r}, which has no mig_geometry; allowed are {', '.join(having)}"
        raise InputError(msg)
    return find_mig_profiles(gpu.mig_geometry)


def build_instance(profile: MigProfile, gpu: Gpu) -> Instance:
    """Return the instance of a profile: SMs as printed or by slices, bandwidth by memory slices.

    Raises
    ------
    InputError
        The GPU has no MIG, or the profile's memory is not known.
    """
    whole = max(profiles_of(gpu), key=lambda p: p.memory_slices)
    slices = whole.memory_slices
    memory = profile.memory_gib or gpu.memory_gb * 1e9 / 2**30 * profile.memory_slices / slices
    if profile.sm_count is not None and gpu.sm_count is not None:
        sm = profile.sm_count / gpu.sm_count
    else:
        sm = profile.compute_slices / whole.compute_slices
    return Instance(profile.name, sm, profile.memory_slices / slices, memory)


def assign_instances(tenants: Sequence[Tenant], gpu: Gpu) -> dict[str, Instance]:
    """Choose a legal set of instances and who gets which: the slowest tenant as fast as can be.

    Of equals, the one where the next slowest is fastest, and so on.

    Tenants that no set can hold, the ones with the largest ids first, get none.

    Raises
    ------
    InputError
        The GPU has no MIG.
    """
    profiles = classic_profiles(profiles_of(gpu))
    by_name = {profile.name: build_instance(profile, gpu) for profile in profiles}
    sets = {
        tuple(sorted(placement.profile for placement in placements))
        for placements in enumerate_placements(profiles)
    }
    ordered = sorted(tenants, key=lambda tenant: tenant.id)
    for count in range(len(ordered), 0, -1):
        held = [sorted(names, reverse=True) for names in sorted(sets) if len(names) == count]
        options = [[by_name[name] for name in names] for names in held]
        best = max((_best_order(ordered[:count], option) for option in options), default=None)
        if best is not None and best[0]:
            _, names = best
            pairs = zip(ordered[:count], names, strict=True)
            return {tenant.id: by_name[name] for tenant, name in pairs}
    return {}


def _best_order(
    tenants: Sequence[Tenant], instances: Sequence[Instance]
) -> tuple[tuple[float, ...], tuple[str, ...]]:
    """Score the best assignment of one set of instances: speeds, slowest first.

    The score is empty, and less than any other, if somebody's memory does not fit.
    """
    if len(tenants) <= _ORDERS_UP_TO:
        orders = {tuple(order) for order in permutations(instances)}
    else:
        needs = [(max(t.sm, t.bandwidth), t.memory_gib, t.id) for t in tenants]
        place = sorted(range(len(tenants)), key=lambda n: needs[n], reverse=True)
        big = sorted(instances, key=lambda each: (each.sm, each.memory_gib), reverse=True)
        chosen = dict(zip(place, big, strict=True))
        orders = {tuple(chosen[n] for n in range(len(tenants)))}
    return max((_score(tenants, order), tuple(i.name for i in order)) for order in orders)


def _score(tenants: Sequence[Tenant], order: Sequence[Instance]) -> tuple[float, ...]:
    if any(t.memory_gib > i.memory_gib for t, i in zip(tenants, order, strict=True)):
        return ()
    return tuple(sorted(i.speed_of(t) for t, i in zip(tenants, order, strict=True)))


def arrange_mig(tenants: Sequence[Tenant], instances: Mapping[str, Instance]) -> Arrangement:
    """Put each tenant into its instance: no interference, memory and faults of its own.

    Raises
    ------
    InputError
        The instances together exceed the GPU, or one has no SMs or no bandwidth.
    """
    ids = {tenant.id for tenant in tenants}
    for name, each in instances.items():
        if not (0 < each.sm <= 1 and 0 < each.bandwidth <= 1 and each.memory_gib >= 0):
            msg = f"instance of {name!r} is {each}; allowed are fractions above 0 to 1"
            raise InputError(msg)
    held = [each for name, each in instances.items() if name in ids]
    for what, total in (("sm", sum(i.sm for i in held)), ("bw", sum(i.bandwidth for i in held))):
        if total > 1 + 1e-9:
            msg = f"the MIG instances hold {total:.3f} of the GPU's {what}; allowed is at most 1"
            raise InputError(msg)
    admitted, refused = [], {}
    for tenant in tenants:
        own = instances.get(tenant.id)
        if own is None:
            refused[tenant.id] = "no instance left"
        elif tenant.memory_gib > own.memory_gib:
            refused[tenant.id] = (
                f"out of memory: {tenant.memory_gib:g} > {own.memory_gib:g} GiB of {own.name}"
            )
        else:
            admitted.append(tenant)
    caps = tuple(instances[tenant.id].speed_of(tenant) for tenant in admitted)
    names = {tenant.id: instances[tenant.id].name for tenant in admitted}
    return Arrangement(tuple(admitted), refused, "apart", caps, False, instances=names)
