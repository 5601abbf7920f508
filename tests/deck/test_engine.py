"""The fork engine is held to plain papermill: the same notebook, the same outputs."""

import subprocess
import sys
import threading

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from gpudeck.deck import notebook as nb_tools
from gpudeck.deck.child import Child, Pool, can_fork
from gpudeck.errors import BuildError, InputError

PAGE = """class Page:
    def _repr_mimebundle_(self, include=None, exclude=None):
        return {"text/plain": "p", "text/html": "<p>"}, {"gpudeck": {"page": "p", "facts": [1.5]}}
Page()"""
FIGURE = """import matplotlib.pyplot as plt
figure, axes = plt.subplots(figsize=(1, 1))
axes.plot([1, 2]);"""
DISPLAY = """from IPython.display import HTML, clear_output, display
shown = display(HTML("<b>1</b>"), display_id="q")
print("后")
3"""
EVERY_KIND = (
    "import sys\nprint('a')\nprint('b', file=sys.stderr)\nprint('c')\nx",
    DISPLAY,
    "shown.update(HTML('<i>2</i>'), metadata={'m': 1})",
    "print('gone')\nclear_output()\nprint('gone too')\nclear_output(wait=True)\nprint('kept')",
    PAGE,
    FIGURE,
    "import numpy as np\nnp.arange(3)",
    "4;",
    "_",
    "import asyncio\nawait asyncio.sleep(0)\n'awaited'",
    "%who_ls str",
)
RAISES = "def f():\n    raise ValueError('bad')\nprint('before')\nf()"


def run_papermill(source, target, *options, status=0):
    command = [sys.executable, "-m", "papermill", source, target, "--no-progress-bar", *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == status, done.stderr
    return nbformat.read(target, as_version=4)


def run_both(source, folder, *options, status=0):
    forked = run_papermill(
        source, folder / "fork.ipynb", "--engine", "gpudeck-fork", *options, status=status
    )
    return forked, run_papermill(source, folder / "plain.ipynb", *options, status=status)


def results(notebook):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    return [(cell.source, cell.execution_count, cell.outputs) for cell in cells]


def write(folder, *sources):
    cells = [new_markdown_cell("# every kind of output"), new_code_cell("x: int = 1")]
    cells[1].metadata.tags = ["parameters"]
    cells += [new_code_cell(source) for source in sources]
    path = folder / "in.ipynb"
    metadata = {"kernelspec": nb_tools.KERNELSPEC, "language_info": {"name": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


def test_every_kind_of_output_is_a_kernels(tmp_path):
    forked, plain = run_both(write(tmp_path, *EVERY_KIND), tmp_path, "-p", "x", "7")
    assert results(forked) == results(plain)
    assert len(results(plain)) == 2 + len(EVERY_KIND)  # the parameters, and the injected ones


def test_a_section_notebook_has_the_outputs_of_a_kernel(tmp_path, root):
    source = root / "notebooks" / "02_baseline.ipynb"
    forked, plain = run_both(source, tmp_path, "-p", "lang", "en")
    assert results(forked) == results(plain)
    assert nb_tools.records(forked)[0]["lang"] == "en"


def test_an_error_is_a_kernels_and_ends_the_run(tmp_path):
    source = write(tmp_path, RAISES, "print('never')")
    forked, plain = run_both(source, tmp_path, status=1)
    assert results(forked) == results(plain)
    assert "ValueError" in str(forked.cells)


def test_a_page_that_cannot_be_shown_fails(tmp_path):
    source = PAGE.replace("return", "raise ValueError('bad')\n        return")
    notebook = run_papermill(
        write(tmp_path, source), tmp_path / "out.ipynb", "--engine", "gpudeck-fork", status=1
    )
    assert notebook.metadata.papermill.exception


def test_a_child_that_dies_is_named(tmp_path):
    source = write(tmp_path, "import os\nos.kill(os.getpid(), 11)")
    command = [
        sys.executable,
        "-m",
        "papermill",
        source,
        tmp_path / "o",
        "--engine",
        "gpudeck-fork",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode != 0
    assert "in.ipynb: its process died (SIGSEGV)" in done.stderr


def test_no_fork_beside_a_thread():
    ready, stop = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: (ready.set(), stop.wait()))
    thread.start()
    try:
        ready.wait()
        assert not can_fork()
    finally:
        stop.set()
        thread.join()


@pytest.mark.parametrize("fork", [True, False])
def test_a_pool_does_all_work_and_passes_errors_on(fork):
    if fork and not can_fork():
        pytest.skip("needs a test process without threads: run without -n")
    heard, ended = [], []
    with Pool(2, fork=fork) as pool:
        for number in range(5):

            def work(send, number=number):
                send({"number": number, "big": "x" * 3_000_000})

            pool.submit(
                str(number), work, lambda m: heard.append(m["number"]), lambda: ended.append(1)
            )
        pool.run()
    assert sorted(heard) == list(range(5))
    assert len(ended) == 5

    def fail(send):
        msg = "no such file"
        raise InputError(msg)

    with Pool(2, fork=fork) as pool:
        pool.submit("x", fail, heard.append, lambda: None)
        with pytest.raises(InputError, match="no such file"):
            pool.run()


def test_a_child_tells_its_last_words():
    if not can_fork():
        pytest.skip("needs a test process without threads: run without -n")

    def work(send):
        msg = "out of luck"
        raise RuntimeError(msg)

    child = Child("work", work)
    assert child.read() == ([], True)
    with pytest.raises(BuildError, match=r"work: its process died \(exit status 1\).*out of luck"):
        child.end()
