"""Runs a notebook in a forked child of a process that has already imported its libraries.

A kernel takes 1.2 s to start and stop and a second to import; a fork takes neither. Outputs are
those of a kernel: IPython's shell makes them, and a test compares the two.
"""

from __future__ import annotations

import ast
import contextlib
import gc
import importlib
import os
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpudeck.deck.child import Child, Message, Send, can_fork
from gpudeck.deck.shell import Record, Stream, make_shell

if TYPE_CHECKING:
    from papermill.engines import NotebookExecutionManager

Cell = tuple[int, str, bool]  # index, source, may it raise
# what ipykernel sets, so that a figure left open is shown
_INLINE_BACKEND = "module://matplotlib_inline.backend_inline"


def code_cells(notebook: Any) -> list[Cell]:
    """Return the cells of a notebook that are to be run, as a kernel's client chooses them."""
    cells = []
    for index, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code" and cell.source.strip() and "skip-execution" not in tags:
            cells.append((index, cell.source, "raises-exception" in tags))
    return cells


def preload(sources: Iterable[str]) -> None:
    """Import what the cells import, so that forked children find it imported."""
    for source in sources:
        for name in sorted(_imported(source)):
            # a module that fails does so again in the child, where the cell is known
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    gc.freeze()  # the collector then leaves these pages alone, and children share them


def _imported(source: str) -> set[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic, or an error that the child will report
        return set()
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module)
            # `from package import module` imports a module too
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def run_cells(cells: Sequence[Cell], folder: Path, send: Send) -> None:
    """Run cells in a new shell of this process and send, after each, what it put out.

    Parameters
    ----------
    cells : sequence of (index, source, may raise)
        As `code_cells` returns them.
    folder : Path
        Working directory.
    send : callable
        Gets {"cell", "count", "outputs", "failed"} per cell; the first failed cell is the last.
    """
    os.chdir(folder)
    sys.path.insert(0, "")  # as a kernel does: modules beside the notebook can be imported
    os.environ.setdefault("MPLBACKEND", _INLINE_BACKEND)
    matplotlib = sys.modules.get("matplotlib")
    if matplotlib is not None and matplotlib.get_backend(auto_select=False) is None:
        matplotlib.rcParams["backend"] = os.environ["MPLBACKEND"]
    record = Record()
    shell = make_shell(record)
    sys.stdout, sys.stderr = Stream(record, "stdout"), Stream(record, "stderr")
    for index, source, may_raise in cells:
        record.start(index)
        count = shell.execution_count
        result = shell.run_cell(source, store_history=True)
        # a page that cannot be shown fails too, though IPython only prints the reason
        failed = not result.success or record.has_error()
        for cell, outputs in record.take():
            mine = {"count": count, "failed": failed} if cell == index else {}
            send({"cell": cell, "outputs": outputs, **mine})
        if failed and not may_raise:
            break


class ForkEngine:
    """The papermill engine `gpudeck-fork`; where the system cannot fork, papermill's own.

    It derives from nothing, because papermill loads its engines while it is being imported itself.
    """

    @classmethod
    def execute_notebook(cls, nb: Any, kernel_name: str | None, **options: Any) -> Any:
        """Run a notebook and return it with its outputs, as papermill's engines do."""
        from papermill.engines import Engine, NBClientEngine
        from tqdm import tqdm

        tqdm.monitor_interval = 0  # its thread would not survive the fork
        if not can_fork():
            return NBClientEngine.execute_notebook(nb, kernel_name, **options)
        engine: Any = type("Fork", (Engine,), {"execute_managed_notebook": staticmethod(_execute)})
        return engine.execute_notebook(nb, kernel_name, **options)

    @classmethod
    def nb_kernel_name(cls, nb: Any, name: str | None = None) -> str:
        """Return the name of the kernel that the notebook asks for."""
        from papermill.utils import nb_kernel_name

        return nb_kernel_name(nb, name)

    @classmethod
    def nb_language(cls, nb: Any, language: str | None = None) -> str:
        """Return the language of the notebook."""
        from papermill.utils import nb_language

        return nb_language(nb, language)


def _execute(manager: NotebookExecutionManager, kernel_name: str, **_: Any) -> None:
    cells = code_cells(manager.nb)
    preload(source for _, source, _ in cells)
    name = str(manager.nb.metadata.get("papermill", {}).get("input_path") or "notebook")
    child = Child(name, lambda send: run_cells(cells, Path.cwd(), send))
    waiting = iter(cells)
    ended = False
    try:
        while not ended:
            messages, ended = child.read()
            for message in messages:
                if "count" in message:
                    index = next(waiting)[0]
                    manager.cell_start(manager.nb.cells[index], index)
                _store(manager, message)
        child.end()
    finally:
        child.kill()


def _store(manager: NotebookExecutionManager, message: Message) -> None:
    from nbformat import from_dict

    index = message["cell"]
    cell = manager.nb.cells[index]
    cell.outputs = [from_dict(output) for output in message["outputs"]]
    if "count" in message:
        cell.execution_count = message["count"]
        if message["failed"]:
            manager.cell_exception(cell, cell_index=index)
        manager.cell_complete(cell, cell_index=index)
