"""Finds, installs and starts the Chromium that prints the PDF."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from playwright.sync_api import Error, sync_playwright

from gpudeck.errors import InputError

if TYPE_CHECKING:
    from playwright.sync_api import Browser

VARIABLE = "GPUDECK_CHROMIUM"
NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "msedge",
    "chrome",
)
HINT = (
    "no Chromium was found, so there is no PDF: run `python -m playwright install chromium` or "
    f"install Chromium or Chrome (or name it in {VARIABLE}), then build again"
)
_OFFLINE = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
)
_INSTALL_S = 900


def find_browser(*, install: bool = False) -> Path | None:
    """Return the path of a Chromium: that of `GPUDECK_CHROMIUM`, of the system, of playwright.

    Parameters
    ----------
    install : bool
        Whether to install one when there is none: playwright's, else Debian's when root.

    Returns
    -------
    Path or None
        None when there is none; `HINT` then says what to do.

    Raises
    ------
    InputError
        When `GPUDECK_CHROMIUM` names no program.
    """
    named = os.environ.get(VARIABLE)
    if named:
        found = shutil.which(named)
        if found is None:
            msg = f"{VARIABLE} is {named!r}, which is no program; name a Chromium or unset it"
            raise InputError(msg)
        return Path(found)
    found_names = (shutil.which(name) for name in NAMES)
    browser = next((Path(found) for found in found_names if found), None) or _playwrights_own()
    if browser is None and install:
        return _install()
    return browser


def _playwrights_own() -> Path | None:
    with sync_playwright() as playwright:
        path = Path(playwright.chromium.executable_path)
    return path if path.is_file() and _runs([str(path), "--version"], 30) else None


def _install() -> Path | None:
    if _runs([sys.executable, "-m", "playwright", "install", "chromium"], _INSTALL_S):
        browser = _playwrights_own()
        if browser is not None:
            return browser
    if shutil.which("apt-get") and os.geteuid() == 0:
        apt = ["apt-get", "-qq", "-y"]
        if _runs([*apt, "update"], _INSTALL_S) and _runs([*apt, "install", "chromium"], _INSTALL_S):
            return find_browser()
    return None


def _runs(command: list[str], timeout_s: float) -> bool:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=timeout_s, env=environment, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


@contextmanager
def launch(executable: Path) -> Iterator[Browser]:
    """Start Chromium without a window and without asking the network for anything.

    Raises
    ------
    InputError
        When the program does not start as a Chromium does.
    """
    # Chromium refuses to sandbox itself when root starts it
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=executable, args=[*_OFFLINE, *root]
            )
        except Error as error:
            msg = f"{executable} does not start as a Chromium: {error.message.splitlines()[0]}"
            raise InputError(msg) from None
        try:
            yield browser
        finally:
            browser.close()
