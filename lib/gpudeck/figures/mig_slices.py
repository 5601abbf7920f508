"""A GPU's slices as MIG sees them: compute slices above, memory slices below, instances across."""

from __future__ import annotations

from collections.abc import Sequence

from gpudeck.figures.shapes import Box, Canvas, Share
from gpudeck.figures.style import PAPER, USEFUL, WAITING, WASTE, text_on, tint
from gpudeck.hardware.mig import MigProfile, Placement, find_mig_profiles

MEMORY = tint(USEFUL, 0.35)
_GAP_PX = 2


def short_name(profile: str) -> str:
    """Return the compute part of a profile's name.

    >>> short_name("3g.40gb")
    '3g'
    """
    return profile.split(".", maxsplit=1)[0]


def gpu_slices(geometry: str) -> tuple[int, int]:
    """Return the compute and the memory slices of a GPU.

    >>> gpu_slices("A100-80G")
    (7, 8)
    """
    profiles = find_mig_profiles(geometry)
    return max(p.compute_slices for p in profiles), max(p.memory_slices for p in profiles)


def by_name(geometry: str) -> dict[str, MigProfile]:
    """Return the profiles of a geometry by their names."""
    return {profile.name: profile for profile in find_mig_profiles(geometry)}


def draw_slices(
    canvas: Canvas,
    box: Box,
    held: Sequence[Placement],
    geometry: str,
    *,
    useless: bool = False,
) -> None:
    """Draw one GPU as two lanes of slices with its instances; slices of nobody are dashed.

    Where they are `useless` to who asks they are hatched as waste.

    A memory slice is an eighth of the box, and a compute slice as wide: an instance that starts at
    slice s holds compute slices from s and memory slices from s, as the driver numbers them.
    """
    compute, memory = gpu_slices(geometry)
    cell = box.width / memory
    upper = Box(box.x, box.y, cell * compute, box.height * 0.62)
    lower = Box(box.x, upper.bottom + _GAP_PX, box.width, box.height * 0.38 - _GAP_PX)
    profiles = by_name(geometry)
    ends = [(h.start, profiles[h.profile]) for h in held]
    taken = {s for start, p in ends for s in range(start, start + p.compute_slices)}
    stored = {s for start, p in ends for s in range(start, start + p.memory_slices)}
    for lane, count, gone in ((upper, compute, taken), (lower, memory, stored)):
        # nobody's slices only: no border may cross the name of an instance
        for index in set(range(count)) - gone:
            area = Box(lane.x + index * cell, lane.y, cell, lane.height).grown(-1)
            if useless:
                canvas.job(area, "", WASTE)
            else:
                canvas.rect(area, PAPER, WAITING, width_px=1, dashed=True)
    for placement in held:
        profile = profiles[placement.profile]
        left = box.x + placement.start * cell
        over = Box(left, upper.y, profile.compute_slices * cell, upper.height)
        under = Box(left, lower.y, profile.memory_slices * cell, lower.height)
        canvas.rect(over.grown(-1), USEFUL, radius_px=3)
        canvas.rect(under.grown(-1), MEMORY, radius_px=3)
        label = short_name(placement.profile)
        canvas.text(
            *over.centre, label, 20, weight=700, colour=text_on(USEFUL), anchor="middle"
        )  # fmt: skip


def compute_shares(held: Sequence[Placement], geometry: str) -> list[Share]:
    """Return the compute slices of a GPU from the left: instances by name, the rest as waste."""
    compute, _ = gpu_slices(geometry)
    profiles = by_name(geometry)
    shares, at = [], 0
    for placement in sorted(held, key=lambda one: one.start):
        if placement.start > at:
            shares.append(Share((placement.start - at) / compute, WASTE))
        size = profiles[placement.profile].compute_slices
        shares.append(Share(size / compute, USEFUL, short_name(placement.profile)))
        at = placement.start + size
    if at < compute:
        shares.append(Share((compute - at) / compute, WASTE))
    return shares
