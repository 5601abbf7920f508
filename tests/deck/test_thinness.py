"""Notebooks are thin, tagged and in the outline's order; the check finds each way not to be."""

import nbformat
import pytest

from gpudeck.deck.checks.notebooks import check_notebook, check_notebooks
from gpudeck.deck.outline import NOTEBOOKS

SECTION = "05_data"


@pytest.fixture
def notebook():
    return nbformat.read(NOTEBOOKS / f"{SECTION}.ipynb", as_version=4)


def messages(notebook):
    return [finding.message for finding in check_notebook(notebook, SECTION)]


def test_all_notebooks_are_thin():
    assert check_notebooks() == []


@pytest.mark.parametrize(
    ("code", "complaint"),
    [
        ("def half(x):\n    return x", "holds def"),
        ("class Model: ...", "holds class"),
        ("half = lambda x: x", "holds lambda"),
        ("for page in deck: page", "holds for"),
        ("while deck: deck", "holds while"),
        ("if deck: deck", "holds if"),
        ("rows = [page for page in deck]", "holds a comprehension"),
        ("rows = {page: page for page in deck}", "holds a comprehension"),
        ("rows = sum(page for page in deck)", "holds a comprehension"),
        ("import numpy as np", "imports numpy"),
        ("from matplotlib import pyplot", "imports matplotlib"),
        ("import gpudeckish", "imports gpudeckish"),
        ("gain = 0.83", "holds the number 0.83"),
        ("gain = deck.scale(2)", "holds the number 2"),
        ("gain = deck.gain * 100", "holds the number 100"),
        ("gain = 83 / 100", "holds the number 83"),
        ("fact = gpudeck.fact.Fact('a', value)", "makes a Fact itself"),
        ("%matplotlib inline", "not plain Python"),
        ("\n".join(f"line{i} = deck" for i in "abcdefghi"), "has 10 lines"),
    ],
)
def test_code_that_belongs_into_the_library_is_found(notebook, code, complaint):
    notebook.cells[3].source = f'{code}\ndeck.pending("parallel-fs")'
    assert any(complaint in message for message in messages(notebook))


@pytest.mark.parametrize(
    "code",
    [
        "from gpudeck.models import scheduling",
        "\n".join(f"from gpudeck.models import {name}" for name in "abcdefghi"),
        "curves = scheduling.fill_curves(deck.scenario, orders=30)",
        "load = deck.load_pct / 100",
        "first = deck.seeds[0]",
        "page = page.show(curves[name], deck.slot)",
    ],
)
def test_calls_into_the_library_are_thin(notebook, code):
    notebook.cells[3].source = f'{code}\ndeck.pending("parallel-fs")'
    assert messages(notebook) == []


def spoil_tag(notebook):
    notebook.cells[3].metadata.tags.remove("remove-input")


def spoil_hiding(notebook):
    notebook.cells[3].metadata.jupyter.source_hidden = False


def spoil_slide_type(notebook):
    notebook.cells[3].metadata.slideshow.slide_type = "skip"


def spoil_parameters(notebook):
    notebook.cells[0].metadata.tags.remove("parameters")


def spoil_parameter_type(notebook):
    notebook.cells[0].source = notebook.cells[0].source.replace("seed: int", "seed: float")


def spoil_order(notebook):
    places = [n for n, c in enumerate(notebook.cells) if c.metadata.slideshow.slide_type == "slide"]
    first, second = places[:2]
    notebook.cells[first], notebook.cells[second] = notebook.cells[second], notebook.cells[first]


def spoil_rise(notebook):
    notebook.metadata.rise.width = 1920


def spoil_kernel(notebook):
    notebook.metadata.kernelspec.name = "other"


def spoil_kind(notebook):
    notebook.cells.append(nbformat.v4.new_markdown_cell("words"))


@pytest.mark.parametrize(
    ("spoil", "complaint"),
    [
        (spoil_tag, "remove-input"),
        (spoil_hiding, "source_hidden"),
        (spoil_slide_type, "slide type 'skip'"),
        (spoil_parameters, "tag parameters"),
        (spoil_parameter_type, "has the parameters"),
        (spoil_order, "the outline asks for"),
        (spoil_rise, "rise settings"),
        (spoil_kernel, "kernelspec"),
        (spoil_kind, "markdown cell"),
    ],
)
def test_wrong_metadata_is_found(notebook, spoil, complaint):
    spoil(notebook)
    assert any(complaint in message for message in messages(notebook))


def test_a_missing_notebook_is_found(monkeypatch, tmp_path):
    monkeypatch.setattr("gpudeck.deck.checks.notebooks.NOTEBOOKS", tmp_path)
    findings = check_notebooks()
    assert len(findings) == 10
    assert findings[0].where == "01_opening.ipynb"
