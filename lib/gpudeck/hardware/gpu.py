"""Accelerators, as their makers describe them."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType

from gpudeck.errors import InputError
from gpudeck.tables import Row, read_table


@dataclass(frozen=True, slots=True)
class Gpu:
    """One accelerator. FLOP/s are dense, per GPU; ``None`` where the maker prints no figure.

    ``nvlink_gb_s`` counts both directions (NVLink or Infinity Fabric), 0 without such a link.
    ``rows`` holds the row of every figure, with its range, kind and source.
    """

    id: str
    vendor: str
    memory_gb: float
    memory_bandwidth_gb_s: float
    nvlink_gb_s: float
    mig_max_instances: int
    memory_visible_mib: float | None = None
    tdp_w: float | None = None
    pcie: str | None = None
    c2c_gb_s: float | None = None
    fp64_tflops: float | None = None
    fp32_tflops: float | None = None
    tf32_tflops: float | None = None
    fp16_tflops: float | None = None
    bf16_tflops: float | None = None
    fp8_tflops: float | None = None
    fp4_tflops: float | None = None
    int8_tops: float | None = None
    bf16_achieved_tflops: float | None = None
    fp8_achieved_tflops: float | None = None
    sm_count: int | None = None
    l2_mib: float | None = None
    mig_geometry: str | None = None
    rows: Mapping[str, Row] = field(
        default_factory=lambda: MappingProxyType({}), compare=False, repr=False
    )

    @property
    def half_tflops(self) -> float:
        """Dense 16-bit tensor FLOP/s: bfloat16, or float16 on a GPU older than bfloat16.

        Raises
        ------
        InputError
            The table has neither.
        """
        peak = self.bf16_tflops or self.fp16_tflops
        if peak is None:
            msg = f"{self.id} has no bf16_tflops and no fp16_tflops in data/gpus.csv: add a row"
            raise InputError(msg)
        return peak

    @property
    def announced(self) -> bool:
        """Whether the figures are of a product that is not yet sold."""
        return any(row.kind == "announced" for row in self.rows.values())

    @property
    def unverified(self) -> frozenset[str]:
        """The figures for which no source could be read."""
        return frozenset(name for name, row in self.rows.items() if row.kind == "unverified")


_COUNTS = {"mig_max_instances", "sm_count"}


@cache
def read_gpus() -> dict[str, Gpu]:
    """Read every GPU of ``data/gpus.csv``, by id.

    Raises
    ------
    InputError
        The table is wrong, has an attribute that a ``Gpu`` does not know, or lacks one it needs.

    >>> read_gpus()["H100-SXM"].memory_bandwidth_gb_s
    3350.0
    """
    table = read_table("gpus")
    return {gpu_id: _build_gpu(gpu_id, table.of(gpu_id)) for gpu_id in table.ids}


def find_gpu(gpu_id: str) -> Gpu:
    """Look one GPU up.

    Raises
    ------
    InputError
        There is no such GPU; the message lists those with a similar name.

    >>> find_gpu("A100-80G-SXM").sm_count
    108
    """
    gpus = read_gpus()
    if gpu_id not in gpus:
        by_key = {name.lower(): name for name in gpus}
        close = difflib.get_close_matches(str(gpu_id).lower(), by_key, n=4, cutoff=0.4)
        near = f"; close to it: {', '.join(by_key[name] for name in close)}" if close else ""
        msg = f"gpu is {gpu_id!r}{near}; allowed in data/gpus.csv are {', '.join(gpus)}"
        raise InputError(msg)
    return gpus[gpu_id]


def _build_gpu(gpu_id: str, rows: dict[str, Row]) -> Gpu:
    values: dict[str, object] = {}
    for name, row in rows.items():
        text = row.unit == "text"
        values[name] = row.value if text else int(row.number) if name in _COUNTS else row.number
    try:
        return Gpu(id=gpu_id, rows=MappingProxyType(rows), **values)  # type: ignore[arg-type]
    except TypeError as error:
        msg = f"{gpu_id} in data/gpus.csv: {error}; allowed are the attributes of a Gpu"
        raise InputError(msg) from error
