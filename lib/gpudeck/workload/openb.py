"""Reader of the Alibaba GPU cluster trace of 2023 (openb), and of the tables derived from it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpudeck.errors import InputError
from gpudeck.hardware.node import MAX_GPUS_PER_NODE, Nodes
from gpudeck.tables import data_dir, read_columns
from gpudeck.workload.pod import GPU_SHARES, Pods, wrong_gpu_shares

_NODE_COLUMNS = ("cpu_milli", "memory_mib", "gpu")
_POD_COLUMNS = ("cpu_milli", "memory_mib", "num_gpu", "gpu_milli")
_TIME_COLUMNS = ("creation_time", "deletion_time")
_WHOLE = re.compile(r"\d{1,15}")
_FIRST_LINE = 2  # of the file: the header is line 1


def read_openb_nodes(path: str | Path) -> Nodes:
    """Read a list of nodes, ``sn, cpu_milli, memory_mib, gpu, model``, in the order of the file.

    Parameters
    ----------
    path
        Such as ``openb_node_list_gpu_node.csv``.

    Raises
    ------
    InputError
        The file is missing, cut off or empty, or a cell is not allowed: named by file, line,
        column and value.

    Source: Alibaba, cluster-trace-gpu-v2023.
    """
    file = _File.read(path, ("sn", *_NODE_COLUMNS, "model"))
    names = file.names("sn")
    cpu, memory, gpus = (file.whole_numbers(column) for column in _NODE_COLUMNS)
    if (wrong := gpus > MAX_GPUS_PER_NODE).any():
        file.refuse("gpu", int(np.argmax(wrong)), f"0 to {MAX_GPUS_PER_NODE}")
    return Nodes(names, cpu, memory, gpus, np.array(file.columns["model"], dtype=np.str_))


def read_openb_pods(path: str | Path) -> Pods:
    """Read a list of pods and sort it by name.

    Columns ``name, cpu_milli, memory_mib, num_gpu, gpu_milli`` are needed; ``gpu_spec``,
    ``creation_time`` and ``deletion_time`` are read where the file has them.

    Parameters
    ----------
    path
        Such as ``openb_pod_list_default.csv``.

    Raises
    ------
    InputError
        The file is missing, cut off or empty, or a cell is not allowed: named by file, line,
        column and value.

    Source: Alibaba, cluster-trace-gpu-v2023.
    """
    file = _File.read(path, ("name", *_POD_COLUMNS))
    names = file.names("name")
    order = np.argsort(names, kind="stable")
    columns = [file.whole_numbers(column) for column in _POD_COLUMNS]
    if (wrong := wrong_gpu_shares(*columns[2:])).any():
        row = int(np.argmax(wrong))
        file.refuse("gpu_milli", row, f"{GPU_SHARES}; num_gpu is {columns[2][row]}")
    spec = np.array(file.columns.get("gpu_spec", ("",) * len(names)), dtype=np.str_)
    creation, deletion = None, None
    if set(_TIME_COLUMNS) <= set(file.columns):
        creation, deletion = (file.whole_numbers(column) for column in _TIME_COLUMNS)
        if (wrong := deletion < creation).any():
            row = int(np.argmax(wrong))
            file.refuse("deletion_time", row, f"{creation[row]}, the creation, or later")
        creation, deletion = creation[order], deletion[order]
    cpu, memory, num, milli = (column[order] for column in columns)
    return Pods(names[order], cpu, memory, num, milli, spec[order], creation, deletion)


@cache
def openb_nodes() -> Nodes:
    """Expand the cluster's summary: 1,213 nodes with 6,212 GPUs, by type and not in file order.

    Raises
    ------
    InputError
        The data folder is missing, or a cell is not allowed.

    >>> nodes = openb_nodes()
    >>> len(nodes), nodes.gpu_count
    (1213, 6212)
    """
    file = _File.read(data_dir() / "openb_node_types.csv", (*_NODE_COLUMNS, "model", "count"))
    cpu, memory, gpus = (file.whole_numbers(column) for column in _NODE_COLUMNS)
    return Nodes.from_types(cpu, memory, gpus, file.columns["model"], file.whole_numbers("count"))


@cache
def openb_pods(total: int | None = None) -> Pods:
    """Expand the pod list's summary: the 8,152 pods, or ``total`` in the same proportions.

    Raises
    ------
    InputError
        ``total`` is negative, the data folder is missing, or a cell is not allowed.

    >>> len(openb_pods()), len(openb_pods(100))
    (8152, 100)
    """
    path = data_dir() / "openb_pod_specs.csv"
    file = _File.read(path, (*_POD_COLUMNS, "gpu_spec", "count"))
    cpu, memory, num, milli = (file.whole_numbers(column) for column in _POD_COLUMNS)
    counts = file.whole_numbers("count")
    return Pods.from_specs(cpu, memory, num, milli, file.columns["gpu_spec"], counts, total=total)


@dataclass(frozen=True, slots=True)
class _File:
    """The columns of one file, with what an error message needs."""

    path: Path
    columns: dict[str, tuple[str, ...]]

    @classmethod
    def read(cls, path: str | Path, needed: Sequence[str]) -> "_File":
        path = Path(path)
        if not path.is_file():
            msg = f"{path} is not there; allowed is a CSV file of cluster-trace-gpu-v2023"
            raise InputError(msg)
        columns = read_columns(path)
        if missing := [column for column in needed if column not in columns]:
            msg = f"{path}, line 1: no column {', '.join(missing)}; allowed is {', '.join(needed)}"
            raise InputError(msg)
        if not columns[needed[0]]:
            msg = f"{path}, line 1: a header and no row below; allowed is 1 row or more"
            raise InputError(msg)
        return cls(path, columns)

    def refuse(self, column: str, row: int, allowed: str) -> None:
        """Raise an error that names the cell.

        Raises
        ------
        InputError
            Always.
        """
        value = self.columns[column][row]
        msg = (
            f"{self.path}, line {row + _FIRST_LINE}, column {column}: {value!r};"
            f" allowed is {allowed}"
        )
        raise InputError(msg)

    def names(self, column: str) -> NDArray[np.str_]:
        """Read distinct names that are not empty."""
        lines: dict[str, int] = {}
        for row, name in enumerate(self.columns[column]):
            if not name.strip():
                self.refuse(column, row, "a name")
            if name in lines:
                self.refuse(column, row, f"a name that line {lines[name]} does not have")
            lines[name] = row + _FIRST_LINE
        return np.array(self.columns[column], dtype=np.str_)

    def whole_numbers(self, column: str) -> NDArray[np.int64]:
        """Read whole numbers of 0 or above."""
        for row, text in enumerate(self.columns[column]):
            if not _WHOLE.fullmatch(text):
                self.refuse(column, row, "a whole number of 0 or above")
        return np.array(self.columns[column]).astype(np.int64)
