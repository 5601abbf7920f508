"""Folders that are filled aside and take their place only when all of them are complete."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from gpudeck.errors import InputError

_NAME = re.compile(r"\.(?P<target>.+)\.(?P<role>new|old)-(?P<pid>\d+)")


@contextmanager
def stage(root: Path, names: Sequence[str]) -> Iterator[dict[str, Path]]:
    """Yield an empty folder for each name; afterwards they replace `root/<name>`.

    When the body raises, or is interrupted, the folders vanish and what was in their places stays.

    Parameters
    ----------
    root : Path
        Folder of the targets; the staging folders are in it too, so that a rename suffices.
    names : sequence of str
        Names of the targets.

    Raises
    ------
    InputError
        When `root` cannot be written.
    """
    root = root.absolute()
    created = _make(root)
    staged = {name: root / f".{name}.new-{os.getpid()}" for name in names}
    try:
        recover(root)
        for folder in staged.values():
            _make(folder)
        yield staged
        for name, folder in staged.items():
            _swap(folder, root / name)
    finally:
        for folder in staged.values():
            shutil.rmtree(folder, ignore_errors=True)
        for folder in created:
            with contextlib.suppress(OSError):  # not empty: it holds an export
                folder.rmdir()


def recover(root: Path) -> None:
    """Tidy up after builds that were killed: put back what was moved aside, remove the rest."""
    for path in sorted(root.glob(".*")) if root.is_dir() else ():
        match = _NAME.fullmatch(path.name)
        if match is None or _lives(int(match["pid"])):
            continue
        target = root / match["target"]
        if match["role"] == "old" and not target.exists():
            path.rename(target)
        else:
            shutil.rmtree(path, ignore_errors=True)


def _swap(folder: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.old-{os.getpid()}")
    with _uninterrupted():
        if target.exists() or target.is_symlink():
            target.rename(old)
        try:
            folder.rename(target)
        except OSError:
            if old.exists():
                old.rename(target)
            raise
    shutil.rmtree(old, ignore_errors=True)


def _make(folder: Path) -> list[Path]:
    """Make a folder and its parents; return those that were not there, the innermost first."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK | os.X_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        msg = (
            f"output folder {folder} cannot be written: {error.strerror}; "
            "name one that can with --out"
        )
        raise InputError(msg) from None
    return missing


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid != os.getpid()


@contextmanager
def _uninterrupted() -> Iterator[None]:
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
