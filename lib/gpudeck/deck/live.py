"""The live show: builds the deck if it has to, then serves it in JupyterLab on this machine."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import webbrowser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from gpudeck.deck import notebook as nb_tools
from gpudeck.deck.build import EXPORT, FACTS, SCENARIO, build_deck
from gpudeck.deck.child import ended_by_sigterm
from gpudeck.deck.outline import NOTEBOOKS, PAGES, SECTIONS
from gpudeck.deck.publish import NOTEBOOK
from gpudeck.errors import BuildError, InputError
from gpudeck.scenario import Scenario

if TYPE_CHECKING:
    from rich.console import Console

ROOT = NOTEBOOKS.parent
HOST = "127.0.0.1"
START_S, STOP_S = 60.0, 15.0
_PORTS = 100
# nothing is fetched: no news, no look for a newer version, no list of extensions
_QUIET = (
    "--LabApp.news_url=None",
    "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    "--LabApp.extension_manager=readonly",
    "--ServerApp.port_retries=0",
    "--no-browser",
)


@dataclass(frozen=True)
class Show:
    """Where the show that is running can be opened."""

    slideshow: str
    classic: str
    sections: str


def start(
    scenario: Scenario,
    lang: str,
    *,
    seed: int = 0,
    port: int = 0,
    classic: bool = False,
    browser: bool = False,
    say: Callable[[str], object] = print,
    progress: Console | None = None,
) -> None:
    """Serve the show until Ctrl-C, after printing its addresses.

    Parameters
    ----------
    scenario : Scenario
        What the deck is computed from.
    lang : str
        "zh" or "en".
    seed : int
        Seed of every simulation.
    port : int
        Port on 127.0.0.1; when it is taken, the next that is free. 0 takes any.
    classic : bool
        Whether the classic RISE is the one to open first.
    browser : bool
        Whether to open the address in the desktop's browser.
    say : callable
        Gets each line for the user.
    progress : Console, optional
        Where to draw the progress of a build, if there has to be one.

    Raises
    ------
    InputError, BuildError
        When the deck cannot be built or the server does not start.
    """
    notebook = prepare(scenario, lang, seed=seed, progress=progress)
    with ended_by_sigterm(), serve(notebook, port=port) as show:
        first, second = show.slideshow, show.classic
        if classic:
            first, second = second, first
        say(f"slideshow  {first}")
        say(f"or         {second}{'' if classic else '  (classic: press the RISE button)'}")
        say(f"sections   {show.sections}")
        say("Ctrl-C stops the server")
        if browser:
            webbrowser.open(first)
        with contextlib.suppress(KeyboardInterrupt):
            while True:
                time.sleep(3600)


def prepare(
    scenario: Scenario, lang: str, *, seed: int = 0, progress: Console | None = None
) -> Path:
    """Return the merged notebook, built if it is missing or out of date, stamped and signed."""
    folder = EXPORT / scenario.id / lang
    if not _is_current(folder, scenario, seed):
        build_deck(scenario, (lang,), seed=seed, pdf=False, progress=progress)
    paths = [folder / NOTEBOOK, *(NOTEBOOKS / f"{section}.ipynb" for section in SECTIONS)]
    for path in paths:
        before = path.read_text(encoding="utf-8")
        after = nb_tools.to_text(nb_tools.stamp(nb_tools.read(path)))
        if json.loads(after) != json.loads(before):
            nb_tools.write(path, after)
        nb_tools.sign(path)
    return folder / NOTEBOOK


def _is_current(folder: Path, scenario: Scenario, seed: int) -> bool:
    notebook, facts = folder / NOTEBOOK, folder / FACTS
    try:
        built_ns = facts.stat().st_mtime_ns
        same = (folder / SCENARIO).read_text(encoding="utf-8") == scenario.to_yaml()
        built = json.loads(facts.read_text(encoding="utf-8"))
        shown = {record["page"] for record in nb_tools.records(nb_tools.read(notebook))}
    except (FileNotFoundError, json.JSONDecodeError, InputError):
        return False
    whole = shown >= {page.id for page in PAGES}  # a deck of chosen pages is not the show
    return same and whole and built["seed"] == seed and built_ns > _newest_source_ns()


def _newest_source_ns() -> int:
    patterns = {
        NOTEBOOKS: ("*.css", "text/**/*.md"),
        ROOT / "lib": ("**/*.py", "**/*.js"),
        ROOT / "data": ("**/*.csv",),
    }
    paths = (path for root, globs in patterns.items() for glob in globs for path in root.glob(glob))
    return max((path.stat().st_mtime_ns for path in paths), default=0)


@contextmanager
def serve(notebook: Path, *, port: int = 0) -> Iterator[Show]:
    """Run JupyterLab with `notebook` in reach, until the block ends.

    Raises
    ------
    BuildError
        When the server does not answer in time: the message ends with its last words.
    """
    token = secrets.token_urlsafe(24)
    port = find_port(port)
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    options = [f"--ServerApp.ip={HOST}", f"--ServerApp.port={port}", f"--ServerApp.root_dir={ROOT}"]
    with tempfile.TemporaryFile() as log:
        # its own session: Ctrl-C is for us, and Jupyter would answer it with a question.
        # The token goes by the environment, where other users cannot read it.
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options, *_QUIET, *root],
            cwd=ROOT,
            env={**os.environ, "JUPYTER_TOKEN": token},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _wait(server, f"http://{HOST}:{port}/api", log)
            yield _addresses(port, token, notebook)
        finally:
            _stop(server)


def find_port(port: int) -> int:
    """Return the first free port from `port` on; any free one for 0.

    Raises
    ------
    InputError
        When none of a hundred is free.
    """
    for candidate in (0,) if port == 0 else range(port, min(port + _PORTS, 65536)):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    msg = f"port {port} and the {_PORTS - 1} after it are taken or not allowed; choose another one"
    raise InputError(msg)


def _addresses(port: int, token: str, notebook: Path) -> Show:
    base, path = f"http://{HOST}:{port}", notebook.resolve().relative_to(ROOT).as_posix()
    return Show(
        slideshow=f"{base}/rise/{path}?token={token}",
        classic=f"{base}/nbclassic/notebooks/{path}?token={token}",
        sections=f"{base}/lab/tree/{NOTEBOOKS.name}?token={token}",
    )


def _wait(server: subprocess.Popen[bytes], address: str, log: IO[bytes]) -> None:
    # a proxy of the environment must not stand between this machine and itself
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + START_S
    while time.monotonic() < end and server.poll() is None:
        with contextlib.suppress(urllib.error.URLError, OSError):
            with opener.open(address, timeout=2):
                return
        time.sleep(0.1)
    log.seek(0)
    words = log.read().decode(errors="replace").strip().splitlines()
    msg = f"JupyterLab did not start: {words[-1] if words else 'it said nothing'}"
    raise BuildError(msg)


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.terminate()  # it ends its kernels first
    try:
        server.wait(STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait()
