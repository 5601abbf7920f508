"""Notebooks are thin: a cell computes with a few calls into the library and shows a page."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from typing import Any

import nbformat
from nbformat import NotebookNode

from gpudeck.deck.checks.finding import Finding
from gpudeck.deck.outline import APPENDIX, NOTEBOOKS, PAGES, SECTIONS

MAX_LINES = 8
PERCENT = "100"
PARAMETERS = {"scenario": "str", "lang": "str", "seed": "int"}
RISE = {"width": 1280, "height": 720, "margin": 0, "center": False, "transition": "none"}

_LOGIC = {
    ast.FunctionDef: "def",
    ast.AsyncFunctionDef: "def",
    ast.ClassDef: "class",
    ast.Lambda: "lambda",
    ast.For: "for",
    ast.While: "while",
    ast.If: "if",
    ast.IfExp: "if",
    ast.Try: "try",
    ast.With: "with",
    ast.ListComp: "a comprehension",
    ast.SetComp: "a comprehension",
    ast.DictComp: "a comprehension",
    ast.GeneratorExp: "a comprehension",
}


def check_notebooks() -> list[Finding]:
    """Return where a section notebook is not thin, not tagged, or not in the outline's order."""
    findings: list[Finding] = []
    for section in SECTIONS:
        path = NOTEBOOKS / f"{section}.ipynb"
        if not path.is_file():
            findings.append(Finding("notebooks", path.name, "is missing: the outline names it"))
            continue
        notebook = nbformat.read(path, as_version=4)
        findings += check_notebook(notebook, section)
    return findings


def check_notebook(notebook: NotebookNode, section: str) -> list[Finding]:
    """Return what is wrong with one section notebook."""
    name = f"{section}.ipynb"
    findings = [Finding("notebooks", name, message) for message in _judge_metadata(notebook)]
    shown: list[str] = []
    for number, cell in enumerate(notebook.cells, start=1):
        messages = [*_judge_cell_metadata(cell, number)]
        try:
            tree = ast.parse(cell.source)
        except SyntaxError as error:
            messages.append(f"is not plain Python: {error.msg}; magics are not allowed")
        else:
            messages += _judge_parameters(tree) if number == 1 else _judge_code(tree, cell.source)
            if _slide_type(cell) == "slide":
                shown += _shown_pages(tree)
        findings += [Finding("notebooks", f"{name} cell {number}", text) for text in messages]
    wanted = [entry.id for entry in (*PAGES, APPENDIX) if entry.section == section]
    if shown != wanted:
        message = f"shows the pages {', '.join(shown)}; the outline asks for {', '.join(wanted)}"
        findings.append(Finding("notebooks", name, message))
    return findings


def _judge_metadata(notebook: NotebookNode) -> Iterator[str]:
    if notebook.metadata.get("kernelspec", {}).get("name") != "python3":
        yield "has no kernelspec python3: RISE would not start"
    rise = notebook.metadata.get("rise", {})
    wrong = {key: rise.get(key) for key, value in RISE.items() if rise.get(key) != value}
    if wrong:
        yield f"has rise settings {wrong}; allowed are {RISE}"


def _judge_cell_metadata(cell: NotebookNode, number: int) -> Iterator[str]:
    if cell.cell_type != "code":
        yield f"is a {cell.cell_type} cell: every word of a page stands in notebooks/text"
    if not cell.metadata.get("jupyter", {}).get("source_hidden"):
        yield "lacks metadata jupyter.source_hidden: RISE would show its code"
    tags = cell.metadata.get("tags", [])
    if "remove-input" not in tags:
        yield "lacks the tag remove-input: the export would show its code"
    if (number == 1) != ("parameters" in tags):
        yield "the first cell, and it alone, has the tag parameters"
    allowed = ("skip",) if number <= 2 else ("slide", "subslide")
    if _slide_type(cell) not in allowed:
        yield f"has slide type {_slide_type(cell)!r}; allowed is {' or '.join(allowed)}"
    if any(output.output_type == "error" for output in cell.get("outputs", [])):
        yield "stores an error as its output"


def _judge_parameters(tree: ast.Module) -> Iterator[str]:
    found = {
        ast.unparse(node.target): ast.unparse(node.annotation)
        for node in tree.body
        if isinstance(node, ast.AnnAssign)
    }
    if found != PARAMETERS or len(tree.body) != len(PARAMETERS):
        yield f"has the parameters {found}; allowed are {PARAMETERS}, typed"


def _judge_code(tree: ast.Module, source: str) -> Iterator[str]:
    # an import computes nothing: a section of several pages may name all that it calls
    imports = sum(
        (node.end_lineno or node.lineno) - node.lineno + 1
        for node in tree.body
        if isinstance(node, ast.Import | ast.ImportFrom)
    )
    lines = sum(1 for line in source.splitlines() if line.strip()) - imports
    if lines > MAX_LINES:
        yield f"has {lines} lines; allowed are {MAX_LINES}: move what it computes into lib"
    allowed = {id(number) for number in _plain_numbers(tree)}
    for node in ast.walk(tree):
        for kind, word in _LOGIC.items():
            if isinstance(node, kind):
                yield f"holds {word}: logic belongs into lib"
        if isinstance(node, ast.Import):
            yield from _judge_imports([alias.name for alias in node.names])
        if isinstance(node, ast.ImportFrom):
            yield from _judge_imports([node.module or ""])
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Fact"):
            yield "makes a Fact itself: facts come from the function that computes them"
        if _is_number(node) and id(node) not in allowed:
            yield f"holds the number {ast.unparse(node)}: name it as a parameter or compute it"


def _judge_imports(modules: Sequence[str]) -> Iterator[str]:
    for module in modules:
        if module.split(".")[0] != "gpudeck":
            yield f"imports {module}; allowed is gpudeck alone"


def _plain_numbers(tree: ast.Module) -> Iterator[ast.AST]:
    """Yield what is no result: a parameter's value, an index, the hundred of a percentage."""
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword):
            yield node.value
        if isinstance(node, ast.Subscript):
            yield node.slice
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            yield from (side for side in (node.right,) if ast.unparse(side) == PERCENT)


def _is_number(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Constant)
        and isinstance(node.value, int | float | complex)
        and not isinstance(node.value, bool)
    )


def _shown_pages(tree: ast.Module) -> list[str]:
    return [
        str(node.args[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and ast.unparse(node.func) in {"deck.page", "deck.pending"}
        and node.args
        and isinstance(node.args[0], ast.Constant)
    ]


def _slide_type(cell: NotebookNode) -> Any:
    return cell.metadata.get("slideshow", {}).get("slide_type")
