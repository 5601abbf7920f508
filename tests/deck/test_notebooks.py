"""The notebooks run as they stand: stored in Chinese, and in English under plain papermill.

That the stored Chinese outputs are what a fresh run gives is nbval's to say: pytest collects
`notebooks/*.ipynb` themselves, see pyproject.toml.
"""

import nbformat
import papermill
import pytest

from gpudeck.deck.checks.claims import compare_facts
from gpudeck.deck.notebook import records
from gpudeck.deck.outline import APPENDIX, NOTEBOOKS, PAGES, SECTIONS


def stored(section):
    return nbformat.read(NOTEBOOKS / f"{section}.ipynb", as_version=4)


@pytest.mark.parametrize("section", SECTIONS)
def test_stored_outputs_are_the_chinese_pages(section):
    notebook = stored(section)
    shown = records(notebook)
    slides = [cell for cell in notebook.cells if cell.metadata.slideshow.slide_type != "skip"]
    assert len(shown) == len(slides), "a page has no stored output: run the notebook and save it"
    assert {record["lang"] for record in shown} == {"zh"}
    wanted = [entry.id for entry in (*PAGES, APPENDIX) if entry.section == section]
    assert [record["page"] for record in shown if record["detail"] is None] == wanted


@pytest.mark.filterwarnings("default")  # papermill's own warnings are not ours to mend
@pytest.mark.parametrize("section", SECTIONS)
def test_papermill_gives_the_same_facts_in_english(section, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    executed = papermill.execute_notebook(
        NOTEBOOKS / f"{section}.ipynb",
        tmp_path / "out.ipynb",
        parameters={"lang": "en"},
        progress_bar=False,
        cwd=NOTEBOOKS,
    )
    english = records(executed)
    assert english
    assert {record["lang"] for record in english} == {"en"}
    assert compare_facts(records(stored(section)), english) == []
