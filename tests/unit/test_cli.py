"""The command line: help, exit statuses, and one line for each mistake."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpudeck import cli
from gpudeck.errors import BuildError, InputError
from gpudeck.scenario import read_scenario

COMMANDS = ("build", "live", "facts", "check", "new-scenario", "validate")


def run(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [sys.executable, "-m", "gpudeck", *arguments],
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=120,
        check=False,
    )


def fail(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the command in this process; return its status and its one line."""
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    out, err = capsys.readouterr()
    assert not out
    assert err.startswith("error: ")
    assert err.count("\n") == 1, err
    return int(str(left.value.code)), err


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([command, "--help"])
    assert left.value.code == 0
    assert f"Example: gpudeck {command}" in " ".join(capsys.readouterr().out.split())


def test_alone_it_shows_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        cli.main([])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    assert all(command in shown for command in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["build", "--nonsense"], "No such option: --nonsense"),
        (["build", "--seed", "-1"], "--seed"),
        (["build", "--seed", "1.5"], "--seed"),
        (["build", "--lang", "fr"], "--lang is 'fr'; allowed are zh, en, both"),
        (["live", "--lang", "both"], "--lang is 'both'; allowed are zh, en"),
        (["live", "--port", "70000"], "--port"),
        (["build", "--pages", "32"], "--pages has '32'; allowed are numbers from 1 to 31"),
        (["build", "--pages", "0"], "--pages has '0'"),
        (["build", "--pages", "14-12"], "--pages has '14-12'"),
        (["build", "--pages", "1-99"], "--pages has '1-99'"),
        (["build", "--pages", "a-b"], "page 'a-b' is unknown"),
        (["build", "--pages", "binpak"], "did you mean binpack?"),
        (["build", "--pages", ""], "page '' is unknown"),
        (["build", "--pages", "10,,12"], "page '' is unknown"),
        (["build", "--pages", "-3"], "page '-3' is unknown"),
        (["facts"], "Missing option '--page'"),
        (["facts", "--page", "32"], "page '32' is unknown"),
        (["facts", "--page", "binpack", "--lang", "de"], "--lang is 'de'"),
        (["build", "--scenario", "defaul"], "did you mean default?"),
        (["build", "--scenario", "no/such.yaml"], "no/such.yaml: no such file"),
        (["build", "--set", "fleet.nodes=-1"], "fleet.nodes is -1; allowed is a whole number"),
        (["facts", "--page", "1", "--set", "fleet.nodes=.nan"], "fleet.nodes is nan"),
        (["check", "--scenario", "nope"], "scenario 'nope' is unknown"),
        (["new-scenario", "mine.txt"], "ends in .yaml"),
        (["new-scenario"], "Missing argument 'FILE'"),
    ],
)
def test_mistakes_of_the_user_end_with_2(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, line = fail(capsys, *arguments)
    assert status == 2
    assert words in line


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (InputError("a is 1;\n allowed is 2"), 2, "error: a is 1; allowed is 2\n"),
        (BuildError("cell 3 raised"), 1, "error: cell 3 raised\n"),
        (OSError(28, "No space left on device", "/x"), 1, "error: /x: No space left on device\n"),
        (KeyError("k"), 1, "error: KeyError: 'k' (a fault of gpudeck; --debug shows where)\n"),
        (KeyboardInterrupt(), 130, "error: interrupted\n"),
    ],
)
def test_each_kind_of_error_has_its_status(
    error: BaseException,
    status: int,
    line: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def raise_error(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("gpudeck.scenario.write_template", raise_error)
    assert fail(capsys, "new-scenario", "x.yaml") == (status, line)


@pytest.mark.parametrize("place", [0, 1, 3])
def test_debug_shows_the_traceback_wherever_it_stands(place: int) -> None:
    arguments = ["build", "--lang", "fr"]
    arguments.insert(place, "--debug")
    ran = run(*arguments)
    assert ran.returncode == 2
    assert "Traceback" in ran.stderr
    assert ran.stderr.endswith("error: --lang is 'fr'; allowed are zh, en, both\n")


def test_pages_come_in_the_order_of_the_deck() -> None:
    assert cli.parse_pages(" 12 - 13, binpack,12") == ("binpack", "cluster-scheduling", "fairness")
    assert len(cli.parse_pages("1-31")) == 31
    assert cli.parse_pages("appendix,1") == ("title", "appendix")


def test_new_scenario_writes_one_and_keeps_what_is_there(tmp_path: Path) -> None:
    ran = run("new-scenario", "mine.yaml", folder=tmp_path)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "wrote mine.yaml\n", "")
    assert read_scenario(tmp_path / "mine.yaml").id == "mine"
    again = run("new-scenario", "mine.yaml", folder=tmp_path)
    assert (again.returncode, again.stderr.count("\n")) == (2, 1)
    assert run("new-scenario", "mine.yaml", "--force", folder=tmp_path).returncode == 0


def test_help_comes_without_the_library() -> None:
    code = (
        "import sys\n"
        "from gpudeck.cli import main\n"
        "try: main(['build', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'numba', 'matplotlib', 'nbformat', 'yaml', 'babel'}\n"
        "sys.exit(', '.join(sorted(heavy & set(sys.modules))) or 0)\n"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr


def test_facts_of_a_page_that_is_pending() -> None:
    ran = run("facts", "--page", "geo", "--json", "--lang", "en")
    assert ran.returncode == 0, ran.stderr
    page = json.loads(ran.stdout)
    assert (page["page"], page["number"], page["lang"]) == ("geo", 27, "en")
    assert page["pending"] is True
    assert page["facts"] == []


def test_build_writes_where_it_is_told(tmp_path: Path) -> None:
    ran = run("build", "--pages", "15", "--lang", "en", "--no-pdf", "--out", str(tmp_path / "deck"))
    assert (ran.returncode, ran.stderr) == (0, "")
    assert ran.stdout == f"{tmp_path}/deck/en/deck.html\n"
    assert (tmp_path / "deck" / "en" / "deck.html").stat().st_size > 10**5


def test_build_into_a_file_is_the_users_mistake(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    ran = run("build", "--pages", "15", "--no-pdf", "--out", str(tmp_path / "taken"))
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"error: output folder {tmp_path}/taken ")
    assert ran.stderr.count("\n") == 1


def test_interrupted_build_ends_with_130_and_leaves_nothing(tmp_path: Path) -> None:
    arguments = ["build", "--pages", "15", "--lang", "en", "--no-pdf", "--out", str(tmp_path / "o")]
    with subprocess.Popen(
        [sys.executable, "-m", "gpudeck", *arguments], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        until_s = time.monotonic() + 60
        # the notebooks have run and the HTML is being written
        while not list(tmp_path.rglob("deck.ipynb")) and time.monotonic() < until_s:
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == "error: interrupted\n"
    assert process.returncode == 130
    assert not list(tmp_path.rglob("*.html"))


def test_facts_are_printed_with_all_that_is_known_of_them(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fact = {
        "key": "allocated",
        "value": 95.391234567,
        "unit": "%",
        "kind": "simulated",
        "source": "model:packing",
        "function": "gpudeck.models.scheduling.fill",
    }
    band = {**fact, "key": "[bold]", "low": 95.2, "high": 95.58, "level": 0.95}
    page = {"page": "binpack", "number": 10, "headline": "FGD [red]95%", "pending": False}
    record = {**page, "detail": None, "facts": [fact]}
    record["details"] = [{"detail": "curve", "facts": [band]}]
    monkeypatch.setattr(cli, "_compute_page", lambda *_: record)
    with pytest.raises(SystemExit):
        cli.main(["facts", "--page", "10"])
    shown = capsys.readouterr().out.split("\n")
    # brackets are text, not markup
    assert shown[0] == "10  FGD [red]95%"
    row = next(line for line in shown if "[bold]" in line)
    for part in ("curve", "95.3912", "%", "95.2 to 95.58 (95%)", "simulated", "model:packing"):
        assert part in row
