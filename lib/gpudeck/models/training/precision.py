"""Precision: bytes of weights, gradients and optimiser states, and how fast matrices multiply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import Gpu


@dataclass(frozen=True, slots=True)
class StateBytes:
    """Bytes of one parameter's weight, gradient and optimiser states, and of one activation."""

    weight: float
    gradient: float
    optimiser: float
    activation: float

    @property
    def total(self) -> float:
        """Weight, gradient and optimiser states together."""
        return self.weight + self.gradient + self.optimiser


# Adam keeps two moments in 4 bytes; beside 16-bit weights also a copy of the weights in 4 bytes.
# With fp8 only the factors of the layers' matrix products are in 8 bits: what is stored, attention
# and the output head stay as with bf16.
STATES: Mapping[str, StateBytes] = MappingProxyType(
    {
        "fp32": StateBytes(4, 4, 8, 4),
        "tf32": StateBytes(4, 4, 8, 4),
        "bf16": StateBytes(2, 2, 12, 2),
        "fp8": StateBytes(2, 2, 12, 2),
    }
)


def state_bytes(precision: str) -> StateBytes:
    """Return the bytes that training keeps for a parameter: 16 in all at each precision.

    Raises
    ------
    InputError
        The precision is unknown.

    Source: Rajbhandari et al., SC 2020, section 3.1.

    >>> state_bytes("bf16").total
    16
    """
    if precision not in STATES:
        msg = f"precision is {precision!r}; allowed are {', '.join(STATES)}"
        raise InputError(msg)
    return STATES[precision]


def peak_flop_s(gpu: Gpu, precision: str) -> float:
    """Return the dense peak of one GPU at a precision, FLOP/s.

    Raises
    ------
    InputError
        The precision is unknown, or the GPU's maker prints no figure for it.

    >>> from gpudeck.hardware.gpu import find_gpu
    >>> peak_flop_s(find_gpu("H100-SXM"), "fp8") / 1e12
    1979.0
    """
    state_bytes(precision)
    if precision == "bf16":
        return gpu.half_tflops * 1e12
    peak = getattr(gpu, f"{precision}_tflops")
    if peak is None:
        msg = f"precision is {precision!r}, for which data/gpus.csv has no peak of {gpu.id}"
        raise InputError(msg)
    return float(peak) * 1e12


def achieved_share(gpu: Gpu, precision: str) -> float:
    """Return the part of the peak that the best matrix product was measured at.

    Where it was not measured at this precision, the part measured at bf16 is taken; where not even
    that, the mean of the A100, H100 and B200 (0.82), an assumption.

    >>> from gpudeck.hardware.gpu import find_gpu
    >>> [round(achieved_share(find_gpu(g), "bf16"), 2) for g in ("A100-80G-SXM", "H100-SXM")]
    [0.87, 0.8]
    """
    measured = gpu.fp8_achieved_tflops if precision == "fp8" else None
    if measured is not None:
        return measured * 1e12 / peak_flop_s(gpu, precision)
    if gpu.bf16_achieved_tflops is not None:
        return gpu.bf16_achieved_tflops / gpu.half_tflops
    return UNMEASURED_SHARE


UNMEASURED_SHARE = 0.82
