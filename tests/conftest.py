"""Fixtures that several test folders share."""

import fcntl
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest

from gpudeck.deck.browser import HINT, find_browser
from gpudeck.deck.build import BuiltDeck

ROOT = Path(__file__).resolve().parents[1]
BUILD = """
import pickle, sys
from pathlib import Path
from gpudeck.deck.build import build_deck
from gpudeck.scenario import read_scenario
decks = build_deck(read_scenario("default"), ("zh", "en"), out=Path(sys.argv[1]))
Path(sys.argv[2]).write_bytes(pickle.dumps({deck.lang: deck for deck in decks}))
"""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn every skip into a failure with GPUDECK_NO_SKIP set: nothing may be missing there."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("GPUDECK_NO_SKIP"):
        report.outcome = "failed"
        report.longrepr = f"skipped although GPUDECK_NO_SKIP is set: {report.longrepr}"
    return report


@pytest.fixture(scope="session")
def root() -> Path:
    """The repository's root."""
    return ROOT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of oracles, traces and measurements beside the repository; skips without it."""
    folder = ROOT.parent / "shared"
    if not (folder / "oracles").is_dir():
        pytest.skip(f"needs the oracles and traces in {folder}: not part of the repository")
    return folder


@pytest.fixture(scope="session")
def poppler() -> None:
    """The programs that read a PDF; skips without them."""
    if not all(map(shutil.which, ("pdftotext", "pdfinfo", "pdffonts"))):
        pytest.skip("needs pdftotext, pdfinfo and pdffonts: apt-get install poppler-utils")


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The path of a Chromium; skips without one."""
    found = find_browser()
    if found is None:
        pytest.skip(HINT)
    return found


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, BuiltDeck]:
    """The default deck in both languages, built once for all test processes."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = folder / "built.pickle"
        if not kept.exists():
            # a process of its own: it forks, which a test process with threads cannot
            subprocess.run([sys.executable, "-c", BUILD, folder / "built", kept], check=True)
        return pickle.loads(kept.read_bytes())
