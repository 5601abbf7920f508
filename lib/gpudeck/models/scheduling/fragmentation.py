"""Fragmentation: how much of the GPU left on a node the next typical pod could not use."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.node import whole_numbers
from gpudeck.workload.pod import GPU_MILLI, GPU_SHARES, Pods, wrong_gpu_shares

TYPICAL_SHARE = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class TypicalPods:
    """The pods that are expected next, and how often.

    Parameters
    ----------
    cpu_milli, num_gpu, gpu_milli, gpu_spec
        What a pod of each specification asks, shape (m,), as in ``Pods``.
    weight
        How often it comes, shape (m,): a number of pods, or a probability.
    scale
        What the weights are divided by: the pods counted, or 1 for probabilities.
    """

    cpu_milli: NDArray[np.int64]
    num_gpu: NDArray[np.int64]
    gpu_milli: NDArray[np.int64]
    gpu_spec: NDArray[np.str_]
    weight: NDArray[np.float64]
    scale: float

    def __len__(self) -> int:
        return len(self.weight)

    @property
    def probability(self) -> NDArray[np.float64]:
        """Weights over their scale, shape (m,)."""
        return self.weight / self.scale

    @classmethod
    def from_probabilities(
        cls,
        cpu_milli: ArrayLike,
        num_gpu: ArrayLike,
        gpu_milli: ArrayLike,
        gpu_spec: Sequence[str],
        probability: ArrayLike,
    ) -> Self:
        """Make typical pods of stated probabilities, which are used as they are.

        Raises
        ------
        InputError
            Columns of different length, a probability out of [0, 1], or a number out of range.
        """
        cpu, num, milli = (
            whole_numbers(field, values)
            for field, values in (
                ("cpu_milli", cpu_milli),
                ("num_gpu", num_gpu),
                ("gpu_milli", gpu_milli),
            )
        )
        spec, weight = np.array(gpu_spec, dtype=np.str_), np.array(probability, dtype=float)
        if not cpu.shape == num.shape == milli.shape == spec.shape == weight.shape:
            msg = f"typical pods have columns of different length; allowed is {cpu.shape}"
            raise InputError(msg)
        if not ((weight >= 0) & (weight <= 1)).all():
            msg = f"probability is {weight}; allowed are numbers from 0 to 1"
            raise InputError(msg)
        if wrong_gpu_shares(num, milli).any():
            msg = f"a typical pod asks for what no GPU gives; allowed is {GPU_SHARES}"
            raise InputError(msg)
        return cls(cpu, num, milli, spec, weight, 1.0)


def typical_pods(pods: Pods, share: float = TYPICAL_SHARE) -> TypicalPods:
    """Count the pods by specification and keep the most frequent ones.

    Specifications (CPU, GPU share, number of GPUs, models) come by falling count, equal counts by
    falling specification, until they cover ``share`` of the pods. Pods without GPU count as well.

    Parameters
    ----------
    pods
        The pods that are expected.
    share
        Part of them to cover, above 0 and up to 1.

    Raises
    ------
    InputError
        There are no pods, or ``share`` is out of range.

    Source: Weng et al., ATC 2023, section 4.2 (target workload).
    """
    if not len(pods) or not 0 < share <= 1:
        msg = (
            f"typical pods of {len(pods)} pods with share {share}; allowed is a pod, 0 < share ≤ 1"
        )
        raise InputError(msg)
    columns = (pods.cpu_milli, pods.gpu_milli, pods.num_gpu, pods.gpu_spec)
    counts = Counter(zip(*(column.tolist() for column in columns), strict=True))
    ranked = sorted(((count, row) for row, count in counts.items()), reverse=True)
    covered = np.cumsum([count for count, _ in ranked])
    kept = ranked[: int(np.searchsorted(covered, share * len(pods))) + 1]
    cpu, milli, num, spec = (np.array(column) for column in zip(*(r for _, r in kept), strict=True))
    weight = np.array([count for count, _ in kept], dtype=float)
    return TypicalPods(cpu, num, milli, spec, weight, float(weight.sum()))


def fragmentation_of(
    typical: TypicalPods, cpu_left_milli: int, gpu_left_milli: Sequence[int], model: str = ""
) -> float:
    """Compute the fragmentation of one node, in milli GPU.

    F = Σ_m p_m · R_m, where R_m is all the GPU left when pod m asks no GPU, may not run on the
    model, or does not fit by CPU or devices; otherwise what is left on devices below its share.
    Memory is not in F. Whole weights are summed exactly, in whatever order.

    Parameters
    ----------
    typical
        The pods that are expected.
    cpu_left_milli
        CPU left on the node, 0 or above.
    gpu_left_milli
        GPU left on each device, 0 to 1000.
    model
        GPU model of the node.

    Source: Weng et al., ATC 2023, equations 1 to 3.

    >>> typical = TypicalPods.from_probabilities(
    ...     [4000, 4000, 2000], [1, 2, 0], [500, 1000, 0], [""] * 3, [0.5, 0.25, 0.25]
    ... )
    >>> fragmentation_of(typical, 8000, [1000, 400])
    900.0
    """
    left = whole_numbers("gpu_left_milli", gpu_left_milli)
    if left.max(initial=0) > GPU_MILLI or cpu_left_milli < 0:
        msg = (
            f"cpu_left_milli is {cpu_left_milli}, gpu_left_milli is {left.tolist()};"
            " allowed are 0 or above, and 0 to 1000 a device"
        )
        raise InputError(msg)
    enough = left >= typical.gpu_milli[:, None]
    fits = (
        (typical.num_gpu > 0)
        & (typical.cpu_milli <= cpu_left_milli)
        & (enough.sum(axis=1) >= typical.num_gpu)
        & np.array([allows(spec, model) for spec in typical.gpu_spec.tolist()], dtype=bool)
    )
    lost = np.where(fits, (left * ~enough).sum(axis=1), left.sum())
    return float((typical.weight * lost).sum() / typical.scale)


def allows(gpu_spec: str, model: str) -> bool:
    """Say whether a pod's list of models takes this one.

    >>> allows("V100M16|V100M32", "V100M32"), allows("", "T4"), allows("T4", "P100")
    (True, True, False)
    """
    return not gpu_spec or model in gpu_spec.split("|")


def weigh_typical(typical: TypicalPods, models: Sequence[str], gpus_max: int) -> tuple:
    """Sum typical pods into the look-up tables of the kernel.

    Parameters
    ----------
    typical
        The pods that are expected.
    models
        Models of the cluster, in the kernel's numbering.
    gpus_max
        Largest number of GPUs on a node.
    """
    steps = np.unique(typical.cpu_milli)
    shares = np.unique(typical.gpu_milli[typical.num_gpu == 1])
    level = np.searchsorted(shares, np.arange(GPU_MILLI + 1), side="right")
    single = np.zeros((len(models), len(steps) + 1, len(shares) + 1))
    whole = np.zeros((len(models), len(steps) + 1, gpus_max + 1))
    for m, model in enumerate(models):
        for i in range(len(typical)):
            if not allows(str(typical.gpu_spec[i]), model):
                continue
            step = int(np.searchsorted(steps, typical.cpu_milli[i])) + 1
            num, weight = int(typical.num_gpu[i]), typical.weight[i]
            if num == 1:
                single[m, step:, level[typical.gpu_milli[i]] :] += weight
            elif num > 1:
                whole[m, step:, num:] += weight * GPU_MILLI * np.arange(num, gpus_max + 1)
    return steps, level, single, whole, float(typical.weight.sum()), typical.scale
