"""What NCCL attains inside a node of a GPU: fitted lines, or those of a fitted GPU carried over."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Literal

from gpudeck.errors import InputError
from gpudeck.hardware.gpu import Gpu, find_gpu
from gpudeck.hardware.link import find_link
from gpudeck.tables import Row, read_table

Operation = Literal["all_reduce", "all_gather", "reduce_scatter", "all_to_all"]

OPERATIONS: tuple[Operation, ...] = ("all_reduce", "all_gather", "reduce_scatter", "all_to_all")
PROTOCOLS = ("ll", "ll128", "simple")
# LL takes few channels for small buffers and all of them for larger ones: the lower line counts
LINES = {"ll": ("ll", "ll_wide"), "ll128": ("ll128",), "simple": ("simple",)}
FITTED_LINES = tuple(name for of in LINES.values() for name in of)
_HOPPER, _AMPERE = "H100-SXM", "A100-80G-SXM"  # the GPUs whose curves were fitted
_BLACKWELL_NVLINK_GB_S = 1800
_BRIDGED = frozenset({"A30", "A100-80G-PCIe", "H100-PCIe"})  # a bridge joins two, not a node


@dataclass(frozen=True, slots=True)
class ProtocolLine:
    """A protocol on the ring of one node: t = base + steps·hop + W/bandwidth + (S/N)/copy.

    W is what a rank sends, S/N its own part of the buffer. Times in µs, bandwidths in GB/s.
    """

    base_us: float
    hop_us: float
    bandwidth_gb_s: float
    copy_gb_s: float


@dataclass(frozen=True, slots=True)
class SwitchLine:
    """NVLS in one node: t = base + N·hop + S(N+1)/N / bandwidth."""

    base_us: float
    hop_us: float
    bandwidth_gb_s: float


@dataclass(frozen=True)
class NodeLines:
    """What NCCL attains inside one node, by operation and protocol.

    `switch` is None where the switch cannot add up; `provenance` says where the lines come from.
    NCCL chooses the protocol by its own estimate, from `bus_gb_s` and at most `ll_most_gb_s` in LL.
    """

    gpu: str
    lines: Mapping[Operation, Mapping[str, ProtocolLine]]
    switch: SwitchLine | None
    provenance: str
    bus_gb_s: float
    ll_most_gb_s: float

    def of(self, operation: Operation, protocol: str) -> tuple[ProtocolLine, ...]:
        """Return the lines of a protocol, of which the lowest counts."""
        return tuple(self.lines[operation][name] for name in LINES[protocol])


@cache
def find_node_lines(gpu_id: str) -> NodeLines:
    """Return what NCCL attains in a node of a GPU: its own fit, or that of a fitted GPU.

    Bandwidths are carried over in proportion to NVLink, latencies unchanged; to PCIe without it or
    where a bridge joins only pairs of cards (a group of two on one bridge is faster than this). A
    GPU with FP8 takes the H100's lines, an older one the A100's. Blackwell's switch is taken down
    by the ratio of NCCL's efficiencies.

    Raises
    ------
    InputError
        There is no such GPU, or it has neither NVLink nor a PCIe link of the table.

    Source: `data/nccl_fit.csv`, made by `data/fit_nccl.py`.

    >>> find_node_lines("H100-SXM").provenance
    'fitted to NCCL on H100-SXM'
    """
    gpu = find_gpu(gpu_id)
    fitted = _HOPPER if gpu.fp8_tflops is not None else _AMPERE
    known = read_fit(fitted)
    if gpu.id == fitted:
        return known
    reference = find_gpu(fitted)
    ratio = _inside_gb_s(gpu) / _inside_gb_s(reference)
    lines = {
        operation: {name: _scale(line, ratio) for name, line in of.items()}
        for operation, of in known.lines.items()
    }
    switch = known.switch if _has_switch(gpu) else None
    if switch is not None:
        scale = ratio * _switch_loss(gpu)
        switch = SwitchLine(switch.base_us, switch.hop_us, switch.bandwidth_gb_s * scale)
    told = f"carried over from {fitted} by the link's bandwidth"
    limits = (ratio * known.bus_gb_s, ratio * known.ll_most_gb_s)
    return NodeLines(gpu.id, lines, switch, told, *limits)


@cache
def read_fit(gpu_id: str) -> NodeLines:
    """Read the fitted lines of a GPU.

    Raises
    ------
    InputError
        The GPU was not fitted.
    """
    table = read_table("nccl_fit")
    lines = {}
    switch = None
    for operation in OPERATIONS:
        rows = table.of(f"{gpu_id}/{operation}")
        lines[operation] = {
            name: ProtocolLine(
                *(rows[f"{name}_{field.name}"].number for field in fields(ProtocolLine))
            )
            for name in FITTED_LINES
        }
        if "nvls_base_us" in rows:
            switch = SwitchLine(
                *(rows[f"nvls_{field.name}"].number for field in fields(SwitchLine))
            )
    return NodeLines(gpu_id, lines, switch, f"fitted to NCCL on {gpu_id}", *tuner_limits(gpu_id))


def tuner_limits(gpu_id: str) -> tuple[float, float]:
    """Return the bus bandwidth and the most of LL that NCCL's estimate takes, GB/s.

    >>> tuner_limits("A100-80G-SXM")
    (235.0, 87.7)
    """
    rows = read_table("network").of(f"NCCL-{gpu_id.partition('-')[0]}")
    return rows["bus_gb_s"].number, rows["ll_most_gb_s"].number


def _inside_gb_s(gpu: Gpu) -> float:
    """Return what a GPU can send to the others of its node in one direction."""
    if gpu.nvlink_gb_s > 0 and gpu.id not in _BRIDGED:
        return gpu.nvlink_gb_s / 2
    if gpu.pcie is None:
        msg = f"{gpu.id} has no NVLink and no pcie in data/gpus.csv: add a row"
        raise InputError(msg)
    generation, _, lanes = gpu.pcie.partition(".0x")
    return find_link(f"PCIe-gen{generation}-x{lanes}").direction_gb_s


def _has_switch(gpu: Gpu) -> bool:
    """Say whether nodes of this GPU have an NVSwitch that adds up: NVIDIA's from Hopper, on SXM."""
    maker = gpu.rows["vendor"].value if "vendor" in gpu.rows else gpu.vendor
    return maker == "NVIDIA" and gpu.nvlink_gb_s > 0 and gpu.id not in _BRIDGED


def _switch_loss(gpu: Gpu) -> float:
    if gpu.nvlink_gb_s < _BLACKWELL_NVLINK_GB_S:
        return 1.0
    rows: dict[str, Row] = read_table("network").of("NCCL-nvls")
    return rows["efficiency_blackwell"].number / rows["efficiency_hopper"].number


def _scale(line: ProtocolLine, ratio: float) -> ProtocolLine:
    return ProtocolLine(
        line.base_us, line.hop_us, line.bandwidth_gb_s * ratio, line.copy_gb_s * ratio
    )
