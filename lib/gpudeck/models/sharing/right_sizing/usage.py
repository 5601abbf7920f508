"""Synthetic use of GPU memory and compute by many pods, as shares of what each one declared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.models.sharing.right_sizing.kernel import shape_use
from gpudeck.rng import generator
from gpudeck.workload.pod import GPU_MILLI, Pods

# Assumptions about the synthetic use: how much pods differ, how fast noise forgets, when days peak.
LEVEL_CONCENTRATION = 10.0
MEMORY_MEMORY_MIN, COMPUTE_MEMORY_MIN = 60.0, 15.0
PEAK_HOUR, PEAK_SPREAD_H = 15.0, 2.0
DAY_H, WEEK_H = 24.0, 168.0
MAX_SAMPLES = 200_000_000


@dataclass(frozen=True, slots=True)
class UsageShape:
    """How pods use what they declared; all but days and minutes are fractions.

    `use` is the mean level over declared, `diurnal` the amplitude of a day's swing, `noise` and
    `compute_noise` the spread of a lognormal first-order autoregressive factor, `growth` a
    week's growth, `jumps` their number a week and pod, each adding `jump` for good.
    """

    days: int
    sample_min: int
    use: float
    diurnal: float
    noise: float
    compute_noise: float
    growth: float
    jumps: float
    jump: float

    def __post_init__(self) -> None:
        for entry in fields(self):
            value = getattr(self, entry.name)
            if not 0 <= value < float("inf"):
                msg = f"{entry.name} is {value}; allowed are finite numbers of 0 or above"
                raise InputError(msg)
        for name, fine, allowed in (
            ("days", self.days >= 1, "1 or above"),
            ("sample_min", 1 <= self.sample_min <= 60, "1 to 60 minutes"),
            ("use", 0 < self.use < 1, "between 0 and 1, both excluded"),
            ("diurnal", self.diurnal <= 1, "0 to 1"),
        ):
            if not fine:
                msg = f"{name} is {getattr(self, name)}; allowed is {allowed}"
                raise InputError(msg)

    @property
    def steps(self) -> int:
        """Samples of each pod."""
        return self.days * 24 * 60 // self.sample_min

    @property
    def steps_per_day(self) -> int:
        """Samples of one day."""
        return 24 * 60 // self.sample_min


@dataclass(frozen=True, slots=True, eq=False)
class Usage:
    """Use of memory and of compute by each pod, over what it declared.

    Parameters
    ----------
    memory, compute
        Shape (pods, steps).
    gpus
        GPUs declared by each pod, shape (pods,): 0.25 for a quarter of one.
    ceiling
        What the device allows over what is declared, shape (pods,); use never exceeds it.
    sample_min
        Minutes between samples.
    """

    memory: NDArray[np.float64]
    compute: NDArray[np.float64]
    gpus: NDArray[np.float64]
    ceiling: NDArray[np.float64]
    sample_min: int

    def __len__(self) -> int:
        return len(self.gpus)

    @property
    def steps_per_day(self) -> int:
        """Samples of one day."""
        return 24 * 60 // self.sample_min


def draw_pods(pods: Pods, count: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Draw pods with replacement among those that ask for a GPU.

    Parameters
    ----------
    pods : Pods
        The workload.
    count : int
        How many, 1 or above.
    seed : int
        Of the draw.

    Returns
    -------
    gpus, ceiling : arrays, shape (count,)
        As in `Usage`: a pod on a part of one GPU may grow to the whole, others not.

    Raises
    ------
    InputError
        No pod asks for a GPU, or the count is not 1 or above.
    """
    asking = np.flatnonzero(pods.num_gpu)
    if len(asking) == 0 or count < 1:
        msg = (
            f"{len(asking)} of {len(pods)} pods ask for a GPU, {count} are to be drawn;"
            " allowed are 1 or above of both"
        )
        raise InputError(msg)
    drawn = generator(seed, "right-sizing", "pods").choice(asking, count)
    gpus = pods.gpu_demand_milli[drawn] / GPU_MILLI
    return gpus, GPU_MILLI / pods.gpu_milli[drawn].astype(np.float64)


def simulate_usage(
    shape: UsageShape,
    gpus: Sequence[float] | NDArray,
    ceiling: Sequence[float] | NDArray,
    seed: int,
) -> Usage:
    """Simulate what pods use: level × growth × jumps × day × noise, never above the device.

    Levels are drawn from a beta distribution; days peak in the afternoon; memory's noise forgets
    in an hour, compute's in a quarter of one. All of it is synthetic.

    Parameters
    ----------
    shape : UsageShape
        How pods use what they declared.
    gpus, ceiling : arrays, shape (pods,)
        As in `Usage`.
    seed : int
        Of the simulation.

    Raises
    ------
    InputError
        Too many samples, columns of different length, or a number that is not above 0.

    >>> shape = UsageShape(2, 60, 0.4, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    >>> simulate_usage(shape, [1.0], [1.0], seed=0).memory.shape
    (1, 48)
    """
    gpu, top = (np.asarray(column, dtype=np.float64) for column in (gpus, ceiling))
    if gpu.shape != top.shape or gpu.ndim != 1 or not (gpu > 0).all() or not (top > 0).all():
        msg = f"gpus {gpu.shape} and ceiling {top.shape}: allowed are equal lengths, above 0"
        raise InputError(msg)
    count, steps = len(gpu), shape.steps
    if count * steps > MAX_SAMPLES:
        msg = f"{count} pods × {steps} samples; allowed are {MAX_SAMPLES:,}: take fewer or coarser"
        raise InputError(msg)
    rng = generator(seed, "right-sizing", "use")
    concentration = LEVEL_CONCENTRATION
    levels = rng.beta(concentration * shape.use, concentration * (1 - shape.use), (2, count))
    phase_h = PEAK_HOUR + PEAK_SPREAD_H * rng.standard_normal(count)
    drift = _drift(shape, count, rng)
    hours = np.arange(steps) * (shape.sample_min / 60)
    used = []
    for level, spread, minutes in (
        (levels[0], shape.noise, MEMORY_MEMORY_MIN),
        (levels[1], shape.compute_noise, COMPUTE_MEMORY_MIN),
    ):
        noise = rng.standard_normal((count, steps), dtype=np.float32)
        keep = float(np.exp(-shape.sample_min / minutes))
        used.append(
            shape_use(level, drift, hours, phase_h, shape.diurnal, spread, keep, top, noise)
        )
    return Usage(used[0], used[1], gpu, top, shape.sample_min)


def _drift(shape: UsageShape, count: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the factor of growth and jumps, shape (pods, steps)."""
    weeks = np.arange(shape.steps) * (shape.sample_min / 60 / WEEK_H)
    growth = np.log1p(shape.growth) * weeks
    drift = np.zeros((count, shape.steps))
    number = int(rng.poisson(shape.jumps * shape.days / 7 * count))
    places = rng.integers(count, size=number), rng.integers(shape.steps, size=number)
    np.add.at(drift, places, np.log1p(shape.jump))
    return np.exp(np.cumsum(drift, axis=1) + growth)
