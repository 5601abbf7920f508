"""Builds: the same bytes, whole or not at all, and one clear line when something is wrong."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from ipykernel.ipkernel import IPythonKernel

from gpudeck.deck import notebook as nb_tools
from gpudeck.deck.staging import recover, stage
from gpudeck.errors import InputError

PAGE, SECTION = "bare-metal", "02_baseline"
# runs the command line with one more cell before the first page of each section
RUN = """
import sys, nbformat
from gpudeck import cli
from gpudeck.deck import notebook
read = notebook.read_sections
def read_with_cell():
    sections = read()
    for section in sections.values():
        section.cells.insert(2, nbformat.v4.new_code_cell(sys.argv[1]))
    return sections
notebook.read_sections = read_with_cell
cli.main(sys.argv[2:])
"""
BYTES = ("deck.html", "deck.ipynb", "facts.json", "scenario.yaml")


def command(out, *options, cell="pass", lang="zh"):
    arguments = ["build", "--pages", PAGE, "--lang", lang, "--no-pdf", "--out", str(out), *options]
    return [sys.executable, "-c", RUN, cell, *arguments]


def build(out, *options, cell="pass", status=0, lang="zh", **popen):
    done = subprocess.run(
        command(out, *options, cell=cell, lang=lang),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        **popen,
    )
    assert done.returncode == status, done.stderr
    return done


def error_line(done):
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error:")]
    assert "Traceback" not in done.stderr
    return line


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """An export of one page in both languages, to be left intact by every failure."""
    out = tmp_path_factory.mktemp("export")
    build(out, lang="both")
    return out


@pytest.fixture
def intact(good):
    """The export, checked afterwards: same bytes, nothing beside it."""
    before = {path: path.read_bytes() for path in good.rglob("*") if path.is_file()}
    yield good
    assert sorted(path.name for path in good.iterdir()) == ["en", "zh"]
    assert {path: path.read_bytes() for path in good.rglob("*") if path.is_file()} == before


def test_a_second_build_has_the_same_bytes(good, tmp_path):
    build(tmp_path / "again", lang="both")
    for lang in ("zh", "en"):
        for name in BYTES:
            first, second = good / lang / name, tmp_path / "again" / lang / name
            assert first.read_bytes() == second.read_bytes(), name
            assert str(good.parent).encode() not in first.read_bytes()


def test_kernels_make_the_same_deck(good, tmp_path):
    script = (
        "import sys; from pathlib import Path; from gpudeck.deck.build import build_deck\n"
        "from gpudeck.deck import notebook; import nbformat\n"
        "read = notebook.read_sections\n"
        "def read_with_cell():\n"
        "    sections = read()\n"
        "    for section in sections.values():\n"
        "        section.cells.insert(2, nbformat.v4.new_code_cell('pass'))\n"
        "    return sections\n"
        "notebook.read_sections = read_with_cell\n"
        "from gpudeck.scenario import read_scenario\n"
        "build_deck(read_scenario('default'), ('en',), out=Path(sys.argv[1]),"
        f" pages=[{PAGE!r}], pdf=False, plain=True)"
    )
    subprocess.run([sys.executable, "-c", script, tmp_path], check=True, timeout=200)
    for name in BYTES:
        assert (tmp_path / "en" / name).read_bytes() == (good / "en" / name).read_bytes(), name


def test_facts_name_scenario_seed_and_pages(good):
    facts = json.loads((good / "en" / "facts.json").read_text(encoding="utf-8"))
    assert (facts["scenario"], facts["lang"], facts["seed"]) == ("default", "en", 0)
    assert [page["page"] for page in facts["pages"] if page["detail"] is None] == [PAGE]
    assert facts["pages"][0]["number"] == 4


def test_only_chosen_pages_are_shown(good):
    notebook = nb_tools.read(good / "zh" / "deck.ipynb")
    assert {record["page"] for record in nb_tools.records(notebook)} == {PAGE}
    html = (good / "zh" / "deck.html").read_text(encoding="utf-8")
    assert 'id="bare-metal"' in html
    assert 'id="root-causes"' not in html


def test_the_merged_notebook_runs_again_in_its_folder(good, tmp_path):
    source = good / "zh" / "deck.ipynb"
    target = tmp_path / "again.ipynb"
    engine = ["--engine", "gpudeck-fork", "--cwd", source.parent, "--no-progress-bar"]
    subprocess.run(
        [sys.executable, "-m", "papermill", source, target, *engine], check=True, timeout=120
    )
    first, second = (nbformat.read(path, as_version=4) for path in (source, target))
    again = [record for record in nb_tools.records(second) if record["page"] == PAGE]
    assert again == nb_tools.records(first)


def test_full_build_is_merged_in_order(built):
    notebook = nb_tools.read(built["zh"].notebook)
    nbformat.validate(notebook)
    pages = [record for record in nb_tools.records(notebook) if record["detail"] is None]
    assert [page["number"] for page in pages] == [*range(1, 32), None]
    opening = [cell for cell in notebook.cells if "open_deck(" in cell.source]
    parameters = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    assert (len(opening), len(parameters)) == (1, 1)
    assert 'scenario: str = "scenario.yaml"' in parameters[0].source
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)
    assert ids[0] == "01-01"


def test_a_failing_cell_is_named(intact):
    done = build(intact, cell="1 / 0", status=1)
    line = error_line(done)
    assert f"notebooks/{SECTION}.ipynb cell 3 (page {PAGE})" in line
    assert "ZeroDivisionError: division by zero" in line


def test_a_users_mistake_found_by_a_notebook_stays_one(intact):
    cell = "from gpudeck.errors import InputError\nraise InputError('trace.csv line 3: truncated')"
    assert error_line(build(intact, cell=cell, status=2)) == "error: trace.csv line 3: truncated"


def test_a_cell_that_kills_its_process_is_named(intact):
    done = build(intact, cell="import os\nos.kill(os.getpid(), 9)", status=1)
    assert f"notebooks/{SECTION}.ipynb: its process died (SIGKILL)" in error_line(done)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_build_leaves_nothing(intact, tmp_path, number, status):
    pid_file = tmp_path / "pid"
    cell = f"import os, time\nopen({str(pid_file)!r}, 'w').write(str(os.getpid()))\ntime.sleep(60)"
    process = subprocess.Popen(
        command(intact, cell=cell), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    wait_for(lambda: pid_file.exists() and pid_file.read_text())
    assert any(path.name.startswith(".zh.new-") for path in intact.iterdir())
    process.send_signal(number)
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == status, stderr
    assert "Traceback" not in stderr
    child = Path("/proc") / pid_file.read_text()
    wait_for(lambda: not child.exists())


def test_a_killed_build_is_tidied_up_by_the_next(tmp_path):
    root = tmp_path / "export"
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    for name in (f".zh.old-{dead.pid}", f".en.old-{dead.pid}", f".en.new-{dead.pid}", "en"):
        (root / name).mkdir(parents=True)
        (root / name / "from").write_text(name)
    alive = root / f".fr.new-{os.getppid()}"
    alive.mkdir()
    recover(root)
    assert sorted(path.name for path in root.iterdir()) == sorted([alive.name, "en", "zh"])
    assert (root / "zh" / "from").read_text().startswith(".zh.old")
    assert (root / "en" / "from").read_text() == "en"


def test_staged_folders_replace_their_targets_together(tmp_path):
    for name in ("zh", "en"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "old").touch()
    with stage(tmp_path, ("zh", "en")) as folders:
        for folder in folders.values():
            (folder / "new").touch()
        assert (tmp_path / "zh" / "old").exists()
    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["en", "new", "zh", "new"]


@pytest.mark.parametrize("below", ["file/deck", "file"])
def test_an_output_folder_that_cannot_be_is_the_users_mistake(tmp_path, below):
    (tmp_path / "file").touch()
    line = error_line(build(tmp_path / below, status=2))
    assert str(tmp_path / below) in line
    assert "--out" in line


def test_a_read_only_file_system_is_the_users_mistake():
    with (
        pytest.raises(InputError, match="/proc/deck cannot be written"),
        stage(Path("/proc/deck"), ["zh"]),
    ):
        pass


def test_a_full_disk_fails_the_build(intact):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    line = error_line(build(intact, status=1, preexec_fn=limit))
    assert "deck.html cannot be written: File too large" in line


def test_parameters_are_set_in_place():
    source = 'a: str = "é"  # 名\nb = 1  # number\nc: int = (\n 2)'
    cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[cell])
    changed = nb_tools.set_parameters(notebook, {"a": "x.yaml", "b": 7})
    assert changed.cells[0].source == 'a: str = "x.yaml"  # 名\nb = 7  # number\nc: int = (\n 2)'
    assert notebook.cells[0].source == source
    with pytest.raises(InputError, match="no parameter d; it has a, b, c"):
        nb_tools.set_parameters(notebook, {"d": 1})


def test_what_papermill_adds_is_cleaned_away():
    injected = nbformat.v4.new_code_cell("x = 1", metadata={"tags": ["injected-parameters"]})
    page = nbformat.v4.new_code_cell("x", metadata={"papermill": {"duration": 1}, "execution": {}})
    page.outputs = [
        nbformat.v4.new_output("execute_result", {"text/plain": "1"}, execution_count=9)
    ]
    notebook = nbformat.v4.new_notebook(cells=[injected, page], metadata={"papermill": {}})
    cleaned = nb_tools.clean(notebook, "04_orchestration")
    assert [cell.id for cell in cleaned.cells] == ["04-01", "04-02"]
    assert cleaned.cells[0].metadata == {
        "tags": ["injected-parameters", "remove-cell"],
        "slideshow": {"slide_type": "skip"},
        "jupyter": {"source_hidden": True},
    }
    assert cleaned.cells[1].metadata == {}
    assert cleaned.cells[1].outputs[0].execution_count == 2
    assert "papermill" not in cleaned.metadata


def test_outputs_are_stored_cleanly_and_a_second_time_the_same(tmp_path, root):
    folder = tmp_path / "notebooks"
    shutil.copytree(root / "notebooks", folder, ignore=shutil.ignore_patterns("fonts", "text"))
    script = (
        "import sys; from pathlib import Path; from gpudeck.deck.section import store_outputs\n"
        "store_outputs(Path(sys.argv[1]))"
    )
    stored = []
    for _ in range(2):
        subprocess.run([sys.executable, "-c", script, folder], check=True, timeout=200)
        stored.append({path.name: path.read_bytes() for path in folder.glob("*.ipynb")})
    assert stored[0] == stored[1]
    notebook = nb_tools.read(folder / f"{SECTION}.ipynb")
    assert next(record["lang"] for record in nb_tools.records(notebook)) == "zh"
    assert not any("injected-parameters" in str(cell.metadata) for cell in notebook.cells)


def test_the_stamp_is_what_the_kernel_says():
    notebook = nb_tools.stamp(nbformat.v4.new_notebook())
    assert notebook.metadata.language_info == IPythonKernel.language_info


def wait_for(condition, timeout_s=20):
    end = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)
