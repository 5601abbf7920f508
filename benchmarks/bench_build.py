"""How long the deck takes: gpudeck against papermill and nbconvert, in the same run.

Run `python benchmarks/bench_build.py`, with `--quick` for one round instead of three. The plain way
is papermill with its own engine, one notebook after another, then `jupyter nbconvert --to slides`
on the merged notebook; each way starts from the command line. Rounds alternate, the median counts.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import nbformat

from gpudeck.deck import notebook as nb_tools
from gpudeck.deck.outline import NOTEBOOKS, SECTIONS

RATIO, BUILD_S, PDF_S = 4.0, 20.0, 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="one round instead of three")
    parser.add_argument("--scenario", default="default")
    parser.add_argument("--lang", default="en", choices=("zh", "en"))
    options = parser.parse_args()
    rounds = 1 if options.quick else 3
    _build(options.scenario, options.lang, pdf=True)  # caches of fonts and compiled code: warm
    times: dict[str, list[float]] = {"plain": [], "html": [], "pdf": []}
    for _ in range(rounds):
        times["plain"].append(_build_plain(options.scenario, options.lang))
        times["html"].append(_build(options.scenario, options.lang, pdf=False))
        times["pdf"].append(_build(options.scenario, options.lang, pdf=True))
    plain_s, html_s, pdf_s = (statistics.median(times[way]) for way in ("plain", "html", "pdf"))
    rows = (
        ("plain: papermill, then nbconvert", f"{plain_s:.1f} s", ""),
        ("gpudeck build --no-pdf", f"{html_s:.1f} s", _mark(html_s <= BUILD_S, f"≤ {BUILD_S:g} s")),
        (
            "times faster",
            f"{plain_s / html_s:.1f}",
            _mark(plain_s / html_s >= RATIO, f"≥ {RATIO:g}"),
        ),
        (
            "PDF besides",
            f"{pdf_s - html_s:.1f} s",
            _mark(pdf_s - html_s <= PDF_S, f"≤ {PDF_S:g} s"),
        ),
    )
    cores = len(os.sched_getaffinity(0))
    print(f"ten notebooks to one HTML, {cores} cores, warm, median of {rounds}")
    for name, value, mark in rows:
        print(f"  {name:<34}{value:>8}  {mark}".rstrip())


def _mark(met: bool, target: str) -> str:
    return f"{'met' if met else 'MISSED'} (target {target})"


def _build(scenario: str, lang: str, *, pdf: bool) -> float:
    with tempfile.TemporaryDirectory() as out:
        command = ["build", "--scenario", scenario, "--lang", lang, "--out", out]
        return _time([sys.executable, "-m", "gpudeck", *command, *([] if pdf else ["--no-pdf"])])


def _build_plain(scenario: str, lang: str) -> float:
    with tempfile.TemporaryDirectory() as folder:
        parameters = ["-p", "scenario", scenario, "-p", "lang", lang]
        seconds = 0.0
        for section in SECTIONS:
            source, target = NOTEBOOKS / f"{section}.ipynb", Path(folder) / f"{section}.ipynb"
            papermill = [sys.executable, "-m", "papermill", "--no-progress-bar", *parameters]
            seconds += _time([*papermill, str(source), str(target)])
        started_s = time.perf_counter()
        notebooks = {
            section: nb_tools.read(Path(folder) / f"{section}.ipynb") for section in SECTIONS
        }
        merged = Path(folder) / "deck.ipynb"
        nbformat.write(nb_tools.merge(notebooks), merged)
        seconds += time.perf_counter() - started_s
        return seconds + _time([sys.executable, "-m", "nbconvert", "--to", "slides", str(merged)])


def _time(command: list[str]) -> float:
    started_s = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command[2:])} failed: {done.stderr.strip().splitlines()[-1]}")
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
