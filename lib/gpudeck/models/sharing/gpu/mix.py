"""The tenants that pages put on one GPU: synthetic, so many of each workload."""

from __future__ import annotations

from functools import cache

from gpudeck.errors import InputError
from gpudeck.models.sharing.gpu.tenant import Tenant
from gpudeck.tables import data_dir, read_columns

_COLUMNS = (
    "workload", "kernel_ms", "kernels", "sm", "bandwidth", "memory_pct", "rate_hz", "pause_ms",
    "blocks",
)  # fmt: skip
NOISY, QUIET, VICTIM = "training", "notebook", "inference"


@cache
def read_workloads() -> dict[str, dict[str, float]]:
    """Read the synthetic kernels of each workload from ``data/workload_kernels.csv``.

    Raises
    ------
    InputError
        A column or a workload is missing, or a cell is no number.

    >>> read_workloads()["inference"]["kernels"]
    40.0
    """
    path = data_dir() / "workload_kernels.csv"
    columns = read_columns(path)
    if tuple(columns) != _COLUMNS or {NOISY, QUIET, VICTIM} - set(columns["workload"]):
        msg = f"{path}: {', '.join(columns)}; allowed are {', '.join(_COLUMNS)}, one row a workload"
        raise InputError(msg)
    rows = {}
    for n, workload in enumerate(columns["workload"]):
        try:
            cells = {name: columns[name][n] for name in _COLUMNS[1:]}
            rows[workload] = {name: float(cell) for name, cell in cells.items() if cell}
        except ValueError as error:
            msg = f"{path}, line {n + 2}: {error}; allowed are numbers"
            raise InputError(msg) from error
    return rows


def build_tenant(workload: str, tenant_id: str, gpu_memory_gib: float, **changes: float) -> Tenant:
    """Return one tenant of a workload; its memory is a share of the GPU's."""
    rows = read_workloads()
    if workload not in rows:
        msg = f"workload is {workload!r}; allowed are {', '.join(rows)}"
        raise InputError(msg)
    row = rows[workload]
    values: dict[str, float | None] = {
        "kernel_ms": row["kernel_ms"],
        "sm": row["sm"],
        "bandwidth": row["bandwidth"],
        "memory_gib": row["memory_pct"] / 100 * gpu_memory_gib,
        "rate_hz": row.get("rate_hz"),
        "pause_ms": row["pause_ms"],
        "kernels": int(row["kernels"]),
        "blocks": int(row["blocks"]),
    }
    return Tenant(tenant_id, **(values | changes))  # type: ignore[arg-type]


def build_mix(count: int, gpu_memory_gib: float, *, noisy_pct: int = 0) -> tuple[Tenant, ...]:
    """Return the tenants of one GPU: a training job, a notebook from three on, else inference.

    Parameters
    ----------
    count
        Tenants, 2 or more.
    gpu_memory_gib
        Memory of the GPU.
    noisy_pct
        Cap of the training job, 0 for none: its MPS thread percentage and HAMi core limit. With 0,
        HAMi limits every tenant to an equal part of the cores, and MPS caps nobody.

    Raises
    ------
    InputError
        The count is below 2, or the cap outside 0 to 100.

    >>> [tenant.id for tenant in build_mix(4, 80)]
    ['inference-1', 'inference-2', 'notebook', 'training']
    """
    if count < 2 or not 0 <= noisy_pct <= 100:
        msg = f"count is {count}, noisy_pct {noisy_pct}; allowed are 2 or more, and 0 to 100"
        raise InputError(msg)
    quiet = [QUIET] if count > 2 else []
    inference = [VICTIM] * (count - 1 - len(quiet))
    equal_pct = 100 // count
    tenants = []
    for n, workload in enumerate([*inference, *quiet, NOISY], start=1):
        name = f"{workload}-{n}" if workload == VICTIM else workload
        capped = noisy_pct if workload == NOISY else 0
        changes = {"core_limit_pct": capped if noisy_pct else equal_pct}
        if capped:
            changes["thread_pct"] = capped
        tenants.append(build_tenant(workload, name, gpu_memory_gib, **changes))
    return tuple(tenants)
