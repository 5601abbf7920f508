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
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpudeck.deck.child import Child, Message, Send, can_fork

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
    """Import what the cells import, and the shell, so that forked children find it imported."""
    for source in sources:
        for name in sorted(_imported(source)):
            # a module that fails does so again in the child, where the cell is known
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    importlib.import_module("IPython.core.interactiveshell")
    gc.freeze()  # the collector then leaves these pages alone, and children share them


def _imported(source: str) -> set[str]:
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a magic, or an error that the child will report
        return set()
    names = set()
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
    record = _Record()
    shell = _make_shell(record)
    sys.stdout, sys.stderr = _Stream(record, "stdout"), _Stream(record, "stderr")
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


@dataclass
class _Record:
    """The outputs of the cells so far, in the form that a notebook stores."""

    cell: int = -1
    outputs: dict[int, list[Message]] = field(default_factory=dict)
    changed: set[int] = field(default_factory=set)
    shown: dict[str, list[tuple[int, Message]]] = field(default_factory=dict)
    clear_next: bool = False
    printed: dict[str, str] = field(default_factory=dict)

    def start(self, cell: int) -> None:
        self.cell, self.clear_next = cell, False
        self.outputs[cell] = []
        self.changed.add(cell)

    def take(self) -> list[tuple[int, list[Message]]]:
        self.flush()
        changed, self.changed = sorted(self.changed), set()
        return [(cell, self.outputs[cell]) for cell in changed]

    def add(self, output: Message, display_id: str | None = None) -> None:
        self.flush()
        self._append(output)
        if display_id:
            self.update(output, display_id)
            self.shown.setdefault(display_id, []).append((self.cell, output))

    def update(self, output: Message, display_id: str) -> None:
        for cell, old in self.shown.get(display_id, ()):
            old |= {"data": output["data"], "metadata": output["metadata"]}
            self.changed.add(cell)

    def write(self, name: str, text: str) -> None:
        self.printed[name] = self.printed.get(name, "") + text

    def flush(self) -> None:
        # a kernel holds both streams back until something is shown, stdout goes first
        for name in ("stdout", "stderr"):
            if text := self.printed.pop(name, ""):
                self._append({"output_type": "stream", "name": name, "text": text})

    def has_error(self) -> bool:
        return any(out["output_type"] == "error" for out in self.outputs[self.cell])

    def clear(self, wait: bool) -> None:
        self.flush()
        self.clear_next = wait
        if not wait:
            self.outputs[self.cell].clear()

    def _append(self, output: Message) -> None:
        if self.clear_next:
            self.outputs[self.cell].clear()
            self.clear_next = False
        self.outputs[self.cell].append(output)


class _Stream:
    """What a cell prints to."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, record: _Record, name: str) -> None:
        self._record = record
        self.name = f"<{name}>"
        self._key = name

    def write(self, text: str) -> int:
        self._record.write(self._key, text)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        self._record.flush()

    def isatty(self) -> bool:
        return False

    def fileno(self) -> int:
        return 1 if self._key == "stdout" else 2


def _make_shell(record: _Record) -> Any:
    # made in the child only: a shell replaces sys.modules["__main__"] and the display hook
    from IPython.core.displayhook import DisplayHook
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets import Type
    from traitlets.config import Config

    class Hook(DisplayHook):  # type: ignore[misc]
        def start_displayhook(self) -> None:
            """A kernel's client shows the result: nothing is printed."""

        def write_output_prompt(self) -> None:
            """The count goes with the output."""

        def write_format_data(self, data: Message, metadata: Message | None = None) -> None:
            count = self.prompt_count
            output = {"output_type": "execute_result", "execution_count": count}
            if data:
                record.add({**output, "data": data, "metadata": metadata or {}})

        def finish_displayhook(self) -> None:
            """Everything was recorded above."""

    class Publisher(DisplayPublisher):  # type: ignore[misc]
        def publish(
            self,
            data: Message,
            metadata: Message | None = None,
            *_: Any,
            transient: Message | None = None,
            update: bool = False,
            **__: Any,
        ) -> None:
            output = {"output_type": "display_data", "data": data, "metadata": metadata or {}}
            display_id = (transient or {}).get("display_id")
            if update:
                record.update(output, display_id)
            else:
                record.add(output, display_id)

        def clear_output(self, wait: bool = False) -> None:
            record.clear(wait)

    class Shell(InteractiveShell):  # type: ignore[misc]
        displayhook_class = Type(Hook)
        display_pub_class = Type(Publisher)

        def _showtraceback(self, kind: type, value: BaseException, lines: list[str]) -> None:
            error = {"ename": kind.__name__, "evalue": str(value), "traceback": lines}
            record.add({"output_type": "error", **error})

        def enable_gui(self, gui: str | None = None) -> None:
            """A child has no window."""

    # the history would open a database and start a thread
    config = Config({"HistoryManager": {"enabled": False}})
    return Shell.instance(config=config)


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
        engine = type("Managed", (Engine,), {"execute_managed_notebook": staticmethod(_execute)})
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
