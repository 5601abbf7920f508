# noqa: INP001 - a script beside the table that it makes
"""Fit the constants of ``serving_fit.csv`` to measured kernel times.

Run ``python data/fit_serving.py FOLDER`` with the folder that holds ``llm_linear_ms_per_layer.csv``
(Vidur's profile of matrix products and element-wise kernels), ``llm_attention_ms_per_layer.csv``
(AIConfigurator's attention kernels of vLLM) and ``llm_allreduce_ms.csv`` (Vidur's all-reduces).

Least squares in relative error; attention and all-reduces with a soft loss, because single rows are
far off (H100, eight heads, 16,384 tokens: slower than with twice the heads). Decoding is fitted on
rows with 32 or more key-value heads in flight: fewer leave multiprocessors idle, which no line
describes. Attention rows of Vidur are not used: they are of an older kernel. Residuals of all rows
are in the table as well, in percent: of each group of kernels, and of matrix products on a size of
layer, or where there is only one a number of GPUs, that was left out of the fit.
"""

import csv
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from gpudeck.hardware.gpu import find_gpu
from gpudeck.models.serving.attention import allreduce_s, decode_line, prefill_line
from gpudeck.models.serving.calibration import CONSTANTS, Calibration
from gpudeck.models.serving.layer import (
    attention_products,
    dense_products,
    element_bytes,
    element_s,
    product_s,
)
from gpudeck.tables import ROW_COLUMNS
from gpudeck.workload.model import find_model

DEVICES = {
    "A100-80G-SXM": ("a100", "NVIDIA A100-SXM4-80GB", "a100_dgx"),
    "H100-SXM": ("h100", "NVIDIA H100 80GB HBM3", "h100_dgx"),
}
MODELS = {
    "meta-llama/Meta-Llama-3-8B": "llama-3-8b",
    "meta-llama/Llama-2-70b-hf": "llama-2-70b",
    "meta-llama/Meta-Llama-3-70B": "llama-3-70b",
}
HEAD_DIM = 128  # of every attention row
FILLING_HEADS = 32  # requests times key-value heads that keep the GPU's multiprocessors busy
PRODUCTS = ("attn_pre_proj_ms", "attn_post_proj_ms", "mlp_up_proj_ms", "mlp_down_proj_ms")
ELEMENTS = {
    "norm": ("input_layernorm_ms", "post_attention_layernorm_ms"),
    "rope": ("attn_rope_ms",),
    "activation": ("mlp_act_ms",),
    "add": ("add_ms",),
}
# constant of each group: first guess, lowest, highest
BOUNDS = {
    "matmul_compute_efficiency": (0.7, 0.1, 1.0),
    "matmul_bandwidth_efficiency": (0.8, 0.1, 1.0),
    "matmul_exponent": (2.5, 1.0, 20.0),
    "matmul_overhead_us": (3.0, 0.0, 50.0),
    "prefill_compute_efficiency": (0.5, 0.05, 1.0),
    "prefill_bandwidth_efficiency": (0.2, 0.01, 2.0),
    "prefill_overhead_us": (10.0, 0.0, 100.0),
    "decode_cache_efficiency": (0.8, 0.05, 1.0),
    "decode_query_efficiency": (0.3, 0.01, 5.0),
    "decode_overhead_us": (10.0, 0.0, 100.0),
    "allreduce_efficiency": (0.6, 0.05, 1.5),
    "allreduce_2_us": (20.0, 0.0, 200.0),
    "allreduce_4_us": (20.0, 0.0, 200.0),
    "allreduce_8_us": (20.0, 0.0, 200.0),
}
BOUNDS |= {f"{kernel}_bandwidth_efficiency": (0.5, 0.05, 5.0) for kernel in ELEMENTS}
BOUNDS |= {f"{kernel}_overhead_us": (3.0, 0.0, 50.0) for kernel in ELEMENTS}
SOURCES = {"matmul": "vidur", "allreduce": "vidur", "prefill": "aiconfigurator"}
SOURCES |= {"decode": "aiconfigurator"} | dict.fromkeys(ELEMENTS, "vidur")


@dataclass(frozen=True)
class Measured:
    """A measured kernel: how to predict its seconds, the seconds, and what may be left out.

    Rows that are not `filled` take no part in the fit.
    """

    predict: Callable[[Calibration], float]
    seconds: float
    layer: str = ""
    gpus: int = 1
    filled: bool = True


def read_rows(path: Path, **where: str) -> list[dict[str, str]]:
    """Read the rows of a table whose cells are as told."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        return [row for row in rows if all(row[key] == value for key, value in where.items())]


def measured_linear(folder: Path, gpu_id: str) -> dict[str, list[Measured]]:
    """Read matrix products and element-wise kernels, by group."""
    gpu = find_gpu(gpu_id)
    groups: dict[str, list[Measured]] = {"matmul": [], **{kernel: [] for kernel in ELEMENTS}}
    path = folder / "llm_linear_ms_per_layer.csv"
    for row in read_rows(path, device=DEVICES[gpu_id][0]):
        model, gpus = find_model(MODELS[row["model"]]), int(row["tp"])
        tokens = np.array([float(row["num_tokens"])])
        shapes = (*attention_products(model, gpus), *dense_products(model, gpus))
        for name, shape in zip(PRODUCTS, shapes, strict=True):
            groups["matmul"].append(
                Measured(
                    lambda c, p=shape, n=tokens: float(product_s(p, n, gpu, c)[0]),
                    float(row[name]) * 1e-3,
                    f"{model.hidden} x {model.intermediate}",
                    gpus,
                )
            )
        moved = element_bytes(model, gpus, model.intermediate / gpus)
        for kernel, names in ELEMENTS.items():
            size = tokens * moved[kernel]
            for name in names:
                groups[kernel].append(
                    Measured(
                        lambda c, k=kernel, b=size: float(element_s(k, b, gpu, c)[0]),
                        float(row[name]) * 1e-3,
                    )
                )
    return groups


def measured_attention(folder: Path, gpu_id: str) -> dict[str, list[Measured]]:
    """Read attention kernels of prompts and of decoding, by group."""
    gpu = find_gpu(gpu_id)
    groups: dict[str, list[Measured]] = {"prefill": [], "decode": []}
    path = folder / "llm_attention_ms_per_layer.csv"
    for row in read_rows(path, device=DEVICES[gpu_id][1]):
        heads, kept, batch, length = (
            int(row[name]) for name in ("q_heads", "kv_heads", "batch", "kv_len")
        )

        def prefill(c: Calibration, h: int = heads, b: int = batch, n: int = length) -> float:
            line = prefill_line(h, HEAD_DIM, HEAD_DIM, gpu, c)
            return line.chunk_s + b * (n * line.token_s + n * n / 2 * line.work_s)

        def decode(
            c: Calibration, h: int = heads, k: int = kept, b: int = batch, n: int = length
        ) -> float:
            line = decode_line(h, HEAD_DIM, HEAD_DIM, 4.0 * k * HEAD_DIM, gpu, c)
            return line.step_s + b * (line.request_s + n * line.token_s)

        predict = prefill if row["op"] == "prefill" else decode
        filled = row["op"] == "prefill" or batch * kept >= FILLING_HEADS
        seconds = float(row["ms_per_layer"]) * 1e-3
        groups[row["op"]].append(Measured(predict, seconds, filled=filled))
    return groups


def measured_allreduce(folder: Path, gpu_id: str) -> dict[str, list[Measured]]:
    """Read all-reduces."""
    gpu = find_gpu(gpu_id)
    rows = read_rows(folder / "llm_allreduce_ms.csv", network=DEVICES[gpu_id][2])
    found = []
    for row in rows:
        size, gpus = np.array([float(row["bytes"])]), int(row["gpus"])
        found.append(
            Measured(
                lambda c, b=size, t=gpus: float(allreduce_s(gpu, c, t, b)[0]),
                float(row["ms"]) * 1e-3,
            )
        )
    return {"allreduce": found}


def fit_group(group: str, rows: list[Measured], start: Calibration) -> Calibration:
    """Fit the constants of one group of kernels, least squares in relative error."""
    names = [name for name in BOUNDS if name.startswith(f"{group}_")]
    guess, low, high = zip(*(BOUNDS[name] for name in names), strict=True)

    def errors(values: np.ndarray) -> np.ndarray:
        constants = replace(start, **dict(zip(names, map(float, values), strict=True)))
        return relative_errors(rows, constants)

    loss = "soft_l1" if group in {"prefill", "decode", "allreduce"} else "linear"
    found = least_squares(errors, guess, bounds=(low, high), loss=loss, f_scale=0.1).x
    return replace(start, **{n: float(f"{v:.4g}") for n, v in zip(names, found, strict=True)})


def relative_errors(rows: list[Measured], constants: Calibration) -> np.ndarray:
    """Return predicted over measured seconds, less 1, of each kernel."""
    return np.array([row.predict(constants) / row.seconds - 1 for row in rows])


def fit_gpu(folder: Path, gpu_id: str) -> tuple[Calibration, dict[str, float]]:
    """Fit all constants of a GPU; return them and the residuals in percent."""
    groups = measured_linear(folder, gpu_id) | measured_attention(folder, gpu_id)
    groups |= measured_allreduce(folder, gpu_id)
    constants = Calibration(**{name: BOUNDS[name][0] for name in CONSTANTS})
    residuals: dict[str, float] = {}
    for group, rows in groups.items():
        constants = fit_group(group, [row for row in rows if row.filled], constants)
        errors = 100 * np.abs(relative_errors(rows, constants))
        residuals[f"{group}_error_median"] = float(np.median(errors))
        residuals[f"{group}_error_worst"] = float(errors.max())
    residuals |= left_out(groups["matmul"], constants)
    return constants, residuals


def left_out(rows: list[Measured], constants: Calibration) -> dict[str, float]:
    """Return errors in percent of products of layers of one size, or GPUs, that were left out.

    Llama-2-70B and Llama-3-70B have equal layers, so they are left out together.
    """
    key = "layer" if len({row.layer for row in rows}) > 1 else "gpus"
    found: list[np.ndarray] = []
    for value in sorted({getattr(row, key) for row in rows}):
        kept = [row for row in rows if getattr(row, key) != value]
        unseen = [row for row in rows if getattr(row, key) == value]
        found.append(relative_errors(unseen, fit_group("matmul", kept, constants)))
    errors = 100 * np.abs(np.concatenate(found))
    return {
        "matmul_unseen_error_median": float(np.median(errors)),
        "matmul_unseen_error_mean": float(errors.mean()),
        "matmul_unseen_error_worst": float(errors.max()),
    }


def table_rows(folder: Path, accessed: str) -> list[tuple[object, ...]]:
    """Return the rows of the table for every fitted GPU."""
    rows: list[tuple[object, ...]] = []
    for gpu_id in DEVICES:
        constants, residuals = fit_gpu(folder, gpu_id)
        for name in CONSTANTS:
            group = name.split("_")[0]
            unit = "us" if name.endswith("_us") else "1"
            value = f"{getattr(constants, name):.4g}"
            told = f"fit_serving.py: least squares in relative error, {group} kernels"
            rows.append(
                (gpu_id, name, value, unit, "", "", "derived", SOURCES[group], told, accessed)
            )
        for name, percent in residuals.items():
            group = name.split("_")[0]
            told = f"fit_serving.py: absolute relative error of {group} kernels"
            if "unseen" in name:
                told += ", size of layer (A100) or number of GPUs (H100) left out"
            value = f"{percent:.3g}"
            rows.append(
                (gpu_id, name, value, "%", "", "", "derived", SOURCES[group], told, accessed)
            )
    return rows


def write_table(folder: Path, target: Path, accessed: str) -> None:
    """Write the table of constants and residuals."""
    with target.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(ROW_COLUMNS)
        writer.writerows(table_rows(folder, accessed))


if __name__ == "__main__":
    if len(sys.argv) not in {2, 3}:
        sys.exit("usage: python data/fit_serving.py FOLDER [DATE OF ACCESS]")
    when = sys.argv[2] if len(sys.argv) > 2 else date.today().isoformat()
    write_table(Path(sys.argv[1]), Path(__file__).with_name("serving_fit.csv"), when)
