"""Fixtures that several test folders share."""

import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


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
