"""The live server answers on this machine, to those who have the token, until it ends."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from nbformat.sign import NotebookNotary

from gpudeck.deck import live
from gpudeck.deck import notebook as nb_tools
from gpudeck.errors import BuildError, InputError
from gpudeck.scenario import read_scenario


def get(address):
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=20) as answer:
        return answer.status


@pytest.fixture
def taken():
    with socket.socket() as holder:
        holder.bind((live.HOST, 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_a_port_that_is_taken_gives_way_to_the_next(taken):
    assert taken < live.find_port(taken) < taken + 100
    assert live.find_port(0) > 0
    with pytest.raises(InputError, match="port 65536"):
        live.find_port(65536)


@pytest.fixture
def project(tmp_path, monkeypatch, root):
    """A copy of the notebooks in a folder of their own, where the show looks for everything."""
    for name in ("notebooks", "lib", "data"):
        (tmp_path / name).mkdir()
    for path in (root / "notebooks").glob("*.ipynb"):
        shutil.copy(path, tmp_path / "notebooks")
    monkeypatch.setattr(live, "ROOT", tmp_path)
    monkeypatch.setattr(live, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(live, "EXPORT", tmp_path / "export")
    return tmp_path


@pytest.fixture
def builds(monkeypatch, built, project):
    """A list of the builds that the show asked for; the default deck stands for each."""
    asked = []

    def build(scenario, langs, **options):
        asked.append((scenario.id, langs))
        shutil.copytree(built["zh"].folder, live.EXPORT / scenario.id / "zh", dirs_exist_ok=True)
        (live.EXPORT / scenario.id / "zh" / "facts.json").touch()

    monkeypatch.setattr(live, "build_deck", build)
    return asked


def test_the_deck_is_built_only_when_it_is_out_of_date(builds, project):
    scenario = read_scenario("default")
    notebook = live.prepare(scenario, "zh")
    assert builds == [("default", ("zh",))]
    live.prepare(scenario, "zh")
    assert len(builds) == 1
    (project / "data" / "new.csv").touch()
    os.utime(project / "data" / "new.csv", (time.time() + 5,) * 2)
    live.prepare(scenario, "zh")
    assert len(builds) == 2
    (project / "data" / "new.csv").unlink()
    (notebook.parent / "scenario.yaml").write_text("id: other")
    live.prepare(scenario, "zh")
    assert len(builds) == 3


def test_all_notebooks_are_stamped_and_trusted(builds, project):
    merged = live.prepare(read_scenario("default"), "zh")
    for path in (merged, *sorted((project / "notebooks").glob("*.ipynb"))):
        notebook = nb_tools.read(path)
        assert notebook.metadata.language_info.version == sys.version.split()[0]
        assert notebook.metadata.kernelspec == nb_tools.KERNELSPEC
        assert NotebookNotary().check_signature(notebook), path


def test_the_server_wants_the_token_and_ends_with_the_block(builds, project, taken):
    notebook = live.prepare(read_scenario("default"), "zh")
    with live.serve(notebook, port=taken) as show:
        assert f":{taken}/" not in show.slideshow
        assert "/rise/export/default/zh/deck.ipynb?token=" in show.slideshow
        for address in (show.slideshow, show.classic, show.sections):
            assert get(address) == 200
        contents = show.slideshow.replace("/rise/", "/api/contents/")
        assert get(contents) == 200
        with pytest.raises(urllib.error.HTTPError, match="403"):
            get(contents.split("?")[0])
    with pytest.raises(urllib.error.URLError):
        get(show.slideshow)


def test_a_server_that_does_not_start_says_why(builds, project, monkeypatch):
    notebook = live.prepare(read_scenario("default"), "zh")
    program = project / "python"
    program.write_text("#!/bin/sh\necho no jupyterlab here\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr(live.sys, "executable", str(program))
    reason = "JupyterLab did not start: no jupyterlab here"
    with pytest.raises(BuildError, match=reason), live.serve(notebook):
        pass


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_server(built, project, number):
    folder = project / "export" / "default" / "zh"
    shutil.copytree(built["zh"].folder, folder)
    script = (
        "import sys; from pathlib import Path; from gpudeck.deck import live\n"
        "from gpudeck.scenario import read_scenario\n"
        "live.ROOT = Path(sys.argv[1]); live.prepare = lambda *_, **__: Path(sys.argv[2])\n"
        "live.start(read_scenario('default'), 'zh', say=lambda line: print(line, flush=True))"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, project, folder / "deck.ipynb"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    lines = [process.stdout.readline() for _ in range(4)]
    address = lines[0].split()[1]
    assert get(address) == 200
    process.send_signal(number)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == (0 if number == signal.SIGINT else 143)
    assert stderr == ""
    with pytest.raises(urllib.error.URLError):
        get(address)


def test_the_records_survive_the_stamp(builds, project, built):
    merged = live.prepare(read_scenario("default"), "zh")
    pages = json.loads(built["zh"].facts.read_text(encoding="utf-8"))["pages"]
    assert len(nb_tools.records(nb_tools.read(merged))) == len(pages)
