"""Section notebooks: read, parameterise, clean, merge into one deck, stamp and sign."""

from __future__ import annotations

import ast
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gpudeck.deck.outline import NOTEBOOKS, SECTIONS
from gpudeck.errors import BuildError, InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from nbformat import NotebookNode

RECORD = "gpudeck"  # key of a page's record in its output's metadata
PARAMETERS, INJECTED, REMOVE = "parameters", "injected-parameters", "remove-cell"
_RUN_METADATA = ("papermill", "execution", "collapsed", "scrolled", "trusted")
_HIDDEN = {"slideshow": {"slide_type": "skip"}, "jupyter": {"source_hidden": True}}

# RISE starts only if these are, to the letter, what the local kernel says
KERNELSPEC = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}


@contextmanager
def _without(module: str) -> Iterator[None]:
    if module in sys.modules:
        yield
        return
    sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[module]


# an optional check of jsonschema compiles a grammar for two seconds; no notebook needs it
with _without("rfc3987_syntax"):
    import nbformat
    import nbformat.sign


def read_sections(folder: Path = NOTEBOOKS) -> dict[str, NotebookNode]:
    """Return the section notebooks by name, in the order of the outline.

    Raises
    ------
    InputError
        When a notebook is missing or is not a notebook.
    """
    return {section: read(folder / f"{section}.ipynb") for section in SECTIONS}


def read(path: Path) -> NotebookNode:
    """Return one notebook.

    Raises
    ------
    InputError
        When it is missing or is not a notebook.
    """
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        msg = f"notebook {path} is missing; `git checkout notebooks` brings it back"
        raise InputError(msg) from None
    except (nbformat.reader.NotJSONError, nbformat.ValidationError, UnicodeError) as error:
        msg = f"{path} is not a notebook: {str(error).splitlines()[0]}"
        raise InputError(msg) from None


def to_text(notebook: NotebookNode) -> str:
    """Return a notebook as the text of its file, the same for the same cells and outputs.

    Raises
    ------
    BuildError
        When it is not a valid notebook.
    """
    try:
        nbformat.validate(notebook)
    except nbformat.ValidationError as error:
        msg = f"the merged notebook is not valid: {error.message}"
        raise BuildError(msg) from None
    return f"{nbformat.writes(notebook, version=4)}\n"


def set_parameters(notebook: NotebookNode, values: Mapping[str, str | int]) -> NotebookNode:
    """Return the notebook with other defaults in its `parameters` cell; comments stay.

    Raises
    ------
    InputError
        When the notebook has no such cell, or the cell no such parameter.
    """
    notebook = deepcopy(notebook)
    cells = [cell for cell in notebook.cells if PARAMETERS in _tags(cell)]
    if not cells:
        msg = f"the notebook has no cell with the tag {PARAMETERS!r}"
        raise InputError(msg)
    lines = cells[0].source.splitlines()
    known: set[str] = set()
    for node in ast.parse(cells[0].source).body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        value = getattr(node, "value", None)
        if not isinstance(target, ast.Name) or not isinstance(value, ast.expr):
            continue
        known.add(target.id)
        if target.id in values and value.end_lineno == value.lineno:
            line = lines[value.lineno - 1].encode()  # columns of ast count bytes
            text = json.dumps(values[target.id]).encode()
            new = line[: value.col_offset] + text + line[value.end_col_offset :]
            lines[value.lineno - 1] = new.decode()
    if missing := sorted(set(values) - known):
        msg = (
            f"the notebook has no parameter {', '.join(missing)}; it has {', '.join(sorted(known))}"
        )
        raise InputError(msg)
    cells[0].source = "\n".join(lines)
    return notebook


def clean(notebook: NotebookNode, section: str) -> NotebookNode:
    """Return the notebook without traces of its run: times, fresh ids, papermill's marks.

    A cell that papermill injected stays, hidden in the show and removed from exports.
    """
    notebook = deepcopy(notebook)
    notebook.metadata.pop("papermill", None)
    for number, cell in enumerate(notebook.cells, start=1):
        cell.id = f"{section[:2]}-{number:02d}"
        for name in _RUN_METADATA:
            cell.metadata.pop(name, None)
        if INJECTED in _tags(cell):
            cell.metadata.update(deepcopy(_HIDDEN))
            cell.metadata.tags = sorted({*_tags(cell), REMOVE})
    return _number(notebook)


def merge(notebooks: Mapping[str, NotebookNode]) -> NotebookNode:
    """Return one notebook that holds all sections and runs from top to bottom.

    The first section's parameters and opening cell stand for those of all. Cells keep their
    section in their id.
    """
    merged: NotebookNode | None = None
    for section, notebook in notebooks.items():
        part = clean(notebook, section)
        if merged is None:
            merged = part
        else:
            merged.cells += [cell for cell in part.cells if not _opens(cell)]
    if merged is None:
        msg = "no section to merge"
        raise BuildError(msg)
    return _number(merged)


def _number(notebook: NotebookNode) -> NotebookNode:
    """Count the cells as a kernel does that runs the notebook once."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    for count, cell in enumerate(code, start=1):
        cell.execution_count = count
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = count
    return notebook


def _opens(cell: NotebookNode) -> bool:
    return bool({PARAMETERS, INJECTED} & set(_tags(cell))) or "open_deck(" in cell.source


def records(notebook: NotebookNode) -> list[dict[str, Any]]:
    """Return the record of every page in the outputs of a notebook, in their order."""
    return [record for cell in notebook.cells for record in cell_records(cell)]


def cell_records(cell: NotebookNode) -> list[dict[str, Any]]:
    """Return the records of the pages that one cell shows."""
    outputs = cell.get("outputs", ())
    return [out.metadata[RECORD] for out in outputs if RECORD in out.get("metadata", {})]


def keep_pages(notebook: NotebookNode, pages: Sequence[str]) -> NotebookNode:
    """Return the notebook with only these pages shown; other cells stay, for they compute."""
    notebook = deepcopy(notebook)
    for cell in notebook.cells:
        shown = {record["page"] for record in cell_records(cell)}
        if shown and not shown & set(pages):
            cell.outputs = []
            cell.metadata.update(deepcopy(_HIDDEN))
            cell.metadata.tags = sorted({*_tags(cell), REMOVE})
    return notebook


def stamp(notebook: NotebookNode) -> NotebookNode:
    """Write into the notebook which kernel runs it, exactly as the local kernel says it."""
    notebook.metadata.kernelspec = nbformat.from_dict(KERNELSPEC)
    notebook.metadata.language_info = nbformat.from_dict(
        {
            "codemirror_mode": {"name": "ipython", "version": sys.version_info[0]},
            "file_extension": ".py",
            "mimetype": "text/x-python",
            "name": "python",
            "nbconvert_exporter": "python",
            "pygments_lexer": f"ipython{sys.version_info[0]}",
            "version": ".".join(str(part) for part in sys.version_info[:3]),
        }
    )
    return notebook


def sign(path: Path) -> None:
    """Make this user's Jupyter trust a notebook as it is: sign last, after every change."""
    nbformat.sign.NotebookNotary().sign(read(path))


def to_node(output: dict[str, Any]) -> NotebookNode:
    """Return an output, as JSON holds it, as nbformat holds it."""
    return nbformat.from_dict(output)


def write(path: Path, content: str | bytes) -> None:
    """Write a file.

    Raises
    ------
    BuildError
        When it cannot be written, for example because the disk is full.
    """
    try:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        msg = f"{path} cannot be written: {error.strerror}; the previous export is unchanged"
        raise BuildError(msg) from None


def _tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


if __name__ == "__main__":
    from gpudeck.deck.section import store_outputs

    store_outputs()
