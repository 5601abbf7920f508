"""Constants of a GPU's kernels: fitted to measurements, or carried over to other GPUs."""

from dataclasses import dataclass, fields
from functools import cache

import numpy as np

from gpudeck.hardware.gpu import find_gpu
from gpudeck.tables import read_table

FITTED_BAND = (0.9, 1.1)  # what the residuals of the fit leave open
DATASHEET_BAND = (0.8, 1.2)  # efficiencies carried over from other GPUs
_MEASURED_PARALLEL = (2, 4, 8)


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a GPU's kernels attain; ``…_efficiency`` is a share of the datasheet's peak.

    Matrix products follow a smooth roofline with `matmul_compute_efficiency`,
    `matmul_bandwidth_efficiency`, the exponent `matmul_exponent` and `matmul_overhead_us` for each
    product. Norms (two a layer), rotary embedding, activation and residual add are bytes over
    bandwidth plus microseconds. Attention of a prompt: microseconds a chunk, FLOP, and bytes of
    queries and outputs; of decoding: microseconds a layer, bytes of the cache, and bytes of
    queries and outputs of each request. An all-reduce takes a latency by number of GPUs plus its
    bytes over the link. `band` is relative, `provenance` says where the constants come from.
    """

    matmul_compute_efficiency: float
    matmul_bandwidth_efficiency: float
    matmul_exponent: float
    matmul_overhead_us: float
    norm_bandwidth_efficiency: float
    norm_overhead_us: float
    rope_bandwidth_efficiency: float
    rope_overhead_us: float
    activation_bandwidth_efficiency: float
    activation_overhead_us: float
    add_bandwidth_efficiency: float
    add_overhead_us: float
    prefill_compute_efficiency: float
    prefill_bandwidth_efficiency: float
    prefill_overhead_us: float
    decode_cache_efficiency: float
    decode_query_efficiency: float
    decode_overhead_us: float
    allreduce_efficiency: float
    allreduce_2_us: float
    allreduce_4_us: float
    allreduce_8_us: float
    band: tuple[float, float] = FITTED_BAND
    provenance: str = ""

    def allreduce_latency_s(self, gpus: int) -> float:
        """Return the seconds of an all-reduce without bytes; beyond eight GPUs that of eight."""
        known = (self.allreduce_2_us, self.allreduce_4_us, self.allreduce_8_us)
        return 0.0 if gpus == 1 else float(np.interp(gpus, _MEASURED_PARALLEL, known)) * 1e-6


CONSTANTS = tuple(f.name for f in fields(Calibration) if f.name not in {"band", "provenance"})


@cache
def find_calibration(gpu_id: str) -> Calibration:
    """Return the constants of a GPU: its own fit, or the mean of the fitted GPUs.

    Raises
    ------
    InputError
        There is no such GPU.

    Source: `data/serving_fit.csv`, made by `data/fit_serving.py`.

    >>> find_calibration("H100-SXM").band, find_calibration("L40S").band
    ((0.9, 1.1), (0.8, 1.2))
    """
    gpu = find_gpu(gpu_id)
    table = read_table("serving_fit")
    if gpu.id in table.ids:
        rows = table.of(gpu.id)
        values = {name: rows[name].number for name in CONSTANTS}
        return Calibration(**values, band=FITTED_BAND, provenance=f"fit to kernels on {gpu.id}")
    means = {
        name: float(np.mean([table.row(fitted, name).number for fitted in table.ids]))
        for name in CONSTANTS
    }
    told = f"datasheet of {gpu.id} with the mean efficiencies of {' and '.join(table.ids)}"
    return Calibration(**means, band=DATASHEET_BAND, provenance=told)
