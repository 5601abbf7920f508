"""Which MIG profile a pod needs that asks for part of one GPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import find_gpu
from gpudeck.hardware.mig import MigProfile, classic_profiles, find_mig_profiles
from gpudeck.workload.pod import GPU_MILLI, Pods


@dataclass(frozen=True, slots=True, eq=False)
class MigDemand:
    """Pods that ask for part of one GPU, each with the profile that covers it.

    ``pod`` is the index into the list of pods and ``gpu_milli`` what it asks, ``profile`` an index
    into ``names``; all of shape (requests,).
    """

    geometry: str
    names: tuple[str, ...]
    pod: NDArray[np.int64]
    gpu_milli: NDArray[np.int64]
    profile: NDArray[np.int64]

    @property
    def requests(self) -> tuple[str, ...]:
        """The profile of each request, by name."""
        return tuple(self.names[index] for index in self.profile)

    @property
    def counts(self) -> dict[str, int]:
        """Requests of each profile, profiles without any included."""
        found = np.bincount(self.profile, minlength=len(self.names))
        return dict(zip(self.names, found.tolist(), strict=True))

    @property
    def whole(self) -> str:
        """The profile that takes the whole GPU: its pods cannot share."""
        return self.names[-1]


def geometry_of(gpu_id: str) -> str:
    """Look up the MIG geometry of a GPU.

    Raises
    ------
    InputError
        There is no such GPU, it has no MIG, or its geometry is not in the tables.

    >>> geometry_of("A100-80G-SXM")
    'A100-80G'
    """
    gpu = find_gpu(gpu_id)
    if gpu.mig_geometry is None:
        why = "its geometry is not in data/" if gpu.mig_max_instances else "it has no MIG"
        msg = f"gpu is {gpu_id!r}, and {why}; allowed are GPUs with a mig_geometry in data/gpus.csv"
        raise InputError(msg)
    return gpu.mig_geometry


def smallest_profiles(gpu_milli: ArrayLike, geometry: str) -> NDArray[np.int64]:
    """Find the smallest classic profile that covers each share of a GPU.

    A pod that asks for m thousandths of a GPU asks for that part of its compute slices and of its
    memory slices: the profile has compute_slices ≥ m/1000 of the GPU's and memory_slices likewise.

    Parameters
    ----------
    gpu_milli : array_like
        Shares asked, shape (n,), from 1 to 1000.
    geometry : str
        A MIG geometry.

    Returns
    -------
    Index into the classic profiles of the geometry, shape (n,).

    Raises
    ------
    InputError
        A share is out of range, or the geometry is unknown.

    >>> [classic_profiles(find_mig_profiles("A100-80G"))[i].name
    ...  for i in smallest_profiles([125, 126, 470, 510], "A100-80G")]
    ['1g.10gb', '2g.20gb', '4g.40gb', '7g.80gb']
    """
    asked = np.asarray(gpu_milli)
    wrong = (asked < 1) | (asked > GPU_MILLI)
    if asked.ndim != 1 or (asked.size and asked.dtype.kind not in "iu") or wrong.any():
        at = f" at place {int(np.argmax(wrong))}" if asked.ndim == 1 and wrong.any() else ""
        msg = f"gpu_milli is {asked.tolist()!r:.80}{at}; allowed are whole numbers from 1 to 1000"
        raise InputError(msg)
    limit = np.array(
        [cover_milli(p, geometry) for p in classic_profiles(find_mig_profiles(geometry))]
    )
    covers = asked[:, None] <= limit
    return covers.argmax(axis=1).astype(np.int64)


def cover_milli(profile: MigProfile, geometry: str) -> int:
    """Return the largest share of a GPU, in thousandths, that a profile covers.

    >>> cover_milli(find_mig_profiles("A100-80G")[-2], "A100-80G")
    500
    """
    whole = classic_profiles(find_mig_profiles(geometry))[-1]
    return min(
        GPU_MILLI * profile.compute_slices // whole.compute_slices,
        GPU_MILLI * profile.memory_slices // whole.memory_slices,
    )


def map_pods(pods: Pods, geometry: str) -> MigDemand:
    """Give every pod that asks for part of one GPU its smallest classic profile.

    Parameters
    ----------
    pods : Pods
        The workload; pods with whole GPUs, or none, are left out.
    geometry : str
        A MIG geometry.

    Raises
    ------
    InputError
        The geometry is unknown.

    >>> pods = Pods.from_specs([1, 1], [1, 1], [1, 1], [300, 1000], ["", ""], [2, 5])
    >>> map_pods(pods, "A100-80G").counts["3g.40gb"]
    2
    """
    shared = np.flatnonzero((pods.num_gpu == 1) & (pods.gpu_milli < GPU_MILLI))
    asked = pods.gpu_milli[shared]
    names = tuple(p.name for p in classic_profiles(find_mig_profiles(geometry)))
    return MigDemand(geometry, names, shared, asked, smallest_profiles(asked, geometry))
