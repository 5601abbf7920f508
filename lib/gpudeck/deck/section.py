"""One section notebook while it runs: in a forked child, or in a kernel of its own."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gpudeck.deck import notebook as nb_tools
from gpudeck.deck.child import Message, Pool, Send, can_fork
from gpudeck.deck.engine import Cell, code_cells, preload, run_cells
from gpudeck.deck.outline import APPENDIX, NOTEBOOKS, PAGES
from gpudeck.errors import BuildError, InputError

if TYPE_CHECKING:
    from nbformat import NotebookNode


@dataclass
class Section:
    """A section notebook that collects its outputs.

    Parameters
    ----------
    name : str
        Its name in the outline.
    notebook : NotebookNode
        The notebook, its parameters set; the outputs are put into it.
    """

    name: str
    notebook: NotebookNode
    cells: list[Cell] = field(init=False)

    def __post_init__(self) -> None:
        self.cells = code_cells(self.notebook)
        for cell in self.notebook.cells:
            if cell.cell_type == "code":
                cell.outputs = []

    @property
    def path(self) -> str:
        """Return how people call the notebook."""
        return f"notebooks/{self.name}.ipynb"

    @property
    def weight(self) -> int:
        """Return a guess at how long it runs, to compare: code that computes is longer."""
        return sum(len(source) for _, source, _ in self.cells)

    def run(self, folder: Path, send: Send, *, fork: bool) -> None:
        """Run the cells in `folder` and send what each puts out, for `store`."""
        if fork:
            run_cells(self.cells, folder, send)
        else:
            self._run_in_kernel(folder, send)

    def store(self, message: Message) -> None:
        """Put the outputs of a cell into the notebook.

        Raises
        ------
        InputError
            When the cell raised one: its message is for the user as it is.
        BuildError
            When the cell raised anything else.
        """
        cell = self.notebook.cells[message["cell"]]
        cell.outputs = [nb_tools.to_node(output) for output in message["outputs"]]
        if not message.get("failed"):
            return
        error = next(output for output in cell.outputs if output.output_type == "error")
        if error.ename == InputError.__name__:
            raise InputError(error.evalue)
        where = self._where(message["cell"])
        msg = f"{where} raised {error.ename}: {error.evalue}; the previous export is unchanged"
        raise BuildError(msg)

    def complaints(self) -> Iterator[str]:
        """Yield what the cells wrote to stderr: a page does not show it, a build should."""
        for index, _, _ in self.cells:
            for output in self.notebook.cells[index].outputs:
                if output.output_type == "stream" and output.name == "stderr":
                    yield f"{self._where(index)} wrote: {output.text.strip().splitlines()[-1]}"

    def _where(self, index: int) -> str:
        """Return notebook and cell, and the page that the cell, or the next, names."""
        sources = [cell.source for cell in self.notebook.cells[index:]]
        ids = [page.id for page in (*PAGES, APPENDIX)]
        named = (page for source in sources for page in ids if f'"{page}"' in source)
        page = next(named, None)
        return f"{self.path} cell {index + 1}" + (f" (page {page})" if page else "")

    def _run_in_kernel(self, folder: Path, send: Send) -> None:
        # imported here: only a build without forks needs it
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError

        client = NotebookClient(self.notebook, resources={"metadata": {"path": str(folder)}})
        with contextlib.suppress(CellExecutionError):  # the cell holds the error, which is sent
            client.execute()
        for index, _, may_raise in self.cells:
            outputs = self.notebook.cells[index].outputs
            failed = not may_raise and any(out.output_type == "error" for out in outputs)
            send({"cell": index, "count": 0, "outputs": outputs, "failed": failed})


def store_outputs(folder: Path = NOTEBOOKS) -> None:
    """Run all section notebooks as they are and write their outputs into their files.

    Raises
    ------
    InputError, BuildError
        What a cell raised; then no file has changed.
    """
    sections = [Section(name, nb) for name, nb in nb_tools.read_sections(folder).items()]
    fork = can_fork()
    if fork:
        preload(source for section in sections for _, source, _ in section.cells)
    with Pool(len(os.sched_getaffinity(0)) if fork else 1, fork=fork) as pool:
        for section in sections:
            run = partial(section.run, folder, fork=fork)
            pool.submit(section.path, run, section.store, lambda: None)
        pool.run()
    for section in sections:
        text = nb_tools.to_text(nb_tools.clean(section.notebook, section.name))
        nb_tools.write(folder / f"{section.name}.ipynb", text)
